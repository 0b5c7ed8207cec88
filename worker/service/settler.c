/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A job goes through the stages of SETTLE_STAGES: REPLY, DEAD_LETTER, DONE. The disposition
 * of its verdict decides which of the first two it needs. In each stage the job is in one of two
 * places: in `due`, to be published now or after a pause; or in `slots`, published and waiting for
 * its confirm. The message's sequence number finds the job of a confirm, nack or return.
 *
 * Sections: slots; messages; stages; events; time; end of a connection.
 *
 * Guarantees:
 * - A delivery is acknowledged only after every message that it needs was confirmed, or its reply
 *   was given up as unroutable.
 * - A reply is given up after reply_max_attempts publishes. A dead letter is never given up: the
 *   command would be lost, so the delivery stays unacknowledged.
 * - A message may be published twice, if its confirm was late or lost. The repetition has the same
 *   message_id, unless the command had none.
 *
 * The headers of a dead letter are chosen here (publish_dead_letter). Not here: who gets a reply or
 * a dead letter (common/core/disposition.c), the encoding of bodies and headers (common/codec),
 * connecting again (lane.c).
 */
#include "worker/service/settler.h"

#include <assert.h>
#include <stdlib.h>

#include "allot/limits.h"
#include "common/base/memory.h"
#include "common/codec/outgoing_headers.h"
#include "common/codec/reply_encode.h"
#include "common/core/disposition.h"
#include "common/host/random.h"
#include "worker/service/events.h"

enum {
    SLOTS = 4096,
    REPLY_PAUSE_MS = 100,
    DEAD_LETTER_PAUSE_FIRST_MS = 100,
    DEAD_LETTER_PAUSE_MAX_MS = 10000,
    DEAD_LETTER_HEADERS_OPTIONAL = 3 /* x-allot-body-size, x-allot-body-sha256, traceparent */
};

/* After a pause of flow control, a new subscription may add its prefetch to the deliveries of the
   one before. */
_Static_assert(SLOTS > 2 * PREFETCH_MAX, "each delivery in flight needs a slot");

struct settler {
    struct settler_options options;
    struct job *slots[SLOTS]; /* waiting for a confirm; by sequence modulo SLOTS; owned */
    uint64_t sequence;        /* of the last message */
    size_t unconfirmed;       /* slots in use */
    struct job_queue due;     /* to be published, now or later */
    struct job_queue done;    /* to be reaped */
    bool blocked;             /* the broker asked not to publish (connection.blocked) */
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

/* --- slots ---------------------------------------------------------------------------------- */

/* Gives the job the next sequence whose slot is free. */
static void assign_sequence(struct settler *settler, struct job *job)
{
    assert(settler->unconfirmed < SLOTS);
    do
        settler->sequence++;
    while (settler->slots[settler->sequence % SLOTS] != NULL);
    settler->slots[settler->sequence % SLOTS] = job;
    settler->unconfirmed++;
    job->sequence = settler->sequence;
}

/* Returns NULL if nothing waits for this message any more: its confirm was overdue. */
static struct job *find(const struct settler *settler, uint64_t sequence)
{
    struct job *job = settler->slots[sequence % SLOTS];
    return job != NULL && job->sequence == sequence ? job : NULL;
}

static void release_slot(struct settler *settler, struct job *job)
{
    settler->slots[job->sequence % SLOTS] = NULL;
    settler->unconfirmed--;
    job->sequence = 0;
}

/* --- messages ------------------------------------------------------------------------------- */

/* Returns the same id for each repetition of a reply. Without a key, repetitions of a command
   cannot be recognized, so the id is random. */
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

static int64_t cut_size(const struct job *job)
{
    uint64_t size = job->delivery.cut_size;
    return size > INT64_MAX ? INT64_MAX : (int64_t)size;
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
        .kind = OUTGOING_DEAD_LETTER,
        .sequence = job->sequence,
        .exchange = settler->options.dead_letter_exchange,
        .routing_key = settler->options.queue,
        .mandatory = true,
        .properties = job->delivery.properties,
        .raw_headers = outgoing_headers_original(job->arena, job->delivery.raw_headers),
        .headers = headers,
        .header_count = header_count,
        .body = job->delivery.body,
    };
    /* The broker rejects a user_id that is not the worker's. */
    letter.properties.user_id = TEXT_NONE;
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

/* --- stages --------------------------------------------------------------------------------- */

static enum event end_event(const struct job *job)
{
    if (job->code == VERDICT_FORBIDDEN)
        return EVENT_AUDIT_DENIED;
    return job->code == VERDICT_SUCCESS ? EVENT_COMMAND_SUCCEEDED : EVENT_COMMAND_FAILED;
}

static void log_end(const struct settler *settler, const struct job *job)
{
    const struct request *request = &job->decoded.request;
    bool success = job->code == VERDICT_SUCCESS;
    enum event event = end_event(job);
    event_log_at(
        job->dead_letter ? LOG_LEVEL_WARNING : event_level(event), event,
        LOG_FIELDS(LOG_T("principal", request->principal), LOG_T("message_id", request->key),
                   LOG_T("command", job->decoded.command), LOG_S("code", verdict_name(job->code)),
                   LOG_I("replayed", job->replayed), LOG_I("dead_letter", job->dead_letter),
                   LOG_I("duration_ms", now(settler) - job->received_ms),
                   LOG_T("traceparent", job->delivery.traceparent)),
        "%.*s", TEXT_ARGS(success ? text_of("command succeeded") : job->detail));
}

static void count_end(const struct settler *settler, const struct job *job)
{
    struct counters *counters = settler->options.counters;
    bool success = job->code == VERDICT_SUCCESS;
    counter_add(counters, success ? COUNTER_COMMANDS_SUCCEEDED : COUNTER_COMMANDS_FAILED, 1);
    counter_add(counters, COUNTER_COMMANDS_REPLAYED, job->replayed);
    counter_add(counters, COUNTER_DELIVERIES_ACKNOWLEDGED, 1);
}

static enum transport_status acknowledge(struct settler *settler, struct job *job,
                                         struct error *error)
{
    job->stage = SETTLE_DONE;
    log_end(settler, job);
    count_end(settler, job);
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

static void log_unroutable(const struct job *job)
{
    event_log(EVENT_REPLY_UNROUTABLE,
              LOG_FIELDS(LOG_T("message_id", job->decoded.request.key),
                         LOG_T("reply_to", job->decoded.request.reply_to)),
              "success reply is unroutable; the outcome remains recorded");
}

/* Continues after the reply was confirmed (`routed`), or given up as unroutable. */
static enum transport_status finish_reply(struct settler *settler, struct job *job, bool routed,
                                          struct error *error)
{
    counter_add(settler->options.counters,
                routed ? COUNTER_REPLIES_PUBLISHED : COUNTER_REPLIES_UNROUTABLE, 1);
    if (!routed && disposition_dead_letter_if_unroutable(job->code))
        job->dead_letter = true;
    else if (!routed)
        log_unroutable(job);
    if (!job->dead_letter)
        return acknowledge(settler, job, error);
    schedule_stage(settler, job, SETTLE_DEAD_LETTER);
    return TRANSPORT_OK;
}

static enum transport_status finish_dead_letter(struct settler *settler, struct job *job,
                                                struct error *error)
{
    counter_add(settler->options.counters, COUNTER_DEAD_LETTERS_PUBLISHED, 1);
    return acknowledge(settler, job, error);
}

static int64_t dead_letter_pause(unsigned tries)
{
    int64_t pause = DEAD_LETTER_PAUSE_FIRST_MS;
    for (unsigned i = 1; i < tries && pause < DEAD_LETTER_PAUSE_MAX_MS; i++)
        pause *= 2;
    return pause < DEAD_LETTER_PAUSE_MAX_MS ? pause : DEAD_LETTER_PAUSE_MAX_MS;
}

/* Schedules the message again after `pause_ms`. */
static void retry_publish(struct settler *settler, struct job *job, const char *reason,
                          int64_t pause_ms)
{
    bool reply = job->stage == SETTLE_REPLY;
    event_log(reply ? EVENT_REPLY_PUBLISH_FAILED : EVENT_DEAD_LETTER_PUBLISH_FAILED,
              LOG_FIELDS(LOG_T("message_id", job->decoded.request.key), LOG_S("reason", reason),
                         LOG_I("tries", job->tries), LOG_I("retry_in_ms", pause_ms)),
              reply ? "cannot publish the reply; retrying"
                    : "cannot publish the dead letter; keeping the command and retrying");
    job->due_ms = now(settler) + pause_ms;
    job_queue_push(&settler->due, job);
}

/* Retries a message that was nacked, returned or not confirmed; gives up a reply that was published
   reply_max_attempts times. */
static enum transport_status on_publish_failed(struct settler *settler, struct job *job,
                                               const char *reason, struct error *error)
{
    release_slot(settler, job);
    counter_add(settler->options.counters, COUNTER_PUBLISHES_FAILED, 1);
    if (job->stage == SETTLE_DEAD_LETTER)
        retry_publish(settler, job, reason, dead_letter_pause(job->tries));
    else if (job->tries < settler->options.reply_max_attempts)
        retry_publish(settler, job, reason, REPLY_PAUSE_MS);
    else
        return finish_reply(settler, job, false, error);
    return TRANSPORT_OK;
}

/* The broker confirms a returned message as well: it has handled it. */
static enum transport_status on_confirmed(struct settler *settler, struct job *job,
                                          struct error *error)
{
    if (job->returned && job->stage == SETTLE_DEAD_LETTER)
        return on_publish_failed(settler, job, "returned as unroutable", error);
    release_slot(settler, job);
    if (job->stage == SETTLE_REPLY)
        return finish_reply(settler, job, !job->returned, error);
    return finish_dead_letter(settler, job, error);
}

enum transport_status settler_settle(struct settler *settler, struct job *job, struct error *error)
{
    struct disposition disposition = disposition_of(job->code, job->reply_allowed);
    job->dead_letter = disposition.dead_letter;
    if (text_present(job->decoded.request.reply_to) && !job->reply_allowed)
        event_log(EVENT_REPLY_NOT_ALLOWED,
                  LOG_FIELDS(LOG_T("principal", job->decoded.request.principal),
                             LOG_T("reply_to", job->decoded.request.reply_to)),
                  "the policy does not allow this reply_to; dropping the reply");
    if (disposition.reply)
        schedule_stage(settler, job, SETTLE_REPLY);
    else if (disposition.dead_letter)
        schedule_stage(settler, job, SETTLE_DEAD_LETTER);
    else
        return acknowledge(settler, job, error);
    return TRANSPORT_OK;
}

/* --- events --------------------------------------------------------------------------------- */

static bool has_kind(const struct job *job, enum outgoing_kind kind)
{
    return (job->stage == SETTLE_REPLY) == (kind == OUTGOING_REPLY);
}

/* Fails all unconfirmed messages of one kind, because their channel was closed. */
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

/* Handles a confirm, nack or return. A return is only noted: the confirm follows it. */
static enum transport_status
handle_confirm(struct settler *settler, const struct transport_event *event, struct error *error)
{
    struct job *job = find(settler, event->sequence);
    if (job == NULL)
        return TRANSPORT_OK;
    if (event->kind == TRANSPORT_CONFIRMED)
        return on_confirmed(settler, job, error);
    if (event->kind == TRANSPORT_NACKED)
        return on_publish_failed(settler, job, "nacked by the broker", error);
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
    case TRANSPORT_CANCELLED:
    case TRANSPORT_UNREADABLE: return TRANSPORT_OK;
    }
    return TRANSPORT_OK;
}

/* --- time ----------------------------------------------------------------------------------- */

static void lower_wait(int64_t *wait_ms, int64_t due_ms, int64_t now_ms)
{
    int64_t rest = due_ms > now_ms ? due_ms - now_ms : 0;
    if (*wait_ms < 0 || rest < *wait_ms)
        *wait_ms = rest;
}

/* Fails messages whose confirm is overdue. */
static enum transport_status time_out_confirms(struct settler *settler, int64_t *wait_ms,
                                               struct error *error)
{
    int64_t now_ms = now(settler);
    for (size_t i = 0; i < SLOTS && settler->unconfirmed > 0; i++) {
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

/* While the broker blocks publishing, nothing is published, and no confirm is overdue. */
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

/* --- end of a connection -------------------------------------------------------------------- */

/* The command is redelivered, so its attempt record is withdrawn alone, and those of crashed
   workers stay: `answered` would delete them all. */
static void drop(struct job *job, struct job_queue *ret_jobs)
{
    event_log(EVENT_DELIVERY_DROPPED,
              LOG_FIELDS(LOG_T("message_id", job->decoded.request.key),
                         LOG_S("stage", settle_stage_name(job->stage))),
              "connection ended before the delivery was acknowledged; it will be redelivered");
    job->answered = false;
    job_queue_push(ret_jobs, job);
}

void settler_abandon(struct settler *settler, struct job_queue *ret_jobs)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct job *job = settler->slots[i];
        if (job == NULL)
            continue;
        release_slot(settler, job);
        drop(job, ret_jobs);
    }
    for (struct job *job = job_queue_pop(&settler->due); job != NULL;
         job = job_queue_pop(&settler->due))
        drop(job, ret_jobs);
    settler->blocked = false;
}

size_t settler_count(const struct settler *settler)
{
    return settler->unconfirmed + settler->due.count;
}
