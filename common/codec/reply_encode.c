/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/reply_encode.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "allot/limits.h"
#include "common/codec/command_codec.h"
#include "common/codec/digest.h"
#include "common/codec/json_write.h"
#include "common/codec/text_cut.h"

enum { VERSION = 1 };

static void write_texts(struct json_writer *writer, const struct detail *detail)
{
    json_write_open(writer, '[');
    for (size_t i = 0; i < detail->count; i++)
        json_write_text(writer, detail->value.texts[i]);
    json_write_close(writer, ']');
}

static void write_uuids(struct json_writer *writer, const struct detail *detail)
{
    json_write_open(writer, '[');
    for (size_t i = 0; i < detail->count; i++)
        json_write_uuid(writer, detail->value.uuids[i]);
    json_write_close(writer, ']');
}

static void write_detail(struct json_writer *writer, const struct detail *detail)
{
    json_write_key(writer, text_of(detail->name));
    switch (detail->kind) {
    case DETAIL_NULL: json_write_null(writer); return;
    case DETAIL_INTEGER: json_write_integer(writer, detail->value.integer); return;
    case DETAIL_TEXT: json_write_text(writer, detail->value.text); return;
    case DETAIL_UUID: json_write_uuid(writer, detail->value.uuid); return;
    case DETAIL_TEXTS: write_texts(writer, detail); return;
    case DETAIL_UUIDS: write_uuids(writer, detail); return;
    }
}

static void write_error(struct json_writer *writer, const struct verdict *verdict)
{
    json_write_open(writer, '{');
    json_write_key(writer, text_of("code"));
    json_write_text(writer, text_of(verdict_name(verdict->code)));
    json_write_key(writer, text_of("message"));
    json_write_text(writer, verdict->message);
    json_write_key(writer, text_of("retryable"));
    json_write_boolean(writer, verdict_retryable(verdict->code));
    json_write_key(writer, text_of("details"));
    json_write_open(writer, '{');
    for (size_t i = 0; i < verdict->detail_count; i++)
        write_detail(writer, &verdict->details[i]);
    json_write_close(writer, '}');
    json_write_close(writer, '}');
}

static void write_text_or_null(struct json_writer *writer, struct text text)
{
    if (text_present(text))
        json_write_text(writer, text);
    else
        json_write_null(writer);
}

struct text reply_encode(struct arena *arena, struct text command, enum command_kind kind,
                         struct text key, const struct verdict *verdict)
{
    assert(!verdict->replayed);
    bool success = verdict->code == VERDICT_SUCCESS;
    struct json_writer writer = json_writer_new(arena);
    json_write_open(&writer, '{');
    json_write_key(&writer, text_of("version"));
    json_write_integer(&writer, VERSION);
    json_write_key(&writer, text_of("command"));
    write_text_or_null(&writer, command);
    json_write_key(&writer, text_of("message_id"));
    write_text_or_null(&writer, key);
    json_write_key(&writer, text_of("status"));
    json_write_text(&writer, text_of(success ? "success" : "failure"));
    json_write_key(&writer, text_of(success ? "result" : "error"));
    if (success)
        command_write_result(&writer, kind, &verdict->result);
    else
        write_error(&writer, verdict);
    json_write_close(&writer, '}');
    return json_writer_text(&writer);
}

struct text reply_failure_message(struct arena *arena, struct text body)
{
    json_t *reply = json_loadb(body.bytes, body.length, 0, NULL);
    const char *message =
        json_string_value(json_object_get(json_object_get(reply, "error"), "message"));
    struct text copy = text_copy(arena, text_of(message));
    json_decref(reply);
    return copy;
}

struct text reply_message_id(struct arena *arena, struct text principal, struct text key)
{
    struct fingerprint digest = fingerprint_of_pair(principal, key);
    struct uuid uuid;
    memcpy(uuid.bytes, digest.bytes, sizeof uuid.bytes);
    /* RFC 9562: version 8, for UUIDs that an application makes by its own rule; variant 10. */
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x80);
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
    struct uuid_text text = uuid_format(uuid);
    return text_copy(arena, text_view(text.chars, UUID_TEXT_LENGTH));
}

struct text reply_dead_detail(struct arena *arena, struct text message)
{
    return text_copy(arena, text_cut(message, DEAD_DETAIL_BYTES_MAX));
}
