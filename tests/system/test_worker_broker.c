/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker closes connections and deletes queues. A database that does not answer costs no broker
 * connection.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/mongo/libmongoc.h"
#include "tests/system/worker_database.h"

enum { OUTPUT_MAX = 4096 };

static void test_connections_closed_amid_500_commands_lose_and_double_nothing(void **state)
{
    (void)state;
    enum { COMMANDS = 500, FIRST = 60 };
    static unsigned char answered[COMMANDS];
    memset(answered, 0, sizeof answered);
    set_worker("ALLOT_BATCH_MAX_COMMANDS", "25");
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);

    send_claims(&producer, 0, FIRST);
    assert_int_equal(receive_claims(&producer, answered, FIRST, SIZE_MAX), FIRST);

    /* One batch waits for its commit, and the worker has all other commands. */
    hold_commits();
    send_claims(&producer, FIRST, COMMANDS);
    await_held_commit();
    await_empty_queue();
    close_connections_of("worker");
    expect_silence(&producer, 0);
    release_commits();
    assert_int_equal(receive_claims(&producer, answered, COMMANDS, SIZE_MAX), COMMANDS - FIRST);
    await_empty_queue();
    check_database(COMMANDS, COMMANDS + 2 * PROVIDERS);
    expect_no_dead_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

/* Until the worker has declared the queue again, the broker returns the command as unroutable. */
static void send_until_confirmed(struct producer *producer, const char *key, const char *body)
{
    struct outgoing command = command_message(key, producer->queue, body);
    enum client_outcome outcome = publish(producer, &command);
    for (int tries = 0; outcome == CLIENT_RETURNED && tries < WAIT_MS / 20; tries++) {
        (void)usleep(20000);
        outcome = publish(producer, &command);
    }
    assert_int_equal(outcome, CLIENT_CONFIRMED);
}

static void test_a_queue_deleted_under_the_worker_is_made_and_consumed_again(void **state)
{
    (void)state;
    char output[OUTPUT_MAX], body[BODY_MAX];
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    await_empty_queue();
    rabbitmqctl("delete_queue allot.commands", output, sizeof output);
    claim_body(body, sizeof body, 0);
    send_until_confirmed(&producer, "claim-0", body);
    unsigned char answered[1] = {0};
    assert_int_equal(receive_claims(&producer, answered, 1, SIZE_MAX), 1);
    check_database(1, 1 + 2 * PROVIDERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_frozen_storage_costs_no_broker_connection(void **state)
{
    (void)state;
    enum { COMMANDS = 20, HEARTBEATS_US = 12000000 };
    static const char list[] = "list_connections user pid name --no-table-headers";
    unsigned char answered[COMMANDS] = {0};
    char before[OUTPUT_MAX], after[OUTPUT_MAX];
    set_worker("ALLOT_AMQP_HEARTBEAT", "3s"); /* a loaded machine may miss one */
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    rabbitmqctl(list, before, sizeof before);
    assert_non_null(strstr(before, "worker"));

    freeze_database();
    send_claims(&producer, 0, COMMANDS);
    (void)usleep(HEARTBEATS_US);
    thaw_database();
    (void)receive_claims(&producer, answered, COMMANDS, SIZE_MAX);
    rabbitmqctl(list, after, sizeof after);
    assert_string_equal(before, after);
    check_database(COMMANDS, COMMANDS + 2 * PROVIDERS);
    expect_no_dead_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_connections_closed_amid_500_commands_lose_and_double_nothing),
        WORKER_TEST(test_a_queue_deleted_under_the_worker_is_made_and_consumed_again),
        WORKER_TEST(test_frozen_storage_costs_no_broker_connection),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
