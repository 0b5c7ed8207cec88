/* SPDX-License-Identifier: Apache-2.0 */
/* The broker ends connections and queues; the storage's silence does not end them. */
#include "tests/system/worker_fixture.h"

#include <mongoc/mongoc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/worker_journal.h"
#include "tests/system/worker_storage.h"

enum { OUTPUT_MAX = 4096 };

/* Takes what has come; gives the number of claims that are answered. */
static size_t receive_waiting(struct producer *producer, unsigned char *answered, size_t count)
{
    struct error error = {""};
    struct client_message reply;
    while (client_receive(producer->client, 0, &reply, &error) == CLIENT_MESSAGE) {
        journal_message(fixture_database(), "reply", &reply);
        assert_in_range(claim_number(&reply), 0, count - 1);
        answered[claim_number(&reply)] = 1;
        arena_free(reply.arena);
    }
    return count_answered(answered, count);
}

static void test_connections_closed_amid_500_commands_lose_and_double_nothing(void **state)
{
    (void)state;
    enum { COMMANDS = 500, BEFORE_CLOSE = 60 };
    static unsigned char answered[COMMANDS];
    memset(answered, 0, sizeof answered);
    char output[OUTPUT_MAX];
    set_worker("ALLOT_BATCH_MAX_COMMANDS", "25");
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);

    /* A slow storage, so that all are still in the works when the connection goes. */
    fail_commands("\"commitTransaction\"", 0, "\"blockConnection\": true, \"blockTimeMS\": 300");
    send_claims(&producer, 0, COMMANDS);
    assert_int_equal(receive_claims(&producer, answered, COMMANDS, BEFORE_CLOSE), BEFORE_CLOSE);
    rabbitmqctl("close_all_user_connections worker test", output, sizeof output);
    size_t before = receive_waiting(&producer, answered, COMMANDS);
    assert_in_range(before, BEFORE_CLOSE, COMMANDS - 1);
    assert_true(clear_storage_faults() > 0);

    size_t more = receive_claims(&producer, answered, COMMANDS, SIZE_MAX);
    print_message("%zu answered when the connection went, %zu replies after\n", before, more);
    await_empty_queue();
    audit(COMMANDS, COMMANDS + 2 * PROVIDERS);
    expect_no_dead_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

/* Until the worker has made the queue again, the broker returns the command. */
static void send_until_taken(struct producer *producer, const char *key, const char *body)
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
    send_until_taken(&producer, "claim-0", body);
    unsigned char answered[1] = {0};
    assert_int_equal(receive_claims(&producer, answered, 1, SIZE_MAX), 1);
    audit(1, 1 + 2 * PROVIDERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_frozen_storage_costs_no_broker_connection(void **state)
{
    (void)state;
    enum { COMMANDS = 20, HEARTBEATS_US = 5000000 };
    static const char list[] = "list_connections user pid name --no-table-headers";
    unsigned char answered[COMMANDS] = {0};
    char before[OUTPUT_MAX], after[OUTPUT_MAX];
    set_worker("ALLOT_AMQP_HEARTBEAT", "1s");
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    rabbitmqctl(list, before, sizeof before);
    assert_non_null(strstr(before, "worker"));

    signal_storage(SIGSTOP);
    send_claims(&producer, 0, COMMANDS);
    (void)usleep(HEARTBEATS_US);
    signal_storage(SIGCONT);
    (void)receive_claims(&producer, answered, COMMANDS, SIZE_MAX);
    rabbitmqctl(list, after, sizeof after);
    assert_string_equal(before, after);
    audit(COMMANDS, COMMANDS + 2 * PROVIDERS);
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
