/* SPDX-License-Identifier: Apache-2.0 */
/* Tests how allotctl shows message headers of every kind. */
#include "tests/support/cmocka.h"

#include <jansson.h>
#include <string.h>

#include "ctl/headers_json.h"

enum { NESTED = 40, MANY = 200000 };

/* Puts the length before the entries. */
static struct text table_of(struct arena *arena, const char *entries, size_t length)
{
    char *bytes = arena_alloc(arena, length + 4);
    for (size_t i = 0; i < 4; i++)
        bytes[i] = (char)(length >> (8 * (3 - i)));
    memcpy(bytes + 4, entries, length);
    return text_view(bytes, length + 4);
}

static struct text json_of(struct arena *arena, struct text table)
{
    struct json_writer writer = json_writer_new(arena);
    headers_json_write(&writer, table);
    json_t *json = json_loadb(writer.bytes, writer.length, 0, NULL);
    assert_non_null(json); /* whatever the table is, the output is valid JSON */
    json_decref(json);
    return json_writer_text(&writer);
}

#define EXPECT(entries, expected) expect(entries, sizeof(entries) - 1, expected)

static void expect(const char *entries, size_t length, const char *expected)
{
    struct arena *arena = arena_new(0);
    struct text json = json_of(arena, table_of(arena, entries, length));
    char *shown = arena_alloc(arena, json.length + 1);
    memcpy(shown, json.bytes, json.length);
    assert_string_equal(shown, expected);
    arena_free(arena);
}

static void test_every_kind_of_value_is_shown(void **state)
{
    (void)state;
    EXPECT("", "{}");
    EXPECT("\1at\1", "{\"a\":true}");
    EXPECT("\1ab\xff", "{\"a\":-1}");
    EXPECT("\1aI\xff\xff\xff\xfe", "{\"a\":-2}");
    EXPECT("\1al\0\0\0\0\0\0\1\0", "{\"a\":256}");
    EXPECT("\1aS\0\0\0\3b\"c", "{\"a\":\"b\\\"c\"}");
    EXPECT("\1aS\0\0\0\2\xff\x1b", "{\"a\":\"\xef\xbf\xbd\\u001b\"}");
    EXPECT("\1ax\0\0\0\3\0\1\2", "{\"a\":\"AAEC\"}");
    EXPECT("\1ax\0\0\0\0", "{\"a\":\"\"}");
    EXPECT("\1aT\0\0\0\0e\x53\xf1\0", "{\"a\":1700000000}");
    EXPECT("\1af\x3f\xc0\0\0", "{\"a\":1.5}");
    EXPECT("\1ad\xbf\xf8\0\0\0\0\0\0", "{\"a\":-1.5}");
    EXPECT("\1ad\x7f\xf0\0\0\0\0\0\0", "{\"a\":null}");
    EXPECT("\1aD\2\0\0\0\x7b", "{\"a\":123e-2}");
    EXPECT("\1aV", "{\"a\":null}");
}

static void test_arrays_and_tables_are_entered(void **state)
{
    (void)state;
    EXPECT("\1aA\0\0\0\0\1bV", "{\"a\":[],\"b\":null}");
    EXPECT("\1aA\0\0\0\7t\0S\0\0\0\0", "{\"a\":[false,\"\"]}");
    EXPECT("\7x-deathA\0\0\0\x16"
           "F\0\0\0\x11\6reasonS\0\0\0\5maxle",
           "{\"x-death\":[{\"reason\":\"maxle\"}]}");
}

static void test_what_is_malformed_ends_in_null(void **state)
{
    (void)state;
    EXPECT("\1aA\0\0\0\3t\1?", "{\"a\":[true,null]}");
    EXPECT("\1aA\0\0\0\2S\0", "{\"a\":[null]}");
    EXPECT("\1aF\0\0\0\2\1b", "{\"a\":{}}");
}

static void test_deep_nesting_ends_in_null(void **state)
{
    (void)state;
    char entries[2 + 5 * NESTED] = "\1a";
    for (size_t i = 0; i < NESTED; i++) {
        char *at = entries + 2 + 5 * i;
        at[0] = 'A';
        at[4] = (char)(5 * (NESTED - i - 1));
        at[3] = 0;
    }
    struct arena *arena = arena_new(0);
    struct text json = json_of(arena, table_of(arena, entries, sizeof entries));
    assert_non_null(memmem(json.bytes, json.length, "[null]", 6));
    arena_free(arena);
}

/* A header may have 1 MiB. */
static void test_a_long_array_costs_little(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    char *entries = arena_alloc(arena, 7 + MANY);
    memcpy(entries, "\1aA\0\3\x0d\x40", 7); /* 200000 */
    memset(entries + 7, 'V', MANY);
    struct text json = json_of(arena, table_of(arena, entries, 7 + MANY));
    assert_true(json.length > 5 * (size_t)MANY);
    assert_true(arena_bytes(arena) < 64 * (size_t)MANY);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_value_is_shown),
        cmocka_unit_test(test_arrays_and_tables_are_entered),
        cmocka_unit_test(test_what_is_malformed_ends_in_null),
        cmocka_unit_test(test_deep_nesting_ends_in_null),
        cmocka_unit_test(test_a_long_array_costs_little),
    };
    return cmocka_run_group_tests_name("headers_json", tests, NULL, NULL) != 0;
}
