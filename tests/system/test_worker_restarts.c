/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests that a worker that is stopped by a signal is not taken for one that a command has crashed,
 * with real processes: the load of a batch takes long, and the worker is stopped meanwhile, again
 * and again. So its attempt record of the command stays. Loads are slow, not writes: a slow write
 * of a worker that has ended would conflict with the next worker's, which then withdraws its
 * record. Then what workers report of themselves.
 *
 * tests/sim/test_restarts.c has the rules in detail.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "tests/system/worker_database.h"

enum { RESTARTS = 2 }; /* more than delivery.max_attempts, which is 1 here */

#define SHUTDOWN_TIMEOUT "1s"

/*
 * The load of a batch is the only aggregate command on the database as a whole. It takes longer
 * than SHUTDOWN_TIMEOUT: when the worker ends, its call has not returned.
 */
static void make_loads_slow(void)
{
    char how[256];
    (void)snprintf(
        how, sizeof how,
        "\"namespace\": \"%s.$cmd.aggregate\", \"blockConnection\": true, \"blockTimeMS\": 3000",
        fixture_database());
    fail_commands("\"aggregate\"", 0, how);
}

static void stop(pid_t worker)
{
    int status = end_worker(worker, SIGTERM);
    assert_true(WIFEXITED(status));
}

/* Starts a worker, and stops it while it has the attempt record with this number. */
static void restart_with_record(int number)
{
    char filter[64];
    pid_t worker = start_worker();
    (void)snprintf(filter, sizeof filter, "{\"marks.%d\": {\"$exists\": true}}", number);
    await_document("attempts", filter);
    stop(worker);
}

static void test_stops_by_a_signal_are_no_attempts(void **state)
{
    (void)state;
    unsigned char answered[1] = {0};
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    set_worker("ALLOT_DELIVERY_MAX_ATTEMPTS", "1");
    set_worker("ALLOT_SHUTDOWN_TIMEOUT", SHUTDOWN_TIMEOUT);
    pid_t worker = start_worker();
    make_providers(&producer);
    make_loads_slow();
    send_claims(&producer, 0, 1);
    await_failed_command();
    stop(worker); /* a first delivery has no record */
    for (int i = 0; i < RESTARTS; i++)
        restart_with_record(i);
    (void)clear_faults();
    worker = start_worker();
    assert_int_equal(receive_claims(&producer, answered, 1, 1), 1);
    expect_no_dead_letter();
    stop(worker);
    client_close(producer.client);
}

static void test_workers_say_what_they_do(void **state)
{
    (void)state;
    pid_t worker = start_worker();
    await_document("workers", "{\"state\": \"running\", \"name\": \"" FIXTURE_WORKER
                              "\", \"schema\": 2, \"lanes\": 1}");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    await_document("workers", "{\"state\": \"stopped\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_stops_by_a_signal_are_no_attempts),
        WORKER_TEST(test_workers_say_what_they_do),
    };
    return cmocka_run_group_tests(tests, declare_topology, NULL);
}
