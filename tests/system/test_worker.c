/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests one worker with many claims: batches, repeated message ids, a crash of the worker, a
 * database outage, and a principal without permission.
 *
 * Design. Most tests send the claims of the fixture, end or disturb something in the middle, and
 * then compare all answers and the whole database with what was sent. The last two look at what a
 * worker leaves elsewhere: warnings about the database in its log, and shared memory.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mongo/libmongoc.h"
#include "tests/system/worker_database.h"

static void test_kill_9_amid_2000_commands_loses_and_doubles_nothing(void **state)
{
    (void)state;
    enum { COMMANDS = 2000, FIRST = 300 };
    static unsigned char answered[COMMANDS];
    memset(answered, 0, sizeof answered);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    send_claims(&producer, 0, FIRST);
    assert_int_equal(receive_claims(&producer, answered, FIRST, SIZE_MAX), FIRST);

    /* From here on a commit takes effect, but the worker only hears that its result is unknown. */
    fail_commands("\"commitTransaction\"", 0, COMMIT_RESULT_UNKNOWN);
    send_claims(&producer, FIRST, COMMANDS);
    await_failed_command();
    (void)end_worker(worker, SIGKILL);
    expect_silence(&producer, 0);
    assert_true(clear_faults() > 0);
    worker = start_worker();
    assert_int_equal(receive_claims(&producer, answered, COMMANDS, SIZE_MAX), COMMANDS - FIRST);
    await_empty_queue();
    check_database(COMMANDS, COMMANDS + 2 * PROVIDERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_a_lone_command_is_one_transaction_and_1000_waiting_are_a_handful(void **state)
{
    (void)state;
    enum { COMMANDS = 1000, HANDFUL = 4 };
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);

    char body[BODY_MAX];
    int64_t before = transactions_committed();
    claim_body(body, sizeof body, COMMANDS + 1);
    expect(&producer, "lone", body, "\"success\"");
    assert_int_equal(transactions_committed() - before, 1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);

    send_claims(&producer, 0, COMMANDS);
    before = transactions_committed();
    /* The first transaction waits until the worker has taken all commands from the queue. */
    hold_commits();
    worker = start_worker();
    await_held_commit();
    await_empty_queue();
    release_commits();
    for (size_t i = 0; i < COMMANDS; i++) {
        struct client_message reply = receive(&producer);
        assert_true(contains(reply.body, "\"success\""));
        arena_free(reply.arena);
    }
    int64_t used = transactions_committed() - before;
    print_message("1000 waiting commands took %lld transactions\n", (long long)used);
    assert_in_range(used, 1, HANDFUL);
    check_database(COMMANDS + 1, COMMANDS + 1 + 2 * PROVIDERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_the_same_key_gets_the_same_bytes_and_no_second_effect(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    char body[BODY_MAX];
    claim_body(body, sizeof body, 1);
    send_body(&producer, "same", body);
    struct client_message first = receive(&producer);
    send_body(&producer, "same", body);
    struct client_message second = receive(&producer);
    assert_true(text_equal(first.body, second.body));
    assert_true(text_equal(first.properties.message_id, second.properties.message_id));
    arena_free(first.arena);
    arena_free(second.arena);
    claim_body(body, sizeof body, 2);
    expect(&producer, "same", body, "\"idempotency_key_reused\"");
    check_database(1, 1 + 2 * PROVIDERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_a_principal_cannot_change_another_projects_consumer(void **state)
{
    (void)state;
    struct producer conductor = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct producer other = open_producer("ALLOT_AMQP_URI_TEAM_BLUE", "team-blue");
    pid_t worker = start_worker();
    make_providers(&conductor);
    char body[BODY_MAX];
    claim_body(body, sizeof body, 7);
    expect(&conductor, "first", body, "\"success\"");
    static const char *const consumer = "00000000-0000-4000-9000-000000000007";
    (void)snprintf(body, sizeof body,
                   "{\"version\":1,\"command\":\"allocation.delete\",\"params\":"
                   "{\"consumer_uuid\":\"%s\"}}",
                   consumer);
    expect(&other, "steal-1", body, "\"forbidden\"");
    (void)snprintf(body, sizeof body,
                   "{\"version\":1,\"command\":\"allocation.get\",\"params\":"
                   "{\"consumer_uuid\":\"%s\"}}",
                   consumer);
    expect(&other, "steal-2", body, "\"forbidden\"");
    (void)snprintf(body, sizeof body,
                   "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":"
                   "\"%s\",\"project_id\":\"blue-1\",\"user_id\":\"u\",\"consumer_generation\":1,"
                   "\"consumer_type\":\"INSTANCE\",\"allocations\":{}}}",
                   consumer);
    expect(&other, "steal-3", body, "\"forbidden\"");
    check_database(1, 1 + 2 * PROVIDERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(other.client);
    client_close(conductor.client);
}

static void test_defect_3_a_database_outage_is_never_answered(void **state)
{
    (void)state;
    enum { SILENCE_MS = 4000 };
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);

    char body[BODY_MAX];
    struct error error = {""};
    struct client_message message;
    claim_body(body, sizeof body, 1);
    freeze_database();
    send_body(&producer, "during", body);
    send_body(&producer, "read",
              "{\"version\":1,\"command\":\"provider.get\",\"params\":"
              "{\"uuid\":\"00000000-0000-4000-8000-000000000000\"}}");
    enum client_answer answer = client_receive(producer.client, SILENCE_MS, &message, &error);
    thaw_database();
    assert_int_equal(answer, CLIENT_NOTHING);

    for (int replies = 0; replies < 2; replies++) {
        struct client_message reply = receive(&producer);
        assert_true(contains(reply.body, "\"success\""));
        arena_free(reply.arena);
    }
    await_empty_queue();
    check_database(1, 1 + 2 * PROVIDERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

/* What a killed worker leaves there makes programs with the same process id print a warning. */
static void test_a_killed_worker_leaves_nothing_in_shared_memory(void **state)
{
    (void)state;
    char path[64];
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    (void)snprintf(path, sizeof path, "/dev/shm/mongoc-%d", (int)worker);
    (void)end_worker(worker, SIGKILL);
    assert_int_equal(access(path, F_OK), -1);
    client_close(producer.client);
}

#define LIFETIME "{\"setParameter\": 1, \"transactionLifetimeLimitSeconds\": %s}"

static void set_lifetime(const char *seconds)
{
    char json[128];
    (void)snprintf(json, sizeof json, LIFETIME, seconds);
    run_on_database("admin", json);
}

static void test_a_database_that_is_not_as_recommended_is_a_warning_in_the_log(void **state)
{
    (void)state;
    char log[] = "/tmp/allot-log-XXXXXX";
    int fd = mkstemp(log);
    assert_true(fd >= 0 && close(fd) == 0);
    set_lifetime("21");
    pid_t worker = start_worker_with_log(log);
    await_log_event(log, "storage.ready");
    set_lifetime("10"); /* as script/stack has it */
    await_log_event(log, "storage.warning");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    (void)unlink(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_kill_9_amid_2000_commands_loses_and_doubles_nothing),
        WORKER_TEST(test_a_lone_command_is_one_transaction_and_1000_waiting_are_a_handful),
        WORKER_TEST(test_the_same_key_gets_the_same_bytes_and_no_second_effect),
        WORKER_TEST(test_defect_3_a_database_outage_is_never_answered),
        WORKER_TEST(test_a_principal_cannot_change_another_projects_consumer),
        WORKER_TEST(test_a_database_that_is_not_as_recommended_is_a_warning_in_the_log),
        WORKER_TEST(test_a_killed_worker_leaves_nothing_in_shared_memory),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
