/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/letter/json.h"

#include "common/base/utf8.h"
#include "common/codec/base64.h"
#include "ctl/headers_json.h"
#include "ctl/json_member.h"

const char *letter_publication(const struct letter_record *record)
{
    if (text_present(record->refused))
        return "refused";
    return record->unpublished ? "unpublished" : "published";
}

/* --- members -------------------------------------------------------------------------------- */

static void write_uuids(struct json_writer *writer, const char *name, const struct uuid *uuids,
                        size_t count)
{
    json_write_key(writer, text_of(name));
    json_write_open(writer, '[');
    for (size_t i = 0; i < count; i++)
        json_write_uuid(writer, uuids[i]);
    json_write_close(writer, ']');
}

/* --- parts ---------------------------------------------------------------------------------- */

static void write_command(struct json_writer *writer, const struct letter *letter)
{
    json_member_text(writer, "principal", letter->principal);
    json_member_text(writer, "message_id", letter->key);
    json_member_text(writer, "command", letter->command);
    json_member_text(writer, "project", letter->project);
    write_uuids(writer, "consumers", letter->consumers, letter->consumer_count);
    write_uuids(writer, "providers", letter->providers, letter->provider_count);
    json_member_text(writer, "queue", letter->queue);
    json_member_text(writer, "worker", letter->worker);
    json_member_integer(writer, "attempts", letter->attempts);
    json_member_text(writer, "traceparent", letter->traceparent);
}

static void write_fate(struct json_writer *writer, const struct letter_record *record)
{
    json_member_integer(writer, "count", record->count);
    json_member_time(writer, "first_at_ms", record->first_at_ms);
    json_member_time(writer, "last_at_ms", record->last_at_ms);
    json_member_text(writer, "publication", text_of(letter_publication(record)));
    json_member_time(writer, "published_at_ms", record->published_at_ms);
    json_member_time(writer, "expires_at_ms", record->expires_at_ms);
    json_member_text(writer, "refused", record->refused);
    json_member_text(writer, "claimed_by", record->claimed_by);
    json_member_time(writer, "claimed_until_ms", record->claimed_until_ms);
}

/* Null for a letter that was never replayed. */
static void write_replay(struct json_writer *writer, const struct letter_record *record)
{
    const struct letter_replay *replay = &record->replay;
    json_write_key(writer, text_of("replay"));
    if (replay->phase == LETTER_PHASE_NONE) {
        json_write_null(writer);
    } else {
        json_write_open(writer, '{');
        json_member_text(writer, "run", replay->run);
        json_member_integer(writer, "place", replay->place);
        json_member_text(writer, "phase", text_of(letter_phase_name(replay->phase)));
        json_member_time(writer, "at_ms", replay->at_ms);
        json_member_text(writer, "by", replay->by);
        json_write_close(writer, '}');
    }
    json_member_text(writer, "new_key", record->new_key);
    json_member_time(writer, "new_key_at_ms", record->new_key_at_ms);
    json_member_text(writer, "edited_key", record->edited_key);
    json_member_text(writer, "edited_to", record->edited_to);
}

static void write_event(struct json_writer *writer, const struct letter_event *event)
{
    json_write_open(writer, '{');
    json_member_time(writer, "at_ms", event->at_ms);
    json_member_text(writer, "reason", event->reason);
    json_member_text(writer, "detail", event->detail);
    json_member_text(writer, "worker", event->worker);
    json_member_text(writer, "action",
                     event->action != LETTER_ACTION_NONE
                         ? text_of(letter_action_name(event->action))
                         : TEXT_NONE);
    json_member_text(writer, "by", event->by);
    json_member_text(writer, "note", event->note);
    json_member_text(writer, "key", event->key);
    json_write_close(writer, '}');
}

static void write_properties(struct json_writer *writer, const struct properties *properties)
{
    json_write_key(writer, text_of("properties"));
    json_write_open(writer, '{');
#define X(member, constant) json_member_text(writer, #member, properties->member);
    TEXT_PROPERTIES(X)
#undef X
    if (properties->has_priority)
        json_member_integer(writer, "priority", properties->priority);
    if (properties->has_timestamp)
        json_member_integer(writer, "timestamp", (int64_t)properties->timestamp);
    json_write_close(writer, '}');
}

static void write_body(struct json_writer *writer, struct text body)
{
    bool text = utf8_valid(body);
    json_member_text(writer, "body", text ? body : TEXT_NONE);
    json_member_text(writer, "body_base64", text ? TEXT_NONE : base64_encode(writer->arena, body));
}

static void write_message(struct json_writer *writer, const struct letter_record *record)
{
    json_write_key(writer, text_of("history"));
    json_write_open(writer, '[');
    for (size_t i = 0; i < record->history_count; i++)
        write_event(writer, &record->history[i]);
    json_write_close(writer, ']');
    write_properties(writer, &record->letter.properties);
    json_write_key(writer, text_of("headers"));
    headers_json_write(writer, record->letter.raw_headers);
    write_body(writer, record->letter.body);
}

struct text letter_json(struct arena *arena, const struct letter_record *record, bool whole)
{
    const struct letter *letter = &record->letter;
    struct json_writer writer = json_writer_new(arena);
    json_write_open(&writer, '{');
    json_member_text(&writer, "id", letter->id);
    json_member_text(&writer, "state", text_of(letter_state_name(record->state)));
    json_member_text(&writer, "source", text_of(letter_source_name(letter->source)));
    json_member_text(&writer, "reason", letter->reason);
    json_member_text(&writer, "detail", letter->detail);
    json_member_text(&writer, "group", letter->group);
    write_command(&writer, letter);
    write_fate(&writer, record);
    write_replay(&writer, record);
    json_member_integer(&writer, "body_size", (int64_t)letter->body_size);
    json_member_text(&writer, "body_sha256", letter->body_sha256);
    if (whole)
        write_message(&writer, record);
    json_write_close(&writer, '}');
    return json_writer_text(&writer);
}
