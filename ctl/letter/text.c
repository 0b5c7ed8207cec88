/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. letter_text_print() prints a letter in parts: what is known of it, what became of it, its
 * history, and the message with properties, headers and body. Each line begins with a label, or is
 * indented below one, so that a body cannot look like another line of the letter.
 *
 * Guarantees. Every text goes through print_printable(); numbers, names and times are our own.
 *
 * Not here: lists, which are tables (list.c), and the JSON of a letter (json.c).
 */
#include "ctl/letter/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/codec/base64.h"
#include "ctl/headers_json.h"
#include "ctl/letter/json.h"
#include "ctl/output.h"
#include "ctl/time_text.h"

enum { BASE64_LINE_BYTES = 76 };

static void print_column(struct text text)
{
    (void)putchar('\t');
    print_printable(stdout, text.length > 0 ? text : text_of("-"));
}

/* --- a letter ------------------------------------------------------------------------------- */

static void print_label(const char *label)
{
    (void)printf("%-14s ", label);
}

/* Prints nothing for an absent text. */
static void print_text(const char *label, struct text text)
{
    if (!text_present(text))
        return;
    print_label(label);
    print_printable_line(stdout, text);
}

static void print_time(const char *label, int64_t time_ms, int64_t now_ms)
{
    if (time_ms == 0)
        return;
    print_label(label);
    (void)fputs(time_format_local(time_ms).chars, stdout);
    if (time_ms <= now_ms)
        (void)printf(" (%s ago)", time_format_age(time_ms, now_ms).chars);
    (void)putchar('\n');
}

static void print_uuids(const char *label, const struct uuid *uuids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        print_label(i == 0 ? label : "");
        (void)puts(uuid_format(uuids[i]).chars);
    }
}

static void print_command(const struct letter *letter)
{
    print_text("principal", letter->principal);
    print_text("message id", letter->key);
    print_text("command", letter->command);
    print_text("project", letter->project);
    print_uuids("consumers", letter->consumers, letter->consumer_count);
    print_uuids("providers", letter->providers, letter->provider_count);
    print_text("queue", letter->queue);
    print_text("worker", letter->worker);
    print_label("attempts");
    (void)printf("%" PRId64 "\n", letter->attempts);
    print_text("traceparent", letter->traceparent);
    print_text("group", letter->group);
}

static void print_fate(const struct letter_record *record, int64_t now_ms)
{
    print_label("count");
    (void)printf("%" PRId64 "\n", record->count);
    print_time("first time", record->first_at_ms, now_ms);
    print_time("last time", record->last_at_ms, now_ms);
    print_text("dead letter", text_of(letter_publication(record)));
    print_time("published", record->published_at_ms, now_ms);
    print_time("expires", record->expires_at_ms, now_ms);
    print_text("refused", record->refused);
    print_text("claimed by", record->claimed_by);
    print_time("claimed until", record->claimed_until_ms, now_ms);
}

static void print_death(const struct letter_event *event)
{
    print_column(event->reason);
    print_column(event->worker);
    print_column(event->detail);
}

static void print_action(const struct letter_event *event)
{
    print_column(text_of(letter_action_name(event->action)));
    print_column(event->by);
    print_column(event->note);
    if (text_present(event->key)) {
        (void)fputs("\tkey ", stdout);
        print_printable(stdout, event->key);
    }
}

static void print_replay(const struct letter_record *record, int64_t now_ms)
{
    const struct letter_replay *replay = &record->replay;
    if (replay->phase != LETTER_PHASE_NONE) {
        print_text("run", replay->run);
        print_text("phase", text_of(letter_phase_name(replay->phase)));
        print_text("by", replay->by);
        print_time("since", replay->at_ms, now_ms);
    }
    print_text("new key", record->new_key);
    print_time("new key since", record->new_key_at_ms, now_ms);
    print_text("edited key", record->edited_key);
    print_text("edited to", record->edited_to);
}

static void print_history(const struct letter_record *record)
{
    (void)puts("history");
    for (size_t i = 0; i < record->history_count; i++) {
        const struct letter_event *event = &record->history[i];
        (void)printf("  %s", time_format_local(event->at_ms).chars);
        if (event->action == LETTER_ACTION_NONE)
            print_death(event);
        else
            print_action(event);
        (void)putchar('\n');
    }
}

static void print_property(const char *name, struct text value)
{
    if (!text_present(value))
        return;
    (void)printf("  %s: ", name);
    print_printable_line(stdout, value);
}

static void print_properties(const struct properties *properties)
{
    (void)puts("properties");
#define X(member, constant) print_property(#member, properties->member);
    TEXT_PROPERTIES(X)
#undef X
    if (properties->has_priority)
        (void)printf("  priority: %d\n", properties->priority);
    if (properties->has_timestamp)
        (void)printf("  timestamp: %" PRIu64 "\n", properties->timestamp);
}

static void print_headers(struct text table, struct arena *arena)
{
    struct field_cursor cursor = field_table_begin(table);
    struct field field;
    (void)puts("headers");
    while (field_table_next(&cursor, &field)) {
        struct json_writer value = json_writer_new(arena);
        headers_json_write_value(&value, &field);
        (void)fputs("  ", stdout);
        print_printable(stdout, field.name);
        (void)fputs(": ", stdout);
        print_json_line(stdout, json_writer_text(&value));
    }
}

/* --- the body ------------------------------------------------------------------------------- */

static void print_indented(struct text line)
{
    (void)fputs("  ", stdout);
    print_printable_line(stdout, line);
}

static struct text rest_after(struct text text, size_t count)
{
    return text_view(text.bytes + count, text.length - count);
}

static void print_lines(struct text body)
{
    while (body.length > 0) {
        const char *end = memchr(body.bytes, '\n', body.length);
        size_t length = end != NULL ? (size_t)(end - body.bytes) : body.length;
        print_indented(text_view(body.bytes, length));
        body = rest_after(body, length + (end != NULL));
    }
}

static void print_base64(struct text body, struct arena *arena)
{
    struct text rest = base64_encode(arena, body);
    while (rest.length > 0) {
        size_t length = rest.length < BASE64_LINE_BYTES ? rest.length : BASE64_LINE_BYTES;
        print_indented(text_view(rest.bytes, length));
        rest = rest_after(rest, length);
    }
}

static void print_body(const struct letter *letter, struct arena *arena)
{
    bool text = utf8_valid(letter->body);
    print_label("body");
    (void)printf("%" PRIu64 " bytes", letter->body_size);
    if (letter->body.length < letter->body_size)
        (void)printf(", of which the letter has the first %zu", letter->body.length);
    (void)printf("%s\n", text ? "" : ", not UTF-8, in base64");
    print_text("sha256", letter->body_sha256);
    if (text)
        print_lines(letter->body);
    else
        print_base64(letter->body, arena);
}

void letter_text_print(const struct letter_record *record, int64_t now_ms, struct arena *arena)
{
    const struct letter *letter = &record->letter;
    print_text("id", letter->id);
    print_text("state", text_of(letter_state_name(record->state)));
    print_text("source", text_of(letter_source_name(letter->source)));
    print_text("reason", letter->reason);
    print_text("detail", letter->detail);
    print_command(letter);
    print_fate(record, now_ms);
    print_replay(record, now_ms);
    print_history(record);
    print_properties(&letter->properties);
    print_headers(letter->raw_headers, arena);
    print_body(letter, arena);
}
