/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lane with its real threads, on a storage and a broker that hang: that it notices, what it
 * does about it, and that an outage is none of that.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/codec/settings_file.h"
#include "tests/support/applier_bench.h"
#include "tests/support/blank_store.h"
#include "tests/support/fake_clock.h"
#include "worker/service/lane.h"
#include "common/host/log.h"
#include "common/host/system_clock.h"

enum { STALL_MS = 150, PATIENCE_S = 60, BEGINS = 5 };

static void nap(void)
{
    struct timespec slice = {0, 2000000};
    (void)nanosleep(&slice, NULL);
}

/* --- a broker with one command, which it delivers on each connection until it is acked --- */

struct one_command {
    struct transport base;
    atomic_int opens;
    atomic_int replies; /* on the present connection's terms: published and confirmed */
    atomic_bool acked;
    atomic_int polls;
    bool hangs;       /* poll does not return */
    bool no_consumer; /* it lets us in, and no further */
    bool delivered, confirming;
    uint64_t sequence;
};

static enum transport_status open_it(struct transport *transport, struct error *error)
{
    struct one_command *self = (struct one_command *)transport;
    (void)error;
    self->delivered = self->confirming = false;
    atomic_fetch_add(&self->opens, 1);
    return TRANSPORT_OK;
}

static enum transport_status consume(struct transport *transport, uint16_t prefetch,
                                     struct error *error)
{
    (void)prefetch;
    (void)error;
    return ((struct one_command *)transport)->no_consumer ? TRANSPORT_LOST : TRANSPORT_OK;
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

static void nothing(struct transport *transport)
{
    (void)transport;
}

static const struct transport_ops one_command_ops = {.open = open_it,
                                                     .consume = consume,
                                                     .cancel = cancel,
                                                     .poll = poll_it,
                                                     .publish = publish,
                                                     .ack = ack,
                                                     .requeue = requeue,
                                                     .close = nothing,
                                                     .free = nothing};

/* --- a storage that does not come back, or is away --- */

struct odd_store {
    struct store base;
    sem_t release; /* each begin takes one */
    atomic_bool away;
    atomic_int begins;
};

static enum store_status begin(struct store *store, struct error *error)
{
    struct odd_store *self = (struct odd_store *)store;
    atomic_fetch_add(&self->begins, 1);
    if (atomic_load(&self->away)) {
        error_set(error, "away");
        return STORE_UNAVAILABLE;
    }
    (void)sem_wait(&self->release);
    return STORE_OK;
}

static const struct store_ops odd_ops = {.prepare = blank_call,
                                         .begin = begin,
                                         .load = blank_load,
                                         .write = blank_write,
                                         .commit = blank_call,
                                         .end = blank_end,
                                         .free = blank_end};

/* --- the bench --- */

struct bench {
    struct arena *arena;
    struct settings settings;
    struct policy_source *policy;
    struct one_command broker;
    struct odd_store store;
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

static void set_up(struct bench *bench)
{
    struct error error = {""};
    memset(bench, 0, sizeof *bench);
    bench->arena = arena_new(0);
    if (!settings_read(text_of(settings_text), "settings", no_variable, NULL, bench->arena,
                       &bench->settings, &error))
        fail_msg("%s", error.text);
    bench->settings.worker_watchdog_timeout_ms = STALL_MS;
    bench->policy = policy_source_new("config/policy.example.yaml", &error);
    assert_non_null(bench->policy);
    bench->broker.base.ops = &one_command_ops;
    bench->store.base.ops = &odd_ops;
    assert_int_equal(sem_init(&bench->store.release, 0, 0), 0);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, "bench");
}

static void start(struct bench *bench, struct clock *clock)
{
    struct lane_options options = {
        .settings = &bench->settings,
        .worker = text_of("bench"),
        .clock = clock,
        .policy = bench->policy,
        .transport = &bench->broker.base,
        .store = &bench->store.base,
    };
    bench->lane = lane_start(&options);
}

static void tear_down(struct bench *bench)
{
    lane_stop(bench->lane);
    assert_true(lane_join(bench->lane));
    (void)sem_destroy(&bench->store.release);
    policy_source_free(bench->policy);
    arena_free(bench->arena);
}

static void await_at_least(const atomic_int *what, int count)
{
    (void)alarm(PATIENCE_S); /* what never comes ends the program */
    while (atomic_load(what) < count)
        nap();
    (void)alarm(0);
}

static void test_a_lane_whose_storage_call_hangs_starts_afresh_and_answers(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench);
    start(&bench, system_clock());
    await_at_least(&bench.broker.opens, 2);
    assert_int_equal(atomic_load(&bench.broker.replies), 0);
    (void)sem_post(&bench.store.release);
    (void)sem_post(&bench.store.release); /* the second delivery's */
    await_at_least(&bench.broker.replies, 1);
    tear_down(&bench);
    assert_true(atomic_load(&bench.broker.acked));
    assert_int_equal(atomic_load(&bench.broker.opens), 2);
    assert_int_equal(atomic_load(&bench.broker.replies), 1);
}

static void test_an_outage_of_the_storage_never_costs_the_broker_connection(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench);
    bench.settings.worker_watchdog_timeout_ms = 20; /* the pauses between tries are far longer */
    atomic_store(&bench.store.away, true);
    start(&bench, system_clock());
    await_at_least(&bench.store.begins, BEGINS);
    atomic_store(&bench.store.away, false);
    (void)sem_post(&bench.store.release);
    await_at_least(&bench.broker.replies, 1);
    assert_int_equal(atomic_load(&bench.broker.opens), 1);
    tear_down(&bench);
}

/* Pauses of 0.1, 0.2, 0.4 s and so on, a half of each at the least, allow six connections at the
   most in 2 s; a machine that is slow has fewer. Without growing ones there would be twenty. */
static void test_a_broker_that_gives_no_consumer_is_not_stormed(void **state)
{
    enum { WATCHED_MS = 2000, OPENS_MAX = 7 };
    (void)state;
    struct bench bench;
    set_up(&bench);
    bench.broker.no_consumer = true;
    struct clock *clock = system_clock();
    int64_t end_ms = clock->monotonic_ms(clock) + WATCHED_MS;
    start(&bench, clock);
    while (clock->monotonic_ms(clock) < end_ms)
        nap();
    assert_in_range(atomic_load(&bench.broker.opens), 2, OPENS_MAX);
    tear_down(&bench);
}

/* The signal that a child ends by, which runs `body`. */
static int signal_of(void (*body)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(PATIENCE_S);
        body();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void hang_for_good(void)
{
    static struct bench bench;
    set_up(&bench);
    start(&bench, system_clock());
    for (;;)
        nap();
}

static void test_the_second_stall_in_a_row_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(signal_of(hang_for_good), SIGABRT);
}

static void check_after(struct bench *bench, int64_t passed_ms)
{
    struct fake_clock clock = fake_clock_make();
    bench->broker.hangs = true;
    start(bench, &clock.base);
    await_at_least(&bench->broker.polls, 1); /* the call that hangs */
    lane_check(bench->lane);
    fake_clock_advance(&clock, passed_ms);
    lane_check(bench->lane);
}

static void check_too_late(void)
{
    static struct bench bench;
    set_up(&bench);
    check_after(&bench, STALL_MS + 60 * 1000);
}

static void check_in_time(void)
{
    static struct bench bench;
    set_up(&bench);
    check_after(&bench, STALL_MS + 59 * 1000);
    (void)raise(SIGUSR1); /* it came so far */
}

static void test_a_transport_thread_that_hangs_ends_the_process_and_no_sooner(void **state)
{
    (void)state;
    assert_int_equal(signal_of(check_too_late), SIGABRT);
    assert_int_equal(signal_of(check_in_time), SIGUSR1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lane_whose_storage_call_hangs_starts_afresh_and_answers),
        cmocka_unit_test(test_an_outage_of_the_storage_never_costs_the_broker_connection),
        cmocka_unit_test(test_a_broker_that_gives_no_consumer_is_not_stormed),
        cmocka_unit_test(test_the_second_stall_in_a_row_ends_the_process),
        cmocka_unit_test(test_a_transport_thread_that_hangs_ends_the_process_and_no_sooner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
