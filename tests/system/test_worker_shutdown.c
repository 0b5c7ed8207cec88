/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests how a worker ends after a signal: it ends with 0 after shutdown.timeout, although a
 * call to the database or to the broker does not return, or nobody reads its log. A second signal
 * ends it at once with 3.
 *
 * The time-outs of the calls are far longer than the tests wait. So a worker that waits for a call
 * to return fails the test.
 */
#include "tests/system/worker_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/worker_database.h"
#include "tests/system/worker_pipe.h"

enum { URI_ROOM = 64 };

/* The log of a worker, in a file that is removed at the end. */
struct log_file {
    char path[32];
};

static struct log_file new_log(void)
{
    struct log_file log = {"/tmp/allot-log-XXXXXX"};
    int fd = mkstemp(log.path);
    assert_true(fd >= 0 && close(fd) == 0);
    return log;
}

static void set_limits(const char *shutdown_timeout)
{
    set_worker("ALLOT_SHUTDOWN_TIMEOUT", shutdown_timeout);
    set_worker("ALLOT_MONGODB_TIMEOUT", "5m");
    set_worker("ALLOT_WORKER_WATCHDOG_TIMEOUT", "1h");
}

static void signal_and_end(pid_t worker, int signal_number, int exit_status)
{
    int status = end_worker(worker, signal_number);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), exit_status);
}

/* Starts a worker and gives it a command when the database answers no more. */
static pid_t start_with_claim(struct producer *producer, const char *log_path)
{
    pid_t worker = start_worker_with_log(log_path);
    make_providers(producer);
    freeze_database();
    send_claims(producer, 0, 1);
    return worker;
}

/* The same, and waits until the worker is in a call for the command. */
static pid_t start_in_call(struct producer *producer, const char *log_path)
{
    pid_t worker = start_with_claim(producer, log_path);
    await_log_event(log_path, "\"storage.unavailable\"");
    return worker;
}

/* The command that went back to the queue is answered by the next worker. */
static void expect_answer(struct producer *producer)
{
    unsigned char answered[1] = {0};
    (void)clear_faults();
    pid_t worker = start_worker();
    assert_int_equal(receive_claims(producer, answered, 1, SIZE_MAX), 1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    check_database(1, 1 + 2 * PROVIDERS);
}

static void test_a_call_to_the_database_does_not_delay_the_end(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct log_file log = new_log();
    set_limits("2s");
    pid_t worker = start_in_call(&producer, log.path);
    signal_and_end(worker, SIGTERM, 0);
    await_log_event(log.path, "\"commands.returned\"");
    await_log_event(log.path, "\"commands\":1");
    await_log_event(log.path, "\"worker.stopped\"");
    expect_answer(&producer);
    (void)unlink(log.path);
    client_close(producer.client);
}

static void test_a_database_that_is_not_prepared_does_not_delay_the_end(void **state)
{
    (void)state;
    struct log_file log = new_log();
    set_limits("2s");
    freeze_database();
    pid_t worker = start_worker_with_log(log.path);
    await_log_event(log.path, "\"broker.connected\"");
    signal_and_end(worker, SIGTERM, 0);
    (void)unlink(log.path);
}

static void test_a_log_that_nobody_reads_does_not_delay_the_end(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct full_pipe full = make_full_pipe();
    set_limits("2s");
    pid_t worker = start_with_claim(&producer, full.path);
    read_until(&full, "\"storage.unavailable\"");
    fill_pipe(&full);
    signal_and_end(worker, SIGTERM, 0);
    remove_pipe(&full);
    expect_answer(&producer);
    client_close(producer.client);
}

/* --- a broker that does not answer ------------------------------------------------------------ */

struct silent_broker {
    int fd;
    char *uri; /* of the broker that answers; owned */
};

/* Makes workers connect to a server that accepts connections and sends nothing. */
static struct silent_broker listen_in_silence(void)
{
    char uri[URI_ROOM];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    struct silent_broker broker = {socket(AF_INET, SOCK_STREAM, 0),
                                   strdup(getenv("ALLOT_AMQP_URI"))};
    assert_true(broker.fd >= 0 && broker.uri != NULL);
    assert_int_equal(bind(broker.fd, (const struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(broker.fd, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(broker.fd, 1), 0);
    (void)snprintf(uri, sizeof uri, "amqp://allot:allot@127.0.0.1:%d", ntohs(address.sin_port));
    (void)setenv("ALLOT_AMQP_URI", uri, 1);
    return broker;
}

/* Waits until a worker has connected. */
static void await_connection(const struct silent_broker *broker)
{
    int fd = accept(broker->fd, NULL, NULL);
    assert_true(fd >= 0); /* it stays open; the process of the test ends soon */
}

static void answer_again(struct silent_broker *broker)
{
    (void)setenv("ALLOT_AMQP_URI", broker->uri, 1);
    free(broker->uri);
    (void)close(broker->fd);
}

static void end_without_a_broker(void)
{
    struct silent_broker broker = listen_in_silence();
    struct log_file log = new_log();
    set_limits("2s");
    pid_t worker = start_worker_with_log(log.path);
    await_connection(&broker);
    signal_and_end(worker, SIGTERM, 0);
    await_log_event(log.path, "has not returned");
    answer_again(&broker);
    (void)unlink(log.path);
}

static void test_a_call_to_the_broker_does_not_delay_the_end(void **state)
{
    (void)state;
    end_without_a_broker();
}

static void test_a_worker_without_broker_and_database_ends_in_time(void **state)
{
    (void)state;
    freeze_database();
    end_without_a_broker();
}

/* --- a second signal -------------------------------------------------------------------------- */

static void test_a_second_signal_ends_the_wait_at_once(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct log_file log = new_log();
    set_limits("1h");
    pid_t worker = start_in_call(&producer, log.path);
    assert_int_equal(kill(worker, SIGTERM), 0);
    await_log_event(log.path, "\"worker.stopping\"");
    assert_int_equal(kill(worker, SIGHUP), 0); /* it does not count */
    signal_and_end(worker, SIGTERM, 3);
    await_log_event(log.path, "\"worker.forced_exit\"");
    expect_answer(&producer);
    (void)unlink(log.path);
    client_close(producer.client);
}

/* Both signals are there before the worker begins to wait. */
static void test_a_second_signal_counts_from_the_first_moment_on(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct log_file log = new_log();
    set_limits("1h");
    pid_t worker = start_in_call(&producer, log.path);
    assert_int_equal(kill(worker, SIGSTOP), 0);
    assert_int_equal(kill(worker, SIGTERM), 0);
    assert_int_equal(kill(worker, SIGINT), 0);
    signal_and_end(worker, SIGCONT, 3);
    (void)unlink(log.path);
    expect_answer(&producer);
    client_close(producer.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_call_to_the_database_does_not_delay_the_end),
        WORKER_TEST(test_a_database_that_is_not_prepared_does_not_delay_the_end),
        WORKER_TEST(test_a_log_that_nobody_reads_does_not_delay_the_end),
        WORKER_TEST(test_a_call_to_the_broker_does_not_delay_the_end),
        WORKER_TEST(test_a_worker_without_broker_and_database_ends_in_time),
        WORKER_TEST(test_a_second_signal_ends_the_wait_at_once),
        WORKER_TEST(test_a_second_signal_counts_from_the_first_moment_on),
    };
    return cmocka_run_group_tests(tests, declare_topology, NULL) != 0;
}
