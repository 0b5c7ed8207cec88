/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. transport_main opens the connection, and run_connection repeats run_once until the
 * connection is lost or the lane has stopped. One iteration of run_once:
 *   1. reap what the apply threads completed, and give it to the settler;
 *   2. let the settler publish what is due;
 *   3. let flow control start or cancel the subscription;
 *   4. poll the socket: deliveries are decoded, confirms go to the settler;
 *   5. submit the deliveries of this poll to the apply threads, all at once, so that they become
 *      one batch; give the next reads to readers that are free;
 *   6. release the settled jobs; of deliveries that are held, keep the tag, and requeue it later;
 *   7. submit the jobs whose letters have to be stored, and the sweep and the trim that are due;
 *   8. check the progress of the apply threads (apply_thread.c).
 *
 * Sections: what the apply threads need; the transport thread: jobs, events, watchdog, letters,
 * loop; start and stop.
 *
 * Guarantees:
 * - A job belongs to one thread at a time; the work queues hand it over. What several threads read
 *   is atomic.
 * - `epoch` is the number of the broker connection. A job of an older epoch is released without a
 *   reply, since the broker redelivers its command.
 * - A connection that is lost is replaced, after a pause that grows up to RECONNECT_PAUSE_MAX_MS.
 * - A stopping lane begins no call after it has given up (has_stopped). The watchdog leaves it
 *   alone: shutdown.c bounds its end.
 *
 * Not here: the transaction (applier.c), which job goes to which apply thread (apply_role.c,
 * read_queue.c), replies (settler.c), memory limits (flow.c).
 */
#include "worker/service/lane.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "worker/service/apply_thread.h"
#include "worker/service/desk.h"
#include "worker/service/events.h"
#include "worker/service/flow.h"
#include "worker/service/job_letter.h"
#include "worker/service/outage_log.h"
#include "worker/service/poison.h"
#include "worker/service/read_queue.h"
#include "worker/service/settler.h"
#include "worker/service/watchdog.h"

enum {
    POLL_MS_MAX = 500,
    RECONNECT_PAUSE_FIRST_MS = 100,
    RECONNECT_PAUSE_MAX_MS = 2000,
    OPEN_MS_MAX = 60000, /* the longest open: every call is answered just before its limit */
    SWEEP_MS = 10000,
    SWEEP_LETTERS_MAX = 64,
    TRIM_MS = 60000,
    LETTERS_PART = 8, /* of amqp.max_bytes_in_flight, for letters to publish */
    MIB = 1024 * 1024,
    READ_BYTES = 32 * MIB, /* that a batch of reads may need: what it loads, and the answers */
    FIRST_READER = 2, /* in the list of apply threads, after that of writes and the one beside it */
    SERVER_TIME_PERCENT = 75, /* of mongodb.timeout, for the longest call */
};

struct lane {
    struct lane_options options;
    struct counters counters;
    pthread_t transport_thread;
    struct apply_thread *threads[LANE_THREADS_MAX]; /* by their role: APPLY_WRITES, APPLY_ASIDE, and
                                                       from FIRST_READER on the readers */
    size_t thread_count;
    int wake_fd; /* an eventfd: an apply thread has completed jobs, or the lane is to stop */
    _Atomic uint64_t epoch;
    _Atomic int64_t give_up_ms; /* monotonic: when a stopping lane ends, whatever is in flight */
    atomic_bool stopping;
    _Atomic uint64_t returned; /* commands that were in flight when it gave up */
    atomic_bool ended;         /* the transport thread needs nothing any more */
    atomic_bool prepared;      /* the database */

    /* written by the transport thread, for lane_check */
    _Atomic uint64_t loop_iterations;
    struct watchdog transport_watchdog; /* of the thread that calls lane_check */
    struct outage_log outage;           /* of the broker */
    struct storage_outage *storage_outage;

    /* of the transport thread alone */
    struct settler *settler;
    struct job_queue incoming; /* the accepted deliveries of this poll */
    struct read_queue *reads;  /* that wait for a reader */
    struct flow flow;
    bool connection_lost;
    bool serving;    /* the connection works as far as a subscription, if one is wanted */
    unsigned random; /* state of rand_r, for the pauses between connections */
    struct error error;
    bool sweeping; /* the apply thread looks for unpublished letters */
    int64_t sweep_at_ms;
    bool trimming; /* the apply thread makes a step of a trim */
    int64_t trim_at_ms;
};

/* --- what the apply threads need ------------------------------------------------------------ */

static struct decode_context decode_context_of(const struct lane *lane, const struct policy *policy)
{
    const struct settings *settings = lane->options.settings;
    return (struct decode_context){
        .policy = policy,
        .trust_user_id = settings->security_trust_user_id,
        .default_principal = settings->security_default_principal,
    };
}

static void identify(void *context, struct job *job)
{
    const struct lane *lane = context;
    struct decode_context decode_context = decode_context_of(lane, NULL);
    command_identify(&decode_context, &job->delivery, &job->decoded);
    job->undecoded = false;
}

/* Called by both threads, each with its own jobs. */
static void decode(void *context, struct job *job)
{
    const struct lane *lane = context;
    struct policy_ref *policy = policy_acquire(lane->options.policy);
    struct decode_context decode_context = decode_context_of(lane, policy_of(policy));
    die_of_poisoned_body(job->delivery.body);
    command_decode(&decode_context, &job->delivery, job->arena, &job->decoded);
    policy_release(policy);
    job->undecoded = false;
}

static size_t letters_bytes_max(const struct settings *settings)
{
    return (size_t)settings->amqp_max_bytes_in_flight / LETTERS_PART;
}

static int64_t call_limit_ms(const struct settings *settings, enum apply_role role)
{
    int64_t most_ms = settings->mongodb_timeout_ms * SERVER_TIME_PERCENT / 100;
    bool lower = role == APPLY_READS && settings->reads_timeout_ms < most_ms;
    return lower ? settings->reads_timeout_ms : most_ms;
}

/* The limits of what a batch loads, and of what a command in a batch of its own loads. */
static size_t load_bytes_max(enum apply_role role, bool alone)
{
    if (role == APPLY_READS)
        return alone ? 64 * MIB : 16 * MIB;
    return alone ? 128 * MIB : 64 * MIB;
}

static struct applier_options applier_options(struct lane *lane, struct store *store,
                                              enum apply_role role)
{
    const struct settings *settings = lane->options.settings;
    return (struct applier_options){
        .role = role,
        .store = store,
        .clock = lane->options.clock,
        .policy = lane->options.policy,
        .epoch = &lane->epoch,
        .counters = &lane->counters,
        .queue = settings->amqp_queue,
        .worker = lane->options.worker,
        .turn = lane->options.turn,
        .full = lane->options.full,
        .max_commands = (size_t)settings->batch_max_commands,
        .max_documents = (size_t)settings->batch_max_documents,
        .max_bytes = (size_t)settings->batch_max_bytes,
        .max_attempts = settings->delivery_max_attempts,
        .timeout_ms = settings->mongodb_timeout_ms,
        .call_limit_ms = call_limit_ms(settings, role),
        .load_bytes_max = load_bytes_max(role, false),
        .load_bytes_max_alone = load_bytes_max(role, true),
        .sweep_count_max = SWEEP_LETTERS_MAX,
        .sweep_bytes_max = letters_bytes_max(settings),
        .letters_max_bytes = settings->letters_max_bytes,
        .redaction = letter_redaction_of(settings),
        .seed = (uint64_t)getpid() ^ (uint64_t)(uintptr_t)store,
        .decode = decode,
        .identify = identify,
        .decode_context = lane,
    };
}

/* --- the transport thread: jobs ------------------------------------------------------------- */

/* Hands the jobs to the apply threads that they belong to; reads first wait for a reader. */
static void submit(struct lane *lane, struct job_queue *jobs)
{
    struct job_queue queues[FIRST_READER] = {{0}};
    for (struct job *job = job_queue_pop(jobs); job != NULL; job = job_queue_pop(jobs)) {
        enum apply_role role = apply_role_for(job);
        if (role == APPLY_READS)
            read_queue_push(lane->reads, job);
        else
            job_queue_push(&queues[role], job);
    }
    for (size_t i = 0; i < FIRST_READER; i++) {
        if (queues[i].head != NULL)
            apply_thread_submit(lane->threads[i], &queues[i]);
    }
}

/* Gives the next reads to the readers that are free, while there is memory for what they load. */
static void give_reads(struct lane *lane)
{
    struct memory_budget *budget = lane->options.budget;
    struct job_queue jobs = {0};
    size_t reader = 0;
    while (read_queue_count(lane->reads) > 0 && memory_budget_reserve(budget, READ_BYTES)) {
        if (!read_queue_next(lane->reads, &reader, &jobs)) {
            memory_budget_release(budget, READ_BYTES);
            return;
        }
        apply_thread_submit(lane->threads[FIRST_READER + reader], &jobs);
    }
}

static void end_reads(struct lane *lane, size_t reader)
{
    read_queue_done(lane->reads, reader);
    memory_budget_release(lane->options.budget, READ_BYTES);
}

/* Counts what the job holds more than before, such as its answer. */
static void count_growth(struct lane *lane, struct job *job)
{
    size_t bytes = job_bytes(job);
    if (bytes <= job->counted_bytes)
        return;
    flow_grow(&lane->flow, bytes - job->counted_bytes);
    job->counted_bytes = bytes;
}

/* Returns how many jobs the apply threads have, or will get. */
static size_t applying(const struct lane *lane)
{
    size_t count = read_queue_count(lane->reads);
    for (size_t i = 0; i < lane->thread_count; i++)
        count += apply_thread_count(lane->threads[i]);
    return count;
}

static void settle(struct lane *lane, struct job *job)
{
    lane->connection_lost |= settler_settle(lane->settler, job, &lane->error) != TRANSPORT_OK;
}

static void receive_delivery(struct lane *lane, const struct transport_event *event)
{
    if (!flow_admit(&lane->flow, event->delivery.tag)) {
        arena_free(event->arena);
        return;
    }
    struct job *job = job_new(event->arena, &event->delivery, atomic_load(&lane->epoch));
    job->subscription = lane->flow.subscription;
    job->received_ms = lane->options.clock->monotonic_ms(lane->options.clock);
    if (!job->delivery.redelivered && !job_is_of_desk(job))
        decode(lane, job); /* a redelivered one is decoded after its attempt record is durable */
    job->counted_bytes = job_bytes(job);
    flow_add(&lane->flow, job->counted_bytes);
    counter_add(&lane->counters, COUNTER_DELIVERIES_RECEIVED, 1);
    if (job->undecoded || job->decoded.accepted) {
        job_queue_push(&lane->incoming, job);
        return;
    }
    job_answer_undecodable(job);
    if (job_needs_letter(job))
        job_queue_push(&lane->incoming, job);
    else
        settle(lane, job); /* the apply thread never sees it */
}

static void submit_one(struct lane *lane, struct job *job)
{
    struct job_queue one = {0};
    job_queue_push(&one, job);
    submit(lane, &one);
}

/* Releases a finished job. If it still has an attempt record, or the fate of its letter has to be
   noted, the apply thread does that first. */
static void release_job(struct lane *lane, struct job *job)
{
    if (job->attempt_sent || job->fate != FATE_OPEN) {
        submit_one(lane, job);
        return;
    }
    flow_remove(&lane->flow, job->counted_bytes);
    job_free(job);
}

/* Keeps the tags of deliveries that are not settled now. */
static void hold(struct lane *lane, const struct job_queue *settled)
{
    for (const struct job *job = settled->head; job != NULL; job = job->next) {
        if (job->held)
            flow_hold(&lane->flow, job->delivery.tag, job->subscription, job->held_until_ms);
    }
}

static void release_jobs(struct lane *lane, struct job_queue *jobs)
{
    for (struct job *job = job_queue_pop(jobs); job != NULL; job = job_queue_pop(jobs))
        release_job(lane, job);
}

/* A message of the desk queue that cannot be read leaves a letter that says so. The connection is
   lost, so the letter is stored without it. */
static void receive_unreadable(struct lane *lane, const struct transport_event *event)
{
    struct job *job = job_of_unreadable(text_of(event->reason != NULL ? event->reason : ""));
    flow_add(&lane->flow, job->counted_bytes);
    job_queue_push(&lane->incoming, job);
}

/* Acknowledges a message of the desk queue that has a letter now, and releases it. If its
   connection is lost, the broker delivers it again. */
static void end_desk_message(struct lane *lane, struct job *job)
{
    struct transport *transport = lane->options.transport;
    bool current = !job->detached && job->epoch == atomic_load(&lane->epoch);
    if (job->answered && current) {
        counter_add(&lane->counters, COUNTER_DELIVERIES_ACKNOWLEDGED, 1);
        lane->connection_lost |=
            transport->ops->ack(transport, job->delivery.tag, &lane->error) != TRANSPORT_OK;
    }
    flow_remove(&lane->flow, job->counted_bytes);
    job_free(job);
}

/* Handles what a sweep gives: letters to publish, and then the sweep itself. Returns false for a
   delivery. */
static bool is_swept(struct lane *lane, struct job *job)
{
    if (job->sweeps) {
        lane->sweeping = false;
        job_free(job);
        return true;
    }
    if (!job_is_claimed_letter(job))
        return false;
    lane->sweep_at_ms = 0; /* there may be more */
    flow_add(&lane->flow, job->counted_bytes);
    settler_publish(lane->settler, job);
    return true;
}

/* Handles what a step of a trim gives. Returns false for all else. */
static bool is_trimmed(struct lane *lane, struct job *job)
{
    if (!job->trims)
        return false;
    lane->trimming = false;
    if (!job->trim_over)
        lane->trim_at_ms = 0;
    job_free(job);
    return true;
}

/* Handles a command that comes from an apply thread. Answers of this connection are settled, or
   their letters stored first; what another thread has to go on with is given to it; all other jobs
   are released. */
static void take_completed(struct lane *lane, struct job *job)
{
    bool settled = job->stage == SETTLE_DONE;
    bool current = job->epoch == atomic_load(&lane->epoch);
    bool passed_on = job->passed_on;
    job->passed_on = false;
    count_growth(lane, job);
    if (!settled && current && (passed_on || job_needs_letter(job))) {
        submit_one(lane, job);
        return;
    }
    if (!settled && current && job->answered) {
        settle(lane, job);
        return;
    }
    if (!settled)
        job->answered = false;
    release_job(lane, job);
}

/* Takes the completed jobs of one apply thread. */
static void reap_thread(struct lane *lane, size_t index)
{
    struct apply_thread *thread = lane->threads[index];
    struct job_queue completed = {0};
    size_t before = apply_thread_count(thread);
    apply_thread_reap(thread, &completed);
    for (struct job *job = job_queue_pop(&completed); job != NULL;
         job = job_queue_pop(&completed)) {
        if (job_is_of_desk(job))
            end_desk_message(lane, job);
        else if (!is_swept(lane, job) && !is_trimmed(lane, job))
            take_completed(lane, job);
    }
    if (index >= FIRST_READER && before > 0 && apply_thread_count(thread) == 0)
        end_reads(lane, index - FIRST_READER);
}

static void reap_completed(struct lane *lane)
{
    for (size_t i = 0; i < lane->thread_count; i++)
        reap_thread(lane, i);
}

static bool has_in_flight(const struct lane *lane)
{
    return applying(lane) > 0 || settler_count(lane->settler) > 0;
}

/* --- the transport thread: events ----------------------------------------------------------- */

static bool is_from_desk(const struct transport_event *event)
{
    return event->delivery.source == DELIVERY_DESK;
}

static void log_broker_event(const struct transport_event *event)
{
    switch (event->kind) {
    case TRANSPORT_CANCELLED:
        event_log(EVENT_CONSUMER_CANCELLED, LOG_FIELDS(LOG_S("reason", event->reason)),
                  "the broker cancelled the consumer; reconnecting");
        return;
    case TRANSPORT_BLOCKED:
        event_log(
            EVENT_BROKER_BLOCKED,
            LOG_FIELDS(LOG_S("route", route_name(event->route)), LOG_S("reason", event->reason)),
            "the broker blocked publishing (connection.blocked); replies wait");
        return;
    case TRANSPORT_UNBLOCKED:
        event_log(EVENT_BROKER_UNBLOCKED, LOG_FIELDS(LOG_S("route", route_name(event->route))),
                  "the broker accepts messages again");
        return;
    case TRANSPORT_UNREADABLE:
        event_log(
            EVENT_DELIVERY_UNREADABLE,
            LOG_FIELDS(LOG_I("delivery_tag", (int64_t)event->delivery.tag),
                       LOG_S("error", event->reason)),
            is_from_desk(event)
                ? "cannot read a message of the desk queue; it is dropped there, and a letter "
                  "with the reason unreadable is stored; reconnecting"
                : "a command cannot be read; rejected it, reconnecting");
        return;
    case TRANSPORT_BROKER_FAILED:
        event_log(EVENT_DELIVERY_FAILED,
                  LOG_FIELDS(LOG_S("source", is_from_desk(event) ? "desk" : "commands")),
                  is_from_desk(event)
                      ? "the broker failed, perhaps because it cannot deliver a message of the "
                        "desk queue; reconnecting, commands go on"
                      : "the broker failed, perhaps because it cannot deliver a command; taking "
                        "one command at a time until it works");
        return;
    case TRANSPORT_ROUTE_CLOSED: /* logged by the settler */
    case TRANSPORT_DELIVERY:
    case TRANSPORT_CONFIRMED:
    case TRANSPORT_NACKED:
    case TRANSPORT_RETURNED: return;
    }
}

static void handle_event(void *context, const struct transport_event *event)
{
    struct lane *lane = context;
    log_broker_event(event);
    if (event->kind == TRANSPORT_DELIVERY) {
        receive_delivery(lane, event);
    } else if (event->kind == TRANSPORT_UNREADABLE && is_from_desk(event)) {
        receive_unreadable(lane, event);
    } else if (event->kind == TRANSPORT_BROKER_FAILED && !is_from_desk(event)) {
        flow_distrust(&lane->flow, lane->options.clock->monotonic_ms(lane->options.clock));
    } else if (event->kind == TRANSPORT_CANCELLED) {
        error_set(&lane->error, "the broker cancelled the consumer");
        lane->connection_lost = true;
    } else {
        lane->connection_lost |= settler_event(lane->settler, event, &lane->error) != TRANSPORT_OK;
    }
}

/* --- the transport thread: watchdog --------------------------------------------------------- */

static void log_stalled(struct lane *lane, const char *stage, const char *reason,
                        const char *message)
{
    event_log(
        EVENT_LANE_STALLED,
        LOG_FIELDS(LOG_S("reason", reason), LOG_S("stage", stage),
                   LOG_I("commands", (int64_t)counter_read(&lane->counters, COUNTER_IN_FLIGHT))),
        "%s", message);
}

/* Aborts, so that the supervisor restarts the worker. As in any crash, nothing is lost. */
static _Noreturn void abort_stalled(struct lane *lane, const char *stage, const char *reason)
{
    log_stalled(lane, stage, reason, "watchdog: still no progress, aborting");
    (void)log_flush(LOG_FLUSH_MS);
    abort();
}

/*
 * Returns true if the connection has to be replaced because an apply thread is stalled, which means
 * a bug in allotd or in a client library. A kick of the thread and the redeliveries of a new
 * connection may help. If they do not, the second report in a row aborts the process.
 */
static bool is_stalled(struct lane *lane, struct apply_thread *thread, int64_t now_ms)
{
    const char *reason = "";
    enum apply_stall stall = apply_thread_check(thread, now_ms, &reason);
    if (stall == APPLY_RUNS)
        return false;
    counter_add(&lane->counters, COUNTER_WATCHDOG_STALLS, 1);
    if (stall == APPLY_STALLED_AGAIN)
        abort_stalled(lane, apply_thread_stage(thread), reason);
    log_stalled(lane, apply_thread_stage(thread), reason,
                "watchdog: no progress for worker.watchdog_timeout, reconnecting; "
                "in-flight commands will be redelivered");
    apply_thread_kick(thread);
    error_set(&lane->error, "the watchdog closed the connection");
    return true;
}

static bool any_is_stalled(struct lane *lane, int64_t now_ms)
{
    bool stalled = false;
    for (size_t i = 0; i < lane->thread_count; i++)
        stalled |= is_stalled(lane, lane->threads[i], now_ms);
    return stalled;
}

/* --- the transport thread: letters ---------------------------------------------------------- */

/* Hands the jobs to the apply thread that are dead-lettered because their reply cannot be routed.
 */
static void store_letters(struct lane *lane)
{
    struct job_queue unstored = {0};
    settler_reap_unstored(lane->settler, &unstored);
    if (unstored.head != NULL)
        submit(lane, &unstored);
}

/* Returns as many held deliveries to the queue as could be settled now. */
static void release_held(struct lane *lane)
{
    struct clock *clock = lane->options.clock;
    if (atomic_load(&lane->stopping))
        return;
    lane->connection_lost |=
        flow_release_held(&lane->flow, lane->options.transport,
                          settler_room_without_letter(lane->settler), clock->monotonic_ms(clock),
                          &lane->error) != TRANSPORT_OK;
}

/* Looks for unpublished letters of workers that died, from time to time, and again at once after
   one that found some. */
static void sweep_letters(struct lane *lane)
{
    struct clock *clock = lane->options.clock;
    int64_t now_ms = clock->monotonic_ms(clock);
    if (lane->sweeping || atomic_load(&lane->stopping) || now_ms < lane->sweep_at_ms ||
        settler_publishing(lane->settler) > 0 || !settler_takes_letters(lane->settler))
        return;
    lane->sweeping = true;
    lane->sweep_at_ms = now_ms + SWEEP_MS;
    submit_one(lane, job_of_sweep(atomic_load(&lane->epoch)));
}

/* Makes the next step that keeps letters within their bound: once a minute, and at once while there
   is more to do. */
static void trim_letters(struct lane *lane)
{
    struct clock *clock = lane->options.clock;
    int64_t now_ms = clock->monotonic_ms(clock);
    if (!lane->options.trims_letters || lane->trimming || atomic_load(&lane->stopping) ||
        now_ms < lane->trim_at_ms)
        return;
    lane->trimming = true;
    lane->trim_at_ms = now_ms + TRIM_MS;
    submit_one(lane, job_of_trim(atomic_load(&lane->epoch)));
}

/* --- the transport thread: loop ------------------------------------------------------------- */

static int poll_ms(int64_t wait_ms)
{
    return wait_ms < 0 || wait_ms > POLL_MS_MAX ? POLL_MS_MAX : (int)wait_ms;
}

static void wake(const struct lane *lane)
{
    (void)eventfd_write(lane->wake_fd, 1); /* it fails only if it is readable already */
}

static void drain_wake(const struct lane *lane)
{
    eventfd_t count = 0;
    (void)eventfd_read(lane->wake_fd, &count); /* it fails, without blocking, if there is nothing */
}

static int64_t monotonic_ms(const struct lane *lane)
{
    return lane->options.clock->monotonic_ms(lane->options.clock);
}

/* A broker that accepts logins but no AMQP consumer does not end an outage. */
static void note_serving(struct lane *lane)
{
    if (lane->serving)
        return;
    lane->serving = true;
    event_log(EVENT_BROKER_CONNECTED,
              LOG_FIELDS(LOG_I("outage_ms", outage_log_end(&lane->outage, monotonic_ms(lane)))),
              "connected to the broker");
}

static enum transport_status run_once(struct lane *lane, const struct transport_handler *handler)
{
    struct job_queue settled = {0};
    struct clock *clock = lane->options.clock;
    int64_t wait_ms = -1;
    atomic_fetch_add(&lane->loop_iterations, 1);
    drain_wake(lane);
    reap_completed(lane);
    settler_limit_blamed(lane->settler, flow_blamed_count(&lane->flow),
                         flow_blamed_bytes(&lane->flow));
    settler_limit_without_letter(lane->settler, flow_without_letter_count(&lane->flow));
    flow_set_waiting(&lane->flow,
                     settler_without_letter_of(lane->settler, lane->flow.subscription));
    enum transport_status status = settler_tick(lane->settler, &wait_ms, &lane->error);
    if (status == TRANSPORT_OK && !lane->connection_lost)
        status = flow_update(&lane->flow, lane->options.transport, atomic_load(&lane->stopping),
                             clock->monotonic_ms(clock), &lane->error);
    if (status == TRANSPORT_OK && !lane->connection_lost)
        note_serving(lane);
    if (status == TRANSPORT_OK && !lane->connection_lost &&
        (has_in_flight(lane) || !atomic_load(&lane->stopping)))
        status = lane->options.transport->ops->poll(lane->options.transport, poll_ms(wait_ms),
                                                    lane->wake_fd, handler, &lane->error);
    submit(lane, &lane->incoming);
    give_reads(lane);
    settler_reap(lane->settler, &settled);
    hold(lane, &settled);
    release_jobs(lane, &settled);
    if (status == TRANSPORT_OK && !lane->connection_lost)
        release_held(lane);
    store_letters(lane);
    sweep_letters(lane);
    trim_letters(lane);
    if (!atomic_load(&lane->stopping) && any_is_stalled(lane, clock->monotonic_ms(clock)))
        return TRANSPORT_LOST; /* the end of a stopping lane is bounded anyway */
    return lane->connection_lost ? TRANSPORT_LOST : status;
}

/* Returns how many commands and messages go back to their queues if the connection is closed now.
   Letters that the lane publishes are stored. */
static size_t unfinished(const struct lane *lane)
{
    return lane->flow.count - settler_publishing(lane->settler);
}

/*
 * Returns whether the stopping lane ends now: all is answered, or its time has passed. What is left
 * then goes back to the queue: the broker redelivers it, and what was committed is replayed.
 */
static bool has_stopped(struct lane *lane)
{
    if (!has_in_flight(lane))
        return true;
    if (monotonic_ms(lane) < atomic_load(&lane->give_up_ms))
        return false;
    atomic_store(&lane->returned, unfinished(lane));
    return true;
}

/* Serves one connection. Returns true if the lane has stopped, false if the connection is lost. */
static bool run_connection(struct lane *lane)
{
    struct transport_handler handler = {lane, handle_event};
    enum transport_status status = TRANSPORT_OK;
    while (status == TRANSPORT_OK) {
        if (atomic_load(&lane->stopping) && has_stopped(lane))
            return true;
        status = run_once(lane, &handler);
    }
    if (lane->serving)
        event_log(EVENT_BROKER_DISCONNECTED, LOG_FIELDS(LOG_S("error", lane->error.text)),
                  "broker connection lost; unacknowledged commands will be redelivered");
    return false;
}

/* Closes the connection and releases its jobs: the broker redelivers their commands. The new epoch
   makes the apply thread drop those that it has not begun. */
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
    lane->connection_lost = lane->serving = false;
    read_queue_clear(lane->reads, &jobs);
    release_jobs(lane, &jobs);
    reap_completed(lane);
}

/* Opens a connection and serves it. Returns true if the lane has stopped. */
static bool connect_and_run(struct lane *lane)
{
    struct transport *transport = lane->options.transport;
    atomic_fetch_add(&lane->loop_iterations, 1);
    if (transport->ops->open(transport, &lane->error) != TRANSPORT_OK)
        return false;
    counter_add(&lane->counters, COUNTER_BROKER_CONNECTIONS, 1);
    return run_connection(lane);
}

static void log_connect_failed(struct lane *lane, int64_t retry_in_ms)
{
    int64_t now_ms = monotonic_ms(lane);
    bool due = outage_log_due(&lane->outage, true, now_ms);
    event_log_at(due ? event_level(EVENT_BROKER_CONNECT_FAILED) : LOG_LEVEL_DEBUG,
                 EVENT_BROKER_CONNECT_FAILED,
                 LOG_FIELDS(LOG_I("outage_ms", outage_log_duration_ms(&lane->outage, now_ms)),
                            LOG_I("retry_in_ms", retry_in_ms), LOG_S("error", lane->error.text)),
                 "cannot connect to the broker, retrying");
}

/* Logs an outage while an attempt to connect has not ended; it may take a minute. Called by the
   thread that calls lane_check. */
static void check_outage(struct lane *lane)
{
    int64_t now_ms = monotonic_ms(lane);
    if (outage_log_due(&lane->outage, false, now_ms))
        event_log(EVENT_BROKER_CONNECT_FAILED,
                  LOG_FIELDS(LOG_I("outage_ms", outage_log_duration_ms(&lane->outage, now_ms))),
                  "no answer from the broker yet, still trying to connect");
}

/* Returns a random time from half of the pause to all of it, and doubles the pause. Without the
   random part, all workers that lost one broker would reconnect at the same moment. */
static int64_t next_reconnect_ms(struct lane *lane, int64_t *pause_ms)
{
    int64_t half_ms = *pause_ms / 2;
    int64_t wait_ms = half_ms + rand_r(&lane->random) % (half_ms + 1);
    *pause_ms = *pause_ms * 2 < RECONNECT_PAUSE_MAX_MS ? *pause_ms * 2 : RECONNECT_PAUSE_MAX_MS;
    return wait_ms;
}

/* Sleeps in slices, so that a stop is noticed. */
static void sleep_unless_stopping(const struct lane *lane, int64_t wait_ms)
{
    enum { SLICE_MS = 50 };
    for (int64_t slept = 0; slept < wait_ms && !atomic_load(&lane->stopping); slept += SLICE_MS) {
        struct timespec slice = {0, SLICE_MS * 1000000L};
        (void)nanosleep(&slice, NULL);
    }
}

static void *transport_main(void *argument)
{
    struct lane *lane = argument;
    int64_t pause_ms = RECONNECT_PAUSE_FIRST_MS;
    outage_log_begin(&lane->outage, monotonic_ms(lane)); /* until the first connection */
    for (;;) {
        bool stopped = connect_and_run(lane);
        outage_log_begin(&lane->outage, monotonic_ms(lane));
        /* A connection alone does not reset the pause: otherwise the worker would connect without
           a pause to a broker that accepts logins but no AMQP consumer. */
        if (lane->flow.consuming)
            pause_ms = RECONNECT_PAUSE_FIRST_MS;
        int64_t wait_ms = next_reconnect_ms(lane, &pause_ms);
        if (!stopped && !lane->serving)
            log_connect_failed(lane, wait_ms);
        drop_connection(lane);
        if (stopped)
            break;
        sleep_unless_stopping(lane, wait_ms);
        if (atomic_load(&lane->stopping))
            break; /* without a connection, the broker has every command already */
    }
    for (size_t i = 0; i < lane->thread_count; i++)
        apply_thread_close(lane->threads[i]);
    atomic_store(&lane->ended, true);
    return NULL;
}

/* --- start and stop ------------------------------------------------------------------------- */

static struct settler *new_settler(struct lane *lane)
{
    const struct settings *settings = lane->options.settings;
    struct settler_options options = {
        .transport = lane->options.transport,
        .clock = lane->options.clock,
        .counters = &lane->counters,
        .queue = settings->amqp_queue,
        .worker = lane->options.worker,
        .dead_letter_exchange = settings->amqp_dead_letter_exchange,
        .confirm_timeout_ms = settings->reply_confirm_timeout_ms,
        .publish_letters = settings->letters_publish,
        .letters_bytes_max = letters_bytes_max(settings),
        .reply_max_attempts = (unsigned)settings->reply_max_attempts,
    };
    return settler_new(&options);
}

static const char *thread_name(size_t index)
{
    static const char *const names[FIRST_READER] = {[APPLY_WRITES] = "apply",
                                                    [APPLY_ASIDE] = "aside"};
    return index < FIRST_READER ? names[index] : "read";
}

static void start_apply_thread(struct lane *lane, size_t index)
{
    enum apply_role role = index < FIRST_READER ? (enum apply_role)index : APPLY_READS;
    struct apply_thread_options options = {
        .name = thread_name(index),
        .applier = applier_options(lane, lane->options.stores[index], role),
        .wake_fd = lane->wake_fd,
        .prepared = &lane->prepared,
        .prepares = role == APPLY_WRITES,
        .outage = lane->storage_outage,
        .index = index,
        .watchdog_ms = lane->options.settings->worker_watchdog_timeout_ms,
    };
    lane->threads[index] = apply_thread_start(&options);
}

static void start_threads(struct lane *lane)
{
    pthread_attr_t attributes;
    for (size_t i = 0; i < lane->thread_count; i++)
        start_apply_thread(lane, i);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, TRANSPORT_STACK_BYTES);
    int result = pthread_create(&lane->transport_thread, &attributes, transport_main, lane);
    if (result != 0) {
        (void)fprintf(stderr, "allotd: cannot start a thread with a stack of %d MiB: %s\n",
                      TRANSPORT_STACK_BYTES / (1024 * 1024), strerror(result));
        abort(); /* at the start, with nothing in flight */
    }
    /* for debuggers and top -H; at most 15 bytes */
    (void)pthread_setname_np(lane->transport_thread, "transport");
    (void)pthread_attr_destroy(&attributes);
}

size_t lane_store_count(const struct settings *settings)
{
    return FIRST_READER + (size_t)settings->reads_concurrency;
}

struct lane *lane_start(const struct lane_options *options)
{
    const struct settings *settings = options->settings;
    struct lane *lane = MEMORY_NEW(struct lane);
    lane->options = *options;
    lane->thread_count = lane_store_count(settings);
    lane->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lane->wake_fd < 0)
        abort(); /* out of descriptors at the start, with nothing in flight */
    lane->reads = read_queue_new((size_t)settings->reads_concurrency);
    lane->storage_outage = storage_outage_new(lane->thread_count);
    lane->epoch = 1;
    lane->random = (unsigned)getpid() ^ (unsigned)options->clock->monotonic_ms(options->clock);
    flow_init(&lane->flow, (size_t)settings->amqp_max_bytes_in_flight,
              (uint16_t)settings->amqp_prefetch, options->budget, &lane->counters);
    lane->settler = new_settler(lane);
    start_threads(lane);
    lane->options.stores = NULL; /* each apply thread has its own */
    return lane;
}

void lane_check(struct lane *lane)
{
    struct clock *clock = lane->options.clock;
    int64_t limit_ms = lane->options.settings->worker_watchdog_timeout_ms + OPEN_MS_MAX;
    if (watchdog_check(&lane->transport_watchdog, atomic_load(&lane->loop_iterations), true,
                       clock->monotonic_ms(clock), limit_ms))
        abort_stalled(lane, "transport", "a call to the broker does not return");
    check_outage(lane);
    storage_outage_check(lane->storage_outage, monotonic_ms(lane));
}

const struct counters *lane_counters(const struct lane *lane)
{
    return &lane->counters;
}

void lane_stop(struct lane *lane, int64_t patience_ms)
{
    atomic_store(&lane->give_up_ms, monotonic_ms(lane) + patience_ms);
    atomic_store(&lane->stopping, true);
    wake(lane);
}

void lane_join(struct lane *lane)
{
    (void)pthread_join(lane->transport_thread, NULL);
    for (size_t i = 0; i < lane->thread_count; i++)
        apply_thread_end(lane->threads[i]);
    storage_outage_free(lane->storage_outage);
    settler_free(lane->settler);
    lane->options.transport->ops->free(lane->options.transport);
    read_queue_free(lane->reads);
    (void)close(lane->wake_fd);
    flow_clear(&lane->flow);
}

uint64_t lane_returned(const struct lane *lane)
{
    uint64_t returned = atomic_load(&lane->returned);
    if (returned > 0 || atomic_load(&lane->ended))
        return returned;
    return counter_read(&lane->counters, COUNTER_IN_FLIGHT);
}

void lane_free(struct lane *lane)
{
    free(lane);
}
