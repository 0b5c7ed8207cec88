/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what the storage port promises of one transaction and of attempt records. Each test runs
 * against the store in memory and against MongoDB. Sections: the life of a transaction, validators,
 * attempt records.
 *
 * A transaction that is ended or freed without a commit leaves nothing and blocks no one. A second
 * commit returns OK and changes nothing. Validators reject documents that only a wrong planner
 * would write: a negative usage, a consumer without allocations, a usage without an inventory.
 * Attempt records of other sessions count as crashed attempts; a record can be repeated, withdrawn
 * and cleared, and doing so twice changes nothing.
 *
 * Not here: two transactions at the same time (test_store_conflicts.c), lost answers
 * (test_store_commits.c, test_store_memory.c), and expiry of the records (test_store_cost.c checks
 * that they have a date).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_world.h"

/* --- the life of a transaction --- */

static void test_an_uncommitted_write_leaves_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    stage_provider(&session, &content);
    assert_status(&session, STORE_OK, session_write(&session));
    session_restart(&session);
    snapshot_want_name(session.snapshot, content.name);
    assert_false(open_provider(&session, content.id)->state.exists);
    assert_false(snapshot_name(session.snapshot, content.name)->taken);
    session_restart(&session);
    (void)open_provider(&session, content.id); /* and it blocks no other write */
    put_provider(&session, &content);
    session_save(&session);
    session_close(&session);
}

static void test_a_store_that_is_freed_in_the_middle_leaves_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    stage_provider(&session, &content);
    assert_status(&session, STORE_OK, session_write(&session));
    session.store->ops->free(session.store);
    arena_free(session.arena);
    world_add_provider(world, &content);
}

static void test_a_transaction_that_only_read_commits(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    (void)open_provider(&session, world_uuid(world));
    session_save(&session);
    session_begin(&session); /* a transaction without any call */
    assert_status(&session, STORE_OK, session_commit(&session));
    session_close(&session);
}

static void test_a_read_with_a_fence_commits_again_and_again(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct session other = session_open(world);
    for (int round = 0; round < 3; round++) {
        (void)open_provider(&session, world_uuid(world));
        (void)open_provider(&other, world_uuid(world));
        session.snapshot->fence = other.snapshot->fence = true;
        assert_status(&session, STORE_OK, session_write(&session));
        session_save(&other);
        assert_status(&session, STORE_OK, session_commit(&session));
        session_restart(&session);
    }
    session_close(&other);
    session_close(&session);
}

static void test_a_second_commit_changes_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    stage_provider(&session, &content);
    assert_status(&session, STORE_OK, session_write(&session));
    assert_status(&session, STORE_OK, session_commit(&session));
    assert_status(&session, STORE_OK, session_commit(&session));
    session_restart(&session);
    session.store->ops->renew(session.store);
    assert_same_provider(&content, open_provider(&session, content.id));
    session_close(&session);
}

/* --- validators --- */

static enum store_status write_used(struct session *session, struct uuid id, int64_t used)
{
    struct provider *slot = open_provider(session, id);
    slot->records[0].used = used;
    slot->records[0].dirty = slot->state.dirty = true;
    return session_write(session);
}

static void test_a_negative_usage_is_refused(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    assert_status(&session, STORE_REFUSED, write_used(&session, content.id, -1));
    session_restart(&session);
    assert_same_provider(&content, open_provider(&session, content.id));
    session_close(&session);
}

static void test_a_consumer_without_allocations_is_refused(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct consumer content = plain_consumer(world, world_uuid(world), 1);
    content.allocation_count = 0;
    (void)open_consumer(&session, content.id);
    put_consumer(&session, &content);
    assert_status(&session, STORE_REFUSED, session_write(&session));
    session_restart(&session);
    assert_false(open_consumer(&session, content.id)->state.exists);
    session_close(&session);
}

static void test_a_usage_without_an_inventory_is_refused(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    struct provider *slot = open_provider(&session, content.id);
    slot->records[0].inventory.resource_class = text_of("DISK_GB");
    slot->records[0].dirty = slot->state.dirty = true;
    assert_status(&session, STORE_REFUSED, session_write(&session));
    session_close(&session);
}

/* --- attempt records --- */

static void record(struct session *session, struct text key)
{
    assert_status(session, STORE_OK, session_record_attempts(session, &key, 1));
}

static void withdraw(struct session *session, struct text key)
{
    struct attempt_key named = {conductor(), key};
    assert_status(
        session, STORE_OK,
        session->store->ops->withdraw_attempts(session->store, &named, 1, &session->error));
}

static void clear(struct session *session, struct text key)
{
    struct attempt_key named = {conductor(), key};
    assert_status(session, STORE_OK,
                  session->store->ops->clear_attempts(session->store, &named, 1, &session->error));
}

static void assert_history(struct session *session, struct text key, int64_t alone, size_t smallest)
{
    struct attempt_history history = session_find_attempts(session, key);
    assert_int_equal(history.alone, alone);
    assert_int_equal(history.smallest, smallest);
}

static void test_attempts_of_other_sessions_are_counted_withdrawn_and_cleared(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct session other = session_open(world);
    struct session third = session_open(world);
    struct text key = world_text(world, "key"), another = world_text(world, "key");
    assert_history(&session, key, 0, 0);
    record(&session, key);
    record(&other, key);
    record(&session, another);
    assert_history(&session, key, 1, 1);
    assert_history(&third, key, 2, 1);
    withdraw(&session, key);
    assert_history(&third, key, 1, 1);
    assert_history(&third, another, 1, 1);
    clear(&session, key);
    assert_history(&session, key, 0, 0);
    assert_history(&third, key, 0, 0);
    assert_history(&other, another, 1, 1);
    session_close(&third);
    session_close(&other);
    session_close(&session);
}

static void test_one_call_records_many_commands_with_the_size_of_their_batch(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct session other = session_open(world);
    struct session third = session_open(world);
    struct text keys[] = {world_text(world, "key"), world_text(world, "key"),
                          world_text(world, "key")};
    assert_status(&session, STORE_OK, session_record_attempts(&session, keys, 3));
    assert_status(&other, STORE_OK, session_record_attempts(&other, keys, 2));
    assert_history(&third, keys[0], 0, 2);
    assert_history(&third, keys[2], 0, 3);
    record(&other, keys[2]);
    assert_history(&third, keys[2], 1, 1);
    assert_history(&other, keys[2], 0, 3);
    session_close(&third);
    session_close(&other);
    session_close(&session);
}

static void test_one_call_reads_withdraws_and_clears_many_commands(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct session other = session_open(world);
    struct text keys[] = {world_text(world, "key"), world_text(world, "key")};
    struct attempt_key named[] = {{conductor(), keys[0]}, {conductor(), keys[1]}};
    struct attempt_history histories[2];
    assert_status(&session, STORE_OK, session_record_attempts(&session, keys, 2));
    record(&other, keys[1]);
    assert_status(&other, STORE_OK,
                  other.store->ops->find_attempts(other.store, named, 2, histories, &other.error));
    assert_int_equal(histories[0].smallest, 2);
    assert_int_equal(histories[1].smallest, 2);
    assert_status(&session, STORE_OK,
                  session.store->ops->withdraw_attempts(session.store, named, 2, &session.error));
    assert_history(&other, keys[0], 0, 0);
    assert_history(&session, keys[1], 1, 1);
    assert_status(&session, STORE_OK,
                  session.store->ops->clear_attempts(session.store, named, 2, &session.error));
    assert_history(&session, keys[1], 0, 0);
    session_close(&other);
    session_close(&session);
}

static void test_an_attempt_that_is_recorded_twice_counts_once(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct session other = session_open(world);
    struct text key = world_text(world, "key");
    record(&session, key);
    record(&session, key);
    assert_history(&other, key, 1, 1);
    assert_history(&session, key, 0, 0); /* its own is no crash */
    withdraw(&session, key);
    assert_history(&other, key, 0, 0);
    session_close(&other);
    session_close(&session);
}

static void test_an_attempt_that_was_not_recorded_cannot_be_withdrawn(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct session other = session_open(world);
    struct text key = world_text(world, "key");
    for (int round = 0; round < 2; round++) {
        withdraw(&session, key);
        clear(&session, key);
    }
    assert_history(&other, key, 0, 0);
    record(&other, key);
    withdraw(&session, key); /* that record is the other session's */
    assert_history(&session, key, 1, 1);
    session_close(&other);
    session_close(&session);
}

static void test_prepare_may_be_repeated(void **state)
{
    struct session session = session_open(*state);
    for (int round = 0; round < 2; round++)
        assert_status(&session, STORE_OK, session_prepare(&session));
    session_close(&session);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_an_uncommitted_write_leaves_nothing),
    cmocka_unit_test(test_a_store_that_is_freed_in_the_middle_leaves_nothing),
    cmocka_unit_test(test_a_transaction_that_only_read_commits),
    cmocka_unit_test(test_a_read_with_a_fence_commits_again_and_again),
    cmocka_unit_test(test_a_second_commit_changes_nothing),
    cmocka_unit_test(test_a_negative_usage_is_refused),
    cmocka_unit_test(test_a_consumer_without_allocations_is_refused),
    cmocka_unit_test(test_a_usage_without_an_inventory_is_refused),
    cmocka_unit_test(test_attempts_of_other_sessions_are_counted_withdrawn_and_cleared),
    cmocka_unit_test(test_one_call_records_many_commands_with_the_size_of_their_batch),
    cmocka_unit_test(test_one_call_reads_withdraws_and_clears_many_commands),
    cmocka_unit_test(test_an_attempt_that_is_recorded_twice_counts_once),
    cmocka_unit_test(test_an_attempt_that_was_not_recorded_cannot_be_withdrawn),
    cmocka_unit_test(test_prepare_may_be_repeated),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("store life in memory", tests, store_world_memory,
                                             store_world_end) != 0;
    failed |= cmocka_run_group_tests_name("store life on MongoDB", tests, store_world_mongo,
                                          store_world_end) != 0;
    return failed;
}
