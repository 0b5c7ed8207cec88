/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on MongoDB that an exported letter can be
 * imported, and is then what it was (common/mongo/letter_lines.h, mongo_letters_insert).
 *
 * Each letter has what could be lost on the way: invalid UTF-8, NUL bytes, the largest body, a
 * history with what people did. Then come lines that are no letters, each with its error.
 *
 * Not here: files and their line numbers (tests/system/test_worker_letters_closed.c).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_letters.h"

#include <stdio.h>
#include <string.h>

#include "allot/limits.h"
#include "common/mongo/letter_lines.h"
#include "common/mongo/letters_desk.h"

enum { LINES_MAX = 8 };

struct lines {
    struct arena *arena;
    struct text items[LINES_MAX];
    size_t count;
    size_t end_after;
};

static bool keep_line(void *context, struct text line)
{
    struct lines *lines = context;
    assert_true(lines->count < LINES_MAX);
    assert_null(memchr(line.bytes, '\n', line.length));
    lines->items[lines->count++] = text_copy(lines->arena, line);
    return lines->count != lines->end_after;
}

static void export_letters(struct store_world *world, const struct letter_filter *filter,
                           struct lines *lines)
{
    struct session session = session_open(world);
    lines->arena = world->arena;
    assert_status(&session, STORE_OK,
                  mongo_letters_export(session.store, filter, keep_line, lines, &session.error));
    session_close(&session);
}

static struct text export_one(struct store_world *world, struct text id)
{
    struct lines lines = {0};
    export_letters(world, &(struct letter_filter){.ids = &id, .id_count = 1, .limit = 1}, &lines);
    assert_int_equal(lines.count, 1);
    return lines.items[0];
}

static size_t import(struct store_world *world, const struct letter_record *records, size_t count)
{
    struct session session = session_open(world);
    size_t inserted = 99;
    assert_status(&session, STORE_OK,
                  mongo_letters_insert(session.store, records, count, &inserted, &session.error));
    session_close(&session);
    return inserted;
}

static void remove_letter(struct store_world *world, struct text id)
{
    char json[256];
    (void)snprintf(json, sizeof json,
                   "{\"delete\": \"letters\", \"deletes\": [{\"q\": {\"_id\": \"%.*s\"}, "
                   "\"limit\": 1}]}",
                   TEXT_ARGS(id));
    admin_run(world->database, json);
}

static void assert_same_event(const struct letter_event *a, const struct letter_event *b)
{
    assert_int_equal(a->at_ms, b->at_ms);
    assert_int_equal(a->action, b->action);
    assert_text(a->reason, b->reason);
    assert_text(a->detail, b->detail);
    assert_text(a->worker, b->worker);
    assert_text(a->by, b->by);
    assert_text(a->note, b->note);
    assert_text(a->key, b->key);
}

static void assert_same_record(const struct letter_record *a, const struct letter_record *b)
{
    assert_same_letter(&a->letter, &b->letter);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->first_at_ms, b->first_at_ms);
    assert_int_equal(a->last_at_ms, b->last_at_ms);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->history_count, b->history_count);
    for (size_t i = 0; i < a->history_count; i++)
        assert_same_event(&a->history[i], &b->history[i]);
    assert_text(a->refused, b->refused);
    assert_int_equal(a->replay.phase, b->replay.phase);
    assert_text(a->replay.run, b->replay.run);
    assert_int_equal(a->replay.place, b->replay.place);
    assert_int_equal(a->replay.at_ms, b->replay.at_ms);
    assert_text(a->replay.by, b->replay.by);
    assert_text(a->new_key, b->new_key);
    assert_int_equal(a->new_key_at_ms, b->new_key_at_ms);
    assert_text(a->edited_key, b->edited_key);
    assert_text(a->edited_to, b->edited_to);
}

/* Does to the letter all that people can do. */
static void work_on(struct store_world *world, struct text id)
{
    struct session session = session_open(world);
    const struct letter_note note = {.action = LETTER_ACTION_EDITED,
                                     .by = text_view("a\xff", 2),
                                     .note = text_of("\xe2\x80\xae note"),
                                     .key = text_of("edited")};
    bool changed = false;
    size_t count = 0;
    assert_status(&session, STORE_OK,
                  mongo_letter_set_key(session.store, id, TEXT_NONE, text_of("new"), &changed,
                                       &session.error));
    struct letter_replay replay = {.run = text_of("lines-run"), .by = text_of("by"), .place = 12};
    assert_status(&session, STORE_OK,
                  mongo_letters_select(session.store, &replay, &id, 1, &count, &session.error));
    assert_status(&session, STORE_OK,
                  mongo_letter_set_edited(session.store, id, text_of("lines-edit"), text_of("to"),
                                          &note, &changed, &session.error));
    assert_true(changed);
    session_close(&session);
}

static void test_an_exported_letter_is_imported_as_it_was(void **state)
{
    struct store_world *world = *state;
    struct letter letter = full_letter(world);
    char *body = arena_alloc(world->arena, BODY_BYTES_MAX);
    for (size_t i = 0; i < BODY_BYTES_MAX; i++)
        body[i] = (char)(i * 7 + i / 251);
    letter.body = text_view(body, BODY_BYTES_MAX);
    letter.body_size = UINT64_MAX;
    letter.detail = text_view("a\0b\xff\xc2", 5);
    letter.key = text_view("\xff", 1);
    letter.project = text_of("\x1b[31m \xf0\x9f\x98\x80");
    letter.attempts = INT64_MAX;
    world_add_letter(world, &letter);
    work_on(world, letter.id);
    struct letter_record before = world_letter(world, letter.id, NULL), read;
    struct error error = {""};
    struct text line = export_one(world, letter.id);
    if (!letter_line_read(line, world->arena, &read, &error))
        fail_msg("%s", error.text);
    assert_same_record(&before, &read);
    assert_true(read.unpublished);
    remove_letter(world, letter.id);
    assert_int_equal(import(world, &read, 1), 1);
    struct letter_record after = world_letter(world, letter.id, NULL);
    assert_same_record(&before, &after);
    assert_false(after.unpublished);
    assert_true(after.published_at_ms > 0 && after.expires_at_ms > after.published_at_ms);
    assert_text(export_one(world, letter.id), export_one(world, letter.id));
}

static void test_a_bare_letter_is_imported_as_it_was(void **state)
{
    struct store_world *world = *state;
    struct letter letter = bare_letter(world);
    world_add_letter(world, &letter);
    struct letter_record before = world_letter(world, letter.id, NULL), read;
    struct error error = {""};
    assert_true(letter_line_read(export_one(world, letter.id), world->arena, &read, &error));
    remove_letter(world, letter.id);
    assert_int_equal(import(world, &read, 1), 1);
    struct letter_record after = world_letter(world, letter.id, NULL);
    assert_same_record(&before, &after);
}

static void test_an_import_leaves_a_stored_letter_as_it_is(void **state)
{
    struct store_world *world = *state;
    struct letter letters[] = {full_letter(world), full_letter(world)};
    struct letter_record records[2];
    struct error error = {""};
    world_add_letters(world, letters, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(
            letter_line_read(export_one(world, letters[i].id), world->arena, &records[i], &error));
    world_set_state(world, letters[0].id, LETTER_DISCARDED);
    remove_letter(world, letters[1].id);
    assert_int_equal(import(world, records, 2), 1);
    assert_int_equal(import(world, records, 2), 0);
    struct letter_record kept = world_letter(world, letters[0].id, NULL);
    assert_int_equal(kept.state, LETTER_DISCARDED);
    assert_true(kept.unpublished);
    assert_int_equal(import(world, records, 0), 0);
}

static void test_an_export_is_the_oldest_first_and_can_be_ended(void **state)
{
    struct store_world *world = *state;
    struct text project = world_text(world, "project");
    struct text ids[3];
    for (size_t i = 0; i < 3; i++) {
        struct letter letter = full_letter(world);
        letter.project = project;
        world_add_letter(world, &letter);
        world_pass_time(world, 1000);
        ids[i] = letter.id;
    }
    struct lines lines = {0};
    const struct letter_filter filter = {.project = project, .limit = 10};
    export_letters(world, &filter, &lines);
    assert_int_equal(lines.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_non_null(
            memmem(lines.items[i].bytes, lines.items[i].length, ids[i].bytes, ids[i].length));
    lines = (struct lines){.end_after = 2};
    export_letters(world, &filter, &lines);
    assert_int_equal(lines.count, 2);
}

static void test_a_line_that_is_no_letter_is_refused(void **state)
{
    struct store_world *world = *state;
    struct letter letter = full_letter(world);
    struct letter_record record;
    world_add_letter(world, &letter);
    struct text line = export_one(world, letter.id);
    const struct text lines[] = {
        text_of(""),
        text_of("{"),
        text_of("{}"),
        text_of("[1]"),
        text_of("null"),
        text_of("{\"_id\": 5}"),
        text_of("{\"_id\": \"\xff\"}"),
        text_format(world->arena, "%.*s {}", TEXT_ARGS(line)),
        text_format(world->arena, "%.*s%.*s", TEXT_ARGS(line), TEXT_ARGS(line)),
        text_format(world->arena, "%.*s x", TEXT_ARGS(line)),
        text_view(line.bytes, line.length - 1),
        text_view(line.bytes, line.length / 2),
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct error error = {""};
        if (letter_line_read(lines[i], world->arena, &record, &error))
            fail_msg("line %zu is a letter", i);
        assert_true(error.text[0] != '\0');
    }
    struct error error = {""};
    struct text spaced = text_format(world->arena, " %.*s  ", TEXT_ARGS(line));
    assert_true(letter_line_read(spaced, world->arena, &record, &error));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_an_exported_letter_is_imported_as_it_was),
    cmocka_unit_test(test_a_bare_letter_is_imported_as_it_was),
    cmocka_unit_test(test_an_import_leaves_a_stored_letter_as_it_is),
    cmocka_unit_test(test_an_export_is_the_oldest_first_and_can_be_ended),
    cmocka_unit_test(test_a_line_that_is_no_letter_is_refused),
};

int main(void)
{
    return cmocka_run_group_tests_name("store letters: lines", tests, store_world_mongo,
                                       store_world_end) != 0;
}
