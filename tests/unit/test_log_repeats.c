/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests how log lines that repeat are counted: which lines are of one kind, when their number is
 * due, and what is left when there is no room for more kinds or for long texts.
 *
 * log_repeats.h is pure, so the time is a number. Each test has an empty table, and adds lines at
 * times that it chooses; add returns true for a repeat. `taken` asks which number is due.
 *
 * Not here: the thread that writes the lines (test_log_thread.c), and which events are limited
 * (test_events.c).
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/log_repeats.h"

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct log_repeats));
    return *state == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static struct log_line line_of(const char *event, const char *message,
                               const struct log_field *fields)
{
    return (struct log_line){0, LOG_LEVEL_WARNING, event, message, NULL, fields};
}

static bool add(struct log_repeats *repeats, int64_t now_ms, const char *event, const char *message,
                const struct log_field *fields)
{
    const struct log_line line = line_of(event, message, fields);
    return log_repeats_add(repeats, &line, now_ms);
}

static bool add_one(struct log_repeats *repeats, int64_t now_ms)
{
    return add(repeats, now_ms, "e.v", "m", LOG_FIELDS(LOG_S("principal", "p")));
}

/* Returns the number of the next kind that is due; -1: none is. */
static int64_t taken(struct log_repeats *repeats, int64_t now_ms)
{
    struct log_repeat repeat;
    return log_repeats_take(repeats, now_ms, &repeat) ? repeat.not_logged : -1;
}

static void test_the_first_line_is_written_and_the_others_are_counted_for_10_s(void **state)
{
    struct log_repeats *repeats = *state;
    assert_false(add_one(repeats, 0));
    for (int i = 1; i <= 5000; i++)
        assert_true(add_one(repeats, i));
    assert_int_equal(taken(repeats, LOG_REPEATS_MS - 1), -1);
    assert_int_equal(repeats->next_ms, LOG_REPEATS_MS);
    assert_int_equal(taken(repeats, LOG_REPEATS_MS), 5000);
    assert_int_equal(taken(repeats, LOG_REPEATS_MS), -1);
}

static void test_a_line_that_goes_on_is_one_in_10_s(void **state)
{
    struct log_repeats *repeats = *state;
    assert_false(add_one(repeats, 0));
    for (int64_t second = 1; second <= 60; second++) {
        assert_true(add_one(repeats, second * 1000 - 1));
        assert_int_equal(taken(repeats, second * 1000), second % 10 == 0 ? 10 : -1);
    }
}

static void test_a_kind_that_does_not_repeat_is_forgotten_after_10_s(void **state)
{
    struct log_repeats *repeats = *state;
    assert_false(add_one(repeats, 0));
    assert_int_equal(taken(repeats, LOG_REPEATS_MS), -1);
    assert_int_equal(repeats->count, 0);
    assert_false(add_one(repeats, LOG_REPEATS_MS));
}

static void test_event_message_and_texts_make_a_kind(void **state)
{
    struct log_repeats *repeats = *state;
    assert_false(add(repeats, 0, "e.v", "m", LOG_FIELDS(LOG_S("reply_to", "q"))));
    assert_false(add(repeats, 0, "e.w", "m", LOG_FIELDS(LOG_S("reply_to", "q"))));
    assert_false(add(repeats, 0, "e.v", "n", LOG_FIELDS(LOG_S("reply_to", "q"))));
    assert_false(add(repeats, 0, "e.v", "m", LOG_FIELDS(LOG_S("reply_to", "r"))));
    assert_false(add(repeats, 0, "e.v", "m", LOG_NONE));
    assert_true(add(repeats, 0, "e.v", "m", LOG_FIELDS(LOG_S("reply_to", "q"))));
    assert_true(add(repeats, 0, "e.v", "m", LOG_NONE));
}

static void test_numbers_and_the_names_of_a_command_do_not(void **state)
{
    struct log_repeats *repeats = *state;
    assert_false(add(repeats, 0, "e.v", "m",
                     LOG_FIELDS(LOG_S("message_id", "1"), LOG_S("reply_to", "q"), LOG_I("n", 1),
                                LOG_S("traceparent", "a"))));
    assert_true(add(repeats, 0, "e.v", "m",
                    LOG_FIELDS(LOG_S("message_id", "2"), LOG_S("reply_to", "q"), LOG_I("n", 2),
                               LOG_T("traceparent", TEXT_NONE))));
}

static void test_the_line_of_a_kind_has_its_texts_and_the_number(void **state)
{
    struct log_repeats *repeats = *state;
    struct log_repeat repeat;
    struct log_field fields[LOG_REPEAT_TEXTS + 1];
    char buffer[LOG_LINE_BYTES_MAX];
    for (int i = 0; i < 3; i++)
        (void)add(repeats, 0, "e.v", "a sentence",
                  LOG_FIELDS(LOG_S("message_id", "1"), LOG_S("principal", "p"), LOG_I("n", i),
                             LOG_S("error", "e")));
    assert_true(log_repeats_take(repeats, LOG_REPEATS_MS, &repeat));
    const struct log_line line = log_repeat_line(&repeat, "w", 0, fields);
    size_t length = log_format_line(&line, LOG_FORMAT_JSON, buffer);
    static const char expected[] =
        "{\"ts\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warning\",\"event\":\"e.v\","
        "\"message\":\"a sentence\",\"worker\":\"w\",\"principal\":\"p\",\"error\":\"e\","
        "\"not_logged\":2}\n";
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(buffer, expected, length);
}

/* Every length of the message around the room for texts: the rest of the texts has no room. */
static void test_long_texts_are_cut(void **state)
{
    (void)state;
    for (size_t length = LOG_REPEAT_BYTES - 8; length < LOG_REPEAT_BYTES + 8; length++) {
        struct log_repeats *repeats = calloc(1, sizeof *repeats);
        struct log_repeat repeat;
        struct log_field fields[LOG_REPEAT_TEXTS + 1];
        char message[LOG_REPEAT_BYTES + 8] = "", buffer[LOG_LINE_BYTES_MAX];
        assert_non_null(repeats);
        memset(message, 'm', length);
        const struct log_field *texts = LOG_FIELDS(LOG_S("a", "xyz"), LOG_S("b", "xyz"));
        assert_false(add(repeats, 0, "e.v", message, texts));
        assert_true(add(repeats, 0, "e.v", message, texts));
        assert_true(log_repeats_take(repeats, LOG_REPEATS_MS, &repeat));
        const struct log_line line = log_repeat_line(&repeat, NULL, 0, fields);
        assert_in_range(strlen(line.message), LOG_REPEAT_BYTES - 8, LOG_REPEAT_BYTES - 1);
        assert_in_range(log_format_line(&line, LOG_FORMAT_JSON, buffer), LOG_REPEAT_BYTES,
                        2 * LOG_REPEAT_BYTES);
        free(repeats);
    }
}

static void test_more_texts_than_a_kind_has_room_for_are_left_out(void **state)
{
    struct log_repeats *repeats = *state;
    struct log_field many[LOG_REPEAT_TEXTS + 3], fields[LOG_REPEAT_TEXTS + 1];
    struct log_repeat repeat;
    for (size_t i = 0; i < LOG_REPEAT_TEXTS + 2; i++)
        many[i] = LOG_S("name", "x");
    many[LOG_REPEAT_TEXTS + 2] = LOG_NONE[0];
    assert_false(add(repeats, 0, "e.v", "m", many));
    assert_true(add(repeats, 0, "e.v", "m", many));
    assert_true(log_repeats_take(repeats, LOG_REPEATS_MS, &repeat));
    const struct log_line line = log_repeat_line(&repeat, NULL, 0, fields);
    assert_string_equal(line.fields[LOG_REPEAT_TEXTS - 1].name, "not_logged");
    assert_int_equal(line.fields[LOG_REPEAT_TEXTS].kind, LOG_END);
}

static void test_kinds_without_room_are_written_each(void **state)
{
    struct log_repeats *repeats = *state;
    char message[32];
    for (int i = 0; i < LOG_REPEATS_MAX; i++) {
        (void)snprintf(message, sizeof message, "%d", i);
        assert_false(add(repeats, i, "e.v", message, LOG_NONE));
    }
    assert_false(add(repeats, 1000, "e.v", "one more", LOG_NONE));
    assert_false(add(repeats, 1000, "e.v", "one more", LOG_NONE));
    assert_true(add(repeats, 1000, "e.v", "0", LOG_NONE));
    /* There is room again once kinds are forgotten. */
    assert_int_equal(taken(repeats, LOG_REPEATS_MS + 9), 1);
    assert_int_equal(taken(repeats, LOG_REPEATS_MS + 9), -1);
    assert_int_equal(repeats->count, LOG_REPEATS_MAX - 9);
    assert_false(add(repeats, LOG_REPEATS_MS, "e.v", "one more", LOG_NONE));
    assert_true(add(repeats, LOG_REPEATS_MS, "e.v", "one more", LOG_NONE));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_line_is_written_and_the_others_are_counted_for_10_s),
        TEST(test_a_line_that_goes_on_is_one_in_10_s),
        TEST(test_a_kind_that_does_not_repeat_is_forgotten_after_10_s),
        TEST(test_event_message_and_texts_make_a_kind),
        TEST(test_numbers_and_the_names_of_a_command_do_not),
        TEST(test_the_line_of_a_kind_has_its_texts_and_the_number),
        TEST(test_long_texts_are_cut),
        TEST(test_more_texts_than_a_kind_has_room_for_are_left_out),
        TEST(test_kinds_without_room_are_written_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
