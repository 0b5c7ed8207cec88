/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The state of the running test is static: the name of its database, the pids of its
 * workers, and the variables that it has set for them. fresh_database initializes that state;
 * drop_database ends what a failed test has left (workers, variables, faults) and drops the
 * database. Helpers wait by polling up to WAIT_MS, and fail the test when the time is over; none
 * waits a fixed time for something to happen.
 *
 * Producers use the product's own client (common/amqp/client.h). Every message that they send or
 * receive goes to the journal as well, where tests/schema/check reads it.
 *
 * Not here: the database and its faults (worker_database.h).
 */
#include "tests/system/worker_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/amqp/topology.h"
#include "common/mongo/libmongoc.h"
#include "tests/system/worker_database.h"
#include "tests/system/worker_journal.h"

extern char **environ;

enum { WORKERS_MAX = 4, SETTINGS_MAX = 8, TICK_US = 20000 };

static const struct amqp_tls no_tls = {TEXT_NONE, TEXT_NONE, TEXT_NONE};

/* The state of the running test. */
static char database[64];
static pid_t workers[WORKERS_MAX];          /* 0: a free place */
static const char *variables[SETTINGS_MAX]; /* set for the workers; NULL: the end */

const char *fixture_database(void)
{
    return database;
}

/* --- the worker ------------------------------------------------------------------------------- */

static void replace_worker(pid_t from, pid_t to)
{
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (workers[i] == from) {
            workers[i] = to;
            return;
        }
    }
    fail_msg("more than %d workers", WORKERS_MAX);
}

pid_t start_worker_with_log(const char *log_path)
{
    char program[] = ALLOTD, flag[] = "--config", file[] = "config/allotd.example.yaml";
    char *arguments[] = {program, flag, file, NULL};
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    (void)setenv("ALLOT_WORKER_NAME", FIXTURE_WORKER, 1);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    if (log_path != NULL)
        assert_int_equal(posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_path,
                                                          O_WRONLY | O_APPEND, 0),
                         0);
    assert_int_equal(posix_spawn(&pid, ALLOTD, &actions, NULL, arguments, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    replace_worker(0, pid);
    return pid;
}

pid_t start_worker(void)
{
    return start_worker_with_log(NULL);
}

static bool file_contains(const char *path, const char *part)
{
    char line[4096];
    bool found = false;
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, part) != NULL;
    (void)fclose(file);
    return found;
}

void await_log_event(const char *log_path, const char *event)
{
    for (int waited_ms = 0; !file_contains(log_path, event); waited_ms += TICK_US / 1000) {
        if (waited_ms >= WAIT_MS)
            fail_msg("no event %s in the log", event);
        (void)usleep(TICK_US);
    }
}

int await_end(pid_t pid)
{
    int status = 0;
    pid_t ended = 0;
    for (int waited_ms = 0; ended == 0 && waited_ms < WAIT_MS; waited_ms += TICK_US / 1000) {
        ended = waitpid(pid, &status, WNOHANG);
        if (ended == 0)
            (void)usleep(TICK_US);
    }
    assert_int_equal(ended, pid); /* a worker that hangs is killed in drop_database */
    replace_worker(pid, 0);
    return status;
}

int end_worker(pid_t pid, int signal_number)
{
    assert_int_equal(kill(pid, signal_number), 0);
    return await_end(pid);
}

void set_worker(const char *variable, const char *value)
{
    size_t i = 0;
    while (variables[i] != NULL)
        i++;
    assert_in_range(i, 0, SETTINGS_MAX - 2);
    variables[i] = variable;
    (void)setenv(variable, value, 1);
}

static void unset_variables(void)
{
    for (size_t i = 0; variables[i] != NULL; i++) {
        (void)unsetenv(variables[i]);
        variables[i] = NULL;
    }
}

/* --- producers -------------------------------------------------------------------------------- */

static struct client *open_client(const char *uri_variable)
{
    struct error error = {""};
    const char *uri = getenv(uri_variable);
    assert_non_null(uri); /* script/test starts the servers */
    struct client *client = client_open(text_of(uri), &no_tls, &error);
    if (client == NULL)
        fail_msg("%s", error.text);
    return client;
}

struct client *open_worker_client(void)
{
    return open_client("ALLOT_AMQP_URI");
}

struct producer open_producer(const char *uri_variable, const char *user)
{
    struct error error = {""};
    struct producer producer = {.client = open_client(uri_variable)};
    (void)snprintf(producer.queue, sizeof producer.queue, "%.32s.%s", user, database);
    assert_true(client_declare_queue(producer.client, producer.queue, &error));
    assert_true(client_consume(producer.client, producer.queue, true, &error));
    return producer;
}

struct outgoing command_message(const char *key, const char *reply_to, const char *body)
{
    return (struct outgoing){
        .exchange = text_of("allot.commands"),
        .routing_key = text_of("allot.commands"),
        .mandatory = true,
        .properties = {.message_id = text_of(key),
                       .reply_to = reply_to != NULL ? text_of(reply_to) : TEXT_NONE},
        .body = text_of(body),
    };
}

enum client_outcome publish(struct producer *producer, const struct outgoing *command)
{
    struct error error = {""};
    enum client_outcome outcome = CLIENT_NACKED;
    if (!client_publish(producer->client, command, WAIT_MS, &outcome, &error))
        fail_msg("%s", error.text);
    journal_command(database, client_user(producer->client), command);
    return outcome;
}

void send_body(struct producer *producer, const char *key, const char *body)
{
    struct outgoing command = command_message(key, producer->queue, body);
    assert_int_equal(publish(producer, &command), CLIENT_CONFIRMED);
}

struct client_message receive(struct producer *producer)
{
    struct error error = {""};
    struct client_message message;
    if (client_receive(producer->client, WAIT_MS, &message, &error) != CLIENT_MESSAGE)
        fail_msg("no reply within %d ms: %s", WAIT_MS, error.text);
    journal_message(database, "reply", &message);
    return message;
}

void expect_silence(struct producer *producer, int wait_ms)
{
    struct error error = {""};
    struct client_message message;
    assert_int_equal(client_receive(producer->client, wait_ms, &message, &error), CLIENT_NOTHING);
}

bool contains(struct text body, const char *part)
{
    return memmem(body.bytes, body.length, part, strlen(part)) != NULL;
}

void expect(struct producer *producer, const char *key, const char *body, const char *part)
{
    send_body(producer, key, body);
    struct client_message reply = receive(producer);
    if (!contains(reply.body, part))
        fail_msg("%s: %.*s", key, TEXT_ARGS(reply.body));
    arena_free(reply.arena);
}

/* --- commands and replies --------------------------------------------------------------------- */

const char *provider_uuid(size_t i)
{
    static char uuid[40];
    (void)snprintf(uuid, sizeof uuid, "00000000-0000-4000-8000-%012zx", i);
    return uuid;
}

void make_providers(struct producer *producer)
{
    char body[512], key[64];
    for (size_t i = 0; i < PROVIDERS; i++) {
        (void)snprintf(key, sizeof key, "make-%zu", i);
        (void)snprintf(body, sizeof body,
                       "{\"version\":1,\"command\":\"provider.create\",\"params\":"
                       "{\"uuid\":\"%s\",\"name\":\"host-%zu\"}}",
                       provider_uuid(i), i);
        expect(producer, key, body, "\"success\"");
        (void)snprintf(key, sizeof key, "inventory-%zu", i);
        (void)snprintf(body, sizeof body,
                       "{\"version\":1,\"command\":\"inventory.set\",\"params\":"
                       "{\"uuid\":\"%s\",\"resource_provider_generation\":0,"
                       "\"inventories\":{\"VCPU\":{\"total\":100000}}}}",
                       provider_uuid(i));
        expect(producer, key, body, "\"success\"");
    }
}

void claim_body_of(char *body, size_t room, size_t i, const char *project)
{
    (void)snprintf(body, room,
                   "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":"
                   "\"00000000-0000-4000-9000-%012zx\",\"project_id\":\"%s\",\"user_id\":\"u\","
                   "\"consumer_generation\":null,\"consumer_type\":\"INSTANCE\",\"allocations\":"
                   "{\"%s\":{\"resources\":{\"VCPU\":2}}}}}",
                   i, project, provider_uuid(i % PROVIDERS));
}

void claim_body(char *body, size_t room, size_t i)
{
    claim_body_of(body, room, i, "p");
}

void send_claims(struct producer *producer, size_t first, size_t end)
{
    char body[BODY_MAX], key[64];
    for (size_t i = first; i < end; i++) {
        (void)snprintf(key, sizeof key, "claim-%zu", i);
        claim_body(body, sizeof body, i);
        send_body(producer, key, body);
    }
}

size_t reply_number(const struct client_message *reply, const char *prefix)
{
    struct text id = reply->properties.correlation_id;
    char copy[64];
    (void)snprintf(copy, sizeof copy, "%.*s", TEXT_ARGS(id));
    assert_memory_equal(copy, prefix, strlen(prefix));
    return strtoul(copy + strlen(prefix), NULL, 10);
}

size_t claim_number(const struct client_message *reply)
{
    return reply_number(reply, "claim-");
}

size_t count_answered(const unsigned char *answered, size_t count)
{
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++)
        distinct += answered[i] != 0;
    return distinct;
}

size_t receive_claims(struct producer *producer, unsigned char *answered, size_t count,
                      size_t enough)
{
    size_t replies = 0, distinct = count_answered(answered, count);
    while (distinct < count && replies < enough) {
        struct client_message reply = receive(producer);
        size_t number = claim_number(&reply);
        assert_true(number < count);
        if (!contains(reply.body, "\"success\"") ||
            !contains(reply.body, "\"consumer_generation\":1"))
            fail_msg("claim %zu: %.*s", number, TEXT_ARGS(reply.body));
        distinct += answered[number] == 0;
        answered[number] = 1;
        arena_free(reply.arena);
        replies++;
    }
    return replies;
}

/* --- the broker ------------------------------------------------------------------------------- */

void await_empty_queue(void)
{
    struct error error = {""};
    struct client *client = open_worker_client();
    uint32_t waiting = 1;
    for (int tries = 0; waiting > 0 && tries < WAIT_MS / 20; tries++) {
        assert_true(client_count(client, "allot.commands", &waiting, &error));
        (void)usleep(TICK_US);
    }
    assert_int_equal(waiting, 0);
    client_close(client);
}

void expect_no_dead_letter(void)
{
    struct error error = {""};
    struct client_message message;
    struct client *client = open_worker_client();
    enum client_answer answer = client_get(client, "allot.dead", &message, &error);
    if (answer == CLIENT_MESSAGE)
        fail_msg("unexpected dead letter: %.*s", TEXT_ARGS(message.body));
    assert_int_equal(answer, CLIENT_NOTHING);
    client_close(client);
}

struct client_message take_dead_letter(void)
{
    struct error error = {""};
    struct client_message message = {0};
    struct client *client = open_client("ALLOT_AMQP_URI_OPERATOR");
    enum client_answer answer = CLIENT_NOTHING;
    for (int tries = 0; answer == CLIENT_NOTHING && tries < WAIT_MS / 20; tries++) {
        answer = client_get(client, "allot.dead", &message, &error);
        if (answer == CLIENT_NOTHING)
            (void)usleep(TICK_US);
    }
    assert_int_equal(answer, CLIENT_MESSAGE);
    assert_true(client_ack(client, message.tag, &error));
    journal_message(database, "dead_letter", &message);
    client_close(client);
    return message;
}

void rabbitmqctl(const char *arguments, char *output, size_t room)
{
    const char *directory = getenv("ALLOT_STACK_DIR");
    assert_non_null(directory); /* only the broker of a private stack may be disturbed */
    char command[1024];
    assert_in_range(snprintf(command, sizeof command,
                             "script/stack --dir '%s' rabbitmqctl -q %s 2>&1", directory,
                             arguments),
                    1, sizeof command - 1);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t length = fread(output, 1, room - 1, pipe);
    output[length] = '\0';
    if (pclose(pipe) != 0)
        fail_msg("rabbitmqctl %s: %s", arguments, output);
}

/* Not close_all_user_connections: it fails if one of them ends by itself meanwhile, and a worker
   closes the others as soon as the first one is lost. */
void close_connections_of(const char *user)
{
    char arguments[512], output[4096];
    assert_in_range(snprintf(arguments, sizeof arguments,
                             "eval '[try rabbit_reader:shutdown(Pid, \"test\") "
                             "catch exit:{_, {_, _, [Pid | _]}} -> ended end "
                             "|| Row <- rabbit_connection_tracking:list_of_user(<<\"%s\">>), "
                             "Pid <- tuple_to_list(Row), is_pid(Pid)].'",
                             user),
                    1, sizeof arguments - 1);
    rabbitmqctl(arguments, output, sizeof output);
    assert_non_null(strstr(output, "ok")); /* at least one was closed */
}

/* --- setup and teardown ----------------------------------------------------------------------- */

/* Removes the messages that a failed test has left. */
static void drain(const char *queue)
{
    struct error error = {""};
    struct client_message message;
    struct client *client = open_worker_client();
    while (client_get(client, queue, &message, &error) == CLIENT_MESSAGE) {
        assert_true(client_ack(client, message.tag, &error));
        arena_free(message.arena);
    }
    client_close(client);
}

int fresh_database(void **state)
{
    static unsigned number;
    mongoc_init(); /* libmongoc 1.30 crashes without it; the first of several calls counts */
    if (declare_topology(state) != 0) /* a failed test may have deleted a queue */
        return -1;
    drain("allot.commands");
    drain("allot.dead");
    drain("allot.dead.desk");
    (void)snprintf(database, sizeof database, "allot_system_%d_%u", (int)getpid(), ++number);
    (void)setenv("ALLOT_MONGODB_DATABASE", database, 1);
    return 0;
}

/* Ends the workers and faults that a failed test has left, and unsets the test's variables. */
static void clean_up(void)
{
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (workers[i] != 0)
            (void)end_worker(workers[i], SIGKILL);
    }
    unset_variables();
    (void)clear_faults();
}

int drop_database(void **state)
{
    (void)state;
    clean_up();
    bson_error_t error;
    mongoc_client_t *client = mongoc_client_new(getenv("ALLOT_MONGODB_URI"));
    mongoc_database_t *handle = mongoc_client_get_database(client, database);
    bool dropped = mongoc_database_drop(handle, &error);
    mongoc_database_destroy(handle);
    mongoc_client_destroy(client);
    return dropped ? 0 : -1;
}

int declare_topology(void **state)
{
    (void)state;
    struct error error = {""}, warning = {""};
    struct topology topology = {text_of("allot.commands"), text_of("allot.commands"),
                                text_of("allot.dead"), text_of("allot.dead"),
                                text_of("allot.dead.desk")};
    const char *uri = getenv("ALLOT_AMQP_URI");
    if (uri != NULL &&
        topology_declare(text_of(uri), &no_tls, &topology, &warning, &error) == TRANSPORT_OK)
        return 0;
    print_error("%s\n", uri != NULL ? error.text : "ALLOT_AMQP_URI is not set");
    return -1;
}
