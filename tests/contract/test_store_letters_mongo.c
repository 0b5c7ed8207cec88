/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of letters that only MongoDB can fail: stores that claim in parallel, calls whose
 * connection is cut, error codes, documents that are too large or malformed, and the indexes.
 *
 * The faults are fail points of the server (store_admin.h). Guarantee for later tests: tear_down()
 * clears them, and marks what a test leaves as published.
 *
 * Not here: what both stores promise (test_store_letters.c), and the number of commands
 * (test_store_cost.c).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_letters.h"
#include "tests/contract/store_pair.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { SWEEP_MS = LETTER_SWEEP_AFTER_MS + 1000 };

static int tear_down(void **state)
{
    admin_clear_faults();
    world_publish_all(*state);
    return 0;
}

static const char *error_code(int number)
{
    static char how[64];
    (void)snprintf(how, sizeof how, "\"errorCode\": %d", number);
    return how;
}

static enum store_status try_claim(struct session *session, struct claimed *ret_claimed)
{
    return session_try_claim(session, 100, SIZE_MAX, ret_claimed);
}

/* Writes letters that may be claimed. */
static void add_old_letters(struct store_world *world, struct letter *ret_letters, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret_letters[i] = full_letter(world);
    world_add_letters(world, ret_letters, count);
    world_pass_time(world, SWEEP_MS);
}

/* --- claims in parallel --- */

struct claimer {
    struct session session;
    struct claimed claimed;
    enum store_status status;
};

static void *claim_once(void *context)
{
    struct claimer *claimer = context;
    claimer->status = try_claim(&claimer->session, &claimer->claimed);
    return NULL;
}

static bool is_claimed(const struct claimed *claimed, struct text id)
{
    for (size_t i = 0; i < claimed->count; i++)
        if (text_equal(claimed->letters[i].id, id))
            return true;
    return false;
}

static void test_stores_that_claim_at_the_same_time_share_the_letters(void **state)
{
    enum { CLAIMERS = 4, LETTERS = 40, ROUNDS = 5 };
    struct store_world *world = *state;
    struct claimer claimers[CLAIMERS];
    struct letter *letters = ARENA_ARRAY(world->arena, struct letter, LETTERS);
    pthread_t threads[CLAIMERS];
    for (size_t i = 0; i < CLAIMERS; i++)
        claimers[i] = (struct claimer){.session = session_open(world)};
    for (int round = 0; round < ROUNDS; round++) {
        add_old_letters(world, letters, LETTERS);
        for (size_t i = 0; i < CLAIMERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, claim_once, &claimers[i]), 0);
        for (size_t i = 0; i < CLAIMERS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (size_t i = 0; i < LETTERS; i++) {
            int holders = 0;
            for (size_t j = 0; j < CLAIMERS; j++)
                holders += is_claimed(&claimers[j].claimed, letters[i].id);
            assert_int_equal(holders, 1);
        }
        for (size_t i = 0; i < CLAIMERS; i++)
            assert_status(&claimers[i].session, STORE_OK, claimers[i].status);
        world_publish_all(world);
    }
    for (size_t i = 0; i < CLAIMERS; i++)
        session_close(&claimers[i].session);
}

/* One store has found the letters, and its update is held up by the server; then the other one
   claims them. */
static void test_a_letter_that_another_store_claimed_meanwhile_is_left_out(void **state)
{
    struct store_world *world = *state;
    struct claimer slow = {.session = session_open(world)};
    struct session fast = session_open(world);
    struct letter letters[2];
    pthread_t thread;
    add_old_letters(world, letters, 2);
    admin_fail("\"update\"", 1, "\"blockConnection\": true, \"blockTimeMS\": 2500");
    assert_int_equal(pthread_create(&thread, NULL, claim_once, &slow), 0);
    admin_await_fault();
    struct claimed claimed = session_claim(&fast, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_status(&slow.session, STORE_OK, slow.status);
    assert_int_equal(claimed.count, 1);
    assert_int_equal(slow.claimed.count, 1);
    assert_false(is_claimed(&slow.claimed, claimed.letters[0].id));
    session_close(&fast);
    session_close(&slow.session);
}

/* --- faults --- */

static void test_error_codes_of_a_write_of_letters_become_statuses(void **state)
{
    static const struct {
        int code;
        enum store_status status;
    } cases[] = {
        {112, STORE_CONFLICT},   {251, STORE_CONFLICT}, {17419, STORE_REFUSED},
        {17420, STORE_REFUSED},  {50, STORE_TIMED_OUT}, {10107, STORE_UNAVAILABLE},
        {13, STORE_UNAVAILABLE},
    };
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct letter letter = full_letter(world);
        bool stored = true;
        session_begin(&session);
        admin_fail("\"update\"", 1, error_code(cases[i].code));
        assert_status(&session, cases[i].status, session_write_letters(&session, &letter, 1));
        admin_clear_faults();
        session_restart(&session);
        (void)world_letter(world, letter.id, &stored);
        assert_false(stored);
    }
    session_close(&session);
}

static void test_a_cut_connection_in_a_write_of_letters_leaves_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letter = full_letter(world);
    session_begin(&session);
    admin_fail("\"update\"", 1, ADMIN_CUT);
    assert_status(&session, STORE_UNEXPLAINED, session_write_letters(&session, &letter, 1));
    session_restart(&session);
    session_begin(&session);
    assert_status(&session, STORE_OK, session_write_letters(&session, &letter, 1));
    assert_status(&session, STORE_OK, session_commit(&session));
    session_restart(&session);
    assert_int_equal(world_letter(world, letter.id, NULL).count, 1);
    session_close(&session);
}

static void test_a_letter_larger_than_a_document_is_refused(void **state)
{
    enum { TOO_LARGE = 16 * 1024 * 1024 };
    struct store_world *world = *state;
    struct session session = session_open(world);
    char *bytes = arena_alloc(world->arena, TOO_LARGE);
    for (int round = 0; round < 2; round++) {
        struct letter letter = full_letter(world);
        /* The second one fits into the update, but not with the rest into the document. */
        letter.body = text_view(bytes, TOO_LARGE - (round == 1 ? 1024 : 0));
        session_begin(&session);
        assert_status(&session, STORE_REFUSED, session_write_letters(&session, &letter, 1));
        session_restart(&session);
    }
    session_close(&session);
}

/* A mark that is not durable could be rolled back, and nobody would publish the dead letter. */
static void test_a_mark_that_is_not_durable_can_be_repeated(void **state)
{
    static const char *const faults[] = {ADMIN_CUT, "\"errorCode\": 13", "\"errorCode\": 10107",
                                         ADMIN_WRITE_CONCERN_TIMEOUT};
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (size_t i = 0; i < 2 * sizeof faults / sizeof *faults; i++) {
        struct letter letter = full_letter(world);
        bool refuse = i % 2 == 1;
        world_add_letter(world, &letter);
        admin_fail("\"update\"", 2, faults[i / 2]);
        for (int repeated = 0; repeated < 2; repeated++) {
            enum store_status failed = i / 2 == 0 ? STORE_UNEXPLAINED : STORE_UNAVAILABLE;
            enum store_status expected = repeated == 1 ? STORE_OK : failed;
            if (refuse)
                assert_status(&session, expected,
                              session_refuse(&session, letter.id, text_of("no")));
            else
                assert_status(&session, expected, session_publish(&session, &letter.id, 1));
            admin_clear_faults();
        }
        struct letter_record record = world_letter(world, letter.id, NULL);
        assert_false(record.unpublished);
        assert_int_equal(text_present(record.refused), refuse);
    }
    session_close(&session);
}

/* Cuts each of the three commands of a claim. What the update claimed is returned by the repeated
   call, and to no other store. */
static void test_a_claim_whose_connection_is_cut_can_be_repeated(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct letter letters[3];
    add_old_letters(world, letters, 3);
    for (int command = 0; command < 3; command++) {
        struct claimed claimed = {NULL, 99};
        if (command == 0)
            admin_fail("\"find\"", 0, ADMIN_CUT);
        if (command == 1)
            admin_fail("\"update\"", 0, ADMIN_WRITE_CONCERN_TIMEOUT);
        if (command == 2)
            admin_fail_after_first("\"find\"", ADMIN_CUT);
        assert_status(&pair.first, command == 1 ? STORE_UNAVAILABLE : STORE_UNEXPLAINED,
                      try_claim(&pair.first, &claimed));
        assert_int_equal(claimed.count, 0);
        admin_clear_faults();
        assert_int_equal(session_claim(&pair.second, 100).count, command == 0 ? 3 : 0);
        if (command == 0)
            world_pass_time(world, LETTER_CLAIM_MS);
        assert_int_equal(session_claim(&pair.first, 100).count, 3);
        world_pass_time(world, LETTER_CLAIM_MS);
    }
    pair_close(&pair);
}

/* --- documents and indexes --- */

/* One malformed letter must not keep all others from being published. */
static void test_a_malformed_letter_does_not_stop_the_claims(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letters[2];
    char json[512];
    add_old_letters(world, letters, 2);
    (void)snprintf(json, sizeof json,
                   "{\"update\": \"letters\", \"bypassDocumentValidation\": true, \"updates\": "
                   "[{\"q\": {\"_id\": \"%.*s\"}, \"u\": {\"$set\": {\"source\": \"mail\"}}}], "
                   "\"writeConcern\": {\"w\": \"majority\"}}",
                   TEXT_ARGS(letters[0].id));
    admin_run(world->database, json);
    struct claimed claimed = session_claim(&session, 10);
    assert_int_equal(claimed.count, 1);
    assert_text(letters[1].id, claimed.letters[0].id);
    (void)snprintf(json, sizeof json,
                   "{\"delete\": \"letters\", \"deletes\": [{\"q\": {\"_id\": \"%.*s\"}, "
                   "\"limit\": 1}], \"writeConcern\": {\"w\": \"majority\"}}",
                   TEXT_ARGS(letters[0].id));
    admin_run(world->database, json);
    session_close(&session);
}

static void test_published_letters_are_deleted_when_they_expire(void **state)
{
    struct store_world *world = *state;
    assert_int_equal(admin_index_count(world->database, "letters",
                                       "{\"key.expires_at\": 1, \"expireAfterSeconds\": 0}"),
                     1);
}

static void test_texts_and_bytes_have_the_types_that_people_expect(void **state)
{
    struct store_world *world = *state;
    struct letter letter = full_letter(world);
    char filter[1024];
    letter.detail = text_view("\xff", 1);
    world_add_letter(world, &letter);
    (void)snprintf(filter, sizeof filter,
                   "{\"_id\": \"%.*s\", \"reason\": \"internal\", \"properties.user_id\": "
                   "\"conductor\", \"consumers\": {\"$uuid\": \"%s\"}, \"unpublished\": true, "
                   "\"published_at\": {\"$exists\": false}, \"$expr\": {\"$eq\": [["
                   "{\"$type\": \"$detail\"}, {\"$type\": \"$body\"}, {\"$type\": \"$last_at\"}, "
                   "{\"$type\": \"$count\"}], [\"binData\", \"binData\", \"date\", \"long\"]]}}",
                   TEXT_ARGS(letter.id), uuid_format(letter.consumers[1]).chars);
    assert_int_equal(admin_count(world->database, "letters", filter), 1);
}

/* The sweep runs often, and finds nothing nearly always, however many letters there are. */
static void test_a_claim_that_finds_nothing_looks_at_no_letter(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letters[10];
    add_old_letters(world, letters, 10);
    world_publish_all(world);
    admin_run(world->database, "{\"profile\": 2}");
    assert_int_equal(session_claim(&session, 100).count, 0);
    admin_run(world->database, "{\"profile\": 0}");
    assert_int_equal(admin_count(world->database, "system.profile",
                                 "{\"command.find\": \"letters\", \"docsExamined\": 0, "
                                 "\"planSummary\": \"IXSCAN { last_at: 1 }\"}"),
                     1);
    session_close(&session);
}

#define LETTER_TEST(test) cmocka_unit_test_teardown(test, tear_down)

static const struct CMUnitTest tests[] = {
    LETTER_TEST(test_stores_that_claim_at_the_same_time_share_the_letters),
    LETTER_TEST(test_a_letter_that_another_store_claimed_meanwhile_is_left_out),
    LETTER_TEST(test_error_codes_of_a_write_of_letters_become_statuses),
    LETTER_TEST(test_a_cut_connection_in_a_write_of_letters_leaves_nothing),
    LETTER_TEST(test_a_letter_larger_than_a_document_is_refused),
    LETTER_TEST(test_a_mark_that_is_not_durable_can_be_repeated),
    LETTER_TEST(test_a_claim_whose_connection_is_cut_can_be_repeated),
    LETTER_TEST(test_a_malformed_letter_does_not_stop_the_claims),
    LETTER_TEST(test_published_letters_are_deleted_when_they_expire),
    LETTER_TEST(test_texts_and_bytes_have_the_types_that_people_expect),
    LETTER_TEST(test_a_claim_that_finds_nothing_looks_at_no_letter),
};

int main(void)
{
    return cmocka_run_group_tests_name("store letters: MongoDB alone", tests, store_world_mongo,
                                       store_world_end) != 0;
}
