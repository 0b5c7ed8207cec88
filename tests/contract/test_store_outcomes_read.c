/* SPDX-License-Identifier: Apache-2.0 */
/* Tests on MongoDB how people look up recorded outcomes (common/mongo/outcomes_read.h). */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_world.h"

#include <string.h>

#include "common/mongo/outcomes_read.h"

enum { MANY = 1500 };

static void find(struct store_world *world, const struct attempt_key *keys, size_t count,
                 struct outcome_record *ret_outcomes)
{
    struct session session = session_open(world);
    assert_status(&session, STORE_OK,
                  mongo_outcomes_find(session.store, keys, count, world->arena, ret_outcomes,
                                      &session.error));
    session_close(&session);
}

static void test_an_outcome_is_found_by_principal_and_key(void **state)
{
    struct store_world *world = *state;
    struct text key = world_text(world, "key"), other = world_text(world, "other");
    world_add_outcome(world, conductor(), key, "{\"the\":\"reply\"}");
    const struct attempt_key keys[] = {
        {conductor(), other},
        {conductor(), key},
        {text_of("somebody"), key},
        {conductor(), key}, /* asked for twice */
    };
    struct outcome_record found[4];
    find(world, keys, 4, found);
    assert_false(found[0].exists);
    assert_false(found[2].exists);
    assert_true(found[1].exists && found[3].exists);
    assert_text(text_of("{\"the\":\"reply\"}"), found[1].body);
    assert_text(text_of("{\"the\":\"reply\"}"), found[3].body);
    assert_text(text_of("success"), found[1].code);
    assert_true(text_present(found[1].command));
    int64_t now_ms = admin_now_ms();
    assert_in_range(found[1].at_ms, now_ms - 120000, now_ms + 5000);
    assert_int_equal(found[1].expires_at_ms - found[1].at_ms, WORLD_RETENTION_MS);
}

static void test_what_can_be_no_key_has_no_outcome(void **state)
{
    struct store_world *world = *state;
    const struct attempt_key keys[] = {
        {conductor(), TEXT_NONE},
        {TEXT_NONE, text_of("key")},
        {conductor(), text_view("\xff", 1)},
        {text_view("\xff", 1), text_of("key")},
        {conductor(), text_of("")},
        {conductor(), text_view("a\0b", 3)},
        {conductor(), text_of("{\"$gt\": \"\"}")},
    };
    enum { COUNT = sizeof keys / sizeof keys[0] };
    struct outcome_record found[COUNT];
    find(world, keys, COUNT, found);
    for (size_t i = 0; i < COUNT; i++)
        assert_false(found[i].exists);
    find(world, keys, 1, found);
    find(world, keys, 0, found);
}

/* More than one find, and more than the first batch of a cursor. */
static void test_many_keys_are_looked_up_together(void **state)
{
    struct store_world *world = *state;
    struct attempt_key *keys = ARENA_ARRAY(world->arena, struct attempt_key, MANY);
    struct outcome_record *found = ARENA_ARRAY(world->arena, struct outcome_record, MANY);
    struct session session = session_open(world);
    session_begin(&session);
    for (size_t i = 0; i < MANY; i++) {
        keys[i] = (struct attempt_key){conductor(), world_text(world, "many")};
        if (i % 3 != 0)
            (void)snapshot_want_outcome(session.snapshot, keys[i].principal, keys[i].key);
    }
    session_load(&session);
    for (size_t i = 0; i < MANY; i++) {
        if (i % 3 != 0)
            put_outcome(&session, keys[i].principal, keys[i].key,
                        text_format(world->arena, "{\"i\":%zu}", i).bytes);
    }
    session_save(&session);
    session_close(&session);
    find(world, keys, MANY, found);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(found[i].exists, i % 3 != 0);
        if (found[i].exists)
            assert_text(text_format(world->arena, "{\"i\":%zu}", i), found[i].body);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_an_outcome_is_found_by_principal_and_key),
    cmocka_unit_test(test_what_can_be_no_key_has_no_outcome),
    cmocka_unit_test(test_many_keys_are_looked_up_together),
};

int main(void)
{
    return cmocka_run_group_tests_name("store outcomes: reading", tests, store_world_mongo,
                                       store_world_end) != 0;
}
