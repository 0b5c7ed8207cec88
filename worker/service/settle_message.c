/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/settle_message.h"

#include "common/codec/reply_encode.h"
#include "common/host/random.h"
#include "worker/service/destination.h"

enum {
    OVERHEAD_BYTES = 300,            /* of the method, the properties and the headers */
    DEAD_LETTER_HEADERS_OPTIONAL = 3 /* x-allot-body-size, x-allot-body-sha256, traceparent */
};

size_t settle_message_bytes(const struct job *job)
{
    if (job->stage == SETTLE_REPLY)
        return job->body.length + OVERHEAD_BYTES;
    return job->delivery.body.length + job->delivery.raw_headers.length + OVERHEAD_BYTES;
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

static int64_t cut_size(const struct job *job)
{
    uint64_t size = job->delivery.cut_size;
    return size > INT64_MAX ? INT64_MAX : (int64_t)size;
}

static enum transport_status publish_dead_letter(const struct settler_options *options,
                                                 struct job *job, struct error *error)
{
    struct clock *clock = options->clock;
    struct text principal = job->decoded.request.principal;
    struct outgoing_header headers[] = {
        {.name = "x-allot-reason", .kind = OUTGOING_TEXT, .text = text_of(verdict_name(job->code))},
        {.name = "x-allot-detail", .kind = OUTGOING_TEXT, .text = job->detail},
        {.name = "x-allot-principal",
         .kind = OUTGOING_TEXT,
         .text = text_present(principal) ? principal : text_of("")},
        {.name = "x-allot-queue", .kind = OUTGOING_TEXT, .text = options->queue},
        {.name = "x-allot-worker", .kind = OUTGOING_TEXT, .text = options->worker},
        {.name = "x-allot-dead-at", .kind = OUTGOING_INTEGER, .integer = clock->wall_ms(clock)},
        /* Those below are added only if the command has them. */
        {.name = NULL},
        {.name = NULL},
        {.name = NULL},
    };
    size_t header_count = sizeof headers / sizeof headers[0] - DEAD_LETTER_HEADERS_OPTIONAL;
    if (job->delivery.cut_size > 0) {
        headers[header_count++] = (struct outgoing_header){
            .name = "x-allot-body-size", .kind = OUTGOING_INTEGER, .integer = cut_size(job)};
        headers[header_count++] = (struct outgoing_header){.name = "x-allot-body-sha256",
                                                           .kind = OUTGOING_TEXT,
                                                           .text = job->delivery.body_sha256};
    }
    if (text_present(job->delivery.traceparent))
        headers[header_count++] = (struct outgoing_header){
            .name = "traceparent", .kind = OUTGOING_TEXT, .text = job->delivery.traceparent};
    struct outgoing letter = {
        .route = job->route,
        .sequence = job->sequence,
        .exchange = options->dead_letter_exchange,
        .routing_key = options->queue,
        .mandatory = true,
        .properties = job->delivery.properties,
        .raw_headers = job->delivery.raw_headers,
        .headers = headers,
        .header_count = header_count,
        .body = job->delivery.body,
    };
    /* The broker rejects a user_id that is not the worker's. */
    letter.properties.user_id = TEXT_NONE;
    letter.properties.expiration = TEXT_NONE;
    return options->transport->ops->publish(options->transport, &letter, error);
}

enum transport_status settle_message_publish(const struct settler_options *options, struct job *job,
                                             struct error *error)
{
    return job->stage == SETTLE_REPLY ? publish_reply(options, job, error)
                                      : publish_dead_letter(options, job, error);
}
