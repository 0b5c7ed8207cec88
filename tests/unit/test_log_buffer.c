/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the ring of log lines: order, wrap-around, and whose lines are refused first. */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/log_buffer.h"

enum { LINE_BYTES = 1000 };

static struct log_buffer *new_buffer(void)
{
    struct log_buffer *buffer = calloc(1, sizeof *buffer);
    assert_non_null(buffer);
    return buffer;
}

/* Puts lines of LINE_BYTES until one is refused. Returns how many there were. */
static size_t fill(struct log_buffer *buffer, enum log_rank rank)
{
    char line[LINE_BYTES];
    size_t count = 0;
    memset(line, 'a', sizeof line);
    while (log_buffer_put(buffer, rank, line, sizeof line))
        count++;
    return count;
}

static void test_an_empty_buffer_has_no_line(void **state)
{
    (void)state;
    struct log_buffer *buffer = new_buffer();
    enum log_rank rank;
    char line[LOG_LINE_BYTES_MAX];
    assert_int_equal(log_buffer_take(buffer, line, &rank), 0);
    free(buffer);
}

/* Lines of all lengths, many times the room, so that each place of the ring is an end. */
static void test_lines_come_back_in_order_with_their_rank(void **state)
{
    (void)state;
    enum { AHEAD = 10, COUNT = 2000 };
    struct log_buffer *buffer = new_buffer();
    static char line[LOG_LINE_BYTES_MAX], taken[LOG_LINE_BYTES_MAX];
    for (size_t i = 0; i < COUNT + AHEAD; i++) {
        size_t length = 1 + i * 997 % LOG_LINE_BYTES_MAX;
        memset(line, (int)('a' + i % 26), length);
        if (i < COUNT)
            assert_true(log_buffer_put(buffer, (enum log_rank)(i % 3), line, length));
        if (i < AHEAD)
            continue;
        enum log_rank rank;
        size_t j = i - AHEAD, expected = 1 + j * 997 % LOG_LINE_BYTES_MAX;
        memset(line, (int)('a' + j % 26), expected);
        assert_int_equal(log_buffer_take(buffer, taken, &rank), expected);
        assert_memory_equal(taken, line, expected);
        assert_int_equal(rank, j % 3);
    }
    assert_int_equal(buffer->used, 0);
    free(buffer);
}

static void test_audit_lines_are_refused_last_and_errors_before_them(void **state)
{
    (void)state;
    struct log_buffer *buffer = new_buffer();
    size_t eighth = LOG_BUFFER_BYTES / 8 / LINE_BYTES;
    assert_in_range(fill(buffer, LOG_RANK_USUAL), 5 * eighth - 15, 5 * eighth);
    assert_in_range(fill(buffer, LOG_RANK_ERROR), eighth - 5, eighth);
    assert_int_equal(fill(buffer, LOG_RANK_USUAL), 0);
    assert_in_range(fill(buffer, LOG_RANK_AUDIT), 2 * eighth - 7, 2 * eighth);
    assert_int_equal(fill(buffer, LOG_RANK_ERROR), 0);
    free(buffer);
}

static void test_a_line_has_room_again_after_one_was_taken(void **state)
{
    (void)state;
    struct log_buffer *buffer = new_buffer();
    enum log_rank rank;
    char line[LOG_LINE_BYTES_MAX];
    assert_true(fill(buffer, LOG_RANK_USUAL) > 0);
    assert_int_equal(log_buffer_take(buffer, line, &rank), LINE_BYTES);
    assert_int_equal(fill(buffer, LOG_RANK_USUAL), 1);
    free(buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_buffer_has_no_line),
        cmocka_unit_test(test_lines_come_back_in_order_with_their_rank),
        cmocka_unit_test(test_audit_lines_are_refused_last_and_errors_before_them),
        cmocka_unit_test(test_a_line_has_room_again_after_one_was_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
