/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator. Sections: life of the world and its workers; producers (world_send keeps a
 * journal); the steps of a worker, which mirror worker/service/lane.c function by function; faults.
 *
 * A worker's job goes the same way as in a lane: take_delivery decodes it and submits it to the
 * applier, or settles it at once if it cannot be decoded; reap_applied takes finished jobs back and
 * hands them to the settler; drop_connection starts a new epoch and releases everything in flight.
 * A crash (world_crash) frees the worker's memory and starts a new worker on the same database and
 * broker, as a supervisor would.
 *
 * There are no threads, no sockets and no real time. What only exists with threads (the work queue,
 * the watchdog, flow control) is tested elsewhere: tests/sim/test_lane.c and tests/unit.
 */
#include "tests/support/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/service/desk.h"

enum {
    PREFETCH = 20,
    COMMANDS_MAX = 8,
    DOCUMENTS_MAX = 4000,
    CONFIRM_MS = 10000,
    REPLY_ATTEMPTS = 3,
    BATCH_BYTES = 8 * 1024 * 1024,
    ROUNDS_MAX = 20000,
    ROUND_MS = 50,
    SWEEP_MS = 10000,
    SWEEP_LETTERS = 3,
    TRIM_MS = 60000,
    TIMEOUT_MS = 10000,
    LOAD_BYTES = 64 * 1024 * 1024,
    LOAD_BYTES_ALONE = 2 * LOAD_BYTES,
    LETTERS_MAX_BYTES = 1024 * 1024 * 1024,
    LETTERS_BYTES = 1024 * 1024,
};

static const char policy_text[] = "version: 1\n"
                                  "principals:\n"
                                  "  - name: admin\n"
                                  "    allow:\n"
                                  "      - commands: [\"*\"]\n"
                                  "        projects: [\"*\"]\n"
                                  "        providers: [\"*\"]\n"
                                  "    reply_to: [\"replies\", \"nowhere\"]\n"
                                  "  - name: blue\n"
                                  "    allow:\n"
                                  "      - commands: [\"allocation.*\", \"usage.get\"]\n"
                                  "        projects: [\"blue-*\"]\n"
                                  "        providers: [\"*\"]\n"
                                  "    reply_to: [\"replies\"]\n"
                                  "  - name: red\n"
                                  "    allow:\n"
                                  "      - commands: [\"allocation.*\", \"usage.get\"]\n"
                                  "        projects: [\"red-*\"]\n"
                                  "        providers: [\"*\"]\n"
                                  "    reply_to: [\"replies\"]\n";

uint64_t world_random(struct world *world, uint64_t below)
{
    uint64_t mixed = (world->random += 0x9e3779b97f4a7c15U);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return (mixed ^ (mixed >> 31)) % below;
}

/* --- life ----------------------------------------------------------------------------------- */

static void decode(void *context, struct job *job)
{
    const struct world_worker *worker = context;
    struct policy_ref *policy = policy_acquire(worker->world->policy);
    struct decode_context decode_context = {.policy = policy_of(policy), .trust_user_id = true};
    command_decode(&decode_context, &job->delivery, job->arena, &job->decoded);
    policy_release(policy);
    job->undecoded = false;
}

static void identify(void *context, struct job *job)
{
    (void)context;
    struct decode_context decode_context = {.trust_user_id = true};
    command_identify(&decode_context, &job->delivery, &job->decoded);
    job->undecoded = false;
}

static void start_applier(struct world_worker *worker, size_t index)
{
    struct world *world = worker->world;
    struct world_applier *apply = &worker->appliers[index];
    apply->store = index == 0 ? memory_store_new(world->database)
                              : memory_store_sibling(worker->appliers[0].store);
    struct applier_options options = {
        .role = index < WORLD_FIRST_READER ? (enum apply_role)index : APPLY_READS,
        .store = apply->store,
        .clock = &worker->clock.base,
        .policy = world->policy,
        .epoch = &worker->epoch,
        .queue = text_of("allot.commands"),
        .worker = text_of("simulated"),
        .turn = world->one_process ? &world->turn : &worker->turn,
        .full = worker->full,
        .max_commands = world->max_commands,
        .max_documents = world->max_documents,
        .max_bytes = BATCH_BYTES,
        .max_attempts = WORLD_ATTEMPTS_MAX,
        .timeout_ms = TIMEOUT_MS,
        .call_limit_ms = TIMEOUT_MS,
        .load_bytes_max = LOAD_BYTES,
        .load_bytes_max_alone = LOAD_BYTES_ALONE,
        .sweep_count_max = SWEEP_LETTERS,
        .sweep_bytes_max = LETTERS_BYTES,
        .letters_max_bytes = world->letters_max_bytes,
        .redaction = world->redaction,
        .seed = world_random(world, UINT64_MAX),
        .decode = decode,
        .identify = identify,
        .decode_context = worker,
    };
    apply->applier = applier_new(&options);
    apply->idle = true;
}

static void start(struct world *world, struct world_worker *worker)
{
    uint64_t epoch = worker->epoch + 1;
    struct wrong_clock clock = worker->clock;
    memset(worker, 0, sizeof *worker);
    worker->world = world;
    worker->clock = clock;
    worker->epoch = epoch;
    worker->transport = memory_transport_new(world->broker);
    worker->full = full_principals_new();
    worker->reads = read_queue_new(WORLD_READERS);
    flow_init(&worker->flow, SIZE_MAX / 2, world->prefetch, &worker->budget, NULL);
    struct settler_options settling = {
        .transport = worker->transport,
        .clock = &worker->clock.base,
        .queue = text_of("allot.commands"),
        .worker = text_of("simulated"),
        .dead_letter_exchange = text_of("allot.dead"),
        .publish_letters = true,
        .letters_bytes_max = LETTERS_BYTES,
        .confirm_timeout_ms = CONFIRM_MS,
        .reply_max_attempts = REPLY_ATTEMPTS,
    };
    worker->settler = settler_new(&settling);
    settler_limit_blamed(worker->settler, PREFETCH / 2, SIZE_MAX);
    settler_limit_without_letter(worker->settler, flow_without_letter_count(&worker->flow));
    for (size_t i = 0; i < WORLD_APPLIERS; i++)
        start_applier(worker, i);
}

static void stop(struct world_worker *worker)
{
    for (size_t i = 0; i < WORLD_APPLIERS; i++) {
        applier_free(worker->appliers[i].applier);
        worker->appliers[i].store->ops->free(worker->appliers[i].store);
    }
    read_queue_free(worker->reads);
    settler_free(worker->settler);
    worker->transport->ops->free(worker->transport);
    full_principals_free(worker->full);
    flow_clear(&worker->flow);
}

static struct policy_source *make_policy(void)
{
    char path[] = "/tmp/allot-policy-XXXXXX";
    int file = mkstemp(path);
    assert(file >= 0);
    ssize_t written = write(file, policy_text, sizeof policy_text - 1);
    assert(written == (ssize_t)sizeof policy_text - 1);
    (void)written;
    (void)close(file);
    struct error error = {""};
    struct service_queues queues = {text_of("allot.commands"), text_of("allot.dead")};
    struct policy_source *policy = policy_source_new(path, &queues, &error);
    if (policy == NULL)
        (void)fprintf(stderr, "%s\n", error.text);
    (void)unlink(path);
    assert(policy != NULL);
    return policy;
}

struct world *world_new(struct world_options options)
{
    struct world *world = calloc(1, sizeof *world);
    assert(world != NULL);
    world->seed = options.seed;
    world->random = options.seed;
    world->max_commands = options.max_commands > 0 ? options.max_commands : COMMANDS_MAX;
    world->max_documents = options.max_documents > 0 ? options.max_documents : DOCUMENTS_MAX;
    world->prefetch = options.prefetch > 0 ? options.prefetch : PREFETCH;
    world->letters_max_bytes =
        options.letters_max_bytes > 0 ? options.letters_max_bytes : LETTERS_MAX_BYTES;
    world->redaction = options.redaction;
    world->one_process = options.one_process;
    world->arena = arena_new(0);
    world->clock = fake_clock_make();
    world->broker = memory_broker_new(&MEMORY_NAMES_DEFAULT);
    memory_broker_declare(world->broker, "replies");
    world->database = memory_database_new();
    memory_database_use_clock(world->database, &world->clock.base);
    world->policy = make_policy();
    for (size_t i = 0; i < WORLD_WORKERS; i++) {
        int64_t error_ms = i % 2 == 0 ? -EIGHT_DAYS_MS : EIGHT_DAYS_MS;
        world->workers[i].clock = wrong_clock_make(&world->clock.base, error_ms);
        start(world, &world->workers[i]);
    }
    return world;
}

void world_free(struct world *world)
{
    for (size_t i = 0; i < WORLD_WORKERS; i++)
        stop(&world->workers[i]);
    memory_broker_free(world->broker);
    memory_database_free(world->database);
    policy_source_free(world->policy);
    arena_free(world->arena);
    free(world);
}

/* --- producers ------------------------------------------------------------------------------ */

const struct sent *world_send(struct world *world, const struct sent *message)
{
    assert(world->journal.count < JOURNAL_MAX);
    struct sent *sent = &world->journal.sent[world->journal.count];
    sent->principal = text_copy(world->arena, message->principal);
    sent->key = text_copy(world->arena, message->key);
    sent->reply_to = text_copy(world->arena, message->reply_to);
    sent->body = text_copy(world->arena, message->body);
    sent->deadline_ms = message->deadline_ms;
    sent->replies_before = memory_broker_count(world->broker, "replies");
    sent->correlation_id = text_format(world->arena, "c%zu", world->journal.count++);
    struct outgoing_header deadline = {
        .name = "x-allot-deadline", .kind = OUTGOING_INTEGER, .integer = sent->deadline_ms};
    struct outgoing outgoing = {
        .exchange = text_of("allot.commands"),
        .routing_key = text_of("allot.commands"),
        .properties = {.correlation_id = sent->correlation_id,
                       .reply_to = sent->reply_to,
                       .message_id = sent->key,
                       .user_id = sent->principal},
        .headers = &deadline,
        .header_count = sent->deadline_ms != 0,
        .body = sent->body,
    };
    bool routed = memory_broker_send(world->broker, &outgoing);
    assert(routed);
    (void)routed;
    return sent;
}

const struct sent *world_ask(struct world *world, const char *principal, const char *key,
                             const char *body)
{
    return world_send(world, &(struct sent){.principal = text_of(principal),
                                            .key = text_of(key),
                                            .reply_to = text_of("replies"),
                                            .body = text_of(body)});
}

static const struct memory_message *find(const struct world *world, const char *queue,
                                         const struct sent *sent, size_t nth)
{
    size_t count = memory_broker_count(world->broker, queue);
    for (size_t i = 0; i < count; i++) {
        const struct memory_message *message = memory_broker_message(world->broker, queue, i);
        if (text_equal(message->properties.correlation_id, sent->correlation_id) && nth-- == 0)
            return message;
    }
    return NULL;
}

const struct memory_message *world_reply(const struct world *world, const struct sent *sent,
                                         size_t nth)
{
    return find(world, "replies", sent, nth);
}

const struct memory_message *world_dead_letter(const struct world *world, const struct sent *sent)
{
    return find(world, "allot.dead", sent, 0);
}

/* --- a worker's steps ----------------------------------------------------------------------- */

static void submit_to(struct world_worker *worker, size_t index, struct job_queue *jobs)
{
    struct world_applier *apply = &worker->appliers[index];
    apply->count += jobs->count;
    applier_submit(apply->applier, jobs);
    apply->idle = false;
    if (apply->idle_until_submitted)
        apply->from_ms = 0;
}

static void submit(struct world_worker *worker, struct job *job)
{
    struct job_queue one = {0};
    enum apply_role role = apply_role_for(job);
    if (role == APPLY_READS) {
        read_queue_push(worker->reads, job);
        return;
    }
    job_queue_push(&one, job);
    submit_to(worker, role, &one);
}

void world_submit(struct world *world, size_t worker, struct job *job)
{
    submit(&world->workers[worker], job);
}

static void give_reads(struct world_worker *worker)
{
    struct job_queue jobs = {0};
    size_t reader = 0;
    while (read_queue_next(worker->reads, &reader, &jobs))
        submit_to(worker, WORLD_FIRST_READER + reader, &jobs);
}

static void release_jobs(struct world_worker *worker, struct job_queue *jobs)
{
    for (struct job *job = job_queue_pop(jobs); job != NULL; job = job_queue_pop(jobs)) {
        if (job->attempt_sent || job->fate != FATE_OPEN)
            submit(worker, job);
        else
            job_free(job);
    }
}

static void settle(struct world_worker *worker, struct job *job)
{
    struct error error = {""};
    worker->lost |= settler_settle(worker->settler, job, &error) != TRANSPORT_OK;
}

static void take_delivery(struct world_worker *worker, const struct transport_event *event)
{
    struct job *job = job_new(event->arena, &event->delivery, worker->epoch);
    job->subscription = worker->flow.subscription;
    if (!job->delivery.redelivered && !job_is_of_desk(job))
        decode(worker, job);
    if (job->undecoded || job->decoded.accepted) {
        submit(worker, job);
        return;
    }
    job_answer_undecodable(job);
    if (job_needs_letter(job))
        submit(worker, job);
    else
        settle(worker, job);
}

static void handle(void *context, const struct transport_event *event)
{
    struct world_worker *worker = context;
    struct error error = {""};
    if (event->kind == TRANSPORT_DELIVERY)
        take_delivery(worker, event);
    else if (event->kind == TRANSPORT_CANCELLED)
        worker->lost = true;
    else
        worker->lost |= settler_event(worker->settler, event, &error) != TRANSPORT_OK;
}

static void end_desk_message(struct world_worker *worker, struct job *job)
{
    struct transport *transport = worker->transport;
    struct error error = {""};
    if (job->answered && !job->detached && job->epoch == worker->epoch)
        worker->lost |= transport->ops->ack(transport, job->delivery.tag, &error) != TRANSPORT_OK;
    job_free(job);
}

/* Handles what a sweep gives. Returns false for a delivery. */
static bool is_swept(struct world_worker *worker, struct job *job)
{
    if (job->sweeps) {
        worker->sweeping = false;
        job_free(job);
        return true;
    }
    if (!job_is_claimed_letter(job))
        return false;
    assert(job->delivery.tag == 0); /* it has no delivery */
    worker->sweep_at_ms = 0;
    settler_publish(worker->settler, job);
    return true;
}

/* Handles what a step of a trim gives. Returns false for all else. */
static bool is_trimmed(struct world_worker *worker, struct job *job)
{
    if (!job->trims)
        return false;
    worker->trimming = false;
    if (!job->trim_over)
        worker->trim_at_ms = 0;
    job_free(job);
    return true;
}

static void store_letters(struct world_worker *worker)
{
    struct job_queue unstored = {0};
    settler_reap_unstored(worker->settler, &unstored);
    for (struct job *job = job_queue_pop(&unstored); job != NULL; job = job_queue_pop(&unstored))
        submit(worker, job);
}

static void sweep_letters(struct world_worker *worker)
{
    int64_t now_ms = worker->world->clock.monotonic_ms;
    if (worker->sweeping || now_ms < worker->sweep_at_ms ||
        settler_publishing(worker->settler) > 0 || !settler_takes_letters(worker->settler))
        return;
    worker->sweeping = true;
    worker->sweep_at_ms = now_ms + SWEEP_MS;
    submit(worker, job_of_sweep(worker->epoch));
}

static void trim_letters(struct world_worker *worker)
{
    int64_t now_ms = worker->world->clock.monotonic_ms;
    if (worker->trimming || now_ms < worker->trim_at_ms)
        return;
    worker->trimming = true;
    worker->trim_at_ms = now_ms + TRIM_MS;
    submit(worker, job_of_trim(worker->epoch));
}

static void take_applied(struct world_worker *worker, struct job *job, struct job_queue *released)
{
    bool settled = job->stage == SETTLE_DONE;
    bool current = job->epoch == worker->epoch;
    bool passed_on = job->passed_on;
    job->passed_on = false;
    if (!settled && current && (passed_on || job_needs_letter(job))) {
        submit(worker, job);
    } else if (!settled && current && job->answered) {
        settle(worker, job);
    } else {
        if (!settled)
            job->answered = false;
        job_queue_push(released, job);
    }
}

static void reap_applier(struct world_worker *worker, size_t index, struct job_queue *released)
{
    struct world_applier *apply = &worker->appliers[index];
    struct job_queue finished = {0};
    size_t before = apply->count;
    applier_reap(apply->applier, &finished);
    for (const struct job *job = finished.head; job != NULL; job = job->next)
        apply->count -= !job_is_claimed_letter(job);
    if (index >= WORLD_FIRST_READER && before > 0 && apply->count == 0)
        read_queue_done(worker->reads, index - WORLD_FIRST_READER);
    for (struct job *job = job_queue_pop(&finished); job != NULL; job = job_queue_pop(&finished)) {
        if (job_is_of_desk(job))
            end_desk_message(worker, job);
        else if (!is_swept(worker, job) && !is_trimmed(worker, job))
            take_applied(worker, job, released);
    }
}

static void reap_applied(struct world_worker *worker)
{
    struct job_queue released = {0};
    for (size_t i = 0; i < WORLD_APPLIERS; i++)
        reap_applier(worker, i, &released);
    release_jobs(worker, &released);
}

static void drop_connection(struct world_worker *worker)
{
    struct job_queue jobs = {0};
    worker->epoch++;
    settler_reap(worker->settler, &jobs);
    release_jobs(worker, &jobs);
    settler_abandon(worker->settler, &jobs);
    release_jobs(worker, &jobs);
    worker->transport->ops->close(worker->transport);
    flow_reset(&worker->flow);
    read_queue_clear(worker->reads, &jobs);
    release_jobs(worker, &jobs);
    worker->connected = false;
    worker->lost = false;
    reap_applied(worker);
}

/* Keeps the tags of deliveries that are not settled now. */
static void hold(struct world_worker *worker, const struct job_queue *settled)
{
    for (const struct job *job = settled->head; job != NULL; job = job->next) {
        if (job->held)
            flow_hold(&worker->flow, job->delivery.tag, job->subscription, job->held_until_ms);
    }
}

static void release_held(struct world_worker *worker)
{
    struct error error = {""};
    worker->lost |= flow_release_held(&worker->flow, worker->transport,
                                      settler_room_without_letter(worker->settler),
                                      worker->world->clock.monotonic_ms, &error) != TRANSPORT_OK;
}

static bool connect_worker(struct world_worker *worker)
{
    struct error error = {""};
    if (!worker->connected)
        worker->connected = worker->transport->ops->open(worker->transport, &error) == TRANSPORT_OK;
    return worker->connected;
}

void world_transport_step(struct world *world, size_t index)
{
    struct world_worker *worker = &world->workers[index];
    struct transport_handler handler = {worker, handle};
    struct job_queue settled = {0};
    struct error error = {""};
    int64_t wait_ms = -1;
    if (!connect_worker(worker)) {
        drop_connection(worker);
        return;
    }
    reap_applied(worker);
    worker->lost |= settler_tick(worker->settler, &wait_ms, &error) != TRANSPORT_OK;
    flow_set_waiting(&worker->flow,
                     settler_without_letter_of(worker->settler, worker->flow.subscription));
    if (!worker->lost)
        worker->lost |= flow_update(&worker->flow, worker->transport, false,
                                    world->clock.monotonic_ms, &error) != TRANSPORT_OK;
    if (!worker->lost)
        worker->lost |= worker->transport->ops->poll(worker->transport, 0, -1, &handler, &error) !=
                        TRANSPORT_OK;
    give_reads(worker);
    settler_reap(worker->settler, &settled);
    hold(worker, &settled);
    release_jobs(worker, &settled);
    release_held(worker);
    store_letters(worker);
    sweep_letters(worker);
    trim_letters(worker);
    if (worker->lost)
        drop_connection(worker);
}

/* Returns the next applier in turn that has something to do now; NULL if there is none. */
static struct world_applier *next_applier(struct world_worker *worker)
{
    for (size_t i = 1; i <= WORLD_APPLIERS; i++) {
        size_t index = (worker->turn_of + i) % WORLD_APPLIERS;
        struct world_applier *apply = &worker->appliers[index];
        if (apply->idle || worker->world->clock.monotonic_ms < apply->from_ms)
            continue;
        worker->turn_of = index;
        return apply;
    }
    return NULL;
}

static void step(const struct world *world, struct world_applier *apply)
{
    int64_t pause_ms = 0;
    enum applier_next next = applier_step(apply->applier, &pause_ms);
    apply->idle = next == APPLIER_IDLE && pause_ms == 0;
    apply->idle_until_submitted = next == APPLIER_IDLE;
    apply->from_ms = world->clock.monotonic_ms + pause_ms;
}

void world_apply_step(struct world *world, size_t index)
{
    struct world_applier *apply = next_applier(&world->workers[index]);
    if (apply != NULL)
        step(world, apply);
}

void world_apply_step_of(struct world *world, size_t index, enum apply_role role)
{
    struct world_applier *apply = &world->workers[index].appliers[role];
    if (world->clock.monotonic_ms >= apply->from_ms)
        step(world, apply);
}

void world_crash(struct world *world, size_t index, enum memory_fate fate)
{
    struct world_worker *worker = &world->workers[index];
    for (size_t i = 0; i < WORLD_APPLIERS; i++)
        memory_store_crash(worker->appliers[i].store, fate);
    stop(worker);
    start(world, worker);
    world->crashes++;
}

/* The last report comes after the end of the appliers, as in worker/wiring.c. */
void world_restart(struct world *world, size_t index)
{
    struct world_worker *worker = &world->workers[index];
    struct store *store = memory_store_sibling(worker->appliers[0].store);
    stop(worker);
    (void)store->ops->report_worker(store, &(struct worker_report){.state = WORKER_STOPPED}, NULL);
    store->ops->free(store);
    start(world, worker);
}

/* --- faults --------------------------------------------------------------------------------- */

static const struct memory_fault store_faults[] = {
    {.call = MEMORY_BEGIN, .status = STORE_UNAVAILABLE},
    {.call = MEMORY_LOAD, .status = STORE_UNAVAILABLE},
    {.call = MEMORY_LOAD, .status = STORE_CONFLICT},
    {.call = MEMORY_LOAD, .status = STORE_EXPIRED},
    {.call = MEMORY_LOAD, .status = STORE_TIMED_OUT, .times = 2},
    {.call = MEMORY_LOAD, .status = STORE_UNEXPLAINED, .times = 3},
    {.call = MEMORY_WRITE, .status = STORE_UNEXPLAINED, .times = 2},
    {.call = MEMORY_PROVE, .status = STORE_UNAVAILABLE},
    {.call = MEMORY_WRITE, .status = STORE_UNAVAILABLE},
    {.call = MEMORY_WRITE, .status = STORE_UNAVAILABLE, .fate = MEMORY_LINGERS},
    {.call = MEMORY_WRITE, .status = STORE_CONFLICT},
    {.call = MEMORY_WRITE, .status = STORE_REFUSED},
    {.call = MEMORY_COMMIT, .status = STORE_CONFLICT},
    {.call = MEMORY_COMMIT, .status = STORE_UNKNOWN},
    {.call = MEMORY_COMMIT, .status = STORE_UNKNOWN, .fate = MEMORY_APPLIED},
    {.call = MEMORY_COMMIT, .status = STORE_UNKNOWN, .fate = MEMORY_LINGERS},
    {.call = MEMORY_ATTEMPT, .status = STORE_UNAVAILABLE},
    {.call = MEMORY_ATTEMPT, .status = STORE_UNAVAILABLE, .fate = MEMORY_APPLIED},
    {.call = MEMORY_ANY_CALL, .status = STORE_UNAVAILABLE, .times = 4},
};

/* Fewer than REPLY_ATTEMPTS in a whole run, so that no reply is given up as unroutable. */
static void fail_reply(struct world *world, struct memory_faults *faults, bool nack)
{
    if (world->unconfirmed_replies + 1 >= REPLY_ATTEMPTS)
        return;
    world->unconfirmed_replies++;
    if (nack)
        faults->nack_publish = 1 + world_random(world, 5);
    else
        faults->swallow_confirm = 1 + world_random(world, 5);
}

/* Ends a route, or lets the broker confirm or accept no reply until the next fault. */
static void fail_route(struct world *world, struct memory_faults *faults)
{
    switch (world_random(world, 3)) {
    case 0: faults->lose_route = 1 + world_random(world, 5); break;
    case 1: memory_broker_silence(world->broker, "replies", true); break;
    default: memory_broker_forbid_replies(world->broker, true); break;
    }
}

static void accept_replies(struct world *world)
{
    memory_broker_silence(world->broker, "replies", false);
    memory_broker_forbid_replies(world->broker, false);
}

void world_inject_fault(struct world *world)
{
    size_t index = world_random(world, WORLD_WORKERS);
    struct world_worker *worker = &world->workers[index];
    struct memory_faults *faults = memory_transport_faults(worker->transport);
    size_t count = sizeof store_faults / sizeof store_faults[0];
    struct memory_fault fault = store_faults[world_random(world, count)];
    accept_replies(world);
    switch (world_random(world, 12)) {
    case 7: fail_route(world, faults); break;
    case 0: memory_transport_cut(worker->transport); break;
    case 1: world_crash(world, index, world_random(world, 3) ? MEMORY_LOST : MEMORY_LINGERS); break;
    case 2: fail_reply(world, faults, true); break;
    case 3: fail_reply(world, faults, false); break;
    case 4: faults->duplicate_delivery = 1 + world_random(world, 3); break;
    case 5:
        faults->lose_at_call = 1 + world_random(world, 6);
        faults->lose_after_effect = world_random(world, 2);
        break;
    case 6: memory_database_resolve_commit(world->database, world_random(world, 2)); break;
    case 11: world_restart(world, index); break;
    case 8:
        (void)memory_broker_dead_letter(world->broker,
                                        world_random(world, 2) ? "expired" : "delivery_limit");
        break;
    default:
        memory_database_clear_faults(world->database);
        fault.after = world_random(world, 4);
        world->rejections += fault.status == STORE_REFUSED || fault.status == STORE_EXPIRED;
        memory_database_fail(world->database, fault);
        break;
    }
}

void world_clear_faults(struct world *world)
{
    accept_replies(world);
    memory_database_clear_faults(world->database);
    memory_database_resolve_commit(world->database, world_random(world, 2));
    for (size_t i = 0; i < WORLD_WORKERS; i++)
        *memory_transport_faults(world->workers[i].transport) = (struct memory_faults){0};
}

static void count_unpublished(void *context, const struct letter_record *letter)
{
    *(size_t *)context += letter->unpublished;
}

static size_t unpublished_letters(const struct world *world)
{
    size_t count = 0;
    memory_database_visit(world->database,
                          &(struct memory_visitor){.context = &count, .letter = count_unpublished});
    return count;
}

static bool appliers_are_idle(const struct world_worker *worker)
{
    for (size_t i = 0; i < WORLD_APPLIERS; i++) {
        if (!worker->appliers[i].idle)
            return false;
    }
    return true;
}

static bool is_idle(const struct world *world)
{
    if (memory_broker_count(world->broker, "allot.commands") > 0 ||
        memory_broker_count(world->broker, "allot.dead.desk") > 0 ||
        memory_broker_unacked(world->broker) > 0)
        return false;
    for (size_t i = 0; i < WORLD_WORKERS; i++) {
        const struct world_worker *worker = &world->workers[i];
        if (!appliers_are_idle(worker) || read_queue_count(worker->reads) > 0 ||
            settler_count(worker->settler) > 0 || settler_publishing(worker->settler) > 0)
            return false;
    }
    return unpublished_letters(world) == 0;
}

bool world_run_until_idle(struct world *world)
{
    for (size_t round = 0; round < ROUNDS_MAX; round++) {
        for (size_t i = 0; i < WORLD_WORKERS; i++) {
            world_transport_step(world, i);
            for (size_t j = 0; j < WORLD_APPLIERS; j++)
                world_apply_step(world, i);
        }
        if (is_idle(world))
            return true;
        fake_clock_advance(&world->clock, ROUND_MS);
    }
    return false;
}
