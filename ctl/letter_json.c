/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/letter_json.h"

#include "common/base/utf8.h"
#include "common/codec/base64.h"
#include "common/codec/json_write.h"
#include "ctl/headers_json.h"

const char *letter_publication(const struct letter_record *record)
{
    if (text_present(record->refused))
        return "refused";
    return record->unpublished ? "unpublished" : "published";
}

/* --- members -------------------------------------------------------------------------------- */

static void write_text(struct json_writer *writer, const char *name, struct text value)
{
    json_write_key(writer, text_of(name));
    if (text_present(value))
        json_write_text(writer, value);
    else
        json_write_null(writer);
}

static void write_integer(struct json_writer *writer, const char *name, int64_t value)
{
    json_write_key(writer, text_of(name));
    json_write_integer(writer, value);
}

static void write_time(struct json_writer *writer, const char *name, int64_t time_ms)
{
    json_write_key(writer, text_of(name));
    if (time_ms != 0)
        json_write_integer(writer, time_ms);
    else
        json_write_null(writer);
}

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
    write_text(writer, "principal", letter->principal);
    write_text(writer, "message_id", letter->key);
    write_text(writer, "command", letter->command);
    write_text(writer, "project", letter->project);
    write_uuids(writer, "consumers", letter->consumers, letter->consumer_count);
    write_uuids(writer, "providers", letter->providers, letter->provider_count);
    write_text(writer, "queue", letter->queue);
    write_text(writer, "worker", letter->worker);
    write_integer(writer, "attempts", letter->attempts);
    write_text(writer, "traceparent", letter->traceparent);
}

static void write_fate(struct json_writer *writer, const struct letter_record *record)
{
    write_integer(writer, "count", record->count);
    write_time(writer, "first_at_ms", record->first_at_ms);
    write_time(writer, "last_at_ms", record->last_at_ms);
    write_text(writer, "publication", text_of(letter_publication(record)));
    write_time(writer, "published_at_ms", record->published_at_ms);
    write_time(writer, "expires_at_ms", record->expires_at_ms);
    write_text(writer, "refused", record->refused);
    write_text(writer, "claimed_by", record->claimed_by);
    write_time(writer, "claimed_until_ms", record->claimed_until_ms);
}

static void write_event(struct json_writer *writer, const struct letter_event *event)
{
    json_write_open(writer, '{');
    write_time(writer, "at_ms", event->at_ms);
    write_text(writer, "reason", event->reason);
    write_text(writer, "detail", event->detail);
    write_text(writer, "worker", event->worker);
    json_write_close(writer, '}');
}

static void write_properties(struct json_writer *writer, const struct properties *properties)
{
    json_write_key(writer, text_of("properties"));
    json_write_open(writer, '{');
    write_text(writer, "content_type", properties->content_type);
    write_text(writer, "content_encoding", properties->content_encoding);
    write_text(writer, "correlation_id", properties->correlation_id);
    write_text(writer, "reply_to", properties->reply_to);
    write_text(writer, "expiration", properties->expiration);
    write_text(writer, "message_id", properties->message_id);
    write_text(writer, "type", properties->type);
    write_text(writer, "user_id", properties->user_id);
    write_text(writer, "app_id", properties->app_id);
    write_text(writer, "cluster_id", properties->cluster_id);
    if (properties->has_priority)
        write_integer(writer, "priority", properties->priority);
    if (properties->has_timestamp)
        write_integer(writer, "timestamp", (int64_t)properties->timestamp);
    json_write_close(writer, '}');
}

static void write_body(struct json_writer *writer, struct text body)
{
    bool text = utf8_valid(body);
    write_text(writer, "body", text ? body : TEXT_NONE);
    write_text(writer, "body_base64", text ? TEXT_NONE : base64_encode(writer->arena, body));
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
    write_text(&writer, "id", letter->id);
    write_text(&writer, "state", text_of(letter_state_name(record->state)));
    write_text(&writer, "source", text_of(letter_source_name(letter->source)));
    write_text(&writer, "reason", letter->reason);
    write_text(&writer, "detail", letter->detail);
    write_text(&writer, "group", letter->group);
    write_command(&writer, letter);
    write_fate(&writer, record);
    write_integer(&writer, "body_size", (int64_t)letter->body_size);
    write_text(&writer, "body_sha256", letter->body_sha256);
    if (whole)
        write_message(&writer, record);
    json_write_close(&writer, '}');
    return json_writer_text(&writer);
}
