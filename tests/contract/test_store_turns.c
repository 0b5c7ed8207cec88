/* SPDX-License-Identifier: Apache-2.0 */
/* What every storage port promises of turns: in memory and on MongoDB. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/contract/store_world.h"

struct pair {
    struct session first;
    struct session second;
};

static struct pair open_pair(struct store_world *world)
{
    return (struct pair){session_open(world), session_open(world)};
}

static void close_pair(struct pair *pair)
{
    session_close(&pair->second);
    session_close(&pair->first);
}

static void touch_provider(struct session *session, struct uuid id, int64_t generation)
{
    struct provider *slot = open_provider(session, id);
    slot->generation = generation;
    slot->state.dirty = true;
}

static enum store_status take_turn(struct session *session)
{
    session_begin(session);
    return session->store->ops->take_turn(session->store, &session->error);
}

static void test_a_turn_keeps_the_others_out_until_its_transaction_ends(void **state)
{
    struct store_world *world = *state;
    struct pair pair = open_pair(world);
    for (int round = 0; round < 3; round++) {
        assert_status(&pair.first, STORE_OK, take_turn(&pair.first));
        assert_status(&pair.second, STORE_CONFLICT, take_turn(&pair.second));
        session_restart(&pair.second);
        if (round != 1)
            assert_status(&pair.first, STORE_OK, session_commit(&pair.first));
        session_restart(&pair.first); /* aborted, in the second round */
        assert_status(&pair.second, STORE_OK, take_turn(&pair.second));
        assert_status(&pair.second, STORE_OK, session_commit(&pair.second));
        session_restart(&pair.second);
    }
    close_pair(&pair);
}

static void test_who_takes_no_turn_is_not_kept_out(void **state)
{
    struct store_world *world = *state;
    struct pair pair = open_pair(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    assert_status(&pair.first, STORE_OK, take_turn(&pair.first));
    touch_provider(&pair.second, content.id, 7);
    session_keep(&pair.second);
    assert_status(&pair.first, STORE_OK, session_commit(&pair.first));
    close_pair(&pair);
}

/* What a turn sees is what the one before it has left: those who take turns never meet. */
static void test_who_gets_a_turn_meets_nothing_of_the_turn_before(void **state)
{
    struct store_world *world = *state;
    struct pair pair = open_pair(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    for (int64_t turn = 1; turn <= 4; turn++) {
        struct session *session = turn % 2 == 1 ? &pair.first : &pair.second;
        assert_status(session, STORE_OK, take_turn(session));
        snapshot_want_provider(session->snapshot, content.id);
        session_load(session);
        struct provider *slot = snapshot_provider(session->snapshot, content.id);
        assert_int_equal(slot->generation, turn - 1);
        slot->generation = turn;
        slot->state.dirty = true;
        assert_status(session, STORE_OK, session_write(session));
        assert_status(session, STORE_OK, session_commit(session));
        session_restart(session);
    }
    close_pair(&pair);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_turn_keeps_the_others_out_until_its_transaction_ends),
    cmocka_unit_test(test_who_takes_no_turn_is_not_kept_out),
    cmocka_unit_test(test_who_gets_a_turn_meets_nothing_of_the_turn_before),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("store turns in memory", tests, store_world_memory,
                                             store_world_end) != 0;
    failed |= cmocka_run_group_tests_name("store turns on MongoDB", tests, store_world_mongo,
                                          store_world_end) != 0;
    return failed;
}
