/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "allot/limits.h"
#include "common/codec/field_table.h"
#include "common/codec/outgoing_headers.h"

enum { FRAME = 131072, EMPTY_PROPERTIES_BYTES = 32 };

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

static struct text filled(struct arena *arena, char byte, size_t length)
{
    char *bytes = arena_alloc(arena, length + 1);
    memset(bytes, byte, length);
    return text_view(bytes, length);
}

/* Returns original headers: one text "big" of `length` bytes. */
static struct text original(struct arena *arena, size_t length)
{
    const struct outgoing_header big = {
        .name = "big", .kind = OUTGOING_TEXT, .text = filled(arena, 'o', length)};
    return field_table_merge(arena, TEXT_NONE, &big, 1);
}

static struct text detail_of(struct text headers)
{
    struct field field;
    assert_true(field_table_find(headers, DETAIL_HEADER, &field));
    return field.text;
}

static bool has(struct text headers, const char *name)
{
    struct field field;
    return field_table_find(headers, name, &field);
}

static void test_the_sequence_travels_with_the_message_and_over_a_forged_one(void **state)
{
    struct arena *arena = *state;
    const struct outgoing_header forged = {
        .name = SEQUENCE_HEADER, .kind = OUTGOING_INTEGER, .integer = 1};
    struct outgoing outgoing = {.sequence = 1234567890123,
                                .raw_headers = field_table_merge(arena, TEXT_NONE, &forged, 1)};
    struct text headers = outgoing_headers_encode(arena, &outgoing, FRAME);
    assert_int_equal(outgoing_headers_sequence(headers), 1234567890123);
    assert_int_equal(outgoing_headers_sequence(TEXT_NONE), 0);
}

static void test_headers_are_left_out_from_the_first_byte_that_does_not_fit(void **state)
{
    struct arena *arena = *state;
    struct outgoing outgoing = {.sequence = 1, .raw_headers = original(arena, 100)};
    size_t fits = outgoing_headers_encode(arena, &outgoing, FRAME).length + EMPTY_PROPERTIES_BYTES;
    assert_true(has(outgoing_headers_encode(arena, &outgoing, fits), "big"));
    assert_false(has(outgoing_headers_encode(arena, &outgoing, fits - 1), "big"));
}

static void test_the_properties_count_against_the_frame(void **state)
{
    struct arena *arena = *state;
    struct outgoing outgoing = {.sequence = 1, .raw_headers = original(arena, 100)};
    size_t fits = outgoing_headers_encode(arena, &outgoing, FRAME).length + EMPTY_PROPERTIES_BYTES;
    struct text *const texts[] = {
        &outgoing.properties.content_type,   &outgoing.properties.content_encoding,
        &outgoing.properties.correlation_id, &outgoing.properties.reply_to,
        &outgoing.properties.expiration,     &outgoing.properties.message_id,
        &outgoing.properties.type,           &outgoing.properties.user_id,
        &outgoing.properties.app_id,         &outgoing.properties.cluster_id};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = text_of("12345");
        assert_false(has(outgoing_headers_encode(arena, &outgoing, fits), "big"));
        fits += 1 + 5;
        assert_true(has(outgoing_headers_encode(arena, &outgoing, fits), "big"));
    }
}

static void test_a_detail_says_that_headers_were_left_out(void **state)
{
    struct arena *arena = *state;
    struct outgoing_header headers[] = {
        {.name = "x-allot-reason", .kind = OUTGOING_TEXT, .text = text_of("invalid")},
        {.name = DETAIL_HEADER, .kind = OUTGOING_TEXT, .text = text_of("why")}};
    struct outgoing outgoing = {
        .raw_headers = original(arena, FRAME), .headers = headers, .header_count = 2};
    struct text detail = detail_of(outgoing_headers_encode(arena, &outgoing, FRAME));
    assert_true(text_is(detail, "original headers left out: too large; why"));
    headers[1].text = TEXT_NONE;
    detail = detail_of(outgoing_headers_encode(arena, &outgoing, FRAME));
    assert_true(text_is(detail, "original headers left out: too large"));
    outgoing.raw_headers = original(arena, 10);
    headers[1].text = text_of("why");
    assert_true(text_is(detail_of(outgoing_headers_encode(arena, &outgoing, FRAME)), "why"));
}

static void test_a_long_detail_is_cut_between_code_points(void **state)
{
    struct arena *arena = *state;
    for (size_t shift = 0; shift < 4; shift++) {
        char *bytes = arena_alloc(arena, DEAD_DETAIL_BYTES_MAX + 8);
        memset(bytes, 'd', shift);
        for (size_t i = shift; i + 3 <= DEAD_DETAIL_BYTES_MAX; i += 3)
            memcpy(bytes + i, "\xe2\x82\xac", 3);
        const struct outgoing_header header = {
            .name = DETAIL_HEADER,
            .kind = OUTGOING_TEXT,
            .text = text_view(bytes, shift + (DEAD_DETAIL_BYTES_MAX - shift) / 3 * 3)};
        struct outgoing outgoing = {
            .raw_headers = original(arena, FRAME), .headers = &header, .header_count = 1};
        struct text detail = detail_of(outgoing_headers_encode(arena, &outgoing, FRAME));
        assert_true(detail.length <= DEAD_DETAIL_BYTES_MAX);
        assert_true(detail.length > DEAD_DETAIL_BYTES_MAX - 3);
        assert_memory_equal(detail.bytes + detail.length - 3, "\xe2\x82\xac", 3);
    }
}

static void test_without_an_original_nothing_is_said_to_be_left_out(void **state)
{
    struct arena *arena = *state;
    const struct outgoing_header header = {
        .name = DETAIL_HEADER, .kind = OUTGOING_TEXT, .text = text_of("why")};
    struct outgoing outgoing = {.headers = &header, .header_count = 1};
    assert_true(text_is(detail_of(outgoing_headers_without_original(arena, &outgoing)), "why"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sequence_travels_with_the_message_and_over_a_forged_one),
        cmocka_unit_test(test_headers_are_left_out_from_the_first_byte_that_does_not_fit),
        cmocka_unit_test(test_the_properties_count_against_the_frame),
        cmocka_unit_test(test_a_detail_says_that_headers_were_left_out),
        cmocka_unit_test(test_a_long_detail_is_cut_between_code_points),
        cmocka_unit_test(test_without_an_original_nothing_is_said_to_be_left_out),
    };
    return cmocka_run_group_tests_name("outgoing_headers", tests, set_up, tear_down) != 0;
}
