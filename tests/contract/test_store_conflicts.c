/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what the storage port promises of two concurrent transactions. Each test runs against the
 * store in memory and against MongoDB. Sections: one provider, outcomes, names, snapshots.
 *
 * Most tests open a pair of sessions, let both load the same document, and then write in one of two
 * orders. expect_first_wins(): the first write is not committed yet. expect_late_conflict(): it is
 * committed, but after the snapshot of the second session. The second write has to be a CONFLICT in
 * both, and nothing of it may remain.
 *
 * A conflict is also due where no content changes: for documents that a decision only depends on,
 * and for absent documents that both sessions looked for. A transaction reads one snapshot, fixed
 * by its first load, and sees no write of another one that committed later.
 *
 * Not here: the advisory lock (test_store_lock.c), tree nodes (test_store_lists.c), and retries
 * after a conflict, which are the applier's.
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_pair.h"

/* Both transactions are open when the second one writes: its write conflicts, and the first one can
   commit. */
static void expect_first_wins(struct pair *pair)
{
    assert_status(&pair->first, STORE_OK, session_write(&pair->first));
    assert_status(&pair->second, STORE_CONFLICT, session_write(&pair->second));
    assert_status(&pair->first, STORE_OK, session_commit(&pair->first));
    session_restart(&pair->first);
    session_restart(&pair->second);
}

/* The first transaction has committed when the second one, with an older snapshot, writes. */
static void expect_late_conflict(struct pair *pair)
{
    session_save(&pair->first);
    assert_status(&pair->second, STORE_CONFLICT, session_write(&pair->second));
    session_restart(&pair->second);
}

/* --- one provider --- */

static void test_of_two_open_writes_of_a_provider_the_second_conflicts(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    touch_provider(&pair.first, content.id, 1);
    touch_provider(&pair.second, content.id, 2);
    expect_first_wins(&pair);
    assert_int_equal(open_provider(&pair.second, content.id)->generation, 1);
    pair_close(&pair);
}

static void test_a_write_on_an_old_snapshot_conflicts(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    touch_provider(&pair.first, content.id, 1);
    touch_provider(&pair.second, content.id, 2);
    expect_late_conflict(&pair);
    assert_int_equal(open_provider(&pair.second, content.id)->generation, 1);
    pair_close(&pair);
}

/* The planner makes a document dirty if a decision depends on it, even if its content stays the
   same. Without a conflict here, two such decisions could break a rule together (write skew). */
static void test_a_write_that_changes_nothing_still_conflicts(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    touch_provider(&pair.first, content.id, content.generation);
    touch_provider(&pair.second, content.id, content.generation);
    expect_late_conflict(&pair);
    touch_provider(&pair.first, content.id, content.generation);
    touch_provider(&pair.second, content.id, content.generation);
    expect_first_wins(&pair);
    assert_same_provider(&content, open_provider(&pair.first, content.id));
    pair_close(&pair);
}

static void test_a_write_of_an_unchanged_consumer_still_conflicts(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct consumer content = plain_consumer(world, world_uuid(world), 1);
    world_add_consumer(world, &content);
    open_consumer(&pair.first, content.id)->state.dirty = true;
    open_consumer(&pair.second, content.id)->state.dirty = true;
    expect_late_conflict(&pair);
    pair_close(&pair);
}

static void test_a_delete_conflicts_with_an_update_in_both_orders(void **state)
{
    struct store_world *world = *state;
    for (int order = 0; order < 2; order++) {
        struct pair pair = pair_open(world);
        struct provider content = plain_provider(world);
        world_add_provider(world, &content);
        touch_provider(&pair.first, content.id, 1);
        touch_provider(&pair.second, content.id, 2);
        struct session *deleting = order == 0 ? &pair.first : &pair.second;
        snapshot_provider(deleting->snapshot, content.id)->state.exists = false;
        expect_late_conflict(&pair);
        assert_int_equal(open_provider(&pair.first, content.id)->state.exists, order == 1);
        pair_close(&pair);
    }
}

static void test_writes_of_different_providers_do_not_conflict(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct provider one = plain_provider(world), two = plain_provider(world);
    world_add_provider(world, &one);
    world_add_provider(world, &two);
    touch_provider(&pair.first, one.id, 1);
    touch_provider(&pair.second, two.id, 1);
    assert_status(&pair.first, STORE_OK, session_write(&pair.first));
    session_save(&pair.second);
    assert_status(&pair.first, STORE_OK, session_commit(&pair.first));
    pair_close(&pair);
}

static void test_a_conflict_leaves_nothing_of_the_whole_write(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct provider content = plain_provider(world), fresh = plain_provider(world);
    struct text key = world_text(world, "key");
    world_add_provider(world, &content);
    touch_provider(&pair.first, content.id, 1);
    snapshot_want_provider(pair.second.snapshot, fresh.id);
    snapshot_want_outcome(pair.second.snapshot, conductor(), key);
    touch_provider(&pair.second, content.id, 2);
    put_provider(&pair.second, &fresh);
    put_outcome(&pair.second, conductor(), key, "{}");
    expect_late_conflict(&pair);
    snapshot_want_provider(pair.second.snapshot, fresh.id);
    assert_false(open_outcome(&pair.second, conductor(), key)->state.exists);
    assert_false(snapshot_provider(pair.second.snapshot, fresh.id)->state.exists);
    pair_close(&pair);
}

static void test_after_a_conflict_nothing_can_be_committed(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    touch_provider(&pair.first, content.id, 1);
    touch_provider(&pair.second, content.id, 2);
    session_save(&pair.first);
    assert_status(&pair.second, STORE_CONFLICT, session_write(&pair.second));
    assert_status(&pair.second, STORE_CONFLICT, session_commit(&pair.second));
    session_restart(&pair.second);
    assert_int_equal(open_provider(&pair.second, content.id)->generation, 1);
    pair_close(&pair);
}

/* --- outcomes --- */

/* TOUCH: insert and delete in one transaction, so that a concurrent insert conflicts. */
enum effect { INSERT, TOUCH };

static void prepare_outcome(struct session *session, struct text key, enum effect effect)
{
    struct outcome *slot = open_outcome(session, conductor(), key);
    if (effect == INSERT)
        put_outcome(session, conductor(), key, "{}");
    else
        slot->state.dirty = true;
}

/* Every pair of insert and touch conflicts, while the first one is open and after its commit. */
static void test_insert_and_touch_of_an_absent_outcome_conflict_in_all_orders(void **state)
{
    struct store_world *world = *state;
    static const enum effect effects[][2] = {
        {INSERT, INSERT}, {INSERT, TOUCH}, {TOUCH, INSERT}, {TOUCH, TOUCH}};
    for (size_t i = 0; i < 8; i++) {
        struct pair pair = pair_open(world);
        struct text key = world_text(world, "key");
        prepare_outcome(&pair.first, key, effects[i / 2][0]);
        prepare_outcome(&pair.second, key, effects[i / 2][1]);
        if (i % 2 == 0)
            expect_first_wins(&pair);
        else
            expect_late_conflict(&pair);
        assert_int_equal(open_outcome(&pair.first, conductor(), key)->state.exists,
                         effects[i / 2][0] == INSERT);
        pair_close(&pair);
    }
}

static void test_touch_of_an_absent_consumer_conflicts_with_its_insert(void **state)
{
    struct store_world *world = *state;
    for (int order = 0; order < 2; order++) {
        struct pair pair = pair_open(world);
        struct consumer content = plain_consumer(world, world_uuid(world), 1);
        struct session *inserting = order == 0 ? &pair.first : &pair.second;
        open_consumer(&pair.first, content.id)->state.dirty = true;
        open_consumer(&pair.second, content.id)->state.dirty = true;
        snapshot_consumer(inserting->snapshot, content.id)->state.dirty = false;
        put_consumer(inserting, &content);
        expect_late_conflict(&pair);
        pair_close(&pair);
    }
}

static void test_touch_of_an_absent_provider_conflicts_with_its_insert(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct provider content = plain_provider(world);
    open_provider(&pair.first, content.id)->state.dirty = true;
    stage_provider(&pair.second, &content);
    expect_late_conflict(&pair);
    pair_close(&pair);
}

/* A write always inserts an outcome, even if the slot says that it is stored. */
static void test_a_stored_outcome_is_never_overwritten(void **state)
{
    struct store_world *world = *state;
    struct text key = world_text(world, "key");
    world_add_outcome(world, conductor(), key, "{\"first\":1}");
    for (int stored = 0; stored < 2; stored++) {
        struct session session = session_open(world);
        struct outcome *slot = open_outcome(&session, conductor(), key);
        slot->state = (struct slot_state){
            .loaded = true, .stored = stored == 1, .exists = true, .dirty = true};
        slot->body = text_of("{\"second\":2}");
        assert_status(&session, STORE_CONFLICT, session_write(&session));
        session_restart(&session);
        assert_text(text_of("{\"first\":1}"), open_outcome(&session, conductor(), key)->body);
        session_close(&session);
    }
}

/* The slot says that the document is stored, but it does not exist. */
static void test_an_update_or_delete_of_an_absent_document_conflicts(void **state)
{
    struct store_world *world = *state;
    for (int exists = 0; exists < 2; exists++) {
        struct session session = session_open(world);
        struct consumer content = plain_consumer(world, world_uuid(world), 1);
        struct consumer *slot = open_consumer(&session, content.id);
        put_consumer(&session, &content);
        slot->state.stored = true;
        slot->state.exists = exists == 1;
        assert_status(&session, STORE_CONFLICT, session_write(&session));
        session_restart(&session);
        assert_false(open_consumer(&session, content.id)->state.exists);
        session_close(&session);
    }
}

/* --- names --- */

static void test_of_two_providers_with_one_new_name_one_wins(void **state)
{
    struct store_world *world = *state;
    for (int late = 0; late < 2; late++) {
        struct pair pair = pair_open(world);
        struct provider one = plain_provider(world), two = plain_provider(world);
        two.name = one.name;
        (void)open_provider(&pair.first, one.id);
        (void)open_provider(&pair.second, two.id);
        put_provider(&pair.first, &one);
        put_provider(&pair.second, &two);
        if (late == 1)
            expect_late_conflict(&pair);
        else
            expect_first_wins(&pair);
        pair_close(&pair);
    }
}

static void test_a_name_that_is_taken_cannot_be_inserted(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider one = plain_provider(world), two = plain_provider(world);
    world_add_provider(world, &one);
    two.name = one.name;
    snapshot_want_name(session.snapshot, one.name);
    (void)open_provider(&session, two.id);
    assert_true(snapshot_name(session.snapshot, one.name)->taken);
    assert_true(uuid_equal(snapshot_name(session.snapshot, one.name)->holder, one.id));
    put_provider(&session, &two);
    assert_status(&session, STORE_CONFLICT, session_write(&session));
    session_close(&session);
}

static void test_a_rename_to_a_name_that_is_taken_conflicts(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider one = plain_provider(world), two = plain_provider(world);
    world_add_provider(world, &one);
    world_add_provider(world, &two);
    struct provider *slot = open_provider(&session, two.id);
    slot->name = one.name;
    slot->state.dirty = slot->place_dirty = true;
    assert_status(&session, STORE_CONFLICT, session_write(&session));
    session_restart(&session);
    assert_same_provider(&two, open_provider(&session, two.id));
    session_close(&session);
}

static void test_a_released_name_can_be_used_again(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider one = plain_provider(world), two = plain_provider(world);
    world_add_provider(world, &one);
    struct provider *slot = open_provider(&session, one.id);
    slot->name = world_text(world, "renamed");
    slot->state.dirty = slot->place_dirty = true;
    session_save(&session);
    two.name = one.name;
    world_add_provider(world, &two);
    snapshot_want_name(session.snapshot, two.name);
    (void)open_provider(&session, two.id);
    assert_true(uuid_equal(snapshot_name(session.snapshot, two.name)->holder, two.id));
    session_close(&session);
}

/* --- snapshots --- */

static void test_the_second_load_sees_the_snapshot_of_the_first(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider stored = plain_provider(world), later = plain_provider(world);
    struct text key = world_text(world, "key");
    struct consumer consumer = plain_consumer(world, stored.id, 1);
    world_add_provider(world, &stored);
    (void)open_provider(&session, stored.id);
    world_add_provider(world, &later);
    world_add_consumer(world, &consumer);
    world_add_outcome(world, conductor(), key, "{}");
    snapshot_want_provider(session.snapshot, later.id);
    snapshot_want_name(session.snapshot, later.name);
    snapshot_want_consumer(session.snapshot, consumer.id);
    snapshot_want_outcome(session.snapshot, conductor(), key);
    snapshot_want_tree(session.snapshot, later.id);
    session_load(&session);
    assert_false(snapshot_provider(session.snapshot, later.id)->state.exists);
    assert_false(snapshot_name(session.snapshot, later.name)->taken);
    assert_false(snapshot_consumer(session.snapshot, consumer.id)->state.exists);
    assert_false(snapshot_outcome(session.snapshot, conductor(), key)->state.exists);
    assert_int_equal(session.snapshot->node_count, 0);
    session_restart(&session);
    assert_true(open_provider(&session, later.id)->state.exists);
    session_close(&session);
}

static void test_the_second_load_sees_documents_as_they_were(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    (void)open_consumer(&pair.first, world_uuid(world));
    touch_provider(&pair.second, content.id, 8);
    session_save(&pair.second);
    snapshot_want_provider(pair.first.snapshot, content.id);
    session_load(&pair.first);
    assert_same_provider(&content, snapshot_provider(pair.first.snapshot, content.id));
    pair_close(&pair);
}

static void test_uncommitted_writes_of_another_session_are_invisible(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct provider content = plain_provider(world);
    stage_provider(&pair.first, &content);
    assert_status(&pair.first, STORE_OK, session_write(&pair.first));
    assert_false(open_provider(&pair.second, content.id)->state.exists);
    pair_close(&pair);
}

static void test_the_next_transaction_sees_committed_writes(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    for (int round = 1; round <= 10; round++) {
        struct provider content = plain_provider(world);
        stage_provider(&pair.first, &content);
        session_save(&pair.first);
        assert_same_provider(&content, open_provider(&pair.second, content.id));
        session_restart(&pair.second);
    }
    pair_close(&pair);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_of_two_open_writes_of_a_provider_the_second_conflicts),
    cmocka_unit_test(test_a_write_on_an_old_snapshot_conflicts),
    cmocka_unit_test(test_a_write_that_changes_nothing_still_conflicts),
    cmocka_unit_test(test_a_write_of_an_unchanged_consumer_still_conflicts),
    cmocka_unit_test(test_a_delete_conflicts_with_an_update_in_both_orders),
    cmocka_unit_test(test_writes_of_different_providers_do_not_conflict),
    cmocka_unit_test(test_a_conflict_leaves_nothing_of_the_whole_write),
    cmocka_unit_test(test_after_a_conflict_nothing_can_be_committed),
    cmocka_unit_test(test_insert_and_touch_of_an_absent_outcome_conflict_in_all_orders),
    cmocka_unit_test(test_touch_of_an_absent_consumer_conflicts_with_its_insert),
    cmocka_unit_test(test_touch_of_an_absent_provider_conflicts_with_its_insert),
    cmocka_unit_test(test_a_stored_outcome_is_never_overwritten),
    cmocka_unit_test(test_an_update_or_delete_of_an_absent_document_conflicts),
    cmocka_unit_test(test_of_two_providers_with_one_new_name_one_wins),
    cmocka_unit_test(test_a_name_that_is_taken_cannot_be_inserted),
    cmocka_unit_test(test_a_rename_to_a_name_that_is_taken_conflicts),
    cmocka_unit_test(test_a_released_name_can_be_used_again),
    cmocka_unit_test(test_the_second_load_sees_the_snapshot_of_the_first),
    cmocka_unit_test(test_the_second_load_sees_documents_as_they_were),
    cmocka_unit_test(test_uncommitted_writes_of_another_session_are_invisible),
    cmocka_unit_test(test_the_next_transaction_sees_committed_writes),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("store conflicts in memory", tests, store_world_memory,
                                             store_world_end) != 0;
    failed |= cmocka_run_group_tests_name("store conflicts on MongoDB", tests, store_world_mongo,
                                          store_world_end) != 0;
    return failed;
}
