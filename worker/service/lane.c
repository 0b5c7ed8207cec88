/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/lane.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/codec/reply_encode.h"
#include "worker/service/applier.h"
#include "worker/service/flow.h"
#include "worker/service/work_queue.h"
#include "common/host/log.h"
#include "worker/service/settler.h"
#include "worker/service/watchdog.h"

enum {
    STACK_BYTES = 16 * 1024 * 1024, /* librabbitmq decodes nested headers by recursion */
    POLL_MS_MAX = 500,
    RECONNECT_PAUSE_FIRST_MS = 100,
    RECONNECT_PAUSE_MAX_MS = 2000,
    OPEN_MS_MAX = 60000, /* every call of an `open` that is answered late */
    STORE_PAUSE_MS = 1000,
};

struct lane {
    struct lane_options options;
    pthread_t transport_thread;
    pthread_t apply_thread;
    struct work_queue *work_queue;
    _Atomic uint64_t epoch;
    atomic_bool stopping;
    bool finished; /* all that was in hand was answered */

    /* how the apply thread is doing, for the other one */
    _Atomic uint64_t steps;
    atomic_bool in_step;
    atomic_bool storage_outage;

    /* the transport thread's */
    struct settler *settler;
    struct job_queue
        incoming;    /* of this poll: handed over at once, so that what waits is a batch */
    size_t applying; /* given, not back yet */
    struct flow flow;
    struct watchdog apply_watchdog;

    /* how the transport thread is doing, for who calls lane_check */
    _Atomic uint64_t loop_iterations;
    struct watchdog transport_watchdog;

    bool connection_lost;
    unsigned random; /* of the pauses between connections */
    struct error error;
};

static void give(struct lane *lane, struct job_queue *jobs)
{
    lane->applying += jobs->count;
    work_queue_submit(lane->work_queue, jobs);
}

/* --- the apply thread ----------------------------------------------------------------------- */

/* Collections and indexes have to be there before the first transaction. */
static void prepare_store(struct lane *lane, struct applier *applier)
{
    bool logged = false;
    for (;;) {
        struct error error = {""};
        enum store_status status = lane->options.store->ops->prepare(lane->options.store, &error);
        if (status == STORE_OK)
            break;
        log_write(
            logged ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, "storage.prepare_failed",
            LOG_FIELDS(LOG_S("status", store_status_name(status)), LOG_S("error", error.text)),
            "the storage is not ready; trying again");
        logged = true;
        if (!work_queue_wait(lane->work_queue, applier, STORE_PAUSE_MS))
            return;
    }
    log_write(LOG_LEVEL_INFO, "storage.ready", LOG_NONE, "the storage is ready");
}

static enum applier_next step(struct lane *lane, struct applier *applier, int64_t *ret_pause_ms)
{
    atomic_store(&lane->in_step, true);
    enum applier_next next = applier_step(applier, ret_pause_ms);
    atomic_store(&lane->in_step, false);
    atomic_store(&lane->storage_outage, applier_in_outage(applier));
    atomic_fetch_add(&lane->steps, 1);
    return next;
}

static void *apply_main(void *argument)
{
    struct lane *lane = argument;
    struct settings settings = *lane->options.settings;
    struct applier_options options = {
        .store = lane->options.store,
        .clock = lane->options.clock,
        .policy = lane->options.policy,
        .epoch = &lane->epoch,
        .max_commands = (size_t)settings.batch_max_commands,
        .max_documents = (size_t)settings.batch_max_documents,
        .max_bytes = (size_t)settings.batch_max_bytes,
        .max_attempts = settings.delivery_max_attempts,
        .seed = (uint64_t)getpid() ^ (uint64_t)(uintptr_t)lane,
    };
    struct applier *applier = applier_new(&options);
    prepare_store(lane, applier);
    atomic_store(&lane->storage_outage, false);
    bool open = true;
    while (open) {
        int64_t pause_ms = 0;
        enum applier_next next = step(lane, applier, &pause_ms);
        struct transferred transferred = work_queue_transfer(lane->work_queue, applier);
        open = transferred.open;
        if (open && next == APPLIER_IDLE && !transferred.got)
            open = work_queue_wait(lane->work_queue, applier, -1);
        else if (open && next == APPLIER_WAIT)
            open = work_queue_wait(lane->work_queue, applier, pause_ms);
    }
    applier_free(applier);
    return NULL;
}

/* --- the transport thread ------------------------------------------------------------------- */

static void decode(struct lane *lane, struct job *job)
{
    const struct settings *settings = lane->options.settings;
    struct policy_ref *policy = policy_acquire(lane->options.policy);
    struct decode_context context = {
        .policy = policy_of(policy),
        .trust_user_id = settings->security_trust_user_id,
        .default_principal = settings->security_default_principal,
    };
    command_decode(&context, &job->delivery, job->arena, &job->decoded);
    policy_release(policy);
}

static void take_delivery(struct lane *lane, const struct transport_event *event)
{
    if (!flow_admit(&lane->flow, event->delivery.tag)) {
        arena_free(event->arena);
        return;
    }
    struct job *job = job_new(event->arena, &event->delivery, atomic_load(&lane->epoch));
    decode(lane, job);
    job->counted_bytes = job_bytes(job);
    flow_add(&lane->flow, job->counted_bytes);
    if (job->decoded.accepted) {
        job_queue_push(&lane->incoming, job);
        return;
    }
    struct decoded *decoded = &job->decoded;
    struct text body = reply_encode(job->arena, decoded->command, COMMAND_PROVIDER_GET,
                                    decoded->request.key, &decoded->verdict);
    job_answer(job, &decoded->verdict, body);
    lane->connection_lost |= settler_settle(lane->settler, job, &lane->error) != TRANSPORT_OK;
}

static void handle_event(void *context, const struct transport_event *event)
{
    struct lane *lane = context;
    switch (event->kind) {
    case TRANSPORT_DELIVERY: take_delivery(lane, event); return;
    case TRANSPORT_CANCELLED:
        log_write(LOG_LEVEL_WARNING, "consumer.cancelled",
                  LOG_FIELDS(LOG_S("reason", event->reason)),
                  "the broker ended the consumer; opening again");
        error_set(&lane->error, "the consumer was cancelled");
        lane->connection_lost = true;
        return;
    case TRANSPORT_BLOCKED:
        log_write(LOG_LEVEL_WARNING, "broker.blocked", LOG_FIELDS(LOG_S("reason", event->reason)),
                  "the broker asks not to publish");
        break;
    case TRANSPORT_UNBLOCKED:
        log_write(LOG_LEVEL_INFO, "broker.unblocked", LOG_NONE, "the broker takes messages again");
        break;
    case TRANSPORT_CONFIRMS_LOST:
        log_write(LOG_LEVEL_WARNING, "channel.closed", LOG_FIELDS(LOG_S("reason", event->reason)),
                  "the broker closed a publishing channel; it is open again");
        break;
    case TRANSPORT_CONFIRMED:
    case TRANSPORT_NACKED:
    case TRANSPORT_RETURNED: break;
    }
    lane->connection_lost |= settler_event(lane->settler, event, &lane->error) != TRANSPORT_OK;
}

/* Done with, on this side: its mark still has to go, or it is freed. */
static void release_job(struct lane *lane, struct job *job)
{
    if (job->attempt_sent) {
        struct job_queue one = {0};
        job_queue_push(&one, job);
        give(lane, &one);
        return;
    }
    flow_remove(&lane->flow, job->counted_bytes);
    job_free(job);
}

static void release_jobs(struct lane *lane, struct job_queue *jobs)
{
    for (struct job *job = job_queue_pop(jobs); job != NULL; job = job_queue_pop(jobs))
        release_job(lane, job);
}

/* What the apply thread is done with: answers of this connection are settled, the rest goes. */
static void take_back(struct lane *lane)
{
    struct job_queue back = {0};
    work_queue_reap(lane->work_queue, &back);
    for (struct job *job = job_queue_pop(&back); job != NULL; job = job_queue_pop(&back)) {
        lane->applying--;
        bool settled = job->stage == SETTLE_DONE;
        if (!settled && job->answered && job->epoch == atomic_load(&lane->epoch)) {
            lane->connection_lost |=
                settler_settle(lane->settler, job, &lane->error) != TRANSPORT_OK;
            continue;
        }
        if (!settled)
            job->answered = false;
        release_job(lane, job);
    }
}

static int poll_ms(int64_t wait_ms)
{
    return wait_ms < 0 || wait_ms > POLL_MS_MAX ? POLL_MS_MAX : (int)wait_ms;
}

static bool has_in_flight(const struct lane *lane)
{
    return lane->applying > 0 || settler_count(lane->settler) > 0;
}

/* As by a crash: nothing is lost, and the supervisor starts the worker again. */
static _Noreturn void end_stalled(const char *reason, size_t commands)
{
    log_write(LOG_LEVEL_ERROR, "lane.stalled",
              LOG_FIELDS(LOG_S("reason", reason), LOG_I("commands", (int64_t)commands)),
              "no progress, and no way to mend it from within: the process ends");
    abort();
}

/*
 * A lane that has work and gets nowhere is our own mistake, or a library's. It starts afresh: the
 * deliveries come again, and the apply thread looks again. Where that does not help the process
 * ends.
 */
static bool is_stalled(struct lane *lane, int64_t now_ms)
{
    bool busy = lane->applying > 0 && !atomic_load(&lane->storage_outage);
    if (!watchdog_check(&lane->apply_watchdog, atomic_load(&lane->steps), busy, now_ms,
                        lane->options.settings->worker_watchdog_timeout_ms))
        return false;
    const char *why = atomic_load(&lane->in_step) ? "a call to the storage does not return"
                                                  : "the apply thread waits for nothing";
    if (lane->apply_watchdog.consecutive > 1)
        end_stalled(why, lane->applying);
    log_write(LOG_LEVEL_ERROR, "lane.stalled",
              LOG_FIELDS(LOG_S("reason", why), LOG_I("commands", (int64_t)lane->applying)),
              "no progress: starting afresh");
    work_queue_kick(lane->work_queue);
    error_set(&lane->error, "the lane made no progress");
    return true;
}

static enum transport_status run_once(struct lane *lane, const struct transport_handler *handler)
{
    struct job_queue settled = {0};
    struct clock *clock = lane->options.clock;
    int64_t wait_ms = -1;
    atomic_fetch_add(&lane->loop_iterations, 1);
    work_queue_drain_wake(lane->work_queue);
    take_back(lane);
    enum transport_status status = settler_tick(lane->settler, &wait_ms, &lane->error);
    if (status == TRANSPORT_OK && !lane->connection_lost)
        status = flow_update(&lane->flow, lane->options.transport, atomic_load(&lane->stopping),
                             clock->monotonic_ms(clock), &lane->error);
    if (status == TRANSPORT_OK && !lane->connection_lost &&
        (has_in_flight(lane) || !atomic_load(&lane->stopping)))
        status = lane->options.transport->ops->poll(lane->options.transport, poll_ms(wait_ms),
                                                    work_queue_wake_fd(lane->work_queue), handler,
                                                    &lane->error);
    if (lane->incoming.head != NULL)
        give(lane, &lane->incoming);
    settler_reap(lane->settler, &settled);
    release_jobs(lane, &settled);
    if (is_stalled(lane, clock->monotonic_ms(clock)))
        return TRANSPORT_LOST;
    return lane->connection_lost ? TRANSPORT_LOST : status;
}

/* Deliveries of a lost connection come again; nothing of theirs is begun any more. */
static void drop_connection(struct lane *lane)
{
    struct job_queue jobs = {0};
    atomic_fetch_add(&lane->epoch, 1);
    settler_reap(lane->settler, &jobs);
    release_jobs(lane, &jobs);
    settler_abandon(lane->settler, &jobs);
    release_jobs(lane, &jobs);
    lane->options.transport->ops->close(lane->options.transport);
    flow_reset(&lane->flow);
    lane->connection_lost = false;
}

/* One connection, from open to its end; true: the worker is to end. */
static bool run_connection(struct lane *lane, int64_t *stop_at_ms)
{
    struct clock *clock = lane->options.clock;
    struct transport_handler handler = {lane, handle_event};
    enum transport_status status = TRANSPORT_OK;
    while (status == TRANSPORT_OK) {
        if (atomic_load(&lane->stopping)) {
            int64_t now_ms = clock->monotonic_ms(clock);
            if (*stop_at_ms == 0)
                *stop_at_ms = now_ms + lane->options.settings->shutdown_timeout_ms;
            lane->finished = !has_in_flight(lane);
            if (lane->finished || now_ms >= *stop_at_ms)
                return true;
        }
        status = run_once(lane, &handler);
    }
    log_write(LOG_LEVEL_WARNING, "broker.disconnected",
              LOG_FIELDS(LOG_S("error", lane->error.text)), "the broker connection is lost");
    return false;
}

/* A random part of it, at least half: the workers that lost one broker do not come back
 * as one. */
static void pause_reconnect(struct lane *lane, int64_t *pause_ms)
{
    int64_t half_ms = *pause_ms / 2;
    int64_t wait_ms = half_ms + rand_r(&lane->random) % (half_ms + 1);
    for (int64_t slept = 0; slept < wait_ms && !atomic_load(&lane->stopping); slept += 50) {
        struct timespec slice = {0, 50000000};
        (void)nanosleep(&slice, NULL);
    }
    *pause_ms = *pause_ms * 2 < RECONNECT_PAUSE_MAX_MS ? *pause_ms * 2 : RECONNECT_PAUSE_MAX_MS;
}

static void *transport_main(void *argument)
{
    struct lane *lane = argument;
    struct transport *transport = lane->options.transport;
    int64_t stop_at_ms = 0;
    int64_t pause_ms = RECONNECT_PAUSE_FIRST_MS;
    bool ended = false;
    while (!ended) {
        atomic_fetch_add(&lane->loop_iterations, 1);
        enum transport_status status = transport->ops->open(transport, &lane->error);
        if (status == TRANSPORT_OK) {
            log_write(LOG_LEVEL_INFO, "broker.connected", LOG_NONE, "connected to the broker");
            ended = run_connection(lane, &stop_at_ms);
            if (lane->flow.consuming) /* or one that lets us in, and no further, would be stormed */
                pause_ms = RECONNECT_PAUSE_FIRST_MS;
        } else {
            log_write(LOG_LEVEL_ERROR, "broker.connect_failed",
                      LOG_FIELDS(LOG_S("error", lane->error.text)),
                      "cannot work with the broker; trying again");
        }
        drop_connection(lane);
        take_back(lane);
        if (!ended)
            pause_reconnect(lane, &pause_ms);
        if (atomic_load(&lane->stopping) && !ended) {
            lane->finished = true; /* without a connection there is nobody to answer */
            break;
        }
    }
    return NULL;
}

/* --- life ----------------------------------------------------------------------------------- */

struct lane *lane_start(const struct lane_options *options)
{
    const struct settings *settings = options->settings;
    struct lane *lane = MEMORY_NEW(struct lane);
    lane->options = *options;
    lane->work_queue = work_queue_new();
    lane->epoch = 1;
    lane->random = (unsigned)getpid() ^ (unsigned)options->clock->wall_ms(options->clock);
    lane->storage_outage = true; /* until it is prepared */
    flow_init(&lane->flow, (size_t)settings->amqp_max_bytes_in_flight,
              (uint16_t)settings->amqp_prefetch);
    struct settler_options settling = {
        .transport = options->transport,
        .clock = options->clock,
        .queue = settings->amqp_queue,
        .worker = options->worker,
        .dead_letter_exchange = settings->amqp_dead_letter_exchange,
        .confirm_timeout_ms = settings->reply_confirm_timeout_ms,
        .reply_max_attempts = (unsigned)settings->reply_max_attempts,
    };
    lane->settler = settler_new(&settling);

    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (lane->work_queue == NULL ||
        pthread_create(&lane->apply_thread, &attributes, apply_main, lane) != 0 ||
        pthread_create(&lane->transport_thread, &attributes, transport_main, lane) != 0)
        abort(); /* no descriptor or thread at the very start: nothing is in hand yet */
    (void)pthread_attr_destroy(&attributes);
    return lane;
}

void lane_check(struct lane *lane)
{
    struct clock *clock = lane->options.clock;
    int64_t limit_ms = lane->options.settings->worker_watchdog_timeout_ms + OPEN_MS_MAX;
    if (watchdog_check(&lane->transport_watchdog, atomic_load(&lane->loop_iterations), true,
                       clock->monotonic_ms(clock), limit_ms))
        end_stalled("a call to the broker does not return", 0);
}

void lane_stop(struct lane *lane)
{
    atomic_store(&lane->stopping, true);
    work_queue_wake(lane->work_queue);
}

bool lane_join(struct lane *lane)
{
    (void)pthread_join(lane->transport_thread, NULL);
    work_queue_close(lane->work_queue);
    (void)pthread_join(lane->apply_thread, NULL);

    bool finished = lane->finished;
    settler_free(lane->settler);
    lane->options.transport->ops->free(lane->options.transport);
    lane->options.store->ops->free(lane->options.store);
    work_queue_free(lane->work_queue);
    free(lane);
    return finished;
}
