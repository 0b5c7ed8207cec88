/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what people do with letters in the database alone: resolve, discard and reopen them, export
 * and import them, and look for a text. No worker runs.
 *
 * The letters are stored by the test itself, as a worker would store them (worker_replay.h). What
 * is stored then is read again by allotctl, and counted in the database.
 *
 * Not here: replays (test_worker_replay_life.c).
 */
#include "tests/system/worker_replay.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/worker_database.h"

#define CREATE(number)                                                                             \
    "{\"version\":1,\"command\":\"provider.create\",\"params\":{\"uuid\":"                         \
    "\"00000000-0000-4000-8000-00000000000" number "\",\"name\":\"host-" number "\"}}"

enum { LETTERS = 3, TEXT_LETTERS = 10001, PATH_ROOM = 64 };

static struct arena *arena;
static struct letter letters[LETTERS];

static int setup(void **state)
{
    if (fresh_database(state) != 0)
        return -1;
    arena = arena_new(0);
    letters[0] = letter_of(arena, "conductor", "key-1", CREATE("1"));
    letters[1] = letter_of(arena, "team-blue", "key-2", CREATE("2"));
    letters[2] = letter_of(arena, "team-blue", "key-3", CREATE("3"));
    letters[2].detail = text_of("needle in a \xe2\x98\x83 detail");
    store_letters(letters, LETTERS);
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    return drop_database(state);
}

static const char *id_of(size_t i)
{
    return letters[i].id.bytes;
}

/* --- states ----------------------------------------------------------------------------------- */

static void test_who_closed_a_letter_and_why_is_in_its_history(void **state)
{
    (void)state;
    const char *output =
        run_reader(0, "letter resolve %.8s %s --note 'done by hand' --yes", id_of(0), id_of(1));
    assert_string_equal(output, "2 letters resolved\n");
    json_t *letter = show_letter(id_of(0));
    expect_member(letter, "state", "resolved");
    const json_t *history = json_object_get(letter, "history");
    const json_t *event = json_array_get(history, json_array_size(history) - 1);
    expect_member(event, "action", "resolved");
    expect_member(event, "note", "done by hand");
    assert_non_null(strchr(json_string_value(json_object_get(event, "by")), '@'));
    assert_true(json_integer_value(json_object_get(event, "at_ms")) > 0);
    json_decref(letter);
    expect_output(run_reader(0, "letter show %s", id_of(0)), "done by hand");
    expect_state(id_of(2), "open");
}

static void test_letters_are_closed_by_filters(void **state)
{
    (void)state;
    assert_string_equal(run_reader(0, "letter discard --principal team-blue --yes"),
                        "2 letters discarded\n");
    assert_string_equal(run_reader(0, "letter discard --principal team-blue --yes"),
                        "0 letters discarded\n");
    expect_state(id_of(0), "open");
    expect_state(id_of(1), "discarded");
    assert_string_equal(run_reader(0, "letter reopen --state discarded --text needle --yes"),
                        "1 letter opened again\n");
    expect_state(id_of(2), "open");
    expect_history(id_of(2), "forbidden discarded reopened");
    assert_string_equal(run_reader(0, "letter resolve --all --yes"), "2 letters resolved\n");
    assert_int_equal(count_letters("{}"), LETTERS);
}

static void test_a_letter_in_another_state_is_counted_and_left(void **state)
{
    (void)state;
    (void)run_reader(0, "letter discard %s --yes", id_of(0));
    assert_string_equal(run_reader(1, "letter resolve %s %s --yes", id_of(0), id_of(1)),
                        "1 letter resolved; 1 were in another state\n");
    expect_state(id_of(0), "discarded");
    assert_string_equal(run_reader(1, "letter reopen %s --yes", id_of(2)),
                        "0 letters opened again; 1 were in another state\n");
}

static void test_nothing_is_closed_without_an_answer(void **state)
{
    (void)state;
    expect_output(run_reader(1, "letter resolve --all </dev/null"), "give --yes");
    expect_output(run_reader(2, "letter resolve --yes"), "which letters?");
    expect_output(run_reader(2, "letter discard %s --all --yes", id_of(0)), "either ids");
    expect_output(
        run_reader(2, "letter discard %s --yes --note \"$(printf '%%1025d' 1)\"", id_of(0)),
        "--note is too long: 1025 bytes (limit 1024)");
    expect_output(run_reader(1, "letter resolve %s 12345678 --yes", id_of(0)),
                  "no letter has an id");
    assert_int_equal(count_letters("{\"state\": \"open\"}"), LETTERS);
}

/* --- export and import ------------------------------------------------------------------------ */

static void remove_letters(void)
{
    run_on_database(fixture_database(),
                    "{\"delete\": \"letters\", \"deletes\": [{\"q\": {\"_id\": {\"$ne\": "
                    "\"allotd.sentinel\"}}, \"limit\": 0}]}");
}

static void test_exported_letters_are_imported_as_they_were(void **state)
{
    (void)state;
    char path[PATH_ROOM];
    (void)snprintf(path, sizeof path, "/tmp/allot-letters-%d", (int)getpid());
    (void)run_reader(0, "letter discard %s --note 'not this one' --yes", id_of(1));
    json_t *before = show_letter(id_of(1));
    assert_string_equal(run_reader(0, "letter export --all >%s", path), "");
    assert_string_equal(run_reader(0, "letter export %s | wc -l", id_of(0)), "1\n");
    assert_string_equal(run_reader(0, "letter export --text needle | wc -l"), "1\n");
    assert_string_equal(run_reader(0, "letter export --state open | wc -l"), "2\n");
    assert_string_equal(run_reader(0, "letter import %s", path),
                        "3 letters: 0 imported, 3 stored before\n");
    remove_letters();
    assert_string_equal(run_reader(0, "letter import %s --dry-run", path),
                        "3 letters could be imported\n");
    assert_int_equal(count_letters("{}"), 0);
    assert_string_equal(run_reader(0, "letter import - <%s", path),
                        "3 letters: 3 imported, 0 stored before\n");
    assert_string_equal(run_reader(0, "letter import %s", path),
                        "3 letters: 0 imported, 3 stored before\n");
    json_t *after = show_letter(id_of(1));
    (void)json_object_del(before, "published_at_ms");
    (void)json_object_del(before, "expires_at_ms");
    (void)json_object_del(after, "published_at_ms");
    (void)json_object_del(after, "expires_at_ms");
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    (void)run_reader(0, "audit");
    assert_int_equal(unlink(path), 0);
}

static void test_an_invalid_line_is_named_by_its_number(void **state)
{
    (void)state;
    char path[PATH_ROOM];
    (void)snprintf(path, sizeof path, "/tmp/allot-letters-%d", (int)getpid());
    (void)run_reader(0, "letter export --all | sed '2s/\"state\"/\"nostate\"/' >%s", path);
    remove_letters();
    const char *output = run_reader(1, "letter import %s --dry-run", path);
    expect_output(output, path);
    expect_output(output, ":2: not a letter");
    output = run_reader(1, "letter import %s", path);
    expect_output(output, "1 letter: 1 imported");
    expect_output(output, ":2: not a letter");
    assert_int_equal(count_letters("{}"), 1);
    (void)run_reader(0, "letter export --all >%s; echo garbage >>%s", path, path);
    expect_output(run_reader(1, "letter import %s", path), ":2: invalid JSON");
    expect_output(run_reader(1, "letter import /nonexistent/file"),
                  "cannot open /nonexistent/file");
    expect_output(run_reader(2, "letter import %s --from-queue", path),
                  "give either them or a file");
    assert_string_equal(run_reader(0, "letter import /dev/null"),
                        "0 letters: 0 imported, 0 stored before\n");
    assert_int_equal(unlink(path), 0);
}

/* --- a text ----------------------------------------------------------------------------------- */

static void test_a_text_is_found_in_detail_key_and_body(void **state)
{
    (void)state;
    expect_output(run_reader(0, "letter list --text 'needle in a \xe2\x98\x83'"), "team-blue");
    assert_string_equal(run_reader(0, "letter list --text key-1 | wc -l"), "1\n");
    assert_string_equal(run_reader(0, "letter list --text 'host-' | wc -l"), "3\n");
    assert_string_equal(run_reader(0, "letter list --text 'host-' --principal conductor | wc -l"),
                        "1\n");
    assert_string_equal(run_reader(0, "letter list --text nowhere"), "");
    assert_string_equal(run_reader(0, "letter list --text '.*'"), ""); /* no pattern */
    json_t *group = last_object(run_reader(0, "letter groups --text needle --json"));
    expect_number(group, "count", 1);
    expect_member(group, "sample", id_of(2));
    json_decref(group);
    assert_string_equal(run_reader(0, "letter groups --text nowhere"), "");
    assert_string_equal(run_reader(0, "letter groups --text needle --state resolved"), "");
    use_policy(policy_open);
    expect_output(run_operator(0, "letter replay --text needle --dry-run"), "1 letter: ");
}

/* 10,000 letters are looked at, and then it stops and says where. */
static void test_a_text_is_looked_for_in_a_bounded_number_of_letters(void **state)
{
    (void)state;
    struct arena *own = arena_new(0);
    struct letter *many = ARENA_ARRAY(own, struct letter, TEXT_LETTERS);
    for (size_t i = 0; i < TEXT_LETTERS; i++) {
        many[i] = letters[0];
        many[i].id = text_format(own, "%032zx", i);
        many[i].key = text_format(own, "many-%zu", i);
    }
    (void)usleep(5000); /* all of these are newer */
    store_letters(many, TEXT_LETTERS);
    const char *output = run_reader(0, "letter list --text needle");
    expect_output(output, "--text stopped after 10000 letters, at ");
    expect_output(output, "with --until it looks at others");
    expect_no_output(output, "team-blue");
    assert_string_equal(run_reader(0, "letter list --text needle --principal team-blue | wc -l"),
                        "1\n");
    output = run_reader(0, "letter resolve --text many-10000 --yes");
    expect_output(output, "with --since it looks at others");
    expect_output(output, "0 letters resolved");
    expect_output(run_reader(0, "letter groups --text needle"), "--text stopped");
    arena_free(own);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_who_closed_a_letter_and_why_is_in_its_history),
        TEST(test_letters_are_closed_by_filters),
        TEST(test_a_letter_in_another_state_is_counted_and_left),
        TEST(test_nothing_is_closed_without_an_answer),
        TEST(test_exported_letters_are_imported_as_they_were),
        TEST(test_an_invalid_line_is_named_by_its_number),
        TEST(test_a_text_is_found_in_detail_key_and_body),
        TEST(test_a_text_is_looked_for_in_a_bounded_number_of_letters),
    };
    return cmocka_run_group_tests_name("letters that people close", tests, NULL, NULL) != 0;
}
