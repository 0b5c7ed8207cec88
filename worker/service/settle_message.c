/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/settle_message.h"

#include "common/codec/reply_encode.h"
#include "common/host/random.h"
#include "worker/service/destination.h"

enum {
    OVERHEAD_BYTES = 300, /* of the method, the properties and the headers */
    DEAD_LETTER_HEADERS_MAX = 10
};

size_t settle_message_bytes(const struct job *job)
{
    if (job->stage == SETTLE_REPLY)
        return job->body.length + OVERHEAD_BYTES;
    return job->letter->body.length + job->letter->raw_headers.length + OVERHEAD_BYTES;
}

/* Returns the same id for each repetition of a reply. Without a key, repetitions of a command
   cannot be recognized, so the id is random. */
static struct text message_id(const struct job *job)
{
    const struct request *request = &job->decoded.request;
    if (text_present(request->key))
        return reply_message_id(job->arena, request->principal, request->key);
    return text_copy(job->arena, text_of(uuid_format(random_uuid()).chars));
}

static enum transport_status publish_reply(const struct settler_options *options, struct job *job,
                                           struct error *error)
{
    const struct properties *asked = &job->delivery.properties;
    const struct request *request = &job->decoded.request;
    struct outgoing_header headers[2] = {
        {.name = "x-allot-replayed", .kind = OUTGOING_BOOL, .integer = job->replayed},
        {.name = "traceparent", .kind = OUTGOING_TEXT, .text = job->delivery.traceparent},
    };
    struct outgoing reply = {
        .route = job->route,
        .sequence = job->sequence,
        .exchange = text_of(""),
        .routing_key = request->reply_to,
        .mandatory = !text_starts_with(request->reply_to, DIRECT_REPLY_PREFIX),
        .properties =
            {
                .content_type = text_of("application/json"),
                .correlation_id =
                    text_present(asked->correlation_id) ? asked->correlation_id : request->key,
                .message_id = message_id(job),
                .type = text_of("allot.reply"),
            },
        .headers = headers,
        .header_count = text_present(job->delivery.traceparent) ? 2 : 1,
        .body = job->body,
    };
    return options->transport->ops->publish(options->transport, &reply, error);
}

static int64_t body_size(const struct letter *letter)
{
    return letter->body_size > INT64_MAX ? INT64_MAX : (int64_t)letter->body_size;
}

static struct text text_or_empty(struct text text)
{
    return text_present(text) ? text : text_of("");
}

static void add(struct outgoing_header *headers, size_t *count, const char *name, struct text text)
{
    if (text_present(text))
        headers[(*count)++] =
            (struct outgoing_header){.name = name, .kind = OUTGOING_TEXT, .text = text};
}

static void add_integer(struct outgoing_header *headers, size_t *count, const char *name,
                        int64_t value)
{
    headers[(*count)++] =
        (struct outgoing_header){.name = name, .kind = OUTGOING_INTEGER, .integer = value};
}

/* Fills the worker's own headers of a dead letter, and returns their number. */
static size_t letter_headers(const struct letter *letter, bool stored,
                             struct outgoing_header *ret_headers)
{
    size_t count = 0;
    add(ret_headers, &count, "x-allot-reason", letter->reason);
    add(ret_headers, &count, "x-allot-detail", text_or_empty(letter->detail));
    add(ret_headers, &count, "x-allot-principal", text_or_empty(letter->principal));
    add(ret_headers, &count, "x-allot-queue", letter->queue);
    add(ret_headers, &count, "x-allot-worker", letter->worker);
    add_integer(ret_headers, &count, "x-allot-dead-at", letter->at_ms);
    if (stored)
        add(ret_headers, &count, "x-allot-letter", letter->id);
    if (letter->body_size > letter->body.length) {
        add_integer(ret_headers, &count, "x-allot-body-size", body_size(letter));
        add(ret_headers, &count, "x-allot-body-sha256", letter->body_sha256);
    }
    add(ret_headers, &count, "traceparent", letter->traceparent);
    return count;
}

static enum transport_status publish_dead_letter(const struct settler_options *options,
                                                 struct job *job, struct error *error)
{
    const struct letter *letter = job->letter;
    struct outgoing_header headers[DEAD_LETTER_HEADERS_MAX];
    struct outgoing outgoing = {
        .route = job->route,
        .sequence = job->sequence,
        .exchange = options->dead_letter_exchange,
        .routing_key = letter->queue,
        .mandatory = true,
        .properties = letter->properties,
        .raw_headers = letter->raw_headers,
        .headers = headers,
        .header_count = letter_headers(letter, job->letter_stored, headers),
        .body = letter->body,
    };
    /* The broker rejects a user_id that is not the worker's. */
    outgoing.properties.user_id = TEXT_NONE;
    outgoing.properties.expiration = TEXT_NONE;
    return options->transport->ops->publish(options->transport, &outgoing, error);
}

enum transport_status settle_message_publish(const struct settler_options *options, struct job *job,
                                             struct error *error)
{
    return job->stage == SETTLE_REPLY ? publish_reply(options, job, error)
                                      : publish_dead_letter(options, job, error);
}
