/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests AMQP field tables: reading the headers of a delivery, merging in the worker's own, and
 * removing entries by name.
 *
 * Tables are written as bytes, so that every kind of value and every malformed length can be given
 * (table_of). The tests go from x-allot-deadline and traceparent, which the worker reads, to
 * merging (a dead letter keeps the producer's headers, and the worker's replace those of the same
 * name), and to tables that are cut at every byte.
 *
 * Random tables are the part of tests/fuzz/fuzz_headers.c; what the broker sends is tested in
 * tests/contract.
 */
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec/field_table.h"

/* A table with the entries of a string literal. */
#define TABLE(entries) table_of(arena, entries, sizeof(entries) - 1)
#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static int set_up(void **state)
{
    *state = arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static struct text table_of(struct arena *arena, const char *entries, size_t length)
{
    char *bytes = arena_alloc(arena, 4 + length);
    bytes[2] = (char)(length >> 8);
    bytes[3] = (char)length;
    memcpy(bytes + 4, entries, length);
    return text_view(bytes, 4 + length);
}

static struct delivery read_delivery(struct text table)
{
    struct delivery delivery = {.raw_headers = table};
    field_table_read_delivery(&delivery);
    return delivery;
}

static void assert_deadline(struct arena *arena, const char *value, size_t length, int64_t expected)
{
    char entry[32] = "\x10x-allot-deadline";
    memcpy(entry + 17, value, length);
    struct delivery delivery = read_delivery(table_of(arena, entry, 17 + length));
    assert_int_equal(delivery.deadline, HEADER_INTEGER);
    assert_true(delivery.deadline_ms == expected);
}

#define DEADLINE(value, expected) assert_deadline(arena, value, sizeof(value) - 1, expected)

static void test_a_deadline_of_any_integer_kind_is_read(void **state)
{
    struct arena *arena = *state;
    DEADLINE("b\xff", -1);
    DEADLINE("B\xff", 255);
    DEADLINE("s\x80\x00", -32768);
    DEADLINE("u\x80\x00", 32768);
    DEADLINE("I\x80\x00\x00\x00", INT32_MIN);
    DEADLINE("i\x80\x00\x00\x00", 2147483648);
    DEADLINE("l\x80\x00\x00\x00\x00\x00\x00\x00", INT64_MIN);
    DEADLINE("l\x00\x00\x01\x8b\xcf\xe5\x68\x00", 1700000000000);
    DEADLINE("L\x7f\xff\xff\xff\xff\xff\xff\xff", INT64_MAX);
}

static void test_an_unsigned_deadline_beyond_int64_is_the_greatest(void **state)
{
    struct arena *arena = *state;
    DEADLINE("L\x80\x00\x00\x00\x00\x00\x00\x00", INT64_MAX);
    DEADLINE("L\xff\xff\xff\xff\xff\xff\xff\xff", INT64_MAX);
}

static void assert_wrong(struct arena *arena, const char *value, size_t length)
{
    char entry[32] = "\x10x-allot-deadline";
    memcpy(entry + 17, value, length);
    struct delivery delivery = read_delivery(table_of(arena, entry, 17 + length));
    assert_int_equal(delivery.deadline, HEADER_WRONG_TYPE);
    assert_int_equal(delivery.deadline_ms, 0);
}

#define WRONG(value) assert_wrong(arena, value, sizeof(value) - 1)

static void test_a_deadline_of_any_other_kind_is_of_the_wrong_type(void **state)
{
    struct arena *arena = *state;
    WRONG("t\x01");
    WRONG("f\x00\x00\x00\x00");
    WRONG("d\x00\x00\x00\x00\x00\x00\x00\x00");
    WRONG("D\x00\x00\x00\x00\x05");
    WRONG("T\x00\x00\x00\x00\x00\x00\x00\x05");
    WRONG("S\x00\x00\x00\x02"
          "17");
    WRONG("x\x00\x00\x00\x01z");
    WRONG("A\x00\x00\x00\x00");
    WRONG("F\x00\x00\x00\x00");
    WRONG("V");
}

static void test_only_a_well_formed_traceparent_is_passed_on(void **state)
{
    struct arena *arena = *state;
    struct delivery delivery = read_delivery(TABLE("\x0btraceparentS\x00\x00\x00\x37" TRACE));
    assert_int_equal(delivery.traceparent.length, 55);
    assert_memory_equal(delivery.traceparent.bytes, TRACE, 55);
    assert_false(
        text_present(read_delivery(TABLE("\x0btraceparentS\x00\x00\x00\x01x")).traceparent));
    assert_false(
        text_present(read_delivery(TABLE("\x0btraceparentx\x00\x00\x00\x37" TRACE)).traceparent));
    assert_false(text_present(read_delivery(TEXT_NONE).traceparent));
}

static void test_merging_replaces_every_entry_of_a_name_and_keeps_the_rest(void **state)
{
    struct arena *arena = *state;
    struct text table = TABLE("\x01"
                              "at\x01\x01"
                              "bb\x07\x01"
                              "aS\x00\x00\x00\x01x\x01"
                              "cA\x00\x00\x00\x02t\x01");
    const struct outgoing_header headers[] = {
        {.name = "a", .kind = OUTGOING_INTEGER, .integer = -2},
        {.name = "d", .kind = OUTGOING_BOOL, .integer = 5},
        {.name = "e", .kind = OUTGOING_TEXT, .text = TEXT_NONE}};
    struct text merged = field_table_merge(arena, table, headers, 3);
    struct text expected = TABLE("\x01"
                                 "bb\x07\x01"
                                 "cA\x00\x00\x00\x02t\x01\x01"
                                 "al\xff\xff\xff\xff\xff\xff\xff\xfe\x01"
                                 "dt\x01\x01"
                                 "eS\x00\x00\x00\x00");
    assert_int_equal(merged.length, expected.length);
    assert_memory_equal(merged.bytes, expected.bytes, expected.length);
    assert_true(field_table_well_formed(merged));
}

static void test_merging_with_nothing_gives_an_empty_table(void **state)
{
    struct text merged = field_table_merge(*state, TEXT_NONE, NULL, 0);
    assert_int_equal(merged.length, 4);
    assert_memory_equal(merged.bytes, "\0\0\0\0", 4);
}

static void test_taking_names_out_leaves_the_others(void **state)
{
    struct arena *arena = *state;
    const char *const names[] = {"a", "z"};
    struct text left = field_table_without(arena,
                                           TABLE("\x01"
                                                 "aV\x01"
                                                 "bV\x02"
                                                 "aaV"),
                                           names, 2);
    struct text expected = TABLE("\x01"
                                 "bV\x02"
                                 "aaV");
    assert_int_equal(left.length, expected.length);
    assert_memory_equal(left.bytes, expected.bytes, expected.length);
}

static void test_of_a_name_that_occurs_twice_the_first_is_found(void **state)
{
    struct arena *arena = *state;
    struct field field;
    assert_true(field_table_find(TABLE("\x01"
                                       "ab\x01\x01"
                                       "ab\x02"),
                                 "a", &field));
    assert_int_equal(field.integer, 1);
    assert_false(field_table_find(TABLE("\x01"
                                        "ab\x01"),
                                  "A", &field));
}

static void test_a_table_cut_anywhere_is_not_well_formed_and_reads_no_further(void **state)
{
    struct arena *arena = *state;
    struct text whole = TABLE("\x01"
                              "aS\x00\x00\x00\x03xyz\x01"
                              "bl\x00\x00\x00\x00\x00\x00\x00\x01\x01"
                              "cF\x00\x00\x00\x02\x00V");
    assert_true(field_table_well_formed(whole));
    for (size_t length = 0; length < whole.length; length++) {
        /* On the heap with the exact length, so that the sanitizer sees a read beyond it. */
        char *cut = malloc(length > 0 ? length : 1);
        memcpy(cut, whole.bytes, length);
        if (length >= 4)
            cut[3] = (char)(length - 4);
        struct text table = text_view(cut, length);
        struct field_cursor cursor = field_table_begin(table);
        struct field field;
        size_t entries = 0;
        while (field_table_next(&cursor, &field))
            entries++;
        assert_true(entries < 3);
        bool at_a_boundary = length == 4 || length == 14 || length == 25;
        assert_int_equal(field_table_well_formed(table), at_a_boundary);
        free(cut);
    }
}

static void test_a_length_beyond_the_bytes_is_no_table(void **state)
{
    (void)state;
    struct field field;
    assert_false(field_table_find(text_view("\xff\xff\xff\xff\x01"
                                            "aV",
                                            7),
                                  "a", &field));
    assert_false(field_table_find(text_view("\0\0\0\x04\x01"
                                            "aV",
                                            7),
                                  "a", &field));
    assert_false(field_table_well_formed(TEXT_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_deadline_of_any_integer_kind_is_read),
        cmocka_unit_test(test_an_unsigned_deadline_beyond_int64_is_the_greatest),
        cmocka_unit_test(test_a_deadline_of_any_other_kind_is_of_the_wrong_type),
        cmocka_unit_test(test_only_a_well_formed_traceparent_is_passed_on),
        cmocka_unit_test(test_merging_replaces_every_entry_of_a_name_and_keeps_the_rest),
        cmocka_unit_test(test_merging_with_nothing_gives_an_empty_table),
        cmocka_unit_test(test_taking_names_out_leaves_the_others),
        cmocka_unit_test(test_of_a_name_that_occurs_twice_the_first_is_found),
        cmocka_unit_test(test_a_table_cut_anywhere_is_not_well_formed_and_reads_no_further),
        cmocka_unit_test(test_a_length_beyond_the_bytes_is_no_table),
    };
    return cmocka_run_group_tests_name("field_table", tests, set_up, tear_down) != 0;
}
