/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what is taken out of a letter before it is stored (common/codec/letter_redact.h). */
#include "tests/support/cmocka.h"

#include "common/codec/field_table.h"
#include "common/codec/letter_redact.h"

static int setup(void **state)
{
    *state = arena_new(0);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static struct letter letter_with_headers(struct arena *arena)
{
    const struct outgoing_header headers[] = {
        {.name = "token", .kind = OUTGOING_TEXT, .text = text_of("secret")},
        {.name = "tokens", .kind = OUTGOING_INTEGER, .integer = 7},
        {.name = "user name", .kind = OUTGOING_TEXT, .text = text_of("secret")},
        {.name = "traceparent", .kind = OUTGOING_TEXT, .text = text_of("trace")},
    };
    return (struct letter){.id = text_of("id"),
                           .traceparent = text_of("trace"),
                           .raw_headers = field_table_merge(arena, TEXT_NONE, headers, 4),
                           .body = text_of("body"),
                           .body_size = 4,
                           .body_sha256 = text_of("digest")};
}

static void assert_value(const struct letter *letter, const char *name, enum field_kind kind)
{
    struct field field;
    assert_true(field_table_find(letter->raw_headers, name, &field));
    assert_int_equal(field.kind, kind);
}

static void test_without_a_redaction_nothing_changes(void **state)
{
    struct letter letter = letter_with_headers(*state), before = letter;
    letter_redact(*state, &(struct letter_redaction){false, text_of("")}, &letter);
    assert_memory_equal(&letter, &before, sizeof letter);
    letter_redact(*state, &(struct letter_redaction){false, text_of(" ,other,")}, &letter);
    assert_true(text_equal(letter.raw_headers, before.raw_headers));
}

static void test_named_headers_keep_their_names_only(void **state)
{
    struct letter letter = letter_with_headers(*state);
    letter_redact(*state, &(struct letter_redaction){false, text_of("token , Tokens,user name")},
                  &letter);
    assert_true(field_table_well_formed(letter.raw_headers));
    assert_value(&letter, "token", FIELD_OTHER);
    assert_value(&letter, "tokens", FIELD_INTEGER);
    assert_value(&letter, "user name", FIELD_OTHER);
    assert_value(&letter, "traceparent", FIELD_TEXT);
    assert_true(text_is(letter.traceparent, "trace"));
}

static void test_a_header_that_is_kept_twice_is_taken_out_twice(void **state)
{
    struct letter letter = letter_with_headers(*state);
    letter_redact(*state, &(struct letter_redaction){false, text_of("traceparent")}, &letter);
    assert_value(&letter, "traceparent", FIELD_OTHER);
    assert_false(text_present(letter.traceparent));
}

static void test_of_a_body_size_and_digest_stay(void **state)
{
    struct letter letter = letter_with_headers(*state);
    letter_redact(*state, &(struct letter_redaction){.body = true}, &letter);
    assert_false(text_present(letter.body));
    assert_true(letter.body_dropped);
    assert_int_equal(letter.body_size, 4);
    assert_true(text_is(letter.body_sha256, "digest") && text_is(letter.id, "id"));
}

/* What follows a malformed entry could be the value of a header that is named. */
static void test_malformed_headers_are_cut_off(void **state)
{
    struct letter letter = letter_with_headers(*state);
    for (size_t length = 0; length < letter.raw_headers.length; length++) {
        struct letter cut = letter;
        cut.raw_headers = text_view(letter.raw_headers.bytes, length);
        letter_redact(*state, &(struct letter_redaction){false, text_of("token")}, &cut);
        assert_true(field_table_well_formed(cut.raw_headers));
    }
    struct letter none = {.raw_headers = TEXT_NONE};
    letter_redact(*state, &(struct letter_redaction){false, text_of("token")}, &none);
    assert_false(text_present(none.raw_headers));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_redaction_nothing_changes),
        TEST(test_named_headers_keep_their_names_only),
        TEST(test_a_header_that_is_kept_twice_is_taken_out_twice),
        TEST(test_of_a_body_size_and_digest_stay),
        TEST(test_malformed_headers_are_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
