/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the JSON of letters, which scripts read. */
#include "tests/support/cmocka.h"

#include <jansson.h>
#include <string.h>

#include "ctl/letter/json.h"
#include "tests/support/json_page.h"

static json_t *parsed(const struct letter_record *record, bool whole)
{
    struct arena *arena = arena_new(0);
    struct text text = letter_json(arena, record, whole);
    json_t *json = json_loadb(text.bytes, text.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    arena_free(arena);
    return json;
}

static const char *string_at(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

static struct letter_record full_record(void)
{
    static const struct uuid consumer = {{1}};
    static struct letter_event event;
    event =
        (struct letter_event){.at_ms = 5, .reason = text_of("internal"), .worker = text_of("w-1")};
    struct letter_record record = {.count = 3,
                                   .first_at_ms = 5,
                                   .last_at_ms = 9,
                                   .unpublished = true,
                                   .history = &event,
                                   .history_count = 1};
    record.letter = (struct letter){.id = text_of("0123456789abcdef0123456789abcdef"),
                                    .reason = text_of("internal"),
                                    .key = text_of("key-1"),
                                    .consumers = &consumer,
                                    .consumer_count = 1,
                                    .body = text_of("{}"),
                                    .body_size = 2};
    record.letter.properties.reply_to = text_of("somewhere");
    return record;
}

static void test_a_line_has_no_message(void **state)
{
    (void)state;
    struct letter_record record = full_record();
    json_t *json = parsed(&record, false);
    assert_string_equal(string_at(json, "id"), "0123456789abcdef0123456789abcdef");
    assert_string_equal(string_at(json, "state"), "open");
    assert_string_equal(string_at(json, "source"), "worker");
    assert_string_equal(string_at(json, "message_id"), "key-1");
    assert_string_equal(string_at(json, "publication"), "unpublished");
    assert_int_equal(json_integer_value(json_object_get(json, "count")), 3);
    assert_int_equal(json_integer_value(json_object_get(json, "last_at_ms")), 9);
    assert_true(json_is_null(json_object_get(json, "detail")));
    assert_true(json_is_null(json_object_get(json, "published_at_ms")));
    assert_int_equal(json_array_size(json_object_get(json, "consumers")), 1);
    assert_null(json_object_get(json, "body"));
    assert_null(json_object_get(json, "history"));
    json_decref(json);
}

static void test_the_whole_letter_has_the_message(void **state)
{
    (void)state;
    struct letter_record record = full_record();
    json_t *json = parsed(&record, true);
    assert_string_equal(string_at(json, "body"), "{}");
    assert_true(json_is_null(json_object_get(json, "body_base64")));
    assert_string_equal(string_at(json_object_get(json, "properties"), "reply_to"), "somewhere");
    assert_int_equal(json_object_size(json_object_get(json, "headers")), 0);
    const json_t *event = json_array_get(json_object_get(json, "history"), 0);
    assert_string_equal(string_at(event, "worker"), "w-1");
    json_decref(json);
}

static void test_a_binary_body_is_in_base64(void **state)
{
    (void)state;
    struct letter_record record = full_record();
    record.letter.body = text_view("\xff\0\1", 3);
    json_t *json = parsed(&record, true);
    assert_true(json_is_null(json_object_get(json, "body")));
    assert_string_equal(string_at(json, "body_base64"), "/wAB");
    json_decref(json);
}

static void test_publication_says_what_became_of_the_dead_letter(void **state)
{
    (void)state;
    struct letter_record record = {.unpublished = true};
    assert_string_equal(letter_publication(&record), "unpublished");
    record.unpublished = false;
    assert_string_equal(letter_publication(&record), "published");
    record.refused = text_of("");
    assert_string_equal(letter_publication(&record), "refused");
}

#define HEADINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_the_page_has_every_member_and_no_other(void **state)
{
    (void)state;
    struct letter_record record = full_record();
    json_t *line = parsed(&record, false);
    json_page_check(line, HEADINGS("Letter"));
    json_decref(line);
    record.replay.phase = LETTER_PHASE_SENT;
    record.letter.properties.has_priority = true; /* the optional members */
    record.letter.properties.has_timestamp = true;
    json_t *whole = parsed(&record, true);
    json_page_check(whole, HEADINGS("Letter", "Whole letter"));
    json_page_check(json_object_get(whole, "properties"), HEADINGS("Properties"));
    json_page_check(json_object_get(whole, "replay"), HEADINGS("Replay of a letter"));
    json_page_check(json_array_get(json_object_get(whole, "history"), 0),
                    HEADINGS("Entry of the history"));
    json_decref(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_has_no_message),
        cmocka_unit_test(test_the_whole_letter_has_the_message),
        cmocka_unit_test(test_a_binary_body_is_in_base64),
        cmocka_unit_test(test_the_page_has_every_member_and_no_other),
        cmocka_unit_test(test_publication_says_what_became_of_the_dead_letter),
    };
    return cmocka_run_group_tests_name("letter_json", tests, NULL, NULL) != 0;
}
