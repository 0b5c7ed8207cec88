/* SPDX-License-Identifier: Apache-2.0 */
/* Tests whose a dead letter is: the worker's, or the broker's. */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/codec/field_table.h"
#include "ctl/dead_letter.h"

#define COMMANDS "allot.commands"
#define SECONDS 1700000000U

/* An encoded table or array in the making. */
struct bytes {
    char data[1024];
    size_t length;
};

static void put(struct bytes *to, const void *bytes, size_t length)
{
    memcpy(to->data + to->length, bytes, length);
    to->length += length;
}

static void put_number(struct bytes *to, uint64_t value, size_t count)
{
    for (size_t i = count; i-- > 0;)
        to->data[to->length++] = (char)(value >> (8 * i));
}

static void put_name(struct bytes *to, const char *name, char kind)
{
    put_number(to, strlen(name), 1);
    put(to, name, strlen(name));
    to->data[to->length++] = kind;
}

static void put_text(struct bytes *to, const char *name, const char *value)
{
    put_name(to, name, 'S');
    put_number(to, strlen(value), 4);
    put(to, value, strlen(value));
}

/* Adds one entry of x-death. */
static void put_death(struct bytes *to, const char *queue, const char *reason)
{
    struct bytes table = {.length = 0};
    put_text(&table, "reason", reason);
    put_text(&table, "queue", queue);
    put_name(&table, "time", 'T');
    put_number(&table, SECONDS, 8);
    to->data[to->length++] = 'F';
    put_number(to, table.length, 4);
    put(to, table.data, table.length);
}

static void put_array(struct bytes *to, const char *name, const struct bytes *array)
{
    put_name(to, name, 'A');
    put_number(to, array->length, 4);
    put(to, array->data, array->length);
}

static struct dead_letter read_letter(const struct bytes *headers, struct arena *arena)
{
    struct bytes table = {.length = 0};
    put_number(&table, headers->length, 4);
    put(&table, headers->data, headers->length);
    struct client_message message = {.raw_headers =
                                         text_copy(arena, text_view(table.data, table.length)),
                                     .body = text_of("{}")};
    assert_true(field_table_well_formed(message.raw_headers));
    message.properties.user_id = text_of("conductor");
    return dead_letter_read(&message, text_of(COMMANDS), arena);
}

static void put_worker_headers(struct bytes *headers)
{
    put_text(headers, "x-allot-reason", "malformed");
    put_text(headers, "x-allot-principal", "team-blue");
}

static void expect(const struct bytes *headers, const char *reason, const char *principal)
{
    struct arena *arena = arena_new(0);
    struct dead_letter letter = read_letter(headers, arena);
    if (reason == NULL)
        assert_false(text_present(letter.reason));
    else
        assert_true(text_is(letter.reason, reason));
    if (principal == NULL)
        assert_false(text_present(letter.principal));
    else
        assert_true(text_is(letter.principal, principal));
    arena_free(arena);
}

static void test_without_deaths_the_letter_is_the_workers(void **state)
{
    (void)state;
    struct bytes headers = {.length = 0};
    put_worker_headers(&headers);
    expect(&headers, "malformed", "team-blue");
}

static void test_a_death_in_the_command_queue_makes_it_the_brokers(void **state)
{
    (void)state;
    struct bytes headers = {.length = 0};
    struct bytes deaths = {.length = 0};
    put_worker_headers(&headers);
    put_text(&headers, "x-first-death-reason", "forged");
    put_death(&deaths, "elsewhere", "maxlen"); /* the letter went on from the dead-letter queue */
    put_death(&deaths, COMMANDS, "expired");
    put_death(&deaths, COMMANDS, "forged");
    put_array(&headers, "x-death", &deaths);
    expect(&headers, "expired", "conductor");
    struct arena *arena = arena_new(0);
    struct dead_letter letter = read_letter(&headers, arena);
    assert_true(text_is(letter.queue, COMMANDS));
    assert_true(letter.has_dead_at);
    assert_int_equal(letter.dead_at_ms, SECONDS * 1000LL);
    arena_free(arena);
}

static void test_a_letter_of_the_worker_that_expired_later_stays_the_workers(void **state)
{
    (void)state;
    struct bytes headers = {.length = 0};
    struct bytes deaths = {.length = 0};
    put_worker_headers(&headers);
    put_death(&deaths, "allot.dead", "expired");
    put_array(&headers, "x-death", &deaths);
    expect(&headers, "malformed", "team-blue");
}

static void test_a_letter_from_another_queue_names_it(void **state)
{
    (void)state;
    struct bytes headers = {.length = 0};
    struct bytes deaths = {.length = 0};
    put_death(&deaths, "elsewhere", "maxlen");
    put_array(&headers, "x-death", &deaths);
    expect(&headers, "maxlen", "conductor");
}

static void test_malformed_deaths_are_ignored(void **state)
{
    (void)state;
    struct bytes none = {.length = 0};
    expect(&none, NULL, NULL);
    struct bytes text = {.length = 0};
    put_text(&text, "x-death", "no array");
    expect(&text, NULL, NULL);
    struct bytes headers = {.length = 0};
    struct bytes array = {.length = 0};
    put(&array, "F\xff\xff\xff\xff", 5); /* longer than the array */
    put_array(&headers, "x-death", &array);
    expect(&headers, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_deaths_the_letter_is_the_workers),
        cmocka_unit_test(test_a_death_in_the_command_queue_makes_it_the_brokers),
        cmocka_unit_test(test_a_letter_of_the_worker_that_expired_later_stays_the_workers),
        cmocka_unit_test(test_a_letter_from_another_queue_names_it),
        cmocka_unit_test(test_malformed_deaths_are_ignored),
    };
    return cmocka_run_group_tests_name("dead_letter", tests, NULL, NULL) != 0;
}
