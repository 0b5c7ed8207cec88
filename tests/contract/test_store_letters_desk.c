/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on MongoDB what people do with letters (common/mongo/letters_desk.h): each change, each of
 * its conditions, and what happens if somebody else was faster.
 *
 * Not here: export and import (test_store_letters_lines.c), groups (test_store_letters_groups.c).
 *
 * Each test has letters of its own in the common database of the program; a second store is a
 * second person.
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_letters.h"

#include <string.h>

#include "common/mongo/letters_desk.h"
#include "common/mongo/letters_read.h"

static const struct letter_note plain_note = {.action = LETTER_ACTION_REPLAYED};

static struct text add(struct store_world *world)
{
    struct letter letter = full_letter(world);
    world_add_letter(world, &letter);
    return letter.id;
}

static struct letter_record get(struct store_world *world, struct text id)
{
    return world_letter(world, id, NULL);
}

/* The last entry of the letter's history. */
static struct letter_event last_event(const struct letter_record *record)
{
    assert_true(record->history_count > 0);
    return record->history[record->history_count - 1];
}

/* A worker dead-letters the command again. */
static void dead_letter_again(struct store_world *world, struct text id)
{
    struct letter letter = full_letter(world);
    letter.id = id;
    letter.reason = text_of("timed_out");
    world_add_letter(world, &letter);
}

/* --- closing --- */

static size_t close_letters(struct store_world *world, const struct letter_set *set,
                            enum letter_state state, const struct letter_note *note)
{
    struct session session = session_open(world);
    size_t changed = 99;
    assert_status(&session, STORE_OK,
                  mongo_letters_close(session.store, set, state, note, &changed, &session.error));
    session_close(&session);
    return changed;
}

static void test_closing_says_who_when_and_why(void **state)
{
    struct store_world *world = *state;
    const struct text ids[] = {add(world), add(world), add(world)};
    const struct letter_note note = {.action = LETTER_ACTION_DISCARDED,
                                     .by = text_of("ann@desk"),
                                     .note = text_view("not wanted \xff", 12),
                                     .key = text_of("key-2")};
    const struct letter_set set = {.ids = ids, .count = 2, .states = {[LETTER_OPEN] = true}};
    assert_int_equal(close_letters(world, &set, LETTER_DISCARDED, &note), 2);
    struct letter_record record = get(world, ids[1]);
    assert_int_equal(record.state, LETTER_DISCARDED);
    assert_int_equal(record.history_count, 2);
    struct letter_event event = last_event(&record);
    assert_int_equal(event.action, LETTER_ACTION_DISCARDED);
    assert_text(note.by, event.by);
    assert_text(note.note, event.note);
    assert_text(note.key, event.key);
    assert_in_range(event.at_ms, record.last_at_ms - 5000, admin_now_ms() + 5000);
    assert_int_equal(get(world, ids[2]).state, LETTER_OPEN);
}

static void test_only_letters_in_one_of_the_states_change(void **state)
{
    struct store_world *world = *state;
    const struct text ids[] = {add(world), add(world), add(world), add(world)};
    for (size_t i = 0; i < 4; i++)
        world_set_state(world, ids[i], (enum letter_state)i);
    const struct letter_set set = {
        .ids = ids, .count = 4, .states = {[LETTER_REPLAYED] = true, [LETTER_DISCARDED] = true}};
    assert_int_equal(close_letters(world, &set, LETTER_RESOLVED, &plain_note), 2);
    assert_int_equal(get(world, ids[LETTER_OPEN]).state, LETTER_OPEN);
    assert_int_equal(get(world, ids[LETTER_REPLAYED]).state, LETTER_RESOLVED);
    assert_int_equal(get(world, ids[LETTER_RESOLVED]).history_count, 1);
    const struct letter_set none = {.ids = ids, .count = 0, .states = {[LETTER_OPEN] = true}};
    assert_int_equal(close_letters(world, &none, LETTER_RESOLVED, &plain_note), 0);
}

static void test_a_letter_that_was_dead_lettered_since_does_not_change(void **state)
{
    struct store_world *world = *state;
    struct text id = add(world);
    struct letter_set set = {.ids = &id,
                             .count = 1,
                             .states = {[LETTER_OPEN] = true},
                             .last_at_ms = get(world, id).last_at_ms};
    world_pass_time(world, 1000);
    dead_letter_again(world, id);
    set.last_at_ms = get(world, id).last_at_ms - 1;
    assert_int_equal(close_letters(world, &set, LETTER_RESOLVED, &plain_note), 0);
    set.last_at_ms++;
    assert_int_equal(close_letters(world, &set, LETTER_RESOLVED, &plain_note), 1);
    dead_letter_again(world, id);
    assert_int_equal(get(world, id).state, LETTER_OPEN);
}

static void test_changes_have_a_condition_each(void **state)
{
    struct store_world *world = *state;
    const struct text ids[] = {add(world), add(world), add(world)};
    world_set_state(world, ids[1], LETTER_RESOLVED);
    struct letter_change changes[4];
    for (size_t i = 0; i < 4; i++) {
        changes[i] = (struct letter_change){
            .id = ids[i < 3 ? i : 0],
            .from = {[LETTER_OPEN] = true},
            .to = LETTER_REPLAYED,
            .note = {.action = LETTER_ACTION_FAILED, .note = text_of("why")},
        };
    }
    changes[2].last_at_ms = get(world, ids[2]).last_at_ms - 1;
    changes[3].from[LETTER_OPEN] = false; /* of the first letter, which the first change changes */
    changes[3].from[LETTER_REPLAYED] = true;
    changes[3].to = LETTER_DISCARDED;
    struct session session = session_open(world);
    size_t changed = 99;
    assert_status(&session, STORE_OK,
                  mongo_letters_change(session.store, changes, 4, &changed, &session.error));
    assert_int_equal(changed, 2);
    assert_status(&session, STORE_OK,
                  mongo_letters_change(session.store, changes, 0, &changed, &session.error));
    assert_int_equal(changed, 0);
    session_close(&session);
    assert_int_equal(get(world, ids[0]).state, LETTER_DISCARDED);
    assert_int_equal(get(world, ids[0]).history_count, 3);
    assert_int_equal(get(world, ids[1]).state, LETTER_RESOLVED);
    assert_int_equal(get(world, ids[2]).state, LETTER_OPEN);
    assert_int_equal(get(world, ids[2]).history_count, 1);
}

static void test_the_history_has_the_newest_twenty_entries(void **state)
{
    struct store_world *world = *state;
    struct text id = add(world);
    const struct letter_set set = {.ids = &id, .count = 1, .states = {[LETTER_OPEN] = true}};
    struct letter_note note = {.action = LETTER_ACTION_REOPENED};
    for (size_t i = 0; i < LETTER_HISTORY_MAX + 2; i++) {
        note.note = text_format(world->arena, "%zu", i);
        assert_int_equal(close_letters(world, &set, LETTER_OPEN, &note), 1);
    }
    struct letter_record record = get(world, id);
    assert_int_equal(record.history_count, LETTER_HISTORY_MAX);
    assert_text(text_of("2"), record.history[0].note);
    assert_text(text_of("21"), last_event(&record).note);
}

/* --- runs --- */

static size_t select_letters(struct store_world *world, const char *run, int64_t first,
                             const struct text *ids, size_t count)
{
    struct session session = session_open(world);
    size_t changed = 99;
    struct letter_replay replay = {.run = text_of(run), .by = text_of("ann@desk"), .place = first};
    assert_status(
        &session, STORE_OK,
        mongo_letters_select(session.store, &replay, ids, count, &changed, &session.error));
    session_close(&session);
    return changed;
}

static size_t begin_send(struct store_world *world, const char *run, const struct text *ids,
                         size_t count, const char *key)
{
    struct session session = session_open(world);
    size_t changed = 99;
    const struct letter_note note = {.action = LETTER_ACTION_REPLAYED,
                                     .by = text_of("ann@desk"),
                                     .note = text_of(run),
                                     .key = text_of(key)};
    assert_status(&session, STORE_OK,
                  mongo_letters_begin_send(session.store, text_of(run), ids, count, &note, &changed,
                                           &session.error));
    session_close(&session);
    return changed;
}

static void end_send(struct store_world *world, const char *run, const struct text *ids,
                     size_t count)
{
    struct session session = session_open(world);
    assert_status(&session, STORE_OK,
                  mongo_letters_end_send(session.store, text_of(run), ids, count, &session.error));
    session_close(&session);
}

static void test_a_letter_goes_through_the_phases_of_a_run(void **state)
{
    struct store_world *world = *state;
    const struct text ids[] = {add(world), add(world)};
    assert_int_equal(select_letters(world, "phases-1", 7, ids, 2), 2);
    struct letter_record record = get(world, ids[1]);
    assert_int_equal(record.state, LETTER_OPEN);
    assert_int_equal(record.replay.phase, LETTER_PHASE_SELECTED);
    assert_int_equal(record.replay.place, 8);
    assert_text(text_of("phases-1"), record.replay.run);
    assert_text(text_of("ann@desk"), record.replay.by);
    assert_int_equal(record.history_count, 1);

    assert_int_equal(begin_send(world, "phases-1", ids, 2, NULL), 2);
    record = get(world, ids[1]);
    assert_int_equal(record.state, LETTER_REPLAYED);
    assert_int_equal(record.replay.phase, LETTER_PHASE_SENDING);
    assert_int_equal(record.replay.place, 8);
    assert_int_equal(last_event(&record).action, LETTER_ACTION_REPLAYED);
    assert_false(text_present(last_event(&record).key));
    assert_int_equal(begin_send(world, "phases-1", ids, 2, NULL), 0); /* not twice */

    end_send(world, "phases-1", ids, 1);
    assert_int_equal(get(world, ids[0]).replay.phase, LETTER_PHASE_SENT);
    assert_int_equal(get(world, ids[1]).replay.phase, LETTER_PHASE_SENDING);
    assert_int_equal(get(world, ids[0]).history_count, 2);
}

static void test_only_open_letters_are_selected(void **state)
{
    struct store_world *world = *state;
    const struct text ids[] = {add(world), add(world), add(world), add(world)};
    for (size_t i = 0; i < 4; i++)
        world_set_state(world, ids[i], (enum letter_state)i);
    assert_int_equal(select_letters(world, "open-1", 0, ids, 4), 1);
    assert_int_equal(get(world, ids[LETTER_OPEN]).replay.phase, LETTER_PHASE_SELECTED);
    assert_int_equal(get(world, ids[LETTER_REPLAYED]).replay.phase, LETTER_PHASE_NONE);
    assert_int_equal(select_letters(world, "open-1", 0, ids, 0), 0);
}

static void test_the_run_that_was_selected_last_has_the_letter(void **state)
{
    struct store_world *world = *state;
    struct text id = add(world);
    assert_int_equal(select_letters(world, "last-1", 0, &id, 1), 1);
    assert_int_equal(select_letters(world, "last-2", 3, &id, 1), 1);
    assert_int_equal(begin_send(world, "last-1", &id, 1, NULL), 0);
    assert_int_equal(begin_send(world, "last-2", &id, 1, NULL), 1);
    end_send(world, "last-1", &id, 1);
    assert_int_equal(get(world, id).replay.phase, LETTER_PHASE_SENDING);
    assert_int_equal(select_letters(world, "last-3", 0, &id, 1), 0); /* it is being sent */
    end_send(world, "last-2", &id, 1);
    assert_int_equal(get(world, id).replay.phase, LETTER_PHASE_SENT);
}

static void test_a_letter_that_was_closed_is_not_sent(void **state)
{
    struct store_world *world = *state;
    struct text id = add(world);
    assert_int_equal(select_letters(world, "closed-1", 0, &id, 1), 1);
    world_set_state(world, id, LETTER_RESOLVED);
    assert_int_equal(begin_send(world, "closed-1", &id, 1, NULL), 0);
    assert_int_equal(get(world, id).state, LETTER_RESOLVED);
}

/* The failure of the command that is being sent must not be hidden by a later mark. */
static void test_a_letter_that_fails_while_it_is_sent_stays_open(void **state)
{
    struct store_world *world = *state;
    struct text id = add(world);
    assert_int_equal(select_letters(world, "fails-1", 0, &id, 1), 1);
    assert_int_equal(begin_send(world, "fails-1", &id, 1, "key-2"), 1);
    dead_letter_again(world, id);
    end_send(world, "fails-1", &id, 1);
    struct letter_record record = get(world, id);
    assert_int_equal(record.state, LETTER_OPEN);
    assert_int_equal(record.replay.phase, LETTER_PHASE_SENT);
    assert_text(text_of("fails-1"), record.replay.run);
    assert_int_equal(record.history_count, 3);
    assert_text(text_of("key-2"), record.history[1].key);
    assert_text(text_of("timed_out"), last_event(&record).reason);
}

static void test_a_run_is_read_in_its_order(void **state)
{
    enum { COUNT = 5 };
    struct store_world *world = *state;
    struct text ids[COUNT];
    struct letter_list list = {0};
    for (size_t i = 0; i < COUNT; i++)
        ids[COUNT - 1 - i] = add(world);
    assert_int_equal(select_letters(world, "order-1", 3, ids + 3, 2), 2);
    assert_int_equal(select_letters(world, "order-1", 0, ids, 3), 3);
    struct session session = session_open(world);
    struct letter_filter filter = {.run = text_of("order-1"), .limit = 10};
    assert_status(&session, STORE_OK,
                  mongo_letters_read(session.store, &filter, LETTER_BY_PLACE, false, world->arena,
                                     &list, &session.error));
    assert_int_equal(list.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_text(ids[i], list.records[i].letter.id);
        assert_int_equal(list.records[i].replay.place, i);
    }
    filter.has_phase = true;
    filter.phase = LETTER_PHASE_SENDING;
    assert_status(&session, STORE_OK,
                  mongo_letters_read(session.store, &filter, LETTER_BY_PLACE, false, world->arena,
                                     &list, &session.error));
    assert_int_equal(list.count, 0);
    session_close(&session);
}

/* A missing one is left out. */
static void test_letters_of_ids_are_read_in_the_order_of_the_ids(void **state)
{
    struct store_world *world = *state;
    struct text first = add(world), second = add(world), third = add(world);
    struct text ids[] = {third, first, text_of("ffffffffffffffffffffffffffffffff"), second};
    struct letter_list list = {0};
    struct session session = session_open(world);
    struct letter_filter filter = {.ids = ids, .id_count = 4, .limit = 4};
    assert_status(&session, STORE_OK,
                  mongo_letters_read(session.store, &filter, LETTER_NEWEST_FIRST, false,
                                     world->arena, &list, &session.error));
    session_close(&session);
    assert_int_equal(list.count, 3);
    assert_text(third, list.records[0].letter.id);
    assert_text(first, list.records[1].letter.id);
    assert_text(second, list.records[2].letter.id);
}

/* --- keys --- */

static bool set_key(struct store_world *world, struct text id, struct text old, const char *new_key)
{
    struct session session = session_open(world);
    bool changed = false;
    assert_status(
        &session, STORE_OK,
        mongo_letter_set_key(session.store, id, old, text_of(new_key), &changed, &session.error));
    session_close(&session);
    return changed;
}

static void test_a_letter_gets_a_new_key_once(void **state)
{
    struct store_world *world = *state;
    struct text id = add(world);
    assert_false(set_key(world, id, text_of("other"), "new-1"));
    assert_true(set_key(world, id, TEXT_NONE, "new-1"));
    assert_false(set_key(world, id, TEXT_NONE, "new-2")); /* two callers who read it at once */
    struct letter_record record = get(world, id);
    assert_text(text_of("new-1"), record.new_key);
    assert_in_range(record.new_key_at_ms, record.last_at_ms - 5000, admin_now_ms() + 5000);
    assert_int_equal(record.history_count, 1);
    assert_true(set_key(world, id, text_of("new-1"), "new-2"));
    world_set_state(world, id, LETTER_REPLAYED);
    assert_false(set_key(world, id, text_of("new-2"), "new-3"));
    assert_text(text_of("new-2"), get(world, id).new_key);
}

static bool set_edited(struct store_world *world, struct text id, const char *run, const char *key)
{
    struct session session = session_open(world);
    bool changed = false;
    const struct letter_note note = {
        .action = LETTER_ACTION_EDITED, .by = text_of("ann@desk"), .key = text_of(key)};
    assert_status(&session, STORE_OK,
                  mongo_letter_set_edited(session.store, id, text_of(run), text_of("to"), &note,
                                          &changed, &session.error));
    session_close(&session);
    return changed;
}

static void test_an_edited_letter_names_the_command_in_its_place(void **state)
{
    struct store_world *world = *state;
    struct text id = add(world);
    assert_true(set_edited(world, id, "edit-1", "edited-1"));
    struct letter_record record = get(world, id);
    assert_int_equal(record.state, LETTER_REPLAYED);
    assert_int_equal(record.replay.phase, LETTER_PHASE_SENDING);
    assert_text(text_of("edited-1"), record.edited_key);
    assert_text(text_of("to"), record.edited_to);
    assert_int_equal(last_event(&record).action, LETTER_ACTION_EDITED);
    /* Interrupted before the mark: it can be repeated with the same key, and no other. */
    assert_true(set_edited(world, id, "edit-2", "edited-1"));
    assert_false(set_edited(world, id, "edit-3", "edited-2"));
    end_send(world, "edit-2", &id, 1);
    assert_false(set_edited(world, id, "edit-4", "edited-1"));
    assert_int_equal(get(world, id).replay.phase, LETTER_PHASE_SENT);
    world_set_state(world, id, LETTER_DISCARDED);
    assert_false(set_edited(world, id, "edit-5", "edited-5"));
}

/* A replay of the original ends the link: its answer is not that of the edited command. */
static void test_a_replay_ends_the_link_to_an_edited_command(void **state)
{
    struct store_world *world = *state;
    struct text id = add(world);
    assert_true(set_edited(world, id, "edit-1", "edited-1"));
    world_set_state(world, id, LETTER_OPEN);
    assert_int_equal(select_letters(world, "link-1", 0, &id, 1), 1);
    assert_text(text_of("edited-1"), get(world, id).edited_key);
    assert_int_equal(begin_send(world, "link-1", &id, 1, NULL), 1);
    assert_false(text_present(get(world, id).edited_key));
    assert_false(text_present(get(world, id).edited_to));
}

/* --- failures --- */

static void test_a_failed_write_changes_nothing_and_says_why(void **state)
{
    struct store_world *world = *state;
    struct text id = add(world);
    struct session session = session_open(world);
    const struct letter_set set = {.ids = &id, .count = 1, .states = {[LETTER_OPEN] = true}};
    size_t changed = 99;
    /* A validator without the action, as of an older version. */
    struct letter_note note = {.action = LETTER_ACTION_RESOLVED,
                               .note = text_of("a note that the server refuses")};
    admin_run(world->database, "{\"collMod\": \"letters\", \"validator\": {\"history.note\": "
                               "{\"$ne\": \"a note that the server refuses\"}}, "
                               "\"validationLevel\": \"strict\"}");
    assert_status(
        &session, STORE_REFUSED,
        mongo_letters_close(session.store, &set, LETTER_RESOLVED, &note, &changed, &session.error));
    assert_int_equal(changed, 0);
    assert_true(session.error.text[0] != '\0');
    const struct letter_change change = {
        .id = id, .from = {[LETTER_OPEN] = true}, .to = LETTER_RESOLVED, .note = note};
    assert_status(&session, STORE_REFUSED,
                  mongo_letters_change(session.store, &change, 1, &changed, &session.error));
    assert_status(&session, STORE_OK, session_prepare(&session));
    session_close(&session);
    assert_int_equal(get(world, id).state, LETTER_OPEN);
    assert_int_equal(get(world, id).history_count, 1);
}

#define DESK_TEST(test) cmocka_unit_test_teardown(test, admin_tear_down)

static const struct CMUnitTest tests[] = {
    DESK_TEST(test_closing_says_who_when_and_why),
    DESK_TEST(test_only_letters_in_one_of_the_states_change),
    DESK_TEST(test_a_letter_that_was_dead_lettered_since_does_not_change),
    DESK_TEST(test_changes_have_a_condition_each),
    DESK_TEST(test_the_history_has_the_newest_twenty_entries),
    DESK_TEST(test_a_letter_goes_through_the_phases_of_a_run),
    DESK_TEST(test_only_open_letters_are_selected),
    DESK_TEST(test_the_run_that_was_selected_last_has_the_letter),
    DESK_TEST(test_a_letter_that_was_closed_is_not_sent),
    DESK_TEST(test_a_letter_that_fails_while_it_is_sent_stays_open),
    DESK_TEST(test_a_run_is_read_in_its_order),
    DESK_TEST(test_letters_of_ids_are_read_in_the_order_of_the_ids),
    DESK_TEST(test_a_letter_gets_a_new_key_once),
    DESK_TEST(test_an_edited_letter_names_the_command_in_its_place),
    DESK_TEST(test_a_replay_ends_the_link_to_an_edited_command),
    DESK_TEST(test_a_failed_write_changes_nothing_and_says_why),
};

int main(void)
{
    return cmocka_run_group_tests_name("store letters: the desk", tests, store_world_mongo,
                                       store_world_end) != 0;
}
