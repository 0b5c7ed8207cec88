/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A job goes through some of the stages of SETTLE_STAGES:
 *   REPLY        its reply is published. The disposition of its verdict says whether it has one
 *   LETTER       it waits in `unstored` for the database to store its letter
 *   DEAD_LETTER  its letter is not stored: its dead letter is published, then it is acknowledged
 *   PUBLISH      it has a stored letter and is acknowledged: then its dead letter is published
 * In a stage that publishes, the job is in one of two places. Either it waits: in `due` of its
 * route, or in the isolation of its destination (isolation.c). Or it is published: in `slots`, and
 * in the window of its route (settle_route.h). The message's sequence number finds the job of a
 * confirm, nack or return.
 *
 * Sections: routes; stages; failures of one message; the end of a route; confirms; time;
 * publishing; end of a connection.
 *
 * Guarantees:
 * - A delivery is acknowledged only after its reply was confirmed, or given up as unroutable; and,
 *   if it is dead-lettered, after its letter was stored or its dead letter was confirmed.
 * - A reply is given up after reply_max_attempts publishes, or when it is found to close
 *   connections (isolation.h), or when its destination is blamed and the replies of such
 *   destinations hold too much (settler_limit_blamed).
 * - A dead letter without a stored letter is never given up: the command would be lost, so the
 *   delivery stays unacknowledged. If the broker closes the route over it alone, it is held.
 * - The dead letter of a stored letter is given up when the broker closes the route over it alone
 *   (its fate is REFUSED), or left to a sweep (OPEN).
 * - What ends a route counts as an attempt of a message only where there is evidence against it. A
 *   route that ended for an outside reason, or for lack of a permission, costs no message an
 *   attempt: all are published again.
 * - A reply to one destination does not wait for another destination. If a reply on the main route
 *   is not confirmed for one second, the route begins anew, because the broker may have stopped to
 *   read it; and the destinations that were on it are tried one by one (isolation.c). The limit
 *   grows where the broker as a whole is slow (patience.c), so that it gets few repetitions.
 * - A message may be published twice. The repetition has the same message_id, unless the command
 *   had none.
 *
 * Not here: the messages themselves (settle_message.c), who gets a reply or a dead letter
 * (common/core/disposition.c), connecting again (lane.c, common/amqp/route.c).
 */
#include "worker/service/settler.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/codec/outgoing_headers.h"
#include "common/core/disposition.h"
#include "worker/service/events.h"
#include "worker/service/isolation.h"
#include "worker/service/job_letter.h"
#include "worker/service/patience.h"
#include "worker/service/settle_message.h"
#include "worker/service/settle_route.h"
#include "worker/service/slots.h"
#include "worker/service/unroutable_log.h"

enum {
    REPLY_PAUSE_MS = 100,
    LETTERS_MAX = 256,     /* to be published, in memory */
    UNSTORED_MAX = 64,     /* dead letters without a stored letter, at a time */
    LETTER_CLOSES_MAX = 2, /* of the route while one letter was alone on it: it is refused */
    LETTER_PAUSE_MAX_MS = 10000,
    REFUSED_PAUSE_MS = 600000, /* until a dead letter that has no letter is tried again */
    READY_PAUSE_MS = 20,       /* until a route that was not ready is asked again */
};

struct settler {
    struct settler_options options;
    struct slots slots;
    struct settle_route routes[ROUTE_COUNT];
    struct isolation isolation;
    struct isolation_load blamed_max; /* of blamed destinations; above, replies are given up */
    struct patience patience;
    struct unroutable_log unroutable_log;
    struct job_queue done;     /* to be reaped */
    struct job_queue unstored; /* to be reaped: their letters have to be stored */
    size_t without_letter;     /* jobs in the stage DEAD_LETTER */
    size_t without_letter_max;
    size_t publishing;       /* jobs in the stage PUBLISH */
    size_t publishing_bytes; /* what flow control counts for both */
};

struct settler *settler_new(const struct settler_options *options)
{
    struct settler *settler = MEMORY_NEW(struct settler);
    settler->options = *options;
    settler->blamed_max = (struct isolation_load){SIZE_MAX, SIZE_MAX};
    settler->without_letter_max = UNSTORED_MAX;
    settler->unroutable_log.destinations = &settler->isolation.destinations;
    patience_init(&settler->patience, options->confirm_timeout_ms);
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        settle_route_init(&settler->routes[i], (enum route)i);
    return settler;
}

void settler_free(struct settler *settler)
{
    if (settler == NULL)
        return;
    struct job_queue jobs = {0};
    settler_abandon(settler, &jobs);
    job_queue_append(&jobs, &settler->done);
    job_queue_append(&jobs, &settler->unstored);
    job_queue_free_all(&jobs);
    unroutable_log_end(&settler->unroutable_log);
    isolation_clear(&settler->isolation);
    free(settler);
}

void settler_limit_blamed(struct settler *settler, size_t count, size_t bytes)
{
    settler->blamed_max = (struct isolation_load){count, bytes};
}

void settler_limit_without_letter(struct settler *settler, size_t count)
{
    settler->without_letter_max = count < UNSTORED_MAX ? count : UNSTORED_MAX;
}

static int64_t now(const struct settler *settler)
{
    return settler->options.clock->monotonic_ms(settler->options.clock);
}

/* --- routes --------------------------------------------------------------------------------- */

/* Takes the job's message from the slots and from its window. */
static void release(struct settler *settler, struct job *job)
{
    window_remove(&settler->routes[job->route].window, job);
    slots_remove(&settler->slots, job);
}

/* Takes all messages of a route from the slots, oldest first. */
static void release_route(struct settler *settler, enum route route, struct job_queue *ret_jobs)
{
    struct window *window = &settler->routes[route].window;
    while (window->oldest != NULL) {
        struct job *job = window->oldest;
        release(settler, job);
        job_queue_push(ret_jobs, job);
    }
}

/* Takes all messages of a route that ended. Their publishes do not count. */
static void take_back(struct settler *settler, enum route route, struct job_queue *ret_jobs)
{
    release_route(settler, route, ret_jobs);
    for (struct job *job = ret_jobs->head; job != NULL; job = job->next)
        job->tries--;
}

static void route_failed(struct settler *settler, enum route route, const char *reason)
{
    settle_route_failed(&settler->routes[route], reason, now(settler));
}

static int64_t waited_ms(const struct settler *settler, const struct job *job)
{
    return now(settler) - job->published_ms;
}

static void route_confirmed(struct settler *settler, const struct job *job)
{
    settle_route_confirmed(&settler->routes[job->route]);
    if (job->stage == SETTLE_REPLY)
        patience_confirmed(&settler->patience, job->destination->owner, waited_ms(settler, job),
                           job->route != ROUTE_REPLIES);
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

static void finish(struct settler *settler, struct job *job)
{
    job->stage = SETTLE_DONE;
    job_queue_push(&settler->done, job);
}

/* Lets a dead letter wait to be published. Its headers are filtered once, not at each publish. */
static void schedule_dead_letter(struct settler *settler, struct job *job, enum settle_stage stage)
{
    struct text *headers = &job->letter->raw_headers;
    *headers = outgoing_headers_original(job->arena, *headers);
    job->stage = stage;
    job->tries = job->closes = 0;
    job->due_ms = now(settler);
    job_queue_push(&settler->routes[ROUTE_DEAD_LETTERS].due, job);
}

static bool bytes_fit(const struct settler *settler, const struct job *job)
{
    return settler->publishing_bytes + job->counted_bytes <= settler->options.letters_bytes_max;
}

/* Publishes the dead letter of a stored letter now, unless too many wait: those are left to a
   sweep. */
static void publish_letter(struct settler *settler, struct job *job)
{
    if (!settler->options.publish_letters)
        job->fate = FATE_PUBLISHED; /* so that it expires */
    if (!settler->options.publish_letters || settler->publishing >= LETTERS_MAX ||
        (settler->publishing > 0 && !bytes_fit(settler, job))) {
        finish(settler, job);
        return;
    }
    settler->publishing++;
    settler->publishing_bytes += job->counted_bytes;
    schedule_dead_letter(settler, job, SETTLE_PUBLISH);
}

/* Ends the publishing of a letter. With FATE_OPEN a sweep publishes it later. */
static void finish_publish(struct settler *settler, struct job *job, enum letter_fate fate)
{
    settler->publishing--;
    settler->publishing_bytes -= job->counted_bytes;
    job->fate = fate;
    finish(settler, job);
}

static enum transport_status acknowledge(struct settler *settler, struct job *job,
                                         struct error *error)
{
    uint64_t tag = job->delivery.tag;
    log_end(settler, job);
    count_end(settler, job);
    if (job->letter_stored)
        publish_letter(settler, job);
    else
        finish(settler, job);
    return settler->options.transport->ops->ack(settler->options.transport, tag, error);
}

/* Makes the letter of a job that cannot be stored. */
static void make_letter(struct settler *settler, struct job *job)
{
    const struct letter_origin origin = {settler->options.queue, settler->options.worker,
                                         job->refused_at_ms};
    job->letter = ARENA_NEW(job->arena, struct letter);
    *job->letter = job_letter(job, job->arena, &origin);
}

/* Gives the job back. The lane keeps its tag only, and requeues it later. */
static void hold(struct settler *settler, struct job *job, int64_t until_ms)
{
    job->held = true;
    job->held_until_ms = until_ms;
    job->answered = false;
    job_queue_push(&settler->done, job);
}

/* One is always taken. Where there are bytes left, the next one may have any size. */
size_t settler_room_without_letter(const struct settler *settler)
{
    size_t most = settler->without_letter_max;
    bool bytes_left = settler->publishing_bytes <= settler->options.letters_bytes_max / 2;
    if (settler->without_letter == 0)
        return most > 0 ? most : 1;
    return bytes_left && settler->without_letter < most ? most - settler->without_letter : 0;
}

/* Publishes the dead letter of a job that has no stored letter, and keeps the delivery until it is
   confirmed. While too many do that, the delivery is held. */
static void settle_without_letter(struct settler *settler, struct job *job)
{
    if (settler_room_without_letter(settler) == 0) {
        hold(settler, job, now(settler));
        return;
    }
    settler->without_letter++;
    settler->publishing_bytes += job->counted_bytes;
    make_letter(settler, job);
    schedule_dead_letter(settler, job, SETTLE_DEAD_LETTER);
}

static void end_without_letter(struct settler *settler, const struct job *job)
{
    settler->without_letter--;
    settler->publishing_bytes -= job->counted_bytes;
}

/* Continues with a command that is dead-lettered, after its reply. */
static enum transport_status settle_letter(struct settler *settler, struct job *job,
                                           struct error *error)
{
    if (job->letter_stored)
        return acknowledge(settler, job, error);
    if (job->letter_refused) {
        settle_without_letter(settler, job);
        return TRANSPORT_OK;
    }
    job->stage = SETTLE_LETTER;
    job_queue_push(&settler->unstored, job);
    return TRANSPORT_OK;
}

/* Lets a reply wait to be published: on the main route, or in isolation. */
static void enqueue_reply(struct settler *settler, struct job *job)
{
    if (isolation_applies(&settler->isolation, job->destination, now(settler)))
        isolation_wait(&settler->isolation, job);
    else
        job_queue_push(&settler->routes[ROUTE_REPLIES].due, job);
}

static void schedule_reply(struct settler *settler, struct job *job)
{
    job->stage = SETTLE_REPLY;
    job->tries = 0;
    job->due_ms = now(settler);
    isolation_add(&settler->isolation, job);
    enqueue_reply(settler, job);
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
        unroutable_log_add(&settler->unroutable_log, job, now(settler));
    isolation_remove(&settler->isolation, job);
    return job->dead_letter ? settle_letter(settler, job, error) : acknowledge(settler, job, error);
}

static enum transport_status finish_dead_letter(struct settler *settler, struct job *job,
                                                struct error *error)
{
    counter_add(settler->options.counters, COUNTER_DEAD_LETTERS_PUBLISHED, 1);
    if (job->stage == SETTLE_DEAD_LETTER) {
        end_without_letter(settler, job);
        return acknowledge(settler, job, error);
    }
    finish_publish(settler, job, FATE_PUBLISHED);
    return TRANSPORT_OK;
}

enum transport_status settler_settle(struct settler *settler, struct job *job, struct error *error)
{
    struct disposition disposition = disposition_of(job->code, job->reply_allowed);
    if (job->stage == SETTLE_LETTER)
        return settle_letter(settler, job, error);
    job->dead_letter = disposition.dead_letter;
    if (text_present(job->decoded.request.reply_to) && !job->reply_allowed)
        event_log(EVENT_REPLY_NOT_ALLOWED,
                  LOG_FIELDS(LOG_T("principal", job->decoded.request.principal),
                             LOG_T("reply_to", job->decoded.request.reply_to)),
                  "the policy does not allow this reply_to; dropping the reply");
    if (disposition.reply)
        schedule_reply(settler, job);
    else if (disposition.dead_letter)
        return settle_letter(settler, job, error);
    else
        return acknowledge(settler, job, error);
    return TRANSPORT_OK;
}

void settler_publish(struct settler *settler, struct job *job)
{
    publish_letter(settler, job);
}

/* --- failures of one message ---------------------------------------------------------------- */

/* Retries a reply that was nacked, or gives it up. */
static enum transport_status reply_failed(struct settler *settler, struct job *job,
                                          const char *reason, struct error *error)
{
    if (job->tries >= settler->options.reply_max_attempts)
        return finish_reply(settler, job, false, error);
    event_log(EVENT_REPLY_PUBLISH_FAILED,
              LOG_FIELDS(LOG_T("message_id", job->decoded.request.key), LOG_S("reason", reason),
                         LOG_I("tries", job->tries), LOG_I("retry_in_ms", REPLY_PAUSE_MS)),
              "cannot publish the reply; retrying");
    job->due_ms = now(settler) + REPLY_PAUSE_MS;
    enqueue_reply(settler, job);
    return TRANSPORT_OK;
}

/* Lets a dead letter that was nacked or returned wait behind the others, so that it does not keep
   them waiting if it is refused for a reason of its own. */
static void dead_letter_failed(struct settler *settler, struct job *job, const char *reason)
{
    route_failed(settler, ROUTE_DEAD_LETTERS, reason);
    if (job->stage == SETTLE_PUBLISH && job->counted_bytes > settler->options.letters_bytes_max) {
        finish_publish(settler, job, FATE_OPEN); /* it would hold the memory of many */
        return;
    }
    job->due_ms = now(settler) + settle_route_pause_ms(job->tries, LETTER_PAUSE_MAX_MS);
    job_queue_push(&settler->routes[ROUTE_DEAD_LETTERS].due, job);
}

/* --- the end of a route --------------------------------------------------------------------- */

/* Puts jobs in front of those that are due. */
static void publish_again(struct settler *settler, enum route route, struct job_queue *jobs)
{
    struct job_queue *due = &settler->routes[route].due;
    for (struct job *job = jobs->head; job != NULL; job = job->next)
        job->due_ms = now(settler);
    job_queue_append(jobs, due);
    *due = *jobs;
    *jobs = (struct job_queue){0};
}

static void log_silent(const struct destination *destination)
{
    event_log(EVENT_REPLY_QUEUE_SILENT,
              LOG_FIELDS(LOG_T("principal", destination->principal),
                         LOG_T("reply_to", destination->address)),
              "reply queue %.*s not confirming; its replies are paused, others continue",
              TEXT_ARGS(destination->address));
}

/* Marks a destination as silent, and says so once. */
static void silence(struct settler *settler, struct destination *destination)
{
    if (!destination->silent)
        log_silent(destination);
    isolation_silence(&settler->isolation, destination, now(settler));
}

/* Lets replies wait again. */
static void enqueue_again(struct settler *settler, struct job_queue *jobs)
{
    struct job_queue others = {0};
    for (struct job *job = job_queue_pop(jobs); job != NULL; job = job_queue_pop(jobs)) {
        if (job->destination->isolated)
            isolation_wait(&settler->isolation, job);
        else
            job_queue_push(&others, job);
    }
    publish_again(settler, ROUTE_REPLIES, &others);
}

/* All destinations whose replies were unconfirmed are suspects. A reply that was alone is charged.
 */
static void suspect_all(struct settler *settler, struct job_queue *jobs)
{
    if (jobs->count == 1)
        jobs->head->closes++;
    for (struct job *job = job_queue_pop(jobs); job != NULL; job = job_queue_pop(jobs))
        isolation_suspect(&settler->isolation, job);
}

static void replies_closed(struct settler *settler, struct job_queue *jobs, enum close_cause cause,
                           const char *reason)
{
    if (cause == CLOSE_MESSAGE || cause == CLOSE_MISSING) {
        suspect_all(settler, jobs);
        return;
    }
    enqueue_again(settler, jobs);
    if (cause == CLOSE_FORBIDDEN)
        route_failed(settler, ROUTE_REPLIES, reason);
}

static void refuse_letter(struct settler *settler, struct job *job, const char *reason)
{
    bool stored = job->stage == SETTLE_PUBLISH;
    job->refusal = text_copy(job->arena, text_of(reason != NULL ? reason : "closed"));
    event_log(EVENT_LETTER_UNPUBLISHABLE,
              LOG_FIELDS(LOG_T("letter", job->letter->id), LOG_T("reason", job->refusal)),
              stored ? "the broker closes the connection over this dead letter; it is not published"
                     : "the broker closes the connection over this dead letter, and its letter is "
                       "not stored; the command stays unacknowledged and is tried again later");
    if (stored) {
        finish_publish(settler, job, FATE_REFUSED);
        return;
    }
    end_without_letter(settler, job);
    hold(settler, job, now(settler) + REFUSED_PAUSE_MS);
}

/* The message was alone on the route, so it is blamed: its publish counts, and it waits behind the
   others. The second time it is refused. */
static void dead_letter_closed(struct settler *settler, struct job *job, const char *reason)
{
    job->tries++;
    job->closes++;
    if (job->closes >= LETTER_CLOSES_MAX)
        refuse_letter(settler, job, reason);
    else
        dead_letter_failed(settler, job, reason);
}

static void dead_letters_closed(struct settler *settler, struct job_queue *jobs,
                                enum close_cause cause, const char *reason)
{
    if (cause == CLOSE_MESSAGE && jobs->count == 1) {
        dead_letter_closed(settler, job_queue_pop(jobs), reason);
        return;
    }
    publish_again(settler, ROUTE_DEAD_LETTERS, jobs);
    if (cause != CLOSE_OUTSIDE)
        route_failed(settler, ROUTE_DEAD_LETTERS, reason);
}

static void log_guilty(const struct job *job, const char *reason)
{
    event_log(EVENT_REPLY_CLOSES_CONNECTION,
              LOG_FIELDS(LOG_T("principal", job->decoded.request.principal),
                         LOG_T("message_id", job->decoded.request.key),
                         LOG_T("reply_to", job->decoded.request.reply_to), LOG_S("reason", reason)),
              "the broker closes the connection over this reply; it counts as unroutable");
}

/* The jobs are of one destination. One that is found guilty is given up; if it is the first of its
   destination, that is logged. */
static enum transport_status isolated_closed(struct settler *settler, enum route route,
                                             struct job_queue *jobs, enum close_cause cause,
                                             const char *reason, struct error *error)
{
    bool over_message = cause == CLOSE_MESSAGE || cause == CLOSE_MISSING;
    if (over_message && jobs->head != NULL &&
        isolation_charge(&settler->isolation, jobs->head, now(settler))) {
        struct job *guilty = job_queue_pop(jobs);
        if (guilty->closes >= ISOLATION_CLOSES_MAX)
            log_guilty(guilty, reason);
        isolation_withdraw(&settler->isolation, guilty);
        return finish_reply(settler, guilty, false, error);
    }
    isolation_return(&settler->isolation, jobs);
    if (cause == CLOSE_FORBIDDEN)
        route_failed(settler, route, reason);
    return TRANSPORT_OK;
}

static enum transport_status route_closed(struct settler *settler,
                                          const struct transport_event *event, struct error *error)
{
    struct job_queue jobs = {0};
    settle_route_log_closed(&settler->routes[event->route], event, now(settler));
    counter_add(settler->options.counters, COUNTER_ROUTES_CLOSED, 1);
    settler->routes[event->route].blocked = false;
    take_back(settler, event->route, &jobs);
    switch (event->route) {
    case ROUTE_REPLIES: replies_closed(settler, &jobs, event->close_cause, event->reason); break;
    case ROUTE_DEAD_LETTERS:
        dead_letters_closed(settler, &jobs, event->close_cause, event->reason);
        break;
    case ROUTE_ISOLATED:
    case ROUTE_SILENT:
        return isolated_closed(settler, event->route, &jobs, event->close_cause, event->reason,
                               error);
    case ROUTE_COUNT: break;
    }
    return TRANSPORT_OK;
}

/* --- confirms ------------------------------------------------------------------------------- */

/* Tells the isolation that the broker has handled the message. */
static void resolve_isolated(struct settler *settler, struct job *job)
{
    struct job_queue free_again = {0};
    bool slow = waited_ms(settler, job) > settler->patience.ms;
    isolation_resolved(&settler->isolation, job, slow, now(settler), &free_again);
    job_queue_append(&settler->routes[ROUTE_REPLIES].due, &free_again);
}

/* The broker confirms a returned message as well: it has handled it. */
static enum transport_status on_confirmed(struct settler *settler, struct job *job,
                                          struct error *error)
{
    if (job->returned && job->stage != SETTLE_REPLY) {
        counter_add(settler->options.counters, COUNTER_PUBLISHES_FAILED, 1);
        dead_letter_failed(settler, job, "returned as unroutable");
        return TRANSPORT_OK;
    }
    route_confirmed(settler, job);
    if (job->stage == SETTLE_REPLY)
        return finish_reply(settler, job, !job->returned, error);
    return finish_dead_letter(settler, job, error);
}

static enum transport_status on_nacked(struct settler *settler, struct job *job,
                                       struct error *error)
{
    counter_add(settler->options.counters, COUNTER_PUBLISHES_FAILED, 1);
    if (job->stage == SETTLE_REPLY)
        return reply_failed(settler, job, "nacked by the broker", error);
    dead_letter_failed(settler, job, "nacked by the broker");
    return TRANSPORT_OK;
}

/* The broker reads the route again: silence counts from now on. */
static void unblocked(struct settler *settler, enum route route)
{
    settler->routes[route].blocked = false;
    for (struct job *job = settler->routes[route].window.oldest; job != NULL; job = job->newer)
        job->published_ms = now(settler);
}

/* Handles a confirm, nack or return. A return is only noted: the confirm follows it. */
static enum transport_status
handle_confirm(struct settler *settler, const struct transport_event *event, struct error *error)
{
    struct job *job = slots_find(&settler->slots, event->sequence);
    if (job == NULL)
        return TRANSPORT_OK;
    if (event->kind == TRANSPORT_RETURNED) {
        job->returned = true;
        return TRANSPORT_OK;
    }
    release(settler, job);
    if (job->route == ROUTE_ISOLATED || job->route == ROUTE_SILENT)
        resolve_isolated(settler, job);
    return event->kind == TRANSPORT_CONFIRMED ? on_confirmed(settler, job, error)
                                              : on_nacked(settler, job, error);
}

enum transport_status settler_event(struct settler *settler, const struct transport_event *event,
                                    struct error *error)
{
    switch (event->kind) {
    case TRANSPORT_CONFIRMED:
    case TRANSPORT_NACKED:
    case TRANSPORT_RETURNED: return handle_confirm(settler, event, error);
    case TRANSPORT_ROUTE_CLOSED: return route_closed(settler, event, error);
    case TRANSPORT_BLOCKED: settler->routes[event->route].blocked = true; return TRANSPORT_OK;
    case TRANSPORT_UNBLOCKED: unblocked(settler, event->route); return TRANSPORT_OK;
    case TRANSPORT_DELIVERY:
    case TRANSPORT_CANCELLED:
    case TRANSPORT_UNREADABLE:
    case TRANSPORT_BROKER_FAILED: return TRANSPORT_OK;
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

/* Returns whether the message has waited for its confirm so long; if not, lowers the wait. While
   the broker blocks the route, no confirm is overdue. */
static bool is_overdue(const struct settler *settler, const struct job *job, int64_t limit_ms,
                       int64_t *wait_ms)
{
    if (job == NULL || settler->routes[job->route].blocked)
        return false;
    int64_t due_ms = job->published_ms + limit_ms;
    if (due_ms <= now(settler))
        return true;
    lower_wait(wait_ms, due_ms, now(settler));
    return false;
}

static void restart_route(struct settler *settler, enum route route)
{
    settler->routes[route].restart = false;
    settler->routes[route].blocked = false;
    settler->options.transport->ops->restart(settler->options.transport, route);
}

static bool has_one_destination(const struct job_queue *jobs)
{
    for (const struct job *job = jobs->head; job != NULL; job = job->next) {
        if (job->destination != jobs->head->destination)
            return false;
    }
    return true;
}

/* Something on the main route does not confirm: all destinations on it are tried one by one, and
   the route begins anew for all others. */
static void check_replies(struct settler *settler, int64_t *wait_ms)
{
    struct job_queue jobs = {0};
    if (!is_overdue(settler, settler->routes[ROUTE_REPLIES].window.oldest,
                    patience_main_ms(&settler->patience), wait_ms))
        return;
    take_back(settler, ROUTE_REPLIES, &jobs);
    restart_route(settler, ROUTE_REPLIES);
    for (struct job *job = jobs.head; job != NULL; job = job->next)
        isolation_doubt(&settler->isolation, job->destination);
    if (!has_one_destination(&jobs)) /* one alone may be silent; several may have a slow broker */
        patience_restarted(&settler->patience);
    enqueue_again(settler, &jobs);
}

/* The dead-letter queue does not confirm: the next tries are made on a new connection. */
static void check_dead_letters(struct settler *settler, int64_t *wait_ms)
{
    struct settle_route *route = &settler->routes[ROUTE_DEAD_LETTERS];
    struct job_queue jobs = {0};
    if (!is_overdue(settler, route->window.oldest, settler->options.confirm_timeout_ms, wait_ms)) {
        if (route->restart && route->window.count == 0)
            restart_route(settler, ROUTE_DEAD_LETTERS);
        return;
    }
    counter_add(settler->options.counters, COUNTER_PUBLISHES_FAILED, 1);
    take_back(settler, ROUTE_DEAD_LETTERS, &jobs);
    restart_route(settler, ROUTE_DEAD_LETTERS);
    publish_again(settler, ROUTE_DEAD_LETTERS, &jobs);
    route_failed(settler, ROUTE_DEAD_LETTERS, "not confirmed in time");
}

/* Begins an isolated route anew, whose messages (`jobs`, all of one destination) were not confirmed
   in time. */
static void silence_route(struct settler *settler, enum route route, struct job_queue *jobs)
{
    silence(settler, jobs->head->destination);
    restart_route(settler, route);
    isolation_return(&settler->isolation, jobs);
}

/* A destination that does not confirm on the isolated route either goes on to the silent one. There
   it has the time of the contract, and then the publish has failed, and counts. */
static void check_isolated(struct settler *settler, int64_t *wait_ms)
{
    struct job_queue jobs = {0};
    if (is_overdue(settler, settler->routes[ROUTE_ISOLATED].window.oldest, settler->patience.ms,
                   wait_ms)) {
        take_back(settler, ROUTE_ISOLATED, &jobs);
        silence_route(settler, ROUTE_ISOLATED, &jobs);
    }
    if (is_overdue(settler, settler->routes[ROUTE_SILENT].window.oldest,
                   settler->options.confirm_timeout_ms, wait_ms)) {
        counter_add(settler->options.counters, COUNTER_PUBLISHES_FAILED, 1);
        release_route(settler, ROUTE_SILENT, &jobs);
        silence_route(settler, ROUTE_SILENT, &jobs);
    }
}

/* --- publishing ----------------------------------------------------------------------------- */

static enum transport_status publish(struct settler *settler, enum route route, struct job *job,
                                     struct error *error)
{
    job->route = route;
    slots_add(&settler->slots, job);
    window_add(&settler->routes[route].window, job);
    job->returned = false;
    job->published_ms = now(settler);
    job->tries++;
    return settle_message_publish(&settler->options, job, error);
}

static bool may_publish(struct settler *settler, enum route route, struct job *job,
                        int64_t *wait_ms)
{
    struct settle_route *self = &settler->routes[route];
    struct transport *transport = settler->options.transport;
    job->message_bytes = settle_message_bytes(job);
    if (self->blocked || !window_has_room(&self->window, job->message_bytes))
        return false; /* an event will tell when it may */
    if (self->pause_until_ms > now(settler)) {
        lower_wait(wait_ms, self->pause_until_ms, now(settler));
        return false;
    }
    if (transport->ops->ready(transport, route))
        return true;
    lower_wait(wait_ms, now(settler) + READY_PAUSE_MS, now(settler));
    return false;
}

/* Returns whether the destination was isolated since the reply became due. */
static bool is_isolated(struct settler *settler, const struct job *job)
{
    return job->stage == SETTLE_REPLY &&
           isolation_applies(&settler->isolation, job->destination, now(settler));
}

static enum transport_status publish_due(struct settler *settler, enum route route,
                                         int64_t *wait_ms, struct error *error)
{
    struct job_queue *due = &settler->routes[route].due;
    int64_t now_ms = now(settler);
    enum transport_status status = TRANSPORT_OK;
    for (size_t left = due->count; left > 0 && status == TRANSPORT_OK; left--) {
        struct job *job = job_queue_pop(due);
        if (is_isolated(settler, job)) {
            isolation_wait(&settler->isolation, job);
        } else if (job->due_ms > now_ms) {
            lower_wait(wait_ms, job->due_ms, now_ms);
            job_queue_push(due, job);
        } else if (may_publish(settler, route, job, wait_ms)) {
            status = publish(settler, route, job, error);
        } else {
            job_queue_push_front(due, job);
            break;
        }
    }
    return status;
}

/* Publishes on ROUTE_ISOLATED or ROUTE_SILENT. */
static enum transport_status publish_isolated(struct settler *settler, enum route route,
                                              int64_t *wait_ms, struct error *error)
{
    struct isolation *isolation = &settler->isolation;
    bool silent = route == ROUTE_SILENT;
    enum transport_status status = TRANSPORT_OK;
    struct job *job = isolation_next(isolation, silent, now(settler));
    for (; job != NULL && status == TRANSPORT_OK;
         job = isolation_next(isolation, silent, now(settler))) {
        bool failed = job->tries >= settler->options.reply_max_attempts;
        if (!failed && !may_publish(settler, route, job, wait_ms))
            break;
        isolation_take(isolation, silent, job);
        if (failed)
            isolation_withdraw(isolation, job);
        status =
            failed ? finish_reply(settler, job, false, error) : publish(settler, route, job, error);
    }
    if (job == NULL && isolation->waiting > 0) /* one may pause; no pause is longer */
        lower_wait(wait_ms, now(settler) + REPLY_PAUSE_MS, now(settler));
    return status;
}

static bool has_too_many(const struct settler *settler)
{
    return settler->isolation.blamed.count > settler->blamed_max.count;
}

/* A single reply may hold any number of bytes: it has its attempts as well. */
static bool has_too_many_bytes(const struct settler *settler)
{
    const struct isolation_load *blamed = &settler->isolation.blamed;
    return blamed->count > 1 && blamed->bytes > settler->blamed_max.bytes;
}

/* Gives up replies of blamed destinations while they hold too much, oldest first. */
static enum transport_status relieve(struct settler *settler, struct error *error)
{
    enum transport_status status = TRANSPORT_OK;
    while (status == TRANSPORT_OK && (has_too_many(settler) || has_too_many_bytes(settler))) {
        struct job *job = isolation_give_up(&settler->isolation, has_too_many_bytes(settler));
        if (job == NULL)
            break;
        status = finish_reply(settler, job, false, error);
    }
    return status;
}

static void log_unroutable(struct settler *settler, int64_t *wait_ms)
{
    int64_t due_ms = unroutable_log_tick(&settler->unroutable_log, now(settler));
    if (due_ms >= 0)
        lower_wait(wait_ms, due_ms, now(settler));
}

enum transport_status settler_tick(struct settler *settler, int64_t *ret_wait_ms,
                                   struct error *error)
{
    *ret_wait_ms = -1;
    log_unroutable(settler, ret_wait_ms);
    check_replies(settler, ret_wait_ms);
    check_dead_letters(settler, ret_wait_ms);
    check_isolated(settler, ret_wait_ms);
    enum transport_status status = publish_due(settler, ROUTE_REPLIES, ret_wait_ms, error);
    if (status == TRANSPORT_OK)
        status = relieve(settler, error);
    if (status == TRANSPORT_OK)
        status = publish_isolated(settler, ROUTE_ISOLATED, ret_wait_ms, error);
    if (status == TRANSPORT_OK)
        status = publish_isolated(settler, ROUTE_SILENT, ret_wait_ms, error);
    if (status == TRANSPORT_OK)
        status = publish_due(settler, ROUTE_DEAD_LETTERS, ret_wait_ms, error);
    return status;
}

void settler_reap(struct settler *settler, struct job_queue *ret_jobs)
{
    job_queue_append(ret_jobs, &settler->done);
}

void settler_reap_unstored(struct settler *settler, struct job_queue *ret_jobs)
{
    job_queue_append(ret_jobs, &settler->unstored);
}

/* --- end of a connection -------------------------------------------------------------------- */

/* The command is redelivered, so its attempt record is withdrawn alone, and those of crashed
   workers stay: `answered` would delete them all. */
static void drop(struct settler *settler, struct job *job, struct job_queue *ret_jobs)
{
    event_log(EVENT_DELIVERY_DROPPED,
              LOG_FIELDS(LOG_T("message_id", job->decoded.request.key),
                         LOG_S("stage", settle_stage_name(job->stage))),
              "connection ended before the delivery was acknowledged; it will be redelivered");
    if (job->destination != NULL)
        isolation_remove(&settler->isolation, job);
    if (job->stage == SETTLE_DEAD_LETTER)
        end_without_letter(settler, job);
    job->answered = false;
    job_queue_push(ret_jobs, job);
}

void settler_abandon(struct settler *settler, struct job_queue *ret_jobs)
{
    struct job_queue jobs = {0};
    release_route(settler, ROUTE_ISOLATED, &jobs);
    release_route(settler, ROUTE_SILENT, &jobs);
    for (struct job *job = jobs.head; job != NULL; job = job->next)
        isolation_withdraw(&settler->isolation, job);
    isolation_abandon(&settler->isolation, &jobs);
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        release_route(settler, (enum route)i, &jobs);
        job_queue_append(&jobs, &settler->routes[i].due);
        settler->routes[i].blocked = false;
    }
    job_queue_append(&jobs, &settler->unstored);
    for (struct job *job = job_queue_pop(&jobs); job != NULL; job = job_queue_pop(&jobs)) {
        if (job->stage == SETTLE_PUBLISH)
            finish_publish(settler, job, FATE_OPEN);
        else
            drop(settler, job, ret_jobs);
    }
    job_queue_append(ret_jobs, &settler->done);
}

size_t settler_without_letter(const struct settler *settler)
{
    return settler->without_letter;
}

size_t settler_without_letter_of(const struct settler *settler, unsigned subscription)
{
    const struct settle_route *route = &settler->routes[ROUTE_DEAD_LETTERS];
    size_t count = 0;
    if (settler->without_letter == 0)
        return 0;
    for (const struct job *job = route->due.head; job != NULL; job = job->next)
        count += job->stage == SETTLE_DEAD_LETTER && job->subscription == subscription;
    for (const struct job *job = route->window.oldest; job != NULL; job = job->newer)
        count += job->stage == SETTLE_DEAD_LETTER && job->subscription == subscription;
    return count;
}

size_t settler_count(const struct settler *settler)
{
    size_t count = settler->slots.count + settler->isolation.waiting;
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        count += settler->routes[i].due.count;
    return count + settler->unstored.count - settler->publishing;
}

size_t settler_publishing(const struct settler *settler)
{
    return settler->publishing;
}

bool settler_takes_letters(const struct settler *settler)
{
    const struct settle_route *route = &settler->routes[ROUTE_DEAD_LETTERS];
    bool may_try =
        route->due.count == 0 && route->window.count == 0 && now(settler) >= route->pause_until_ms;
    return route->failures == 0 || may_try;
}
