/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on MongoDB how people find letters (common/mongo/letters_read.h): one by its id or the
 * beginning of it, and lists with filters. The tests share a collection, so each looks for ids,
 * principals or projects of its own.
 *
 * The server's profiler tells which index a query used. Each test that turns it on turns it off.
 *
 * Not here: what is in a letter (test_store_letters.c).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_letters.h"

#include <stdio.h>
#include <string.h>

#include "common/mongo/letters_desk.h"
#include "common/mongo/letters_read.h"

/* --- one letter --- */

static size_t find(struct store_world *world, struct text prefix, struct letter_record *ret_record)
{
    struct session session = session_open(world);
    size_t matches = 99;
    assert_status(&session, STORE_OK,
                  mongo_letter_find(session.store, prefix, world->arena, ret_record, &matches,
                                    &session.error));
    session_close(&session);
    return matches;
}

/* Makes a letter whose id begins with `digits`. */
static struct letter letter_with(struct store_world *world, const char *digits)
{
    struct letter letter = full_letter(world);
    char *id = (char *)(uintptr_t)letter.id.bytes;
    memcpy(id, digits, strlen(digits));
    return letter;
}

static void test_a_letter_is_found_by_its_id_or_the_beginning_of_it(void **state)
{
    struct store_world *world = *state;
    struct letter letter = letter_with(world, "abcdef0123");
    struct letter_record record;
    world_add_letter(world, &letter);
    assert_int_equal(find(world, letter.id, &record), 1);
    assert_same_letter(&letter, &record.letter);
    assert_int_equal(find(world, text_view(letter.id.bytes, 8), &record), 1);
    assert_same_letter(&letter, &record.letter);
    assert_int_equal(record.count, 1);
}

static void test_the_letter_of_an_edited_command_leads_back(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letter = full_letter(world);
    struct text to = text_format(world->arena, "%032d", 7), from;
    struct letter_note note = {.action = LETTER_ACTION_EDITED, .key = text_of("key")};
    bool changed = false;
    world_add_letter(world, &letter);
    assert_status(&session, STORE_OK,
                  mongo_letter_set_edited(session.store, letter.id, text_of("run"), to, &note,
                                          &changed, &session.error));
    assert_true(changed);
    admin_run(world->database, "{\"profile\": 2}");
    assert_status(&session, STORE_OK,
                  mongo_letter_edited_from(session.store, to, world->arena, &from, &session.error));
    assert_text(letter.id, from);
    assert_status(
        &session, STORE_OK,
        mongo_letter_edited_from(session.store, letter.id, world->arena, &from, &session.error));
    assert_false(text_present(from));
    admin_run(world->database, "{\"profile\": 0}");
    assert_int_equal(admin_count(world->database, "system.profile",
                                 "{\"planSummary\": \"IXSCAN { edited_to: 1 }\"}"),
                     2);
    admin_run(world->database, "{\"drop\": \"system.profile\"}");
    session_close(&session);
}

static void test_a_prefix_of_several_ids_finds_none_of_them(void **state)
{
    struct store_world *world = *state;
    struct letter one = letter_with(world, "bbbbbbbbbb0f"), two = letter_with(world, "bbbbbbbbbb1");
    struct letter three = letter_with(world, "bbbbbbbbbbf");
    struct letter_record record;
    world_add_letter(world, &one);
    world_add_letter(world, &two);
    world_add_letter(world, &three);
    assert_int_equal(find(world, text_of("bbbbbbbb"), &record), 2);
    assert_int_equal(find(world, text_of("bbbbbbbbbb0"), &record), 1);
    assert_text(one.id, record.letter.id);
    assert_int_equal(find(world, text_of("bbbbbbbbbbf"), &record), 1);
    assert_text(three.id, record.letter.id);
}

static void test_what_is_no_prefix_of_an_id_finds_nothing(void **state)
{
    struct store_world *world = *state;
    struct letter letter = letter_with(world, "cccccccccc");
    struct letter_record record;
    world_add_letter(world, &letter);
    struct text cases[] = {
        TEXT_NONE,
        text_of(""),
        text_of("ccccccc"),
        text_of("CCCCCCCC"),
        text_of("cccccccc.*"),
        text_view("cccccccc\0", 9),
        text_of("dddddddd"),
        text_format(world->arena, "%.*s0", TEXT_ARGS(letter.id)),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(find(world, cases[i], &record), 0);
}

/* --- lists --- */

static struct letter_list list(struct store_world *world, const struct letter_filter *filter)
{
    struct session session = session_open(world);
    struct letter_list listed = {NULL, 99};
    assert_status(&session, STORE_OK,
                  mongo_letters_read(session.store, filter, LETTER_NEWEST_FIRST, false,
                                     world->arena, &listed, &session.error));
    session_close(&session);
    return listed;
}

static void test_a_list_has_the_newest_letters_first(void **state)
{
    enum { LETTERS = 4 };
    struct store_world *world = *state;
    struct letter letters[LETTERS];
    struct text principal = world_text(world, "principal");
    for (size_t i = 0; i < LETTERS; i++) {
        letters[i] = full_letter(world);
        letters[i].principal = principal;
        world_add_letter(world, &letters[i]);
        world_pass_time(world, 1000);
    }
    world_add_letter(world, &letters[0]); /* is the newest now */
    struct letter_list listed =
        list(world, &(struct letter_filter){.principal = principal, .limit = 3});
    assert_int_equal(listed.count, 3);
    assert_text(letters[0].id, listed.records[0].letter.id);
    assert_text(letters[3].id, listed.records[1].letter.id);
    assert_text(letters[2].id, listed.records[2].letter.id);
    assert_int_equal(listed.records[0].count, 2);
    assert_true(listed.records[0].unpublished);
    assert_int_equal(list(world, &(struct letter_filter){.principal = principal, .limit = 0}).count,
                     0);
}

static void test_a_listed_letter_has_all_but_what_may_be_large(void **state)
{
    struct store_world *world = *state;
    struct letter letter = full_letter(world);
    letter.principal = world_text(world, "principal");
    world_add_letter(world, &letter);
    struct letter_list listed =
        list(world, &(struct letter_filter){.principal = letter.principal, .limit = 9});
    assert_int_equal(listed.count, 1);
    letter.body = letter.raw_headers = TEXT_NONE;
    assert_same_letter(&letter, &listed.records[0].letter);
    assert_int_equal(listed.records[0].history_count, 0);
}

/* Each filter finds one of two letters, which differ in everything. */
static void test_each_filter_selects(void **state)
{
    struct store_world *world = *state;
    struct letter wanted = full_letter(world), other = full_letter(world);
    wanted.reason = world_text(world, "reason");
    wanted.principal = world_text(world, "principal");
    wanted.command = world_text(world, "command");
    wanted.project = world_text(world, "project");
    wanted.group = text_view("\xff\0group", 7);
    world_add_letter(world, &wanted);
    world_add_letter(world, &other);
    struct letter_filter filters[] = {
        {.reason = wanted.reason},   {.principal = wanted.principal}, {.command = wanted.command},
        {.project = wanted.project}, {.group = wanted.group},
    };
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        filters[i].limit = 10;
        struct letter_list listed = list(world, &filters[i]);
        assert_int_equal(listed.count, 1);
        assert_text(wanted.id, listed.records[0].letter.id);
        filters[i].has_state = true;
        filters[i].state = LETTER_OPEN;
        assert_int_equal(list(world, &filters[i]).count, 1);
        filters[i].state = LETTER_RESOLVED;
        assert_int_equal(list(world, &filters[i]).count, 0);
    }
    struct letter_filter both = {.reason = wanted.reason, .command = other.command, .limit = 10};
    assert_int_equal(list(world, &both).count, 0);
}

static void test_a_list_may_be_limited_in_time(void **state)
{
    struct store_world *world = *state;
    struct letter old = full_letter(world), young = full_letter(world);
    old.project = young.project = world_text(world, "project");
    world_add_letter(world, &old);
    world_pass_time(world, 3600 * 1000);
    world_add_letter(world, &young);
    int64_t old_ms = world_letter(world, old.id, NULL).last_at_ms;
    int64_t young_ms = world_letter(world, young.id, NULL).last_at_ms;
    struct letter_filter filter = {.project = old.project, .limit = 10};
    assert_int_equal(list(world, &filter).count, 2);
    filter.since_ms = old_ms;
    assert_int_equal(list(world, &filter).count, 2);
    filter.until_ms = young_ms;
    assert_text(old.id, list(world, &filter).records[0].letter.id);
    filter.until_ms = young_ms + 1;
    filter.since_ms = old_ms + 1;
    struct letter_list listed = list(world, &filter);
    assert_int_equal(listed.count, 1);
    assert_text(young.id, listed.records[0].letter.id);
}

/* Letters may be 3 MiB each, so the server must not sort them in memory. */
static void test_no_list_scans_or_sorts_the_collection(void **state)
{
    struct store_world *world = *state;
    struct letter_filter filters[] = {
        {.limit = 5},
        {.has_state = true, .limit = 5},
        {.principal = text_of("conductor"), .limit = 5},
        {.reason = text_of("internal"), .limit = 5},
        {.group = text_of("group"), .limit = 5},
        {.project = text_of("project"), .since_ms = 1, .limit = 5},
    };
    for (int i = 0; i < 20; i++) {
        struct letter letter = full_letter(world);
        world_add_letter(world, &letter);
    }
    admin_run(world->database, "{\"profile\": 2}");
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        assert_int_equal(list(world, &filters[i]).count, 5);
    admin_run(world->database, "{\"profile\": 0}");
    assert_int_equal(
        admin_count(world->database, "system.profile", "{\"command.find\": \"letters\"}"),
        sizeof filters / sizeof filters[0]);
    assert_int_equal(admin_count(world->database, "system.profile",
                                 "{\"command.find\": \"letters\", \"$or\": [{\"hasSortStage\": "
                                 "true}, {\"planSummary\": \"COLLSCAN\"}]}"),
                     0);
}

static void test_a_list_changes_nothing(void **state)
{
    struct store_world *world = *state;
    struct letter letter = full_letter(world);
    letter.principal = world_text(world, "principal");
    world_add_letter(world, &letter);
    struct letter_record before = world_letter(world, letter.id, NULL);
    (void)list(world, &(struct letter_filter){.principal = letter.principal, .limit = 9});
    struct letter_record after = world_letter(world, letter.id, NULL);
    assert_same_letter(&before.letter, &after.letter);
    assert_true(after.unpublished && after.last_at_ms == before.last_at_ms);
    assert_int_equal(after.history_count, before.history_count);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_letter_is_found_by_its_id_or_the_beginning_of_it),
    cmocka_unit_test(test_the_letter_of_an_edited_command_leads_back),
    cmocka_unit_test(test_a_prefix_of_several_ids_finds_none_of_them),
    cmocka_unit_test(test_what_is_no_prefix_of_an_id_finds_nothing),
    cmocka_unit_test(test_a_list_has_the_newest_letters_first),
    cmocka_unit_test(test_a_listed_letter_has_all_but_what_may_be_large),
    cmocka_unit_test(test_each_filter_selects),
    cmocka_unit_test(test_a_list_may_be_limited_in_time),
    cmocka_unit_test(test_no_list_scans_or_sorts_the_collection),
    cmocka_unit_test(test_a_list_changes_nothing),
};

int main(void)
{
    return cmocka_run_group_tests_name("store letters: reading", tests, store_world_mongo,
                                       store_world_end) != 0;
}
