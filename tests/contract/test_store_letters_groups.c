/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on MongoDB how letters are grouped, and, with 10,000 letters, that the server finds what
 * people ask for in indexes. The server's profiler tells what it did. The tests before the last one
 * group letters of a time of their own.
 *
 * Not here: what a group is made of (tests/unit/test_letter_build.c), and lists
 * (test_store_letters_read.c).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_letters.h"

#include <string.h>

#include "common/codec/letter_build.h"
#include "common/mongo/letters_desk.h"
#include "common/mongo/letters_read.h"

enum { MANY = 10000, PER_TRANSACTION = 500 };

struct groups {
    struct letter_group_row *rows;
    size_t count;
};

static struct groups groups_of(struct store_world *world, const struct letter_filter *filter)
{
    struct session session = session_open(world);
    struct groups groups = {NULL, 99};
    assert_status(&session, STORE_OK,
                  mongo_letter_groups(session.store, filter, world->arena, &groups.rows,
                                      &groups.count, &session.error));
    session_close(&session);
    return groups;
}

static void add(struct store_world *world, const char *reason, const char *command,
                const char *detail, struct text project, struct text *ret_id)
{
    struct letter letter = full_letter(world);
    letter.reason = text_of(reason);
    letter.command = text_of(command);
    letter.detail = text_of(detail);
    letter.group = letter_group(world->arena, letter.reason, letter.command, letter.detail);
    letter.project = project;
    world_add_letter(world, &letter);
    *ret_id = letter.id;
}

static void test_a_group_has_its_count_its_times_and_a_sample(void **state)
{
    struct store_world *world = *state;
    struct text project = world_text(world, "project"), ids[4];
    add(world, "internal", "allocation.set", "code 17 of 'x'", project, &ids[0]);
    world_pass_time(world, 60000);
    add(world, "internal", "allocation.set", "code 18 of 'y'", project, &ids[1]);
    world_pass_time(world, 60000);
    add(world, "internal", "allocation.delete", "code 18 of 'y'", project, &ids[2]);
    world_pass_time(world, 1000);
    add(world, "internal", "allocation.set", "code 19 of 'z'", project, &ids[3]);
    struct groups groups =
        groups_of(world, &(struct letter_filter){.project = project, .limit = 9});
    assert_int_equal(groups.count, 2);
    const struct letter_group_row *row = &groups.rows[0];
    assert_int_equal(row->count, 3);
    assert_text(ids[3], row->sample);
    assert_text(text_of("internal"), row->reason);
    assert_text(text_of("allocation.set"), row->command);
    assert_text(text_of("code # of #"), row->detail);
    assert_true(row->last_at_ms - row->first_at_ms >= 121000 ||
                row->first_at_ms == world_letter(world, ids[0], NULL).first_at_ms);
    assert_int_equal(row->last_at_ms, world_letter(world, ids[3], NULL).last_at_ms);
    assert_text(ids[2], groups.rows[1].sample);
    assert_int_equal(groups.rows[1].count, 1);
    groups = groups_of(world, &(struct letter_filter){.project = project, .limit = 1});
    assert_int_equal(groups.count, 1);
    assert_text(ids[3], groups.rows[0].sample);
    groups = groups_of(world, &(struct letter_filter){.project = project, .limit = 0});
    assert_int_equal(groups.count, 0);
    /* One that is closed is in no group of open ones. */
    world_set_state(world, ids[3], LETTER_RESOLVED);
    groups = groups_of(world,
                       &(struct letter_filter){.project = project, .has_state = true, .limit = 9});
    assert_int_equal(groups.rows[1].count + groups.rows[0].count, 3);
    assert_text(ids[2], groups.rows[0].sample);
}

/* The sign '|' separates the parts. Who sent the command chooses its name. */
static void test_a_command_may_contain_the_sign_between_the_parts(void **state)
{
    struct store_world *world = *state;
    struct text project = world_text(world, "project"), id;
    add(world, "invalid", "a|b|", "detail | of | it", project, &id);
    struct groups groups =
        groups_of(world, &(struct letter_filter){.project = project, .limit = 9});
    assert_int_equal(groups.count, 1);
    assert_text(text_of("invalid"), groups.rows[0].reason);
    assert_text(text_of("a|b|"), groups.rows[0].command);
    assert_text(text_of("detail | of | it"), groups.rows[0].detail);
}

static void test_texts_may_be_absent_or_binary(void **state)
{
    struct store_world *world = *state;
    struct letter letters[] = {full_letter(world), full_letter(world), full_letter(world),
                               full_letter(world)};
    struct text project = world_text(world, "project");
    letters[0].group = TEXT_NONE;
    letters[1].group = text_of("");
    letters[2].group = text_view("rea\xff|com\0|det\xff", 14);
    letters[2].command = text_view("com\0", 4);
    letters[3].group = text_of("no sign");
    letters[3].command = TEXT_NONE;
    for (size_t i = 0; i < 4; i++)
        letters[i].project = project;
    world_add_letters(world, letters, 4);
    struct groups groups =
        groups_of(world, &(struct letter_filter){.project = project, .limit = 9});
    assert_int_equal(groups.count, 4);
    for (size_t i = 0; i < groups.count; i++) {
        const struct letter_group_row *row = &groups.rows[i];
        if (text_equal(row->sample, letters[0].id)) {
            assert_int_equal(row->reason.length + row->command.length + row->detail.length, 0);
        } else if (text_equal(row->sample, letters[2].id)) {
            assert_text(letters[2].group, row->group);
            assert_text(text_view("rea\xff", 4), row->reason);
            assert_text(letters[2].command, row->command);
            assert_text(text_view("det\xff", 4), row->detail);
        } else if (text_equal(row->sample, letters[3].id)) {
            assert_text(text_of("no sign"), row->reason);
        }
    }
}

/* --- plans --- */

static void store_many(struct store_world *world)
{
    struct letter *letters = ARENA_ARRAY(world->arena, struct letter, PER_TRANSACTION);
    for (size_t i = 0; i < MANY; i += PER_TRANSACTION) {
        for (size_t j = 0; j < PER_TRANSACTION; j++) {
            size_t number = i + j;
            letters[j] = bare_letter(world);
            letters[j].reason = text_of(number % 10 < 7 ? "internal" : "forbidden");
            letters[j].principal = text_format(world->arena, "user-%zu", number % 50);
            letters[j].command = text_of("allocation.set");
            letters[j].project = text_format(world->arena, "project-%zu", number % 30);
            letters[j].group = text_format(world->arena, "many-%zu|c|d", number % 20);
        }
        world_add_letters(world, letters, PER_TRANSACTION);
    }
}

static int64_t profiled(const struct store_world *world, const char *filter)
{
    return admin_count(world->database, "system.profile", filter);
}

static bool count_visited(void *context, const struct letter_record *record, struct arena *arena)
{
    size_t *count = context;
    (void)record;
    (void)arena;
    (*count)++;
    return true;
}

static size_t visit(struct store_world *world, const struct letter_filter *filter,
                    enum letter_order order)
{
    struct session session = session_open(world);
    size_t count = 0;
    assert_status(&session, STORE_OK,
                  mongo_letters_each(session.store, filter, order, false, count_visited, &count,
                                     &session.error));
    session_close(&session);
    return count;
}

static void profile(const struct store_world *world, bool on)
{
    admin_run(world->database, on ? "{\"profile\": 2}" : "{\"profile\": 0}");
}

static void expect_indexes(const struct store_world *world, int64_t finds)
{
    profile(world, false);
    assert_true(profiled(world, "{\"command.find\": \"letters\"}") >= finds);
    assert_int_equal(profiled(world, "{\"ns\": {\"$regex\": \"letters\"}, \"$or\": ["
                                     "{\"planSummary\": \"COLLSCAN\"}, {\"usedDisk\": true}, "
                                     "{\"op\": {\"$in\": [\"query\", \"getmore\"]}, "
                                     "\"hasSortStage\": true}]}"),
                     0);
}

static void test_10000_letters_are_listed_by_an_index(void **state)
{
    struct store_world *world = *state;
    admin_run(world->database,
              "{\"create\": \"system.profile\", \"capped\": true, \"size\": 67108864}");
    store_many(world);
    struct letter_filter filters[] = {
        {.limit = 20},
        {.has_state = true, .limit = 20},
        {.reason = text_of("forbidden"), .limit = 20},
        {.principal = text_of("user-7"), .limit = 20},
        {.command = text_of("allocation.set"), .has_state = true, .limit = 20},
        {.project = text_of("project-7"), .limit = 20},
        {.group = text_of("many-3|c|d"), .has_state = true, .limit = 20},
        {.has_state = true, .since_ms = 1, .limit = 20},
    };
    profile(world, true);
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        assert_int_equal(visit(world, &filters[i], LETTER_NEWEST_FIRST), 20);
        assert_int_equal(visit(world, &filters[i], LETTER_OLDEST_FIRST), 20);
    }
    expect_indexes(world, 2 * sizeof filters / sizeof filters[0]);
    /* The lists of all letters looked at no more than they returned. */
    assert_int_equal(profiled(world, "{\"command.find\": \"letters\", \"docsExamined\": {\"$gt\": "
                                     "2000}}"),
                     0);
}

/* A selection is all open letters, the oldest first; a run is read in its order. */
static void test_a_selection_and_a_run_of_10000_letters_use_an_index(void **state)
{
    struct store_world *world = *state;
    struct letter_filter open = {.has_state = true, .limit = INT32_MAX};
    struct text *ids = ARENA_ARRAY(world->arena, struct text, PER_TRANSACTION);
    struct letter_list list = {0};
    struct letter_replay replay = {.run = text_of("many"), .by = text_of("by")};
    size_t count = 0;
    struct session session = session_open(world);
    profile(world, true);
    assert_true(visit(world, &open, LETTER_OLDEST_FIRST) >= MANY);
    open.limit = PER_TRANSACTION;
    assert_status(&session, STORE_OK,
                  mongo_letters_read(session.store, &open, LETTER_OLDEST_FIRST, false, world->arena,
                                     &list, &session.error));
    for (size_t i = 0; i < PER_TRANSACTION; i++)
        ids[i] = list.records[i].letter.id;
    assert_status(
        &session, STORE_OK,
        mongo_letters_select(session.store, &replay, ids, PER_TRANSACTION, &count, &session.error));
    session_close(&session);
    const struct letter_filter run = {.run = text_of("many"), .limit = INT32_MAX};
    assert_int_equal(visit(world, &run, LETTER_BY_PLACE), PER_TRANSACTION);
    expect_indexes(world, 3);
    assert_int_equal(profiled(world, "{\"command.filter.replay.run\": \"many\", \"docsExamined\": "
                                     "{\"$gt\": 500}}"),
                     0);
    assert_true(
        profiled(world, "{\"planSummary\": \"IXSCAN { replay.run: 1, replay.place: 1 }\"}") > 0);
}

static void test_10000_letters_are_grouped_without_reading_them(void **state)
{
    struct store_world *world = *state;
    struct letter_filter filters[] = {
        {.limit = 100},
        {.has_state = true, .limit = 100},
        {.has_state = true, .since_ms = 1, .limit = 100},
        {.group = text_of("many-3|c|d"), .limit = 100},
    };
    profile(world, true);
    for (size_t i = 0; i < 3; i++)
        assert_true(groups_of(world, &filters[i]).count >= 20);
    struct groups one = groups_of(world, &filters[3]);
    assert_int_equal(one.count, 1);
    assert_int_equal(one.rows[0].count, MANY / 20);
    assert_text(text_of("many-3"), one.rows[0].reason);
    expect_indexes(world, 4);
    assert_int_equal(profiled(world, "{\"command.aggregate\": \"letters\", \"docsExamined\": 0, "
                                     "\"keysExamined\": {\"$gt\": 400}}"),
                     4);
    assert_int_equal(profiled(world, "{\"command.aggregate\": \"letters\", \"docsExamined\": "
                                     "{\"$gt\": 0}}"),
                     0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_group_has_its_count_its_times_and_a_sample),
    cmocka_unit_test(test_a_command_may_contain_the_sign_between_the_parts),
    cmocka_unit_test(test_texts_may_be_absent_or_binary),
    cmocka_unit_test(test_10000_letters_are_listed_by_an_index),
    cmocka_unit_test(test_a_selection_and_a_run_of_10000_letters_use_an_index),
    cmocka_unit_test(test_10000_letters_are_grouped_without_reading_them),
};

int main(void)
{
    return cmocka_run_group_tests_name("store letters: groups and plans", tests, store_world_mongo,
                                       store_world_end) != 0;
}
