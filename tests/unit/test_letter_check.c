/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which stored letters are consistent (common/codec/letter_check.h). */
#include "tests/support/cmocka.h"

#include <string.h>

#include "allot/limits.h"
#include "common/codec/letter_build.h"
#include "common/codec/letter_check.h"

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

static void set_id(struct arena *arena, struct letter *letter)
{
    letter->id =
        letter_id(arena, letter->queue, letter->principal, letter->key, letter->body_sha256);
}

static struct letter_record right_record(struct arena *arena)
{
    struct letter_record record = {.letter = {.principal = text_of("blue"),
                                              .key = text_of("key"),
                                              .queue = text_of("allot.commands"),
                                              .body = text_of("body"),
                                              .body_size = 4},
                                   .bytes = 3000,
                                   .published_at_ms = 2,
                                   .expires_at_ms = 3};
    record.letter.body_sha256 = letter_body_sha256(arena, record.letter.body);
    set_id(arena, &record.letter);
    return record;
}

static void assert_wrong(const struct letter_record *record, const char *part)
{
    struct error error = {""};
    assert_false(letter_check(record, &error));
    if (strstr(error.text, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, error.text);
}

static void assert_right(const struct letter_record *record)
{
    struct error error = {""};
    if (!letter_check(record, &error))
        fail_msg("%s", error.text);
}

static void test_what_the_worker_stores_is_right(void **state)
{
    struct letter_record record = right_record(*state);
    assert_right(&record);
    record.letter.body = TEXT_NONE;
    record.letter.body_dropped = true;
    assert_right(&record);
}

static void test_times_have_to_fit_the_state(void **state)
{
    struct letter_record record = right_record(*state);
    record.unpublished = true;
    assert_wrong(&record, "is to be published");
    record.published_at_ms = 0;
    assert_wrong(&record, "no published_at");
    record.expires_at_ms = 0;
    assert_right(&record);
}

static void test_a_missing_size_is_wrong(void **state)
{
    struct letter_record record = right_record(*state);
    record.bytes = 0;
    assert_wrong(&record, "no bytes");
}

static void test_a_body_has_to_fit_its_size_and_digest(void **state)
{
    struct letter_record record = right_record(*state);
    record.letter.body = text_of("ydob");
    assert_wrong(&record, "not the digest of its body");
    record.letter.body = text_of("bod");
    assert_wrong(&record, "shorter");
    record.letter.body = text_of("body!");
    assert_wrong(&record, "longer");
    record.letter.body = text_of("body");
    record.letter.body_dropped = true;
    assert_wrong(&record, "was dropped");
}

/* Of a body over the limit the first part is kept. */
static void test_a_part_of_a_large_body_is_right(void **state)
{
    struct letter_record record = right_record(*state);
    record.letter.body = text_of("bod");
    record.letter.body_size = BODY_BYTES_MAX + 1;
    assert_right(&record);
    record.letter.body_size = BODY_BYTES_MAX;
    assert_wrong(&record, "shorter");
}

static void test_the_id_is_the_digest_of_four_fields(void **state)
{
    struct text *fields[3];
    struct letter_record record = right_record(*state);
    fields[0] = &record.letter.queue;
    fields[1] = &record.letter.principal;
    fields[2] = &record.letter.key;
    for (size_t i = 0; i < 3; i++) {
        struct text kept = *fields[i];
        *fields[i] = text_of("other");
        assert_wrong(&record, "its id is not the digest");
        *fields[i] = kept;
    }
    assert_right(&record);
    record.letter.body = TEXT_NONE;
    record.letter.body_sha256 = text_of("00");
    assert_wrong(&record, "its id is not the digest");
}

static void test_a_letter_is_overdue_after_an_hour(void **state)
{
    struct letter_record record = right_record(*state);
    record.last_at_ms = 1000;
    assert_false(letter_is_overdue(&record, INT64_MAX));
    record.unpublished = true;
    assert_false(letter_is_overdue(&record, 1000 + LETTER_OVERDUE_MS));
    assert_true(letter_is_overdue(&record, 1001 + LETTER_OVERDUE_MS));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_the_worker_stores_is_right),
        TEST(test_times_have_to_fit_the_state),
        TEST(test_a_missing_size_is_wrong),
        TEST(test_a_body_has_to_fit_its_size_and_digest),
        TEST(test_a_part_of_a_large_body_is_right),
        TEST(test_the_id_is_the_digest_of_four_fields),
        TEST(test_a_letter_is_overdue_after_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
