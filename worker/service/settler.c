/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/settler.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/codec/reply_encode.h"
#include "common/core/disposition.h"
#include "common/host/log.h"
#include "common/host/random.h"

enum { SLOTS = 4096, FIRST_PAUSE_MS = 100, PAUSE_MAX_MS = 10000, REPLY_PAUSE_MS = 100 };

struct settler {
    struct settler_options options;
    struct job *slots[SLOTS]; /* in flight, by sequence */
    uint64_t sequence;
    size_t in_flight;
    struct job_queue due; /* to be published, now or later */
    struct job_queue done;
    bool blocked;
};

struct settler *settler_new(const struct settler_options *options)
{
    struct settler *settler = MEMORY_NEW(struct settler);
    settler->options = *options;
    return settler;
}

void settler_free(struct settler *settler)
{
    if (settler == NULL)
        return;
    struct job_queue jobs = {0};
    settler_abandon(settler, &jobs);
    job_queue_append(&jobs, &settler->done);
    job_queue_free_all(&jobs);
    free(settler);
}

static int64_t now(const struct settler *settler)
{
    return settler->options.clock->monotonic_ms(settler->options.clock);
}

/* A sequence whose slot is free; there are more slots than deliveries that may be in flight. */
static void assign_sequence(struct settler *settler, struct job *job)
{
    assert(settler->in_flight < SLOTS);
    do
        settler->sequence++;
    while (settler->slots[settler->sequence % SLOTS] != NULL);
    settler->slots[settler->sequence % SLOTS] = job;
    settler->in_flight++;
    job->sequence = settler->sequence;
}

/* NULL: an answer to a message that is not waited for any more. */
static struct job *find(const struct settler *settler, uint64_t sequence)
{
    struct job *job = settler->slots[sequence % SLOTS];
    return job != NULL && job->sequence == sequence ? job : NULL;
}

static void release_slot(struct settler *settler, struct job *job)
{
    settler->slots[job->sequence % SLOTS] = NULL;
    settler->in_flight--;
    job->sequence = 0;
}

/* --- messages ------------------------------------------------------------------------------- */

/* The same for each repetition of an answer; without a key nothing says what repeats: random. */
static struct text message_id(const struct job *job)
{
    const struct request *request = &job->decoded.request;
    if (text_present(request->key))
        return reply_message_id(job->arena, request->principal, request->key);
    return text_copy(job->arena, text_of(uuid_format(random_uuid()).chars));
}

static enum transport_status publish_reply(struct settler *settler, struct job *job,
                                           struct error *error)
{
    const struct properties *asked = &job->delivery.properties;
    const struct request *request = &job->decoded.request;
    struct outgoing_header headers[2] = {
        {.name = "x-allot-replayed", .kind = OUTGOING_BOOL, .integer = job->replayed},
        {.name = "traceparent", .kind = OUTGOING_TEXT, .text = job->delivery.traceparent},
    };
    struct outgoing reply = {
        .kind = OUTGOING_REPLY,
        .sequence = job->sequence,
        .exchange = text_of(""),
        .routing_key = request->reply_to,
        .mandatory = !text_starts_with(request->reply_to, "amq.rabbitmq.reply-to."),
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
    return settler->options.transport->ops->publish(settler->options.transport, &reply, error);
}

static enum transport_status publish_dead_letter(struct settler *settler, struct job *job,
                                                 struct error *error)
{
    struct clock *clock = settler->options.clock;
    struct text principal = job->decoded.request.principal;
    struct outgoing_header headers[] = {
        {.name = "x-allot-reason", .kind = OUTGOING_TEXT, .text = text_of(verdict_name(job->code))},
        {.name = "x-allot-detail", .kind = OUTGOING_TEXT, .text = job->detail},
        {.name = "x-allot-principal",
         .kind = OUTGOING_TEXT,
         .text = text_present(principal) ? principal : text_of("")},
        {.name = "x-allot-queue", .kind = OUTGOING_TEXT, .text = settler->options.queue},
        {.name = "x-allot-worker", .kind = OUTGOING_TEXT, .text = settler->options.worker},
        {.name = "x-allot-dead-at", .kind = OUTGOING_INTEGER, .integer = clock->wall_ms(clock)},
        {.name = "traceparent", .kind = OUTGOING_TEXT, .text = job->delivery.traceparent},
    };
    size_t header_count = sizeof headers / sizeof headers[0];
    struct outgoing letter = {
        .kind = OUTGOING_DEAD_LETTER,
        .sequence = job->sequence,
        .exchange = settler->options.dead_letter_exchange,
        .routing_key = settler->options.queue,
        .mandatory = true,
        .properties = job->delivery.properties,
        .raw_headers = job->delivery.raw_headers,
        .headers = headers,
        .header_count = text_present(job->delivery.traceparent) ? header_count : header_count - 1,
        .body = job->delivery.body,
    };
    letter.properties.user_id = TEXT_NONE; /* the broker would refuse another's */
    letter.properties.expiration = TEXT_NONE;
    return settler->options.transport->ops->publish(settler->options.transport, &letter, error);
}

static enum transport_status publish(struct settler *settler, struct job *job, struct error *error)
{
    assign_sequence(settler, job);
    job->returned = false;
    job->due_ms = now(settler) + settler->options.confirm_timeout_ms;
    job->tries++;
    return job->stage == SETTLE_REPLY ? publish_reply(settler, job, error)
                                      : publish_dead_letter(settler, job, error);
}

/* --- from stage to stage -------------------------------------------------------------------- */

static void log_end(const struct job *job)
{
    const struct request *request = &job->decoded.request;
    const char *event = job->code == VERDICT_SUCCESS ? "command.succeeded" : "command.failed";
    /* A line for each success would be most of a busy worker's log. */
    enum log_level level = job->code == VERDICT_SUCCESS ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    if (job->code == VERDICT_FORBIDDEN)
        event = "audit.denied";
    if (job->dead_letter || job->code == VERDICT_FORBIDDEN)
        level = LOG_LEVEL_WARNING;
    log_write(level, event,
              LOG_FIELDS(LOG_T("principal", request->principal), LOG_T("message_id", request->key),
                         LOG_T("command", job->decoded.command),
                         LOG_S("code", verdict_name(job->code)), LOG_I("replayed", job->replayed),
                         LOG_I("dead_letter", job->dead_letter),
                         LOG_T("traceparent", job->delivery.traceparent)),
              "%.*s", TEXT_ARGS(job->code == VERDICT_SUCCESS ? text_of("answered") : job->detail));
}

static enum transport_status acknowledge(struct settler *settler, struct job *job,
                                         struct error *error)
{
    job->stage = SETTLE_DONE;
    log_end(job);
    uint64_t tag = job->delivery.tag;
    job_queue_push(&settler->done, job);
    return settler->options.transport->ops->ack(settler->options.transport, tag, error);
}

static void schedule_stage(struct settler *settler, struct job *job, enum settle_stage stage)
{
    job->stage = stage;
    job->tries = 0;
    job->due_ms = now(settler);
    job_queue_push(&settler->due, job);
}

/* The reply is through, or nobody will ever take it. */
static enum transport_status finish_reply(struct settler *settler, struct job *job, bool heard,
                                          struct error *error)
{
    if (!heard && disposition_dead_letter_if_unroutable(job->code)) {
        job->dead_letter = true;
    } else if (!heard) {
        log_write(LOG_LEVEL_WARNING, "reply.unroutable",
                  LOG_FIELDS(LOG_T("message_id", job->decoded.request.key),
                             LOG_T("reply_to", job->decoded.request.reply_to)),
                  "nobody takes the reply of a success; the outcome is on record");
    }
    if (!job->dead_letter)
        return acknowledge(settler, job, error);
    schedule_stage(settler, job, SETTLE_DEAD_LETTER);
    return TRANSPORT_OK;
}

static int64_t dead_letter_pause(unsigned tries)
{
    int64_t pause = FIRST_PAUSE_MS;
    for (unsigned i = 1; i < tries && pause < PAUSE_MAX_MS; i++)
        pause *= 2;
    return pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
}

/* The broker did not take the message in flight. */
static enum transport_status on_publish_failed(struct settler *settler, struct job *job,
                                               const char *why, struct error *error)
{
    if (job->sequence != 0)
        release_slot(settler, job);
    if (job->stage == SETTLE_REPLY) {
        if (job->tries >= settler->options.reply_max_attempts)
            return finish_reply(settler, job, false, error);
        job->due_ms = now(settler) + REPLY_PAUSE_MS;
    } else {
        log_write(LOG_LEVEL_ERROR, "dead_letter.on_publish_failed",
                  LOG_FIELDS(LOG_T("message_id", job->decoded.request.key), LOG_S("reason", why)),
                  "the dead letter was not taken; the original stays, and it is tried again");
        job->due_ms = now(settler) + dead_letter_pause(job->tries);
    }
    job_queue_push(&settler->due, job);
    return TRANSPORT_OK;
}

static enum transport_status on_confirmed(struct settler *settler, struct job *job,
                                          struct error *error)
{
    if (job->returned && job->stage == SETTLE_DEAD_LETTER)
        return on_publish_failed(settler, job, "returned as unroutable", error);
    release_slot(settler, job);
    if (job->stage == SETTLE_REPLY)
        return finish_reply(settler, job, !job->returned, error);
    return acknowledge(settler, job, error);
}

enum transport_status settler_settle(struct settler *settler, struct job *job, struct error *error)
{
    struct disposition disposition = disposition_of(job->code, job->reply_allowed);
    job->dead_letter = disposition.dead_letter;
    if (text_present(job->decoded.request.reply_to) && !job->reply_allowed)
        log_write(LOG_LEVEL_WARNING, "reply.not_allowed",
                  LOG_FIELDS(LOG_T("principal", job->decoded.request.principal),
                             LOG_T("reply_to", job->decoded.request.reply_to)),
                  "the policy does not allow this reply_to: the reply is dropped");
    if (disposition.reply)
        schedule_stage(settler, job, SETTLE_REPLY);
    else if (disposition.dead_letter)
        schedule_stage(settler, job, SETTLE_DEAD_LETTER);
    else
        return acknowledge(settler, job, error);
    return TRANSPORT_OK;
}

static bool has_kind(const struct job *job, enum outgoing_kind kind)
{
    return (job->stage == SETTLE_REPLY) == (kind == OUTGOING_REPLY);
}

static enum transport_status fail_unconfirmed(struct settler *settler, enum outgoing_kind kind,
                                              const char *reason, struct error *error)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct job *job = settler->slots[i];
        if (job == NULL || !has_kind(job, kind))
            continue;
        enum transport_status status = on_publish_failed(settler, job, reason, error);
        if (status != TRANSPORT_OK)
            return status;
    }
    return TRANSPORT_OK;
}

static enum transport_status
handle_confirm(struct settler *settler, const struct transport_event *event, struct error *error)
{
    struct job *job = find(settler, event->sequence);
    if (job == NULL)
        return TRANSPORT_OK;
    if (event->kind == TRANSPORT_CONFIRMED)
        return on_confirmed(settler, job, error);
    if (event->kind == TRANSPORT_NACKED)
        return on_publish_failed(settler, job, "refused by the broker", error);
    job->returned = true;
    return TRANSPORT_OK;
}

enum transport_status settler_event(struct settler *settler, const struct transport_event *event,
                                    struct error *error)
{
    switch (event->kind) {
    case TRANSPORT_CONFIRMED:
    case TRANSPORT_NACKED:
    case TRANSPORT_RETURNED: return handle_confirm(settler, event, error);
    case TRANSPORT_CONFIRMS_LOST:
        return fail_unconfirmed(settler, event->outgoing_kind, event->reason, error);
    case TRANSPORT_BLOCKED: settler->blocked = true; return TRANSPORT_OK;
    case TRANSPORT_UNBLOCKED: settler->blocked = false; return TRANSPORT_OK;
    case TRANSPORT_DELIVERY:
    case TRANSPORT_CANCELLED: return TRANSPORT_OK;
    }
    return TRANSPORT_OK;
}

static void lower_wait(int64_t *wait_ms, int64_t due_ms, int64_t now_ms)
{
    int64_t rest = due_ms > now_ms ? due_ms - now_ms : 0;
    if (*wait_ms < 0 || rest < *wait_ms)
        *wait_ms = rest;
}

/* While the broker asks not to publish, no confirm is late either. */
static enum transport_status time_out_confirms(struct settler *settler, int64_t *wait_ms,
                                               struct error *error)
{
    int64_t now_ms = now(settler);
    for (size_t i = 0; i < SLOTS && settler->in_flight > 0; i++) {
        struct job *job = settler->slots[i];
        if (job == NULL)
            continue;
        if (job->due_ms > now_ms) {
            lower_wait(wait_ms, job->due_ms, now_ms);
            continue;
        }
        enum transport_status status =
            on_publish_failed(settler, job, "not confirmed in time", error);
        if (status != TRANSPORT_OK)
            return status;
    }
    return TRANSPORT_OK;
}

static enum transport_status publish_due(struct settler *settler, int64_t *wait_ms,
                                         struct error *error)
{
    int64_t now_ms = now(settler);
    for (size_t left = settler->due.count; left > 0; left--) {
        struct job *job = job_queue_pop(&settler->due);
        if (job->due_ms > now_ms) {
            lower_wait(wait_ms, job->due_ms, now_ms);
            job_queue_push(&settler->due, job);
            continue;
        }
        enum transport_status status = publish(settler, job, error);
        if (status != TRANSPORT_OK)
            return status;
    }
    return TRANSPORT_OK;
}

enum transport_status settler_tick(struct settler *settler, int64_t *ret_wait_ms,
                                   struct error *error)
{
    int64_t wait_ms = -1;
    enum transport_status status = TRANSPORT_OK;
    if (!settler->blocked)
        status = time_out_confirms(settler, &wait_ms, error);
    if (status == TRANSPORT_OK && !settler->blocked)
        status = publish_due(settler, &wait_ms, error);
    *ret_wait_ms = wait_ms;
    return status;
}

void settler_reap(struct settler *settler, struct job_queue *ret_jobs)
{
    job_queue_append(ret_jobs, &settler->done);
}

void settler_abandon(struct settler *settler, struct job_queue *ret_jobs)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct job *job = settler->slots[i];
        if (job == NULL)
            continue;
        release_slot(settler, job);
        job->answered = false; /* it will come again: its mark is not forgotten, but taken back */
        job_queue_push(ret_jobs, job);
    }
    for (struct job *job = job_queue_pop(&settler->due); job != NULL;
         job = job_queue_pop(&settler->due)) {
        job->answered = false;
        job_queue_push(ret_jobs, job);
    }
    settler->blocked = false;
}

size_t settler_count(const struct settler *settler)
{
    return settler->in_flight + settler->due.count;
}
