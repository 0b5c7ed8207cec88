/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/desk/replay_message.h"

#include "common/codec/field_table.h"
#include "common/core/command.h"
#include "common/core/message_id.h"

enum { HEADERS_MAX = 2 };

const char *replay_obstacle_text(enum replay_obstacle obstacle)
{
    switch (obstacle) {
#define X(id, text)                                                                                \
    case REPLAY_OBSTACLE_##id: return text;
        REPLAY_OBSTACLES(X)
#undef X
    }
    return "";
}

/* --- the key -------------------------------------------------------------------------------- */

struct key {
    struct text text;
    int64_t since_ms;
};

/* A letter with a new key is never sent under its own again: the command may have taken effect
   under the new one. */
static struct key key_of(const struct letter_record *record)
{
    if (text_present(record->new_key))
        return (struct key){record->new_key, record->new_key_at_ms};
    return (struct key){record->letter.key, record->last_at_ms};
}

static bool has_expired(const struct key *key, const struct settings *settings, int64_t now_ms)
{
    return now_ms - key->since_ms >= settings->idempotency_retention_ms;
}

struct text replay_key(const struct letter_record *record, const struct settings *settings,
                       int64_t now_ms)
{
    struct key key = key_of(record);
    bool usable = message_id_is_valid(key.text) && !has_expired(&key, settings, now_ms);
    return usable ? key.text : TEXT_NONE;
}

/* --- obstacles ------------------------------------------------------------------------------ */

static enum replay_obstacle obstacle_of_state(const struct letter_record *record)
{
    bool interrupted =
        record->replay.phase == LETTER_PHASE_SENDING && !text_present(record->edited_to);
    switch (record->state) {
    case LETTER_OPEN: break;
    case LETTER_RESOLVED:
    case LETTER_DISCARDED: return REPLAY_OBSTACLE_CLOSED;
    case LETTER_REPLAYED:
        return interrupted ? REPLAY_OBSTACLE_INTERRUPTED : REPLAY_OBSTACLE_PENDING;
    }
    return REPLAY_OBSTACLE_NONE;
}

static bool is_read(struct text command)
{
    enum command_kind kind;
    return command_parse(command, &kind) && command_mode(kind) == MODE_READ;
}

/* Workers store a letter without the digest of a body for a message that they could not read. */
static enum replay_obstacle obstacle_of_message(const struct letter *letter,
                                                const struct settings *settings)
{
    if (!text_present(letter->body_sha256))
        return REPLAY_OBSTACLE_NO_MESSAGE;
    if (is_read(letter->command))
        return REPLAY_OBSTACLE_READ;
    if (letter->body_dropped)
        return REPLAY_OBSTACLE_NO_BODY;
    if (letter->body.length < letter->body_size)
        return REPLAY_OBSTACLE_TRUNCATED;
    if (settings->security_trust_user_id && letter->principal.length == 0)
        return REPLAY_OBSTACLE_NO_PRINCIPAL;
    return REPLAY_OBSTACLE_NONE;
}

static enum replay_obstacle obstacle_of_key(const struct letter_record *record,
                                            const struct settings *settings, int64_t now_ms)
{
    struct key key = key_of(record);
    if (!message_id_is_valid(key.text))
        return REPLAY_OBSTACLE_NO_KEY;
    return has_expired(&key, settings, now_ms) ? REPLAY_OBSTACLE_KEY_EXPIRED : REPLAY_OBSTACLE_NONE;
}

enum replay_obstacle replay_obstacle(const struct letter_record *record,
                                     const struct replay_options *options,
                                     const struct settings *settings, int64_t now_ms)
{
    enum replay_obstacle obstacle = obstacle_of_state(record);
    if (obstacle == REPLAY_OBSTACLE_NONE)
        obstacle = obstacle_of_message(&record->letter, settings);
    if (obstacle == REPLAY_OBSTACLE_NONE && !options->new_key)
        obstacle = obstacle_of_key(record, settings, now_ms);
    return obstacle;
}

/* --- the message ---------------------------------------------------------------------------- */

/* A header that is no integer is left out: the command would be invalid with it. */
static void add_deadline(struct outgoing *outgoing, struct outgoing_header *headers,
                         struct text raw_headers)
{
    struct delivery original = {.raw_headers = raw_headers};
    field_table_read_delivery(&original);
    if (original.deadline != HEADER_INTEGER)
        return;
    headers[outgoing->header_count++] = (struct outgoing_header){
        .name = "x-allot-deadline", .kind = OUTGOING_INTEGER, .integer = original.deadline_ms};
}

static void add_traceparent(struct outgoing *outgoing, struct outgoing_header *headers,
                            struct text traceparent)
{
    if (!text_present(traceparent))
        return;
    headers[outgoing->header_count++] =
        (struct outgoing_header){.name = "traceparent", .kind = OUTGOING_TEXT, .text = traceparent};
}

struct outgoing replay_message(const struct letter_record *record,
                               const struct replay_options *options, struct text key,
                               const struct settings *settings, struct arena *arena)
{
    const struct letter *letter = &record->letter;
    const struct properties *original = &letter->properties;
    struct outgoing_header *headers = ARENA_ARRAY(arena, struct outgoing_header, HEADERS_MAX);
    struct outgoing outgoing = {
        .exchange = settings->amqp_exchange,
        .routing_key = settings->amqp_queue,
        .mandatory = true,
        .properties = {.content_type = original->content_type,
                       .content_encoding = original->content_encoding,
                       .correlation_id = original->correlation_id,
                       .message_id = key},
        .headers = headers,
        .body = letter->body,
    };
    if (settings->security_trust_user_id)
        outgoing.properties.user_id = letter->principal;
    if (options->keep_reply_to)
        outgoing.properties.reply_to = original->reply_to;
    if (options->keep_expiration)
        outgoing.properties.expiration = original->expiration;
    add_traceparent(&outgoing, headers, letter->traceparent);
    if (options->keep_deadline)
        add_deadline(&outgoing, headers, letter->raw_headers);
    return outgoing;
}
