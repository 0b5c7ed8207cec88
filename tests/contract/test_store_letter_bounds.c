/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests how a store keeps letters within a bound: sums, cuts and batches. Each test runs against
 * the store in memory and against MongoDB. The last section is for MongoDB alone: what the calls
 * read. Which letters are too much is tested in tests/unit/test_letter_bounds.c.
 *
 * The sums see all letters of the database, so tear_down() deletes what a test leaves. Letters get
 * their ages by world_pass_time() after each write.
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_letters.h"
#include "tests/contract/store_pair.h"

#include <stdio.h>
#include <string.h>

enum { AGE_MS = 1000, BODY_BYTES = 1000 };

/* --- helpers --- */

static struct letter_measure measure(struct session *session, int64_t max_bytes)
{
    struct letter_measure measured = {.count = 99};
    assert_status(session, STORE_OK,
                  session->store->ops->measure_letters(session->store, max_bytes, session->arena,
                                                       &measured, &session->error));
    return measured;
}

static struct letter_trimmed trim(struct session *session, const struct letter_cut *cut)
{
    struct letter_trimmed trimmed = {.letters = 99};
    assert_status(
        session, STORE_OK,
        session->store->ops->trim_letters(session->store, cut, &trimmed, &session->error));
    assert_true(trimmed.letters <= LETTER_TRIM_MAX);
    return trimmed;
}

/* Makes cuts until nothing is too much, or nothing more may go. */
static void trim_all(struct store_world *world, int64_t max_bytes)
{
    struct session session = session_open(world);
    struct letter_cut cut = measure(&session, max_bytes).cut;
    while (cut.kind != LETTER_CUT_NONE) {
        struct letter_trimmed trimmed = trim(&session, &cut);
        cut.bytes -= trimmed.bytes;
        if (trimmed.done)
            cut = measure(&session, max_bytes).cut;
    }
    session_close(&session);
}

static int tear_down(void **state)
{
    world_publish_all(*state);
    trim_all(*state, 0);
    return 0;
}

/* Adds a letter of the principal, older than those that are added later. */
static struct letter add(struct store_world *world, const char *principal)
{
    struct letter letter = full_letter(world);
    letter.principal = text_of(principal);
    letter.body = text_view(arena_alloc(world->arena, BODY_BYTES), BODY_BYTES);
    world_add_letter(world, &letter);
    world_pass_time(world, AGE_MS);
    return letter;
}

static struct letter add_published(struct store_world *world, const char *principal)
{
    struct session session = session_open(world);
    struct letter letter = add(world, principal);
    assert_status(&session, STORE_OK, session_publish(&session, &letter.id, 1));
    session_close(&session);
    return letter;
}

static struct letter add_closed(struct store_world *world, const char *principal)
{
    struct letter letter = add_published(world, principal);
    world_set_state(world, letter.id, LETTER_RESOLVED);
    return letter;
}

static bool is_stored(struct store_world *world, const struct letter *letter)
{
    bool stored = false;
    (void)world_letter(world, letter->id, &stored);
    return stored;
}

static bool has_body(struct store_world *world, const struct letter *letter)
{
    struct letter_record record = world_letter(world, letter->id, NULL);
    assert_int_equal(record.bytes, letter_bytes(&record.letter));
    assert_int_equal(record.letter.body_dropped, !text_present(record.letter.body));
    return text_present(record.letter.body);
}

static struct letter_share share_of(const struct letter_measure *measured, const char *principal)
{
    for (size_t i = 0; i < measured->count; i++) {
        if (text_equal(measured->shares[i].principal, text_of(principal)))
            return measured->shares[i];
    }
    return (struct letter_share){.bytes = -1};
}

/* --- sums --- */

static void test_sums_tell_what_each_principal_holds(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    assert_int_equal(measure(&session, 1).count, 0);
    struct letter first = add(world, "a"), second = add_published(world, "a");
    struct letter third = add_closed(world, "b"), fourth = add_published(world, NULL);
    struct letter fifth = add_published(world, "\xff");
    fourth.body = TEXT_NONE;
    fourth.body_dropped = true;
    world_add_letter(world, &fourth);
    assert_status(&session, STORE_OK, session_publish(&session, &fourth.id, 1));
    struct letter_measure measured = measure(&session, INT64_MAX);
    struct letter_share a = share_of(&measured, "a"), b = share_of(&measured, "b");
    struct letter_share none = share_of(&measured, NULL), binary = share_of(&measured, "\xff");
    assert_int_equal(measured.cut.kind, LETTER_CUT_NONE);
    assert_int_equal(measured.count, 4);
    assert_int_equal(a.bytes, letter_bytes(&first) + letter_bytes(&second));
    assert_int_equal(a.published, letter_bytes(&second));
    assert_true(a.closed == 0 && a.bodies == 1);
    assert_true(b.closed == letter_bytes(&third) && b.published == b.closed && b.bodies == 1);
    assert_true(none.bytes == letter_bytes(&fourth) && none.bodies == 0);
    assert_int_equal(binary.bytes, letter_bytes(&fifth));
    session_close(&session);
}

/* The broker did not take it, so nobody has its message but the letter. */
static void test_a_refused_letter_counts_as_unpublished(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letter = add(world, "a");
    assert_status(&session, STORE_OK, session_refuse(&session, letter.id, text_of("no")));
    struct letter_measure measured = measure(&session, 1);
    assert_int_equal(measured.cut.kind, LETTER_CUT_NONE);
    assert_int_equal(share_of(&measured, "a").published, 0);
    session_publish(&session, &letter.id, 1);
    session_close(&session);
}

/* --- cuts --- */

static void test_a_principal_over_its_share_loses_bodies_and_then_its_oldest_letters(void **state)
{
    enum { LETTERS = 6 };
    struct store_world *world = *state;
    struct letter own[LETTERS], other = add_published(world, "b");
    for (size_t i = 0; i < LETTERS; i++)
        own[i] = add_published(world, "a");
    int64_t bytes = letter_bytes(&own[0]), kept = bytes - BODY_BYTES;
    trim_all(world, LETTER_SHARES * (LETTERS * bytes - 1)); /* one body is enough */
    for (size_t i = 0; i < LETTERS; i++)
        assert_int_equal(has_body(world, &own[i]), i > 0);
    trim_all(world, LETTER_SHARES * 3 * kept);
    for (size_t i = 0; i < LETTERS; i++)
        assert_int_equal(is_stored(world, &own[i]), i >= 3);
    assert_false(has_body(world, &own[LETTERS - 1]));
    assert_true(has_body(world, &other));
}

static void test_closed_letters_go_first(void **state)
{
    struct store_world *world = *state;
    struct letter open = add_published(world, "a"), closed = add_closed(world, "a");
    struct letter last = add_closed(world, "a");
    trim_all(world, LETTER_SHARES * 2 * letter_bytes(&open));
    assert_true(has_body(world, &open));
    assert_false(is_stored(world, &closed));
    assert_true(is_stored(world, &last));
}

static void test_all_letters_together_lose_the_oldest_of_all(void **state)
{
    enum { PRINCIPALS = 8 };
    static const char *const names[PRINCIPALS] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct store_world *world = *state;
    struct letter closed[PRINCIPALS];
    for (size_t i = 0; i < PRINCIPALS; i++)
        closed[i] = add_closed(world, names[i]);
    trim_all(world, 5 * letter_bytes(&closed[0]));
    for (size_t i = 0; i < PRINCIPALS; i++)
        assert_int_equal(is_stored(world, &closed[i]), i >= 3);
    for (size_t i = 3; i < PRINCIPALS; i++)
        world_set_state(world, closed[i].id, LETTER_OPEN);
    trim_all(world, 5 * letter_bytes(&closed[0]) - 2 * BODY_BYTES);
    for (size_t i = 3; i < PRINCIPALS; i++)
        assert_int_equal(has_body(world, &closed[i]), i >= 5);
}

static void test_unpublished_letters_stay(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letters[3], published = add_published(world, "a");
    for (size_t i = 0; i < 3; i++)
        letters[i] = add(world, "a");
    world_set_state(world, letters[0].id, LETTER_DISCARDED);
    trim_all(world, LETTER_SHARES);
    assert_false(is_stored(world, &published));
    for (size_t i = 0; i < 3; i++)
        assert_true(has_body(world, &letters[i]));
    session_close(&session);
}

static void test_a_batch_has_a_bounded_number_of_letters(void **state)
{
    enum { LETTERS = LETTER_TRIM_MAX + 50 };
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter *letters = ARENA_ARRAY(world->arena, struct letter, LETTERS);
    struct text *ids = ARENA_ARRAY(world->arena, struct text, LETTERS);
    for (size_t i = 0; i < LETTERS; i++) {
        letters[i] = bare_letter(world);
        letters[i].principal = text_of("a");
        letters[i].body_dropped = true;
        ids[i] = letters[i].id;
    }
    world_add_letters(world, letters, LETTERS);
    assert_status(&session, STORE_OK, session_publish(&session, ids, LETTERS));
    struct letter_cut cut = measure(&session, 0).cut;
    struct letter_trimmed trimmed = trim(&session, &cut);
    assert_int_equal(trimmed.letters, LETTER_TRIM_MAX);
    assert_false(trimmed.done);
    cut.bytes -= trimmed.bytes;
    trimmed = trim(&session, &cut);
    assert_int_equal(trimmed.letters, LETTERS - LETTER_TRIM_MAX);
    assert_true(trimmed.done);
    assert_int_equal(measure(&session, 0).count, 0);
    session_close(&session);
}

static void test_a_letter_that_comes_again_after_the_plan_stays(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letter = add_closed(world, "a"), other = add_closed(world, "a");
    struct letter_cut cut = measure(&session, 0).cut;
    world_add_letter(world, &letter);
    assert_int_equal(trim(&session, &cut).letters, 1);
    assert_true(is_stored(world, &letter));
    assert_false(is_stored(world, &other));
    session_close(&session);
}

static void test_a_letter_that_comes_again_has_its_body_again(void **state)
{
    struct store_world *world = *state;
    struct letter letter = add_published(world, "a");
    trim_all(world, LETTER_SHARES * (letter_bytes(&letter) - 1));
    assert_false(has_body(world, &letter));
    world_add_letter(world, &letter);
    assert_true(has_body(world, &letter));
}

/* Two workers measure once a minute, and may do so at the same moment. */
static void test_stores_that_plan_at_the_same_time_delete_once(void **state)
{
    enum { LETTERS = 9 };
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct letter letters[LETTERS];
    for (size_t i = 0; i < LETTERS; i++)
        letters[i] = add_closed(world, "a");
    int64_t max_bytes = LETTER_SHARES * 6 * letter_bytes(&letters[0]);
    struct letter_cut first = measure(&pair.first, max_bytes).cut;
    struct letter_cut second = measure(&pair.second, max_bytes).cut;
    assert_int_equal(trim(&pair.first, &first).letters, 3);
    struct letter_trimmed trimmed = trim(&pair.second, &second);
    assert_true(trimmed.letters == 0 && trimmed.done);
    for (size_t i = 0; i < LETTERS; i++)
        assert_int_equal(is_stored(world, &letters[i]), i >= 3);
    pair_close(&pair);
}

/* --- MongoDB alone --- */

static void test_a_failed_batch_can_be_repeated(void **state)
{
    static const char *const faults[] = {ADMIN_CUT, "\"errorCode\": 10107",
                                         ADMIN_WRITE_CONCERN_TIMEOUT};
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct letter letter = add_closed(world, "a");
        struct letter_cut cut = measure(&session, 0).cut;
        struct letter_trimmed trimmed;
        admin_fail("\"delete\"", 2, faults[i]);
        assert_status(
            &session, i == 0 ? STORE_UNEXPLAINED : STORE_UNAVAILABLE,
            session.store->ops->trim_letters(session.store, &cut, &trimmed, &session.error));
        admin_clear_faults();
        assert_true(trim(&session, &cut).done);
        assert_false(is_stored(world, &letter));
    }
    session_close(&session);
}

/* It runs once a minute in each worker, however many letters there are. */
static void test_measuring_and_planning_read_no_document(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)add_published(world, names[i]);
        (void)add_closed(world, names[i]);
    }
    struct letter_measure all = measure(&session, INT64_MAX);
    int64_t bytes = letter_shares_bytes(all.shares, all.count);
    admin_run(world->database, "{\"profile\": 2}");
    struct letter_cut of_one = measure(&session, 0).cut;
    struct letter_cut of_all = measure(&session, bytes - 1).cut;
    admin_run(world->database, "{\"profile\": 0}");
    assert_true(of_one.of_principal && of_one.kind == LETTER_CUT_CLOSED);
    assert_true(!of_all.of_principal && of_all.kind == LETTER_CUT_CLOSED);
    assert_true(of_one.until_ms > 0 && of_all.until_ms > 0);
    assert_int_equal(admin_count(world->database, "system.profile",
                                 "{\"ns\": {\"$regex\": \"letters$\"}, \"docsExamined\": 0, "
                                 "\"keysExamined\": {\"$gt\": 0}, \"hasSortStage\": {\"$exists\": "
                                 "false}}"),
                     4);
    session_close(&session);
}

/* The worker may not bypass the validator, and the other letters of the batch must lose their
   bodies as well. */
static void test_a_malformed_letter_loses_its_body_like_the_others(void **state)
{
    struct store_world *world = *state;
    struct letter malformed = add_published(world, "a"), other = add_published(world, "a");
    char json[512];
    (void)snprintf(json, sizeof json,
                   "{\"update\": \"letters\", \"bypassDocumentValidation\": true, \"updates\": "
                   "[{\"q\": {\"_id\": \"%.*s\"}, \"u\": {\"$set\": {\"attempts\": \"many\"}}}], "
                   "\"writeConcern\": {\"w\": \"majority\"}}",
                   TEXT_ARGS(malformed.id));
    admin_run(world->database, json);
    trim_all(world, LETTER_SHARES * 2 * (letter_bytes(&other) - BODY_BYTES));
    (void)snprintf(json, sizeof json,
                   "{\"_id\": {\"$in\": [\"%.*s\", \"%.*s\"]}, \"body\": {\"$exists\": false}}",
                   TEXT_ARGS(malformed.id), TEXT_ARGS(other.id));
    assert_int_equal(admin_count(world->database, "letters", json), 2);
}

#define BOUNDS_TEST(test) cmocka_unit_test_teardown(test, tear_down)

/* clang-format off */
#define TESTS                                                                                      \
    BOUNDS_TEST(test_sums_tell_what_each_principal_holds),                                         \
    BOUNDS_TEST(test_a_refused_letter_counts_as_unpublished),                                      \
    BOUNDS_TEST(test_a_principal_over_its_share_loses_bodies_and_then_its_oldest_letters),         \
    BOUNDS_TEST(test_closed_letters_go_first),                                                     \
    BOUNDS_TEST(test_all_letters_together_lose_the_oldest_of_all),                                 \
    BOUNDS_TEST(test_unpublished_letters_stay),                                                    \
    BOUNDS_TEST(test_a_batch_has_a_bounded_number_of_letters),                                     \
    BOUNDS_TEST(test_a_letter_that_comes_again_after_the_plan_stays),                              \
    BOUNDS_TEST(test_a_letter_that_comes_again_has_its_body_again),                                \
    BOUNDS_TEST(test_stores_that_plan_at_the_same_time_delete_once)
/* clang-format on */

static const struct CMUnitTest tests[] = {TESTS};

static const struct CMUnitTest tests_on_mongo[] = {
    TESTS,
    BOUNDS_TEST(test_a_failed_batch_can_be_repeated),
    BOUNDS_TEST(test_a_malformed_letter_loses_its_body_like_the_others),
    BOUNDS_TEST(test_measuring_and_planning_read_no_document),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("letter bounds in memory", tests, store_world_memory,
                                             store_world_end) != 0;
    failed |= cmocka_run_group_tests_name("letter bounds on MongoDB", tests_on_mongo,
                                          store_world_mongo, store_world_end) != 0;
    return failed;
}
