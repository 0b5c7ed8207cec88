/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real thing: allotd as a process, a real broker, a real replica set. Each test has a database
 * of its own; the queues are the stack's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <mongoc/mongoc.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/amqp/client.h"
#include "worker/amqp/topology.h"

extern char **environ;

enum { WAIT_MS = 30000, PROVIDERS = 4 };

static char database[64];
static pid_t running; /* the worker; 0: none */

/* --- the worker ----------------------------------------------------------------------------- */

static pid_t start_worker(void)
{
    char program[] = ALLOTD, flag[] = "--config", file[] = "config/allotd.example.yaml";
    char *arguments[] = {program, flag, file, NULL};
    pid_t pid = 0;
    assert_int_equal(posix_spawn(&pid, ALLOTD, NULL, NULL, arguments, environ), 0);
    running = pid;
    return pid;
}

static int end_worker(pid_t pid, int signal_number)
{
    int status = 0;
    running = 0;
    assert_int_equal(kill(pid, signal_number), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* --- the producer --------------------------------------------------------------------------- */

struct producer {
    struct client *client;
    char queue[128];
};

static struct producer open_producer(const char *uri_variable, const char *user)
{
    struct error error = {""};
    struct amqp_tls tls = {TEXT_NONE, TEXT_NONE, TEXT_NONE};
    struct producer producer;
    const char *uri = getenv(uri_variable);
    assert_non_null(uri); /* script/test brings the servers: without them this suite fails */
    producer.client = client_open(text_of(uri), &tls, &error);
    if (producer.client == NULL)
        fail_msg("%s", error.text);
    (void)snprintf(producer.queue, sizeof producer.queue, "%.32s.%s", user, database);
    assert_true(client_declare_queue(producer.client, producer.queue, &error));
    assert_true(client_consume(producer.client, producer.queue, true, &error));
    return producer;
}

static void send_body(struct producer *producer, const char *key, const char *body)
{
    struct error error = {""};
    enum client_outcome outcome = CLIENT_NACKED;
    struct outgoing command = {
        .exchange = text_of("allot.commands"),
        .routing_key = text_of("allot.commands"),
        .mandatory = true,
        .properties = {.message_id = text_of(key), .reply_to = text_of(producer->queue)},
        .body = text_of(body),
    };
    assert_true(client_publish(producer->client, &command, WAIT_MS, &outcome, &error));
    assert_int_equal(outcome, CLIENT_TAKEN);
}

/* The next reply, whose memory is the caller's; fails where none comes in time. */
static struct client_message receive(struct producer *producer)
{
    struct error error = {""};
    struct client_message message;
    if (client_receive(producer->client, WAIT_MS, &message, &error) != CLIENT_MESSAGE)
        fail_msg("no reply came: %s", error.text);
    return message;
}

/* Duplicates of what a killed worker had answered may still wait; they are not the next test's. */
static void await_empty_queue(void)
{
    struct error error = {""};
    struct amqp_tls tls = {TEXT_NONE, TEXT_NONE, TEXT_NONE};
    struct client *client = client_open(text_of(getenv("ALLOT_AMQP_URI")), &tls, &error);
    assert_non_null(client);
    uint32_t waiting = 1;
    for (int tries = 0; waiting > 0 && tries < WAIT_MS / 20; tries++) {
        assert_true(client_count(client, "allot.commands", &waiting, &error));
        (void)usleep(20000);
    }
    assert_int_equal(waiting, 0);
    client_close(client);
}

static bool contains(struct text body, const char *part)
{
    return memmem(body.bytes, body.length, part, strlen(part)) != NULL;
}

static void expect(struct producer *producer, const char *key, const char *body, const char *part)
{
    send_body(producer, key, body);
    struct client_message reply = receive(producer);
    if (!contains(reply.body, part))
        fail_msg("%s: %.*s", key, TEXT_ARGS(reply.body));
    arena_free(reply.arena);
}

static const char *provider_uuid(size_t i)
{
    static char uuid[40];
    (void)snprintf(uuid, sizeof uuid, "00000000-0000-4000-8000-%012zx", i);
    return uuid;
}

static void make_providers(struct producer *producer)
{
    char body[512], key[64];
    for (size_t i = 0; i < PROVIDERS; i++) {
        (void)snprintf(key, sizeof key, "make-%zu", i);
        (void)snprintf(body, sizeof body,
                       "{\"version\":1,\"command\":\"provider.create\",\"params\":"
                       "{\"uuid\":\"%s\",\"name\":\"host-%zu\"}}",
                       provider_uuid(i), i);
        expect(producer, key, body, "\"success\"");
        (void)snprintf(key, sizeof key, "stock-%zu", i);
        (void)snprintf(body, sizeof body,
                       "{\"version\":1,\"command\":\"inventory.set\",\"params\":"
                       "{\"uuid\":\"%s\",\"resource_provider_generation\":0,"
                       "\"inventories\":{\"VCPU\":{\"total\":100000}}}}",
                       provider_uuid(i));
        expect(producer, key, body, "\"success\"");
    }
}

static void claim_body(char *body, size_t room, size_t i)
{
    (void)snprintf(body, room,
                   "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":"
                   "\"00000000-0000-4000-9000-%012zx\",\"project_id\":\"p\",\"user_id\":\"u\","
                   "\"consumer_generation\":null,\"consumer_type\":\"INSTANCE\",\"allocations\":"
                   "{\"%s\":{\"resources\":{\"VCPU\":2}}}}}",
                   i, provider_uuid(i % PROVIDERS));
}

static void send_claims(struct producer *producer, size_t count)
{
    char body[1024], key[64];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(key, sizeof key, "claim-%zu", i);
        claim_body(body, sizeof body, i);
        send_body(producer, key, body);
    }
}

/* --- the database ---------------------------------------------------------------------------- */

static mongoc_client_t *open_database(void)
{
    mongoc_client_t *client = mongoc_client_new(getenv("ALLOT_MONGODB_URI"));
    assert_non_null(client);
    return client;
}

static int64_t count_documents(mongoc_client_t *client, const char *collection)
{
    bson_error_t error;
    bson_t all = BSON_INITIALIZER;
    mongoc_collection_t *documents = mongoc_client_get_collection(client, database, collection);
    int64_t count = mongoc_collection_count_documents(documents, &all, NULL, NULL, NULL, &error);
    mongoc_collection_destroy(documents);
    bson_destroy(&all);
    return count;
}

/* The one number that a pipeline gives, under "n"; 0 where it gives nothing. */
static int64_t aggregate(mongoc_client_t *client, const char *collection, const char *pipeline)
{
    bson_error_t error;
    bson_t stages;
    const bson_t *row = NULL;
    bson_iter_t iter;
    int64_t n = 0;
    assert_true(bson_init_from_json(&stages, pipeline, -1, &error));
    mongoc_collection_t *documents = mongoc_client_get_collection(client, database, collection);
    mongoc_cursor_t *cursor =
        mongoc_collection_aggregate(documents, MONGOC_QUERY_NONE, &stages, NULL, NULL);
    if (mongoc_cursor_next(cursor, &row) && bson_iter_init_find(&iter, row, "n"))
        n = bson_iter_as_int64(&iter);
    assert_false(mongoc_cursor_error(cursor, &error));
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(documents);
    bson_destroy(&stages);
    return n;
}

/* Usage of the providers = sum of the consumers' allocations, seen independently of the worker. */
static void audit(mongoc_client_t *client, int64_t consumers, int64_t outcomes)
{
    int64_t used = aggregate(client, "providers",
                             "[{\"$group\":{\"_id\":null,\"n\":{\"$sum\":"
                             "\"$inventories.VCPU.used\"}}}]");
    int64_t held = aggregate(client, "consumers",
                             "[{\"$unwind\":\"$allocations\"},{\"$group\":{\"_id\":null,\"n\":"
                             "{\"$sum\":\"$allocations.resources.VCPU\"}}}]");
    assert_int_equal(used, held);
    assert_int_equal(held, 2 * consumers);
    assert_int_equal(count_documents(client, "consumers"), consumers);
    assert_int_equal(
        aggregate(client, "consumers", "[{\"$match\":{\"allocations\":[]}},{\"$count\":\"n\"}]"),
        0);
    assert_int_equal(count_documents(client, "outcomes"), outcomes);
}

static int64_t transactions_committed(mongoc_client_t *client)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t error;
    bson_iter_t iter, found;
    BSON_APPEND_INT32(&command, "serverStatus", 1);
    assert_true(mongoc_client_command_simple(client, "admin", &command, NULL, &reply, &error));
    assert_true(bson_iter_init(&iter, &reply));
    assert_true(bson_iter_find_descendant(&iter, "transactions.totalCommitted", &found));
    int64_t committed = bson_iter_as_int64(&found);
    bson_destroy(&reply);
    bson_destroy(&command);
    return committed;
}

/* What a test that failed left behind is not the next one's. */
static void drain_commands(void)
{
    struct error error = {""};
    struct amqp_tls tls = {TEXT_NONE, TEXT_NONE, TEXT_NONE};
    struct client_message message;
    struct client *client = client_open(text_of(getenv("ALLOT_AMQP_URI")), &tls, &error);
    assert_non_null(client);
    while (client_get(client, "allot.commands", &message, &error) == CLIENT_MESSAGE) {
        assert_true(client_ack(client, message.tag, &error));
        arena_free(message.arena);
    }
    client_close(client);
}

static int fresh_database(void **state)
{
    static unsigned number;
    (void)state;
    drain_commands();
    (void)snprintf(database, sizeof database, "allot_system_%d_%u", (int)getpid(), ++number);
    (void)setenv("ALLOT_MONGODB_DATABASE", database, 1);
    return 0;
}

static int drop_database(void **state)
{
    (void)state;
    if (running != 0) /* of a test that failed */
        (void)end_worker(running, SIGKILL);
    bson_error_t error;
    mongoc_client_t *client = open_database();
    mongoc_database_t *handle = mongoc_client_get_database(client, database);
    bool dropped = mongoc_database_drop(handle, &error);
    mongoc_database_destroy(handle);
    mongoc_client_destroy(client);
    return dropped ? 0 : -1;
}

/* --- claims ----------------------------------------------------------------------------------- */

static void test_kill_9_amid_2000_commands_loses_and_doubles_nothing(void **state)
{
    (void)state;
    enum { COMMANDS = 2000, BEFORE_KILL = 300 };
    static unsigned char answered[COMMANDS];
    memset(answered, 0, sizeof answered);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    send_claims(&producer, COMMANDS);

    size_t distinct = 0, replies = 0;
    while (distinct < COMMANDS) {
        struct client_message reply = receive(&producer);
        size_t number = strtoul(reply.properties.correlation_id.bytes + strlen("claim-"), NULL, 10);
        assert_true(number < COMMANDS);
        assert_true(contains(reply.body, "\"success\""));
        assert_true(contains(reply.body, "\"consumer_generation\":1"));
        distinct += !answered[number];
        answered[number] = 1;
        arena_free(reply.arena);
        if (++replies == BEFORE_KILL) {
            (void)end_worker(worker, SIGKILL);
            worker = start_worker();
        }
    }
    mongoc_client_t *client = open_database();
    await_empty_queue();
    audit(client, COMMANDS, COMMANDS + 2 * PROVIDERS);
    mongoc_client_destroy(client);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_a_lone_command_is_one_transaction_and_1000_waiting_are_a_handful(void **state)
{
    (void)state;
    enum { COMMANDS = 1000, HANDFUL = 10 };
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    mongoc_client_t *client = open_database();
    pid_t worker = start_worker();
    make_providers(&producer);

    char body[1024];
    int64_t before = transactions_committed(client);
    claim_body(body, sizeof body, COMMANDS + 1);
    expect(&producer, "lone", body, "\"success\"");
    assert_int_equal(transactions_committed(client) - before, 1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);

    send_claims(&producer, COMMANDS); /* nobody takes them yet */
    before = transactions_committed(client);
    worker = start_worker();
    for (size_t i = 0; i < COMMANDS; i++) {
        struct client_message reply = receive(&producer);
        assert_true(contains(reply.body, "\"success\""));
        arena_free(reply.arena);
    }
    int64_t used = transactions_committed(client) - before;
    print_message("1000 waiting commands took %lld transactions\n", (long long)used);
    assert_in_range(used, 1, HANDFUL);
    audit(client, COMMANDS + 1, COMMANDS + 1 + 2 * PROVIDERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    mongoc_client_destroy(client);
    client_close(producer.client);
}

static void test_the_same_key_gets_the_same_bytes_and_no_second_effect(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    char body[1024];
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
    mongoc_client_t *client = open_database();
    audit(client, 1, 1 + 2 * PROVIDERS);
    mongoc_client_destroy(client);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_a_stranger_cannot_touch_another_projects_consumer(void **state)
{
    (void)state;
    struct producer conductor = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct producer stranger = open_producer("ALLOT_AMQP_URI_TEAM_BLUE", "team-blue");
    pid_t worker = start_worker();
    make_providers(&conductor);
    char body[1024];
    claim_body(body, sizeof body, 7);
    expect(&conductor, "theirs", body, "\"success\"");
    static const char *const consumer = "00000000-0000-4000-9000-000000000007";
    (void)snprintf(body, sizeof body,
                   "{\"version\":1,\"command\":\"allocation.delete\",\"params\":"
                   "{\"consumer_uuid\":\"%s\"}}",
                   consumer);
    expect(&stranger, "steal-1", body, "\"forbidden\"");
    (void)snprintf(body, sizeof body,
                   "{\"version\":1,\"command\":\"allocation.get\",\"params\":"
                   "{\"consumer_uuid\":\"%s\"}}",
                   consumer);
    expect(&stranger, "steal-2", body, "\"forbidden\"");
    (void)snprintf(body, sizeof body,
                   "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":"
                   "\"%s\",\"project_id\":\"blue-1\",\"user_id\":\"u\",\"consumer_generation\":1,"
                   "\"consumer_type\":\"INSTANCE\",\"allocations\":{}}}",
                   consumer);
    expect(&stranger, "steal-3", body, "\"forbidden\"");
    mongoc_client_t *client = open_database();
    audit(client, 1, 1 + 2 * PROVIDERS);
    mongoc_client_destroy(client);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(stranger.client);
    client_close(conductor.client);
}

/* To every mongod of the stack; the pid files are what script/stack env names. */
static void signal_storage(int signal_number)
{
    const char *files = getenv("ALLOT_STACK_MONGOD_PIDFILES");
    assert_non_null(files); /* a stack of our own: only its servers may be frozen */
    char copy[1024];
    assert_in_range(snprintf(copy, sizeof copy, "%s", files), 1, sizeof copy - 1);
    char *rest = NULL;
    for (char *path = strtok_r(copy, " ", &rest); path != NULL; path = strtok_r(NULL, " ", &rest)) {
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        int pid = 0;
        assert_int_equal(fscanf(file, "%d", &pid), 1);
        (void)fclose(file);
        assert_int_equal(kill(pid, signal_number), 0);
    }
}

static void test_defect_3_an_outage_of_the_storage_is_never_an_answer(void **state)
{
    (void)state;
    enum { SILENCE_MS = 4000 };
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);

    char body[1024];
    struct error error = {""};
    struct client_message message;
    claim_body(body, sizeof body, 1);
    signal_storage(SIGSTOP);
    send_body(&producer, "during", body);
    send_body(&producer, "read",
              "{\"version\":1,\"command\":\"provider.get\",\"params\":"
              "{\"uuid\":\"00000000-0000-4000-8000-000000000000\"}}");
    enum client_answer answer = client_receive(producer.client, SILENCE_MS, &message, &error);
    signal_storage(SIGCONT);
    assert_int_equal(answer, CLIENT_NOTHING);

    for (int replies = 0; replies < 2; replies++) {
        struct client_message reply = receive(&producer);
        assert_true(contains(reply.body, "\"success\""));
        arena_free(reply.arena);
    }
    await_empty_queue();
    mongoc_client_t *client = open_database();
    audit(client, 1, 1 + 2 * PROVIDERS);
    mongoc_client_destroy(client);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

/* The first command must not come before the exchange. */
static int declare_topology(void **state)
{
    (void)state;
    struct error error = {""};
    struct amqp_tls tls = {TEXT_NONE, TEXT_NONE, TEXT_NONE};
    struct topology topology = {text_of("allot.commands"), text_of("allot.commands"),
                                text_of("allot.dead"), text_of("allot.dead")};
    const char *uri = getenv("ALLOT_AMQP_URI");
    if (uri != NULL && topology_declare(text_of(uri), &tls, &topology, &error) == TRANSPORT_OK)
        return 0;
    print_error("%s\n", uri != NULL ? error.text : "ALLOT_AMQP_URI is not set");
    return -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill_9_amid_2000_commands_loses_and_doubles_nothing,
                                        fresh_database, drop_database),
        cmocka_unit_test_setup_teardown(
            test_a_lone_command_is_one_transaction_and_1000_waiting_are_a_handful, fresh_database,
            drop_database),
        cmocka_unit_test_setup_teardown(test_the_same_key_gets_the_same_bytes_and_no_second_effect,
                                        fresh_database, drop_database),
        cmocka_unit_test_setup_teardown(test_defect_3_an_outage_of_the_storage_is_never_an_answer,
                                        fresh_database, drop_database),
        cmocka_unit_test_setup_teardown(test_a_stranger_cannot_touch_another_projects_consumer,
                                        fresh_database, drop_database),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
