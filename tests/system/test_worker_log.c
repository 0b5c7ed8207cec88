/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests a worker whose stderr takes nothing: a pipe that was full before the worker started, and
 * that nobody reads. The worker answers commands and ends as usual. What it logged is there once
 * somebody reads.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>

#include "tests/system/worker_pipe.h"

enum { COMMANDS = 50 };

/* Starts a worker, has COMMANDS claims answered, and a command of another principal denied. */
static pid_t work(const struct full_pipe *full)
{
    unsigned char answered[COMMANDS] = {0};
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct producer other = open_producer("ALLOT_AMQP_URI_TEAM_BLUE", "team-blue");
    char body[BODY_MAX];
    set_worker("ALLOT_LOG_LEVEL", "debug");
    pid_t worker = start_worker_with_log(full->path);
    make_providers(&producer);
    send_claims(&producer, 0, COMMANDS);
    assert_int_equal(receive_claims(&producer, answered, COMMANDS, SIZE_MAX), COMMANDS);
    claim_body(body, sizeof body, COMMANDS);
    expect(&other, "denied", body, "\"forbidden\"");
    client_close(other.client);
    client_close(producer.client);
    return worker;
}

static void test_a_worker_whose_log_nobody_reads_answers_and_ends(void **state)
{
    (void)state;
    struct full_pipe full = make_full_pipe();
    pid_t worker = work(&full);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    remove_pipe(&full);
}

static void test_the_log_is_there_once_somebody_reads_it(void **state)
{
    (void)state;
    struct full_pipe full = make_full_pipe();
    pid_t worker = work(&full);
    read_until(&full, "\"audit.denied\"");
    assert_int_equal(kill(worker, SIGTERM), 0);
    read_until(&full, "\"worker.stopped\"");
    assert_int_equal(await_end(worker), 0);
    remove_pipe(&full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_worker_whose_log_nobody_reads_answers_and_ends),
        WORKER_TEST(test_the_log_is_there_once_somebody_reads_it),
    };
    return cmocka_run_group_tests(tests, declare_topology, NULL) != 0;
}
