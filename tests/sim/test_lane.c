/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lane with its real threads, on a database and a broker that hang: the watchdog notices, the
 * lane reconnects or the process aborts, and an outage of the database is not taken for a stall.
 * Also how a lane ends while a call hangs, and the lines that outages of the broker and of the
 * database leave in the log.
 *
 * The first section has a transport that delivers one command and a store whose calls can be held
 * (a semaphore); `struct fixture` is a lane on both. Tests wait for events, such as a call that was
 * reached, with a generous limit; only the tests of the transport thread's watchdog move a clock. A
 * test in which the process has to abort, or that looks at the log, runs in a child (run_child),
 * whose exit status and log are compared.
 *
 * Not here: what a lane does with many commands, crashes and redeliveries. That is the simulator's
 * part (tests/sim/test_sim.c), which has no threads.
 */
#include "tests/support/cmocka.h"

#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/codec/settings_file.h"
#include "common/host/log.h"
#include "common/host/system_clock.h"
#include "tests/support/applier_bench.h"
#include "tests/support/blank_store.h"
#include "tests/support/fake_clock.h"
#include "worker/service/lane.h"

enum { STALL_MS = 3600 * 1000, PATIENCE_S = 60, BEGINS = 5 };

static void nap(void)
{
    struct timespec slice = {0, 2000000};
    (void)nanosleep(&slice, NULL);
}

/* --- a broker with one command, delivered on each connection until it is acknowledged --- */

struct one_command {
    struct transport base;
    atomic_int opens;
    atomic_int replies; /* confirmed */
    atomic_bool acked;
    atomic_int polls;
    atomic_int closes;
    atomic_bool refuses; /* open fails */
    bool open_hangs;     /* open does not return */
    bool hangs;          /* poll does not return */
    bool no_consumer;    /* open succeeds, consume fails */
    bool fails;          /* the next poll loses the connection over a failure of the broker */
    enum delivery_source suspect;
    atomic_int prefetch; /* of the last consume */
    atomic_int consumes;
    bool delivered, confirming;
    uint64_t sequence;
};

static enum transport_status open_it(struct transport *transport, struct error *error)
{
    struct one_command *self = (struct one_command *)transport;
    self->delivered = self->confirming = false;
    atomic_fetch_add(&self->opens, 1);
    while (self->open_hangs)
        nap();
    error_set(error, "connection refused");
    return atomic_load(&self->refuses) ? TRANSPORT_LOST : TRANSPORT_OK;
}

static enum transport_status consume(struct transport *transport, uint16_t prefetch,
                                     struct error *error)
{
    struct one_command *self = (struct one_command *)transport;
    (void)error;
    atomic_store(&self->prefetch, prefetch);
    atomic_fetch_add(&self->consumes, 1);
    return self->no_consumer ? TRANSPORT_LOST : TRANSPORT_OK;
}

static enum transport_status cancel(struct transport *transport, struct error *error)
{
    (void)transport;
    (void)error;
    return TRANSPORT_OK;
}

static void deliver(struct one_command *self, const struct transport_handler *handler)
{
    struct transport_event event = {.kind = TRANSPORT_DELIVERY, .arena = arena_new(0)};
    event.delivery = usage_delivery();
    self->delivered = true;
    handler->handle(handler->context, &event);
}

static enum transport_status poll_it(struct transport *transport, int timeout_ms, int wake_fd,
                                     const struct transport_handler *handler, struct error *error)
{
    struct one_command *self = (struct one_command *)transport;
    (void)timeout_ms;
    (void)wake_fd;
    (void)error;
    atomic_fetch_add(&self->polls, 1);
    while (self->hangs)
        nap();
    if (self->fails && atomic_load(&self->consumes) > 0) {
        struct transport_event event = {.kind = TRANSPORT_BROKER_FAILED};
        event.delivery.source = self->suspect;
        self->fails = false;
        handler->handle(handler->context, &event);
        return TRANSPORT_LOST;
    }
    if (!self->delivered && !atomic_load(&self->acked))
        deliver(self, handler);
    if (self->confirming) {
        struct transport_event event = {.kind = TRANSPORT_CONFIRMED, .sequence = self->sequence};
        self->confirming = false;
        atomic_fetch_add(&self->replies, 1);
        handler->handle(handler->context, &event);
    }
    nap();
    return TRANSPORT_OK;
}

static bool ready(struct transport *transport, enum route route)
{
    (void)transport;
    (void)route;
    return true;
}

static enum transport_status publish(struct transport *transport, const struct outgoing *outgoing,
                                     struct error *error)
{
    struct one_command *self = (struct one_command *)transport;
    (void)error;
    self->confirming = true;
    self->sequence = outgoing->sequence;
    return TRANSPORT_OK;
}

static enum transport_status ack(struct transport *transport, uint64_t tag, struct error *error)
{
    (void)tag;
    (void)error;
    atomic_store(&((struct one_command *)transport)->acked, true);
    return TRANSPORT_OK;
}

static enum transport_status requeue(struct transport *transport, uint64_t tag, struct error *error)
{
    (void)transport;
    (void)tag;
    (void)error;
    return TRANSPORT_OK;
}

static void restart(struct transport *transport, enum route route)
{
    (void)transport;
    (void)route;
}

static void close_it(struct transport *transport)
{
    atomic_fetch_add(&((struct one_command *)transport)->closes, 1);
}

static void nothing(struct transport *transport)
{
    (void)transport;
}

static const struct transport_ops one_command_ops = {.open = open_it,
                                                     .consume = consume,
                                                     .cancel = cancel,
                                                     .poll = poll_it,
                                                     .ready = ready,
                                                     .publish = publish,
                                                     .restart = restart,
                                                     .ack = ack,
                                                     .requeue = requeue,
                                                     .close = close_it,
                                                     .free = nothing};

/* --- a store whose begin blocks, or that has an outage --- */

struct blocking_store {
    struct store base;
    sem_t release; /* each begin waits for one */
    atomic_bool outage;
    atomic_int conflicts; /* so many commits fail */
    atomic_int begins;
    atomic_int prepares;
    atomic_bool prepare_fails;
    atomic_bool prepare_hangs;
};

static enum store_status prepare(struct store *store, struct error *error)
{
    struct blocking_store *self = (struct blocking_store *)store;
    atomic_fetch_add(&self->prepares, 1);
    while (atomic_load(&self->prepare_hangs))
        nap();
    error_set(error, "not a replica set");
    return atomic_load(&self->prepare_fails) ? STORE_MISCONFIGURED : STORE_OK;
}

static enum store_status begin(struct store *store, struct error *error)
{
    struct blocking_store *self = (struct blocking_store *)store;
    atomic_fetch_add(&self->begins, 1);
    if (atomic_load(&self->outage)) {
        error_set(error, "no primary");
        return STORE_UNAVAILABLE;
    }
    (void)sem_wait(&self->release);
    return STORE_OK;
}

static enum store_status commit(struct store *store, struct error *error)
{
    struct blocking_store *self = (struct blocking_store *)store;
    (void)error;
    if (atomic_load(&self->conflicts) == 0)
        return STORE_OK;
    atomic_fetch_sub(&self->conflicts, 1);
    return STORE_CONFLICT;
}

static const struct store_ops blocking_ops = {.now_ms = blank_now_ms,
                                              .prepare = prepare,
                                              .start = blank_call,
                                              .begin = begin,
                                              .limit_calls = blank_limit_calls,
                                              .prove_health = blank_prove_health,
                                              .load = blank_load,
                                              .write = blank_write,
                                              .claim_letters = blank_claim_letters,
                                              .find_letters = blank_find_letters,
                                              .commit = commit,
                                              .end = blank_end,
                                              .free = blank_end};

/* --- the lane between them --- */

struct fixture {
    struct arena *arena;
    struct settings settings;
    struct policy_source *policy;
    struct one_command broker;
    struct blocking_store store;
    struct attempt_turn turn;
    struct full_principals *full;
    struct memory_budget budget;
    struct lane *lane;
};

static const char settings_text[] = "amqp: {uri: amqp://none}\n"
                                    "mongodb: {uri: mongodb://none}\n"
                                    "policy: {file: config/policy.example.yaml}\n";

static const char *no_variable(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

static void set_up(struct fixture *fixture)
{
    struct error error = {""};
    memset(fixture, 0, sizeof *fixture);
    fixture->arena = arena_new(0);
    if (!settings_read(text_of(settings_text), "settings", no_variable, NULL, fixture->arena,
                       &fixture->settings, &error))
        fail_msg("%s", error.text);
    fixture->settings.worker_watchdog_timeout_ms = STALL_MS;
    struct service_queues queues = {fixture->settings.amqp_queue,
                                    fixture->settings.amqp_dead_letter_queue};
    fixture->policy = policy_source_new("config/policy.example.yaml", &queues, &error);
    assert_non_null(fixture->policy);
    fixture->broker.base.ops = &one_command_ops;
    fixture->store.base.ops = &blocking_ops;
    assert_int_equal(sem_init(&fixture->store.release, 0, 0), 0);
    fixture->full = full_principals_new();
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "lane test");
}

static void start(struct fixture *fixture, struct clock *clock)
{
    struct store *stores[LANE_THREADS_MAX];
    struct lane_options options = {
        .turn = &fixture->turn,
        .full = fixture->full,
        .budget = &fixture->budget,
        .settings = &fixture->settings,
        .worker = text_of("lane test"),
        .clock = clock,
        .policy = fixture->policy,
        .transport = &fixture->broker.base,
        .stores = stores,
    };
    for (size_t i = 0; i < lane_store_count(&fixture->settings); i++)
        stores[i] = &fixture->store.base;
    fixture->lane = lane_start(&options);
}

static void await_at_least(const atomic_int *what, int count)
{
    (void)alarm(PATIENCE_S); /* ends the program if it waits in vain */
    while (atomic_load(what) < count)
        nap();
    (void)alarm(0);
}

/* The system's clock, and what a test adds to it: so a stall takes no time, and a slow machine
   makes none. */
struct moved_clock {
    struct clock base;
    atomic_llong moved_ms;
};

static int64_t moved_wall_ms(struct clock *clock)
{
    return system_clock()->wall_ms(system_clock()) +
           atomic_load(&((struct moved_clock *)clock)->moved_ms);
}

static int64_t moved_monotonic_ms(struct clock *clock)
{
    return system_clock()->monotonic_ms(system_clock()) +
           atomic_load(&((struct moved_clock *)clock)->moved_ms);
}

static struct moved_clock moved_clock_make(void)
{
    return (struct moved_clock){.base = {moved_wall_ms, moved_monotonic_ms}};
}

/* Lets the watchdog's time limit pass, after the watchdog has seen that the lane has work. */
static void let_stall(struct fixture *fixture, struct moved_clock *clock)
{
    await_at_least(&fixture->store.begins, 1);
    await_at_least(&fixture->broker.polls, atomic_load(&fixture->broker.polls) + 3);
    (void)atomic_fetch_add(&clock->moved_ms, STALL_MS + 1);
}

static void free_all(struct fixture *fixture)
{
    lane_free(fixture->lane);
    (void)sem_destroy(&fixture->store.release);
    policy_source_free(fixture->policy);
    full_principals_free(fixture->full);
    arena_free(fixture->arena);
}

static void tear_down(struct fixture *fixture)
{
    lane_stop(fixture->lane, PATIENCE_S * 1000);
    lane_join(fixture->lane);
    assert_int_equal(lane_returned(fixture->lane), 0);
    free_all(fixture);
}

static uint64_t count(const struct fixture *fixture, enum counter counter)
{
    return counter_read(lane_counters(fixture->lane), counter);
}

/* Waits until the command is acknowledged and its job released. */
static void await_release(const struct fixture *fixture)
{
    (void)alarm(PATIENCE_S);
    while (count(fixture, COUNTER_DELIVERIES_ACKNOWLEDGED) == 0 ||
           count(fixture, COUNTER_IN_FLIGHT) > 0)
        nap();
    (void)alarm(0);
}

static void test_a_lane_whose_database_call_hangs_reconnects_and_answers(void **state)
{
    (void)state;
    struct fixture fixture;
    struct moved_clock clock = moved_clock_make();
    set_up(&fixture);
    start(&fixture, &clock.base);
    let_stall(&fixture, &clock);
    await_at_least(&fixture.broker.opens, 2);
    assert_int_equal(atomic_load(&fixture.broker.replies), 0);
    (void)sem_post(&fixture.store.release);
    (void)sem_post(&fixture.store.release); /* for the redelivery */
    await_release(&fixture);
    assert_int_equal(count(&fixture, COUNTER_BROKER_CONNECTIONS), 2);
    assert_int_equal(count(&fixture, COUNTER_WATCHDOG_STALLS), 1);
    assert_int_equal(count(&fixture, COUNTER_DELIVERIES_RECEIVED), 2);
    assert_int_equal(count(&fixture, COUNTER_DELIVERIES_ACKNOWLEDGED), 1);
    tear_down(&fixture);
    assert_true(atomic_load(&fixture.broker.acked));
    assert_int_equal(atomic_load(&fixture.broker.opens), 2);
    assert_int_equal(atomic_load(&fixture.broker.replies), 1);
}

static void test_an_outage_of_the_database_never_costs_the_broker_connection(void **state)
{
    (void)state;
    struct fixture fixture;
    struct moved_clock clock = moved_clock_make();
    set_up(&fixture);
    atomic_store(&fixture.store.outage, true);
    start(&fixture, &clock.base);
    await_at_least(&fixture.store.begins, 2); /* from the first failure on the outage is known */
    let_stall(&fixture, &clock);
    await_at_least(&fixture.store.begins, BEGINS);
    atomic_store(&fixture.store.outage, false);
    (void)sem_post(&fixture.store.release);
    await_release(&fixture);
    assert_int_equal(atomic_load(&fixture.broker.opens), 1);
    assert_in_range(count(&fixture, COUNTER_RETRIES_OUTAGE), BEGINS - 1, UINT64_MAX);
    tear_down(&fixture);
}

/* Returns the prefetch after the broker has failed over that queue. */
static int prefetch_after_a_failure(enum delivery_source suspect)
{
    struct fixture fixture;
    set_up(&fixture);
    fixture.broker.fails = true;
    fixture.broker.suspect = suspect;
    (void)sem_post(&fixture.store.release);
    start(&fixture, system_clock());
    await_at_least(&fixture.broker.consumes, 2);
    await_release(&fixture);
    int prefetch = atomic_load(&fixture.broker.prefetch);
    tear_down(&fixture);
    return prefetch;
}

static void test_a_failure_of_the_broker_over_commands_lowers_the_prefetch(void **state)
{
    (void)state;
    assert_int_equal(prefetch_after_a_failure(DELIVERY_COMMAND), 1);
    assert_int_equal(prefetch_after_a_failure(DELIVERY_DESK), 1500);
}

static void test_the_counters_say_what_became_of_a_command(void **state)
{
    enum { CONFLICTS = 2 };
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    atomic_store(&fixture.store.conflicts, CONFLICTS);
    for (int i = 0; i <= CONFLICTS; i++)
        (void)sem_post(&fixture.store.release);
    start(&fixture, system_clock());
    await_release(&fixture);
    assert_int_equal(count(&fixture, COUNTER_DELIVERIES_RECEIVED), 1);
    assert_int_equal(count(&fixture, COUNTER_RETRIES_CONFLICT), CONFLICTS);
    assert_int_equal(count(&fixture, COUNTER_TRANSACTIONS_COMMITTED), 1);
    assert_int_equal(count(&fixture, COUNTER_COMMANDS_COMMITTED), 1);
    assert_int_equal(count(&fixture, COUNTER_REPLIES_PUBLISHED), 1);
    assert_int_equal(count(&fixture, COUNTER_COMMANDS_SUCCEEDED), 1);
    assert_int_equal(count(&fixture, COUNTER_BROKER_CONNECTIONS), 1);
    assert_int_equal(count(&fixture, COUNTER_COMMANDS_FAILED), 0);
    assert_int_equal(count(&fixture, COUNTER_PUBLISHES_FAILED), 0);
    assert_int_equal(count(&fixture, COUNTER_BYTES_IN_FLIGHT), 0);
    tear_down(&fixture);
}

static void test_a_lane_gives_up_what_the_database_does_not_answer(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.settings.worker_watchdog_timeout_ms = PATIENCE_S * 1000;
    start(&fixture, system_clock());
    await_at_least(&fixture.store.begins, 1); /* the call that hangs */
    lane_stop(fixture.lane, 0);
    await_at_least(&fixture.broker.closes, 1);
    (void)sem_post(&fixture.store.release); /* the call returns, and the thread makes no other */
    lane_join(fixture.lane);
    assert_int_equal(lane_returned(fixture.lane), 1);
    assert_int_equal(atomic_load(&fixture.store.begins), 1);
    assert_false(atomic_load(&fixture.broker.acked));
    free_all(&fixture);
}

/* The pauses are 0.1, 0.2, 0.4 s and so on, of which at least half is waited for. A slow machine
   only takes longer. With equal pauses it were 0.5 s. */
static void test_a_broker_that_refuses_the_consumer_is_not_hammered(void **state)
{
    enum { OPENS = 6, LEAST_MS = (100 + 200 + 400 + 800 + 1600) / 2 };
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.broker.no_consumer = true;
    int64_t begin_ms = system_monotonic_ms();
    start(&fixture, system_clock());
    await_at_least(&fixture.broker.opens, OPENS);
    assert_in_range(system_monotonic_ms() - begin_ms, LEAST_MS, INT64_MAX);
    tear_down(&fixture);
}

struct child_end {
    int signal;     /* that ended it; 0: none did */
    char log[4096]; /* what it wrote to stderr */
};

/* Runs `body` in a child process until its end. */
static struct child_end run_child(void (*body)(void))
{
    struct child_end end = {0};
    FILE *file = tmpfile();
    assert_non_null(file);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(fileno(file), STDERR_FILENO);
        (void)alarm(PATIENCE_S);
        body();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    rewind(file);
    end.log[fread(end.log, 1, sizeof end.log - 1, file)] = '\0';
    (void)fclose(file);
    return end;
}

static void hang_for_good(void)
{
    static struct fixture fixture;
    struct moved_clock clock = moved_clock_make();
    set_up(&fixture);
    start(&fixture, &clock.base);
    for (;;)
        let_stall(&fixture, &clock);
}

static void test_the_second_stall_in_a_row_ends_the_process(void **state)
{
    (void)state;
    struct child_end end = run_child(hang_for_good);
    assert_int_equal(end.signal, SIGABRT);
    assert_non_null(strstr(end.log, "\"event\":\"lane.stalled\""));
    assert_non_null(strstr(end.log, "\"stage\":\"begin\""));
}

static void check_after(struct fixture *fixture, int64_t passed_ms)
{
    struct fake_clock clock = fake_clock_make();
    fixture->broker.hangs = true;
    start(fixture, &clock.base);
    await_at_least(&fixture->broker.polls, 1); /* the call that hangs */
    lane_check(fixture->lane);
    fake_clock_advance(&clock, passed_ms);
    lane_check(fixture->lane);
}

static void check_too_late(void)
{
    static struct fixture fixture;
    set_up(&fixture);
    check_after(&fixture, STALL_MS + 60 * 1000);
}

static void check_in_time(void)
{
    static struct fixture fixture;
    set_up(&fixture);
    check_after(&fixture, STALL_MS + 59 * 1000);
    (void)raise(SIGUSR1); /* lane_check has returned */
}

static void test_a_transport_thread_that_hangs_ends_the_process_and_no_sooner(void **state)
{
    (void)state;
    assert_int_equal(run_child(check_too_late).signal, SIGABRT);
    assert_int_equal(run_child(check_in_time).signal, SIGUSR1);
}

/* --- a stopping lane --- */

struct atomic_clock {
    struct clock base;
    _Atomic int64_t ms;
};

static int64_t atomic_ms(struct clock *clock)
{
    return atomic_load(&((struct atomic_clock *)clock)->ms);
}

static void stall_while_stopping(void)
{
    static struct fixture fixture;
    struct atomic_clock clock = {{atomic_ms, atomic_ms}, 1000};
    set_up(&fixture);
    start(&fixture, &clock.base);
    await_at_least(&fixture.store.begins, 1); /* the call that hangs */
    lane_stop(fixture.lane, 10LL * STALL_MS);
    for (int report = 0; report < 3; report++) {
        atomic_fetch_add(&clock.ms, STALL_MS);
        await_at_least(&fixture.broker.polls, atomic_load(&fixture.broker.polls) + 2);
    }
    (void)sem_post(&fixture.store.release);
    lane_join(fixture.lane);
    (void)raise(atomic_load(&fixture.broker.opens) == 1 ? SIGUSR1 : SIGUSR2);
}

static void test_the_watchdog_leaves_a_stopping_lane_alone(void **state)
{
    (void)state;
    assert_int_equal(run_child(stall_while_stopping).signal, SIGUSR1);
}

/* --- the lines of an outage of the broker --- */

static struct fixture outage;
static struct atomic_clock outage_clock = {{atomic_ms, atomic_ms}, 1000};

static void set_up_outage(void)
{
    set_up(&outage);
    outage.settings.worker_watchdog_timeout_ms = 10 * 60 * 1000;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "lane test");
}

/* Waits until two more attempts have begun, so one of them has ended. */
static void await_attempts(void)
{
    await_at_least(&outage.broker.opens, atomic_load(&outage.broker.opens) + 2);
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}

static void live_through_an_outage(void)
{
    set_up_outage();
    atomic_store(&outage.broker.refuses, true);
    start(&outage, &outage_clock.base);
    await_attempts();
    atomic_fetch_add(&outage_clock.ms, 60000);
    await_attempts();
    atomic_store(&outage.broker.refuses, false);
    await_at_least(&outage.broker.polls, 1);
}

static void
test_an_outage_of_the_broker_has_a_line_at_its_start_each_minute_and_its_end(void **state)
{
    (void)state;
    struct child_end end = run_child(live_through_an_outage);
    assert_int_equal(occurrences(end.log, "\"broker.connect_failed\""), 2);
    assert_non_null(strstr(end.log, "\"outage_ms\":0,"));
    assert_non_null(strstr(end.log, "\"outage_ms\":60000,"));
    assert_int_equal(occurrences(end.log, "\"broker.connected\""), 1);
    assert_non_null(strstr(end.log, "\"outage_ms\":60000}"));
}

static void live_without_a_subscription(void)
{
    set_up_outage();
    outage.broker.no_consumer = true;
    start(&outage, &outage_clock.base);
    await_attempts();
    await_attempts();
}

static void test_a_broker_that_refuses_the_consumer_is_an_outage(void **state)
{
    (void)state;
    struct child_end end = run_child(live_without_a_subscription);
    assert_int_equal(occurrences(end.log, "\"broker.connect_failed\""), 1);
    assert_int_equal(occurrences(end.log, "\"broker.connected\""), 0);
    assert_int_equal(occurrences(end.log, "\"broker.disconnected\""), 0);
}

static void wait_for_an_answer(void)
{
    set_up_outage();
    outage.broker.open_hangs = true;
    start(&outage, &outage_clock.base);
    await_at_least(&outage.broker.opens, 1);
    for (int second = 0; second < 10; second++) {
        lane_check(outage.lane);
        atomic_fetch_add(&outage_clock.ms, 1000);
    }
}

static void test_an_outage_has_a_line_before_an_attempt_to_connect_ends(void **state)
{
    (void)state;
    struct child_end end = run_child(wait_for_an_answer);
    assert_int_equal(occurrences(end.log, "\"broker.connect_failed\""), 1);
    assert_non_null(strstr(end.log, "\"outage_ms\":1000}"));
}

/* --- the lines of an outage of the database --- */

/* Waits until two more calls have begun, so one of them has ended. */
static void await_calls(const atomic_int *calls)
{
    await_at_least(calls, atomic_load(calls) + 2);
}

static void live_through_an_outage_of_the_database(void)
{
    set_up_outage();
    atomic_store(&outage.store.outage, true);
    start(&outage, &outage_clock.base);
    await_calls(&outage.store.begins);
    atomic_fetch_add(&outage_clock.ms, 60000);
    await_calls(&outage.store.begins);
    atomic_store(&outage.store.outage, false);
    (void)sem_post(&outage.store.release);
    await_release(&outage);
}

static void expect_lines_of_an_outage(const struct child_end *end)
{
    assert_int_equal(occurrences(end->log, "\"storage.unavailable\""), 2);
    assert_non_null(strstr(end->log, "\"outage_ms\":0,"));
    assert_non_null(strstr(end->log, "\"outage_ms\":60000,"));
    assert_int_equal(occurrences(end->log, "\"storage.recovered\""), 1);
    assert_non_null(strstr(end->log, "\"outage_ms\":60000}"));
}

static void
test_an_outage_of_the_database_has_a_line_at_its_start_each_minute_and_its_end(void **state)
{
    (void)state;
    struct child_end end = run_child(live_through_an_outage_of_the_database);
    expect_lines_of_an_outage(&end);
    assert_int_equal(occurrences(end.log, "\"batch.failed\""), 0);
}

static void live_without_preparation(void)
{
    set_up_outage();
    atomic_store(&outage.store.prepare_fails, true);
    (void)sem_post(&outage.store.release);
    start(&outage, &outage_clock.base);
    await_calls(&outage.store.prepares);
    atomic_fetch_add(&outage_clock.ms, 60000);
    await_calls(&outage.store.prepares);
    atomic_store(&outage.store.prepare_fails, false);
    await_release(&outage);
}

static void test_a_database_that_cannot_be_prepared_is_an_outage(void **state)
{
    (void)state;
    struct child_end end = run_child(live_without_preparation);
    expect_lines_of_an_outage(&end);
    assert_non_null(strstr(end.log, "not a replica set"));
    assert_int_equal(occurrences(end.log, "\"storage.prepare_failed\""), 0);
}

static void wait_for_an_answer_of_the_database(void)
{
    set_up_outage();
    atomic_store(&outage.store.prepare_hangs, true);
    start(&outage, &outage_clock.base);
    await_at_least(&outage.store.prepares, 1);
    for (int second = 0; second < 10; second++) {
        lane_check(outage.lane);
        atomic_fetch_add(&outage_clock.ms, 1000);
    }
}

static void test_an_outage_has_a_line_before_a_call_to_the_database_returns(void **state)
{
    (void)state;
    struct child_end end = run_child(wait_for_an_answer_of_the_database);
    assert_int_equal(occurrences(end.log, "\"storage.unavailable\""), 1);
    assert_non_null(strstr(end.log, "\"outage_ms\":1000}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lane_whose_database_call_hangs_reconnects_and_answers),
        cmocka_unit_test(test_an_outage_of_the_database_never_costs_the_broker_connection),
        cmocka_unit_test(test_the_counters_say_what_became_of_a_command),
        cmocka_unit_test(test_a_failure_of_the_broker_over_commands_lowers_the_prefetch),
        cmocka_unit_test(test_a_lane_gives_up_what_the_database_does_not_answer),
        cmocka_unit_test(test_a_broker_that_refuses_the_consumer_is_not_hammered),
        cmocka_unit_test(test_the_second_stall_in_a_row_ends_the_process),
        cmocka_unit_test(test_a_transport_thread_that_hangs_ends_the_process_and_no_sooner),
        cmocka_unit_test(test_the_watchdog_leaves_a_stopping_lane_alone),
        cmocka_unit_test(
            test_an_outage_of_the_broker_has_a_line_at_its_start_each_minute_and_its_end),
        cmocka_unit_test(test_a_broker_that_refuses_the_consumer_is_an_outage),
        cmocka_unit_test(test_an_outage_has_a_line_before_an_attempt_to_connect_ends),
        cmocka_unit_test(
            test_an_outage_of_the_database_has_a_line_at_its_start_each_minute_and_its_end),
        cmocka_unit_test(test_a_database_that_cannot_be_prepared_is_an_outage),
        cmocka_unit_test(test_an_outage_has_a_line_before_a_call_to_the_database_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
