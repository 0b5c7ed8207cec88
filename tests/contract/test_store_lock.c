/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the advisory lock of the storage port (take_advisory_lock), against the store in memory and
 * MongoDB: who holds it, whom it blocks, and what `ret_contended` says.
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_pair.h"

static enum store_status try_lock(struct session *session, bool *ret_contended)
{
    session_begin(session);
    return session->store->ops->take_advisory_lock(session->store, ret_contended, &session->error);
}

static enum store_status take_advisory_lock(struct session *session)
{
    bool contended = false;
    return try_lock(session, &contended);
}

/* Takes the lock in a transaction that commits. Returns whether another session took it before. */
static bool take_and_release(struct session *session)
{
    bool contended = false;
    assert_status(session, STORE_OK, try_lock(session, &contended));
    assert_status(session, STORE_OK, session_commit(session));
    session_restart(session);
    return contended;
}

static void test_the_lock_is_held_until_its_transaction_ends(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    for (int round = 0; round < 3; round++) {
        assert_status(&pair.first, STORE_OK, take_advisory_lock(&pair.first));
        assert_status(&pair.second, STORE_CONFLICT, take_advisory_lock(&pair.second));
        session_restart(&pair.second);
        if (round != 1)
            assert_status(&pair.first, STORE_OK, session_commit(&pair.first));
        session_restart(&pair.first); /* aborted, in the second round */
        assert_status(&pair.second, STORE_OK, take_advisory_lock(&pair.second));
        assert_status(&pair.second, STORE_OK, session_commit(&pair.second));
        session_restart(&pair.second);
    }
    pair_close(&pair);
}

static void test_a_transaction_without_the_lock_is_not_blocked(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    assert_status(&pair.first, STORE_OK, take_advisory_lock(&pair.first));
    touch_provider(&pair.second, content.id, 7);
    session_save(&pair.second);
    assert_status(&pair.first, STORE_OK, session_commit(&pair.first));
    pair_close(&pair);
}

/* The snapshot begins after the lock is taken, so holders of the lock never conflict. */
static void test_a_lock_holder_sees_the_writes_of_the_one_before(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    for (int64_t round = 1; round <= 4; round++) {
        struct session *session = round % 2 == 1 ? &pair.first : &pair.second;
        assert_status(session, STORE_OK, take_advisory_lock(session));
        snapshot_want_provider(session->snapshot, content.id);
        session_load(session);
        struct provider *slot = snapshot_provider(session->snapshot, content.id);
        assert_int_equal(slot->generation, round - 1);
        slot->generation = round;
        slot->state.dirty = true;
        assert_status(session, STORE_OK, session_write(session));
        assert_status(session, STORE_OK, session_commit(session));
        session_restart(session);
    }
    pair_close(&pair);
}

static void test_the_lock_tells_whether_another_store_held_it_before(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    assert_false(take_and_release(&pair.first) && take_and_release(&pair.first));
    assert_true(take_and_release(&pair.second));
    assert_false(take_and_release(&pair.second));
    assert_true(take_and_release(&pair.first));
    assert_status(&pair.second, STORE_OK, take_advisory_lock(&pair.second));
    session_restart(&pair.second); /* aborted, so it does not count */
    assert_false(take_and_release(&pair.first));
    pair_close(&pair);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_the_lock_tells_whether_another_store_held_it_before),
    cmocka_unit_test(test_the_lock_is_held_until_its_transaction_ends),
    cmocka_unit_test(test_a_transaction_without_the_lock_is_not_blocked),
    cmocka_unit_test(test_a_lock_holder_sees_the_writes_of_the_one_before),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("store lock in memory", tests, store_world_memory,
                                             store_world_end) != 0;
    failed |= cmocka_run_group_tests_name("store lock on MongoDB", tests, store_world_mongo,
                                          store_world_end) != 0;
    return failed;
}
