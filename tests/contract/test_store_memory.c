/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the store in memory (tests/support/memory_store.h) beyond the port: the faults that it
 * injects, crashes, visitors and counters. The simulations rely on them, so a fault has to do
 * exactly what its fate (enum memory_fate) says. That the store behaves as MongoDB otherwise is
 * tested by the suites that run against both.
 *
 * Sections: which call fails; commits that fail (lost, applied, lingering); crashes and expiry;
 * rejected documents and attempt records; letters; visitors and counters.
 *
 * All tests share one database, so reset() clears the faults and ends the open transactions after
 * each test. The test of visitors counts documents, and therefore uses a database of its own.
 *
 * Not here: the same faults on a real server (test_store_commits.c, test_store_faults.c).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_letters.h"

static int reset(void **state)
{
    struct store_world *world = *state;
    memory_database_clear_faults(world->memory);
    memory_database_expire(world->memory);
    return 0;
}

static void inject(struct store_world *world, enum memory_call call, size_t after,
                   enum store_status status, enum memory_fate fate)
{
    memory_database_fail(
        world->memory,
        (struct memory_fault){.call = call, .after = after, .status = status, .fate = fate});
}

static void stage_outcome(struct session *session, struct text key)
{
    assert_false(open_outcome(session, conductor(), key)->state.exists);
    put_outcome(session, conductor(), key, "{}");
    assert_status(session, STORE_OK, session_write(session));
}

static bool has_outcome(struct store_world *world, struct text key)
{
    struct session session = session_open(world);
    bool exists = open_outcome(&session, conductor(), key)->state.exists;
    session_close(&session);
    return exists;
}

/* --- which call fails --- */

static void test_the_nth_call_fails_and_only_that(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    inject(world, MEMORY_BEGIN, 2, STORE_UNAVAILABLE, MEMORY_LOST);
    for (int round = 0; round < 4; round++) {
        enum store_status status = session.store->ops->begin(session.store, &session.error);
        assert_status(&session, round == 2 ? STORE_UNAVAILABLE : STORE_OK, status);
        session_restart(&session);
    }
    session_close(&session);
}

static void test_a_fault_of_any_call_counts_all_calls(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text key = world_text(world, "key");
    inject(world, MEMORY_ANY_CALL, 3, STORE_UNKNOWN, MEMORY_APPLIED);
    stage_outcome(&session, key);
    assert_status(&session, STORE_UNKNOWN, session_commit(&session));
    session_restart(&session);
    assert_true(has_outcome(world, key));
    session_close(&session);
}

static void test_a_fault_fails_as_many_calls_as_it_says(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    memory_database_fail(
        world->memory,
        (struct memory_fault){.call = MEMORY_PREPARE, .times = 2, .status = STORE_UNAVAILABLE});
    for (int round = 0; round < 3; round++)
        assert_status(&session, round < 2 ? STORE_UNAVAILABLE : STORE_OK,
                      session_prepare(&session));
    session_close(&session);
}

static void test_a_load_that_fails_fills_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    inject(world, MEMORY_LOAD, 0, STORE_UNAVAILABLE, MEMORY_LOST);
    session_begin(&session);
    snapshot_want_provider(session.snapshot, world_uuid(world));
    assert_status(&session, STORE_UNAVAILABLE, session_try_load(&session));
    assert_false(session.snapshot->providers[0].state.loaded);
    session_close(&session);
}

/* --- commits that fail --- */

static void test_a_commit_that_was_lost_can_be_repeated_or_dropped(void **state)
{
    struct store_world *world = *state;
    for (int repeated = 0; repeated < 2; repeated++) {
        struct session session = session_open(world);
        struct text key = world_text(world, "key");
        stage_outcome(&session, key);
        inject(world, MEMORY_COMMIT, 0, STORE_UNKNOWN, MEMORY_LOST);
        assert_status(&session, STORE_UNKNOWN, session_commit(&session));
        if (repeated == 1)
            assert_status(&session, STORE_OK, session_commit(&session));
        session_restart(&session);
        assert_int_equal(has_outcome(world, key), repeated);
        session_close(&session);
    }
}

static void test_a_commit_that_was_applied_says_so_when_repeated(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text key = world_text(world, "key");
    stage_outcome(&session, key);
    inject(world, MEMORY_COMMIT, 0, STORE_UNKNOWN, MEMORY_APPLIED);
    assert_status(&session, STORE_UNKNOWN, session_commit(&session));
    assert_true(has_outcome(world, key));
    assert_status(&session, STORE_OK, session_commit(&session));
    session_close(&session);
}

static void test_a_commit_that_lingers_blocks_its_key_until_it_is_resolved(void **state)
{
    struct store_world *world = *state;
    for (int applied = 0; applied < 2; applied++) {
        struct session session = session_open(world);
        struct text key = world_text(world, "key");
        stage_outcome(&session, key);
        inject(world, MEMORY_COMMIT, 0, STORE_UNKNOWN, MEMORY_LINGERS);
        assert_status(&session, STORE_UNKNOWN, session_commit(&session));
        session_restart(&session);
        assert_int_equal(memory_database_lingering(world->memory), 1);
        (void)open_outcome(&session, conductor(), key);
        put_outcome(&session, conductor(), key, "{\"second\":1}");
        assert_status(&session, STORE_CONFLICT, session_write(&session));
        session_restart(&session);
        memory_database_resolve_commit(world->memory, applied == 1);
        assert_int_equal(memory_database_lingering(world->memory), 0);
        assert_int_equal(has_outcome(world, key), applied);
        session_close(&session);
    }
}

static void test_a_commit_that_conflicts_leaves_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text key = world_text(world, "key");
    stage_outcome(&session, key);
    inject(world, MEMORY_COMMIT, 0, STORE_CONFLICT, MEMORY_LOST);
    assert_status(&session, STORE_CONFLICT, session_commit(&session));
    session_restart(&session);
    assert_false(has_outcome(world, key));
    stage_outcome(&session, key);
    session_close(&session);
}

/* --- crashes and expiry --- */

static void test_a_store_that_crashed_is_cut_off(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text key = world_text(world, "key");
    stage_outcome(&session, key);
    memory_store_crash(session.store, MEMORY_LOST);
    assert_status(&session, STORE_UNAVAILABLE, session_commit(&session));
    session.store->ops->end(session.store);
    assert_status(&session, STORE_UNAVAILABLE,
                  session.store->ops->begin(session.store, &session.error));
    session_close(&session);
    assert_false(has_outcome(world, key));
    assert_int_equal(memory_database_lingering(world->memory), 0);
}

static void test_a_crash_leaves_its_transaction_open_until_it_expires(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world), other = session_open(world);
    struct text key = world_text(world, "key");
    stage_outcome(&session, key);
    memory_store_crash(session.store, MEMORY_LINGERS);
    session_close(&session);
    (void)open_outcome(&other, conductor(), key);
    put_outcome(&other, conductor(), key, "{}");
    assert_status(&other, STORE_CONFLICT, session_write(&other));
    session_restart(&other);
    memory_database_expire(world->memory);
    stage_outcome(&other, key);
    session_close(&other);
}

static void test_a_crash_right_after_the_commit_keeps_it(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text key = world_text(world, "key");
    stage_outcome(&session, key);
    memory_database_fail(world->memory, (struct memory_fault){.call = MEMORY_COMMIT,
                                                              .status = STORE_UNKNOWN,
                                                              .fate = MEMORY_APPLIED,
                                                              .crash = true});
    assert_status(&session, STORE_UNKNOWN, session_commit(&session));
    assert_status(&session, STORE_UNAVAILABLE, session_commit(&session));
    session_close(&session);
    assert_true(has_outcome(world, key));
}

static void test_an_open_transaction_that_expired_cannot_commit(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text key = world_text(world, "key");
    stage_outcome(&session, key);
    memory_database_expire(world->memory);
    assert_status(&session, STORE_EXPIRED, session_commit(&session));
    session_restart(&session);
    stage_outcome(&session, key);
    session_close(&session);
}

/* --- rejected documents and attempt records --- */

static void test_a_refused_document_is_refused_until_faults_are_cleared(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct consumer content = plain_consumer(world, world_uuid(world), 1);
    memory_database_refuse(world->memory, content.id);
    (void)open_consumer(&session, content.id);
    put_consumer(&session, &content);
    assert_status(&session, STORE_REFUSED, session_write(&session));
    session_restart(&session);
    /* Insert and delete: nothing is stored, so nothing is validated. */
    open_consumer(&session, content.id)->state.dirty = true;
    session_save(&session);
    memory_database_clear_faults(world->memory);
    world_add_consumer(world, &content);
    session_close(&session);
}

static void test_an_attempt_may_count_though_its_answer_was_lost(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct session other = session_open(world);
    for (int applied = 0; applied < 2; applied++) {
        struct text key = world_text(world, "key");
        inject(world, MEMORY_ATTEMPT, 0, STORE_UNAVAILABLE,
               applied == 1 ? MEMORY_APPLIED : MEMORY_LOST);
        assert_status(&session, STORE_UNAVAILABLE, session_record_attempts(&session, &key, 1));
        assert_int_equal(session_find_attempts(&other, key).alone, applied);
    }
    session_close(&other);
    session_close(&session);
}

/* --- letters --- */

static void test_a_publish_may_count_though_its_answer_was_lost(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (int applied = 0; applied < 2; applied++) {
        struct letter letter = full_letter(world);
        world_add_letter(world, &letter);
        inject(world, MEMORY_LETTER, 0, STORE_UNAVAILABLE,
               applied == 1 ? MEMORY_APPLIED : MEMORY_LOST);
        assert_status(&session, STORE_UNAVAILABLE, session_publish(&session, &letter.id, 1));
        assert_int_equal(world_letter(world, letter.id, NULL).unpublished, applied == 0);
    }
    session_close(&session);
}

/* The repeated call gets what the first one claimed; no other call does. */
static void test_a_claim_whose_answer_was_lost_can_be_repeated(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world), other = session_open(world);
    struct letter letter = full_letter(world);
    struct claimed claimed;
    world_publish_all(world);
    world_add_letter(world, &letter);
    world_pass_time(world, LETTER_SWEEP_AFTER_MS);
    inject(world, MEMORY_LETTER, 0, STORE_UNAVAILABLE, MEMORY_APPLIED);
    assert_status(&session, STORE_UNAVAILABLE, session_try_claim(&session, 9, SIZE_MAX, &claimed));
    assert_int_equal(claimed.count, 0);
    assert_int_equal(session_claim(&other, 9).count, 0);
    assert_int_equal(session_claim(&session, 9).count, 1);
    assert_int_equal(session_claim(&session, 9).count, 0);
    session_close(&other);
    session_close(&session);
}

static void test_a_write_of_letters_that_is_refused_leaves_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letter = full_letter(world);
    bool stored = true;
    inject(world, MEMORY_WRITE_LETTERS, 0, STORE_REFUSED, MEMORY_LOST);
    session_begin(&session);
    assert_status(&session, STORE_REFUSED, session_write_letters(&session, &letter, 1));
    assert_status(&session, STORE_REFUSED, session_commit(&session));
    session_close(&session);
    (void)world_letter(world, letter.id, &stored);
    assert_false(stored);
}

/* The server would wait for the transaction, and then reach its time limit. */
static void test_a_letter_of_an_open_transaction_can_not_be_marked_or_claimed(void **state)
{
    struct store_world *world = *state;
    struct session writer = session_open(world), other = session_open(world);
    struct letter letter = full_letter(world);
    struct claimed claimed;
    world_publish_all(world);
    world_add_letter(world, &letter);
    world_pass_time(world, LETTER_SWEEP_AFTER_MS);
    session_begin(&writer);
    assert_status(&writer, STORE_OK, session_write_letters(&writer, &letter, 1));
    assert_status(&other, STORE_UNAVAILABLE, session_publish(&other, &letter.id, 1));
    assert_status(&other, STORE_UNAVAILABLE, session_refuse(&other, letter.id, text_of("no")));
    assert_status(&other, STORE_UNAVAILABLE, session_try_claim(&other, 9, SIZE_MAX, &claimed));
    assert_int_equal(claimed.count, 0);
    session_restart(&writer);
    assert_int_equal(session_claim(&other, 9).count, 1);
    assert_status(&other, STORE_OK, session_publish(&other, &letter.id, 1));
    session_close(&other);
    session_close(&writer);
}

/* --- visitors and counters --- */

struct seen {
    size_t providers, consumers, outcomes, attempts, letters;
    struct uuid last;
    int64_t count;
};

static void see_provider(void *context, const struct provider *provider)
{
    struct seen *seen = context;
    assert_true(seen->providers == 0 || uuid_compare(seen->last, provider->id) < 0);
    seen->last = provider->id;
    seen->providers++;
}

static void see_consumer(void *context, const struct consumer *consumer)
{
    assert_int_equal(consumer->allocation_count, 1);
    ((struct seen *)context)->consumers++;
}

static void see_outcome(void *context, const struct outcome *outcome)
{
    assert_text(text_of("{}"), outcome->body);
    ((struct seen *)context)->outcomes++;
}

static void see_attempts(void *context, struct text principal, struct text key, int64_t count)
{
    struct seen *seen = context;
    assert_text(conductor(), principal);
    assert_true(text_starts_with(key, "key"));
    seen->attempts++;
    seen->count += count;
}

static void see_letter(void *context, const struct letter_record *letter)
{
    struct seen *seen = context;
    assert_int_equal(letter->count, 1);
    assert_true(letter->unpublished);
    seen->letters++;
}

static struct seen look(const struct memory_database *database)
{
    struct seen seen = {0};
    struct memory_visitor visitor = {&seen,       see_provider, see_consumer,
                                     see_outcome, see_attempts, see_letter};
    memory_database_visit(database, &visitor);
    return seen;
}

static void test_a_visitor_sees_only_committed_documents(void **state)
{
    struct store_world *world = *state;
    struct memory_database *suite = world->memory;
    world->memory = memory_database_new();
    struct session session = session_open(world);
    struct text key = world_text(world, "key");
    struct provider one = plain_provider(world), two = plain_provider(world);
    struct consumer consumer = plain_consumer(world, one.id, 1);
    struct session other = session_open(world);
    world_add_provider(world, &two);
    world_add_provider(world, &one);
    world_add_consumer(world, &consumer);
    uint64_t sequence = memory_database_sequence(world->memory);
    struct letter letter = full_letter(world);
    stage_outcome(&session, key);
    assert_status(&session, STORE_OK, session_write_letters(&session, &letter, 1));
    assert_int_equal(look(world->memory).outcomes, 0);
    assert_int_equal(look(world->memory).letters, 0);
    assert_int_equal(memory_database_sequence(world->memory), sequence);
    assert_status(&session, STORE_OK, session_commit(&session));
    assert_int_equal(memory_database_sequence(world->memory), sequence + 1);
    assert_status(&session, STORE_OK, session_record_attempts(&session, &key, 1));
    assert_status(&other, STORE_OK, session_record_attempts(&other, &key, 1));
    struct seen seen = look(world->memory);
    session_close(&other);
    session_close(&session);
    memory_database_free(world->memory);
    world->memory = suite;
    assert_int_equal(seen.providers, 2);
    assert_int_equal(seen.consumers, 1);
    assert_int_equal(seen.outcomes, 1);
    assert_int_equal(seen.attempts, 1);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.letters, 1);
}

static void test_calls_and_documents_are_counted(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    struct memory_counters before = memory_database_counters(world->memory);
    snapshot_want_consumer(session.snapshot, world_uuid(world));
    (void)open_provider(&session, content.id);
    session_save(&session);
    struct memory_counters after = memory_database_counters(world->memory);
    assert_int_equal(after.calls[MEMORY_LOAD] - before.calls[MEMORY_LOAD], 1);
    assert_int_equal(after.calls[MEMORY_COMMIT] - before.calls[MEMORY_COMMIT], 1);
    assert_int_equal(after.documents_returned - before.documents_returned, 1);
    assert_int_equal(after.documents_written - before.documents_written, 0);
    session_close(&session);
}

#define FAULT_TEST(test) cmocka_unit_test_teardown(test, reset)

static const struct CMUnitTest tests[] = {
    FAULT_TEST(test_the_nth_call_fails_and_only_that),
    FAULT_TEST(test_a_fault_of_any_call_counts_all_calls),
    FAULT_TEST(test_a_fault_fails_as_many_calls_as_it_says),
    FAULT_TEST(test_a_load_that_fails_fills_nothing),
    FAULT_TEST(test_a_commit_that_was_lost_can_be_repeated_or_dropped),
    FAULT_TEST(test_a_commit_that_was_applied_says_so_when_repeated),
    FAULT_TEST(test_a_commit_that_lingers_blocks_its_key_until_it_is_resolved),
    FAULT_TEST(test_a_commit_that_conflicts_leaves_nothing),
    FAULT_TEST(test_a_store_that_crashed_is_cut_off),
    FAULT_TEST(test_a_crash_leaves_its_transaction_open_until_it_expires),
    FAULT_TEST(test_a_crash_right_after_the_commit_keeps_it),
    FAULT_TEST(test_an_open_transaction_that_expired_cannot_commit),
    FAULT_TEST(test_a_refused_document_is_refused_until_faults_are_cleared),
    FAULT_TEST(test_an_attempt_may_count_though_its_answer_was_lost),
    FAULT_TEST(test_a_publish_may_count_though_its_answer_was_lost),
    FAULT_TEST(test_a_claim_whose_answer_was_lost_can_be_repeated),
    FAULT_TEST(test_a_write_of_letters_that_is_refused_leaves_nothing),
    FAULT_TEST(test_a_letter_of_an_open_transaction_can_not_be_marked_or_claimed),
    FAULT_TEST(test_a_visitor_sees_only_committed_documents),
    FAULT_TEST(test_calls_and_documents_are_counted),
};

int main(void)
{
    return cmocka_run_group_tests_name("faults of the store in memory", tests, store_world_memory,
                                       store_world_end) != 0;
}
