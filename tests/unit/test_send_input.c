/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "common/base/uuid.h"
#include "ctl/send_input.h"

/* Runs send_input_read on a stream with the content `lines`. */
static bool read_lines(const char *lines, const char *prefix, struct arena *arena,
                       struct send_input *ret_input, struct error *error)
{
    char copy[1024];
    assert_in_range(snprintf(copy, sizeof copy, "%s", lines), 0, sizeof copy - 1);
    FILE *file = fmemopen(copy, strlen(copy), "r");
    assert_non_null(file);
    bool read = send_input_read(file, "lines", prefix, arena, ret_input, error);
    (void)fclose(file);
    return read;
}

static void test_a_line_is_a_body_and_its_key_is_the_prefix_with_the_line(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct send_input input = {0};
    assert_true(read_lines("{\"version\":1}\n\n{\"version\":2}\n", "k", arena, &input, NULL));
    assert_int_equal(input.count, 2);
    assert_true(text_is(input.commands[0].body, "{\"version\":1}"));
    assert_true(text_is(input.commands[0].message_id, "k-1"));
    assert_true(text_is(input.commands[1].message_id, "k-3")); /* the empty line counts as a line */
    arena_free(arena);
}

static void test_an_envelope_names_key_headers_and_body(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct send_input input = {0};
    assert_true(read_lines("{\"message_id\":\"m\",\"headers\":{\"x-allot-deadline\":7},"
                           "\"body\":{\"a\":1}}\n",
                           "k", arena, &input, NULL));
    assert_int_equal(input.count, 1);
    assert_true(text_is(input.commands[0].message_id, "m"));
    assert_true(text_is(input.commands[0].body, "{\"a\":1}"));
    assert_int_equal(input.commands[0].header_count, 1);
    assert_string_equal(input.commands[0].headers[0].name, "x-allot-deadline");
    assert_int_equal(input.commands[0].headers[0].kind, OUTGOING_INTEGER);
    assert_int_equal(input.commands[0].headers[0].integer, 7);
    arena_free(arena);
}

static void test_a_body_that_is_a_string_is_sent_as_its_bytes(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct send_input input = {0};
    assert_true(read_lines("{\"body\":\"not JSON \\u00e9\"}\n", "k", arena, &input, NULL));
    assert_true(text_is(input.commands[0].body, "not JSON \xc3\xa9"));
    arena_free(arena);
}

static void test_keys_are_random_without_a_prefix(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct send_input input = {0};
    struct uuid uuid;
    assert_true(read_lines("{}\n{}\n", NULL, arena, &input, NULL));
    assert_int_equal(input.count, 2);
    assert_true(uuid_parse(input.commands[0].message_id, &uuid));
    assert_false(text_equal(input.commands[0].message_id, input.commands[1].message_id));
    arena_free(arena);
}

static void test_the_error_of_an_invalid_line_names_the_line(void **state)
{
    (void)state;
    static const char *const invalid[] = {
        "{}\n{\"a\":\n",                        /* not JSON */
        "{}\n[1]\n",                            /* not an object */
        "{}\n{\"body\":{},\"surprise\":1}\n",   /* unknown member */
        "{}\n{\"body\":{},\"message_id\":1}\n", /* not a string */
        "{}\n{\"body\":{},\"headers\":[]}\n",   /* not an object */
    };
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        struct arena *arena = arena_new(0);
        struct send_input input = {0};
        struct error error = {""};
        assert_false(read_lines(invalid[i], "k", arena, &input, &error));
        assert_memory_equal(error.text, "lines:2:", strlen("lines:2:"));
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_is_a_body_and_its_key_is_the_prefix_with_the_line),
        cmocka_unit_test(test_an_envelope_names_key_headers_and_body),
        cmocka_unit_test(test_a_body_that_is_a_string_is_sent_as_its_bytes),
        cmocka_unit_test(test_keys_are_random_without_a_prefix),
        cmocka_unit_test(test_the_error_of_an_invalid_line_names_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
