/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends every command, and provokes every failure that a test can, at least once, so that
 * tests/schema/check finds all of them in the journal.
 *
 * The commands are the lines of tests/schema/messages.txt: key, principal, expected code, body. A
 * command that needs a special message (no key, no principal, headers, a long body) has a test of
 * its own below, as have the failures that need a state: a crash of workers, which is simulated by
 * attempt records, and the expiration by the broker.
 *
 * Not here: what the replies say in detail. The tables (tests/table) compare that, and
 * tests/schema/check compares the form of every message.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "allot/limits.h"
#include "common/core/verdict.h"
#include "common/mongo/libmongoc.h"
#include "tests/system/worker_database.h"

enum { LINE_MAX_BYTES = 8192, DELIVERIES = 2 };

#define MESSAGES "tests/schema/messages.txt"
#define READ                                                                                       \
    "{\"version\":1,\"command\":\"allocation.get\",\"params\":"                                    \
    "{\"consumer_uuid\":\"00000000-0000-4000-9000-000000000001\"}}"
#define WRITE                                                                                      \
    "{\"version\":1,\"command\":\"allocation.delete\",\"params\":"                                 \
    "{\"consumer_uuid\":\"00000000-0000-4000-9000-000000000001\"}}"

#define ATTEMPTS                                                                                   \
    "{\"insert\":\"attempts\",\"documents\":[{\"_id\":"                                            \
    "{\"principal\":\"conductor\",\"key\":\"poison\"},"                                            \
    "\"marks\":[\"one.1#1\",\"two.1#1\",\"three.1#1\"]}]}"

static void expect_letter(void)
{
    struct client_message letter = take_dead_letter();
    arena_free(letter.arena);
}

static void expect_code(struct producer *producer, const char *key, const char *expected)
{
    char part[96];
    enum verdict_code code = VERDICT_SUCCESS;
    if (!verdict_parse(text_of(expected), &code))
        fail_msg("%s: unknown code %s", key, expected);
    (void)snprintf(part, sizeof part, code == VERDICT_SUCCESS ? "\"%s\"" : "\"code\":\"%s\"",
                   expected);
    struct client_message reply = receive(producer);
    if (!contains(reply.body, part))
        fail_msg("%s: expected %s, got %.*s", key, expected, TEXT_ARGS(reply.body));
    arena_free(reply.arena);
    if (verdict_always_dead_lettered(code))
        expect_letter();
}

static void send_and_expect(struct producer *producer, const struct outgoing *command,
                            const char *expected)
{
    assert_int_equal(publish(producer, command), CLIENT_CONFIRMED);
    expect_code(producer, command->properties.message_id.bytes, expected);
}

/* Sends the command of one line: KEY USER EXPECTED-CODE BODY. */
static void try_line(char *line, struct producer *conductor, struct producer *team)
{
    char *rest = NULL;
    const char *key = strtok_r(line, " ", &rest);
    const char *user = strtok_r(NULL, " ", &rest);
    const char *expected = strtok_r(NULL, " ", &rest);
    const char *body = strtok_r(NULL, "\n", &rest);
    if (body == NULL)
        fail_msg("%s: invalid line, expected KEY USER CODE BODY: %s", MESSAGES, line);
    struct producer *producer = strcmp(user, "conductor") == 0 ? conductor : team;
    struct outgoing command = command_message(key, producer->queue, body);
    send_and_expect(producer, &command, expected);
}

static void test_every_command_is_answered_as_its_line_says(void **state)
{
    (void)state;
    char line[LINE_MAX_BYTES];
    size_t tried = 0;
    struct producer conductor = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct producer team = open_producer("ALLOT_AMQP_URI_TEAM_BLUE", "team-blue");
    pid_t worker = start_worker();
    FILE *messages = fopen(MESSAGES, "re");
    assert_non_null(messages);
    while (fgets(line, sizeof line, messages) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        try_line(line, &conductor, &team);
        tried++;
    }
    assert_int_equal(fclose(messages), 0);
    assert_true(tried > 50);
    await_empty_queue();
    expect_no_dead_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(team.client);
    client_close(conductor.client);
}

static void test_an_invalid_message_is_answered_and_dead_lettered(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    struct outgoing command = command_message("broken", producer.queue, "{\"version\":1,}");
    send_and_expect(&producer, &command, "malformed");
    command = command_message("typed", producer.queue, READ);
    command.properties.content_type = text_of("text/plain");
    send_and_expect(&producer, &command, "malformed");
    command.properties.content_type = text_of("application/json; charset=utf-8");
    command.properties.correlation_id = text_of("");
    send_and_expect(&producer, &command, "success");
    command = command_message(NULL, producer.queue, READ);
    send_and_expect(&producer, &command, "missing_message_id");
    command.properties.correlation_id = text_of("mine");
    send_and_expect(&producer, &command, "missing_message_id");

    static char large[BODY_BYTES_MAX + 2];
    memset(large, ' ', sizeof large - 1);
    command = command_message("large", producer.queue, large);
    send_and_expect(&producer, &command, "too_large");
    command = command_message("large", NULL, large);
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    expect_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_a_command_of_an_unknown_principal_is_dead_lettered_only(void **state)
{
    (void)state;
    struct producer unknown = {.client = open_worker_client()}; /* the user "worker" */
    pid_t worker = start_worker();
    struct outgoing command = command_message("unknown", NULL, READ);
    assert_int_equal(publish(&unknown, &command), CLIENT_CONFIRMED);
    expect_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(unknown.client);
}

static void test_headers_are_checked_and_copied(void **state)
{
    (void)state;
    struct outgoing_header headers[] = {
        {.name = "x-allot-deadline", .kind = OUTGOING_INTEGER, .integer = 1},
        {.name = "traceparent",
         .kind = OUTGOING_TEXT,
         .text = text_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}};
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    struct outgoing command = command_message("late", producer.queue, WRITE);
    command.headers = headers;
    command.header_count = 2;
    send_and_expect(&producer, &command, "deadline_exceeded");
    headers[0].kind = OUTGOING_TEXT;
    headers[0].text = text_of("1");
    send_and_expect(&producer, &command, "invalid");
    command.properties.reply_to = TEXT_NONE;
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    expect_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

/* Sends a claim on one provider more than the limit of a consumer. */
static void test_a_consumer_of_1001_providers_is_over_the_limit(void **state)
{
    (void)state;
    static char body[128 * 1024];
    size_t length = (size_t)snprintf(
        body, sizeof body,
        "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":"
        "\"00000000-0000-4000-9000-000000000001\",\"project_id\":\"p\",\"user_id\":\"u\","
        "\"consumer_generation\":null,\"consumer_type\":\"INSTANCE\",\"allocations\":{");
    for (size_t i = 0; i <= CONSUMER_PROVIDERS_MAX; i++)
        length += (size_t)snprintf(body + length, sizeof body - length,
                                   "%s\"%s\":{\"resources\":{\"VCPU\":1}}", i > 0 ? "," : "",
                                   provider_uuid(i));
    (void)snprintf(body + length, sizeof body - length, "}}}");
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    struct outgoing command = command_message("wide", producer.queue, body);
    send_and_expect(&producer, &command, "limit_exceeded");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

/* Takes and requeues the command DELIVERIES times, as if so many workers had crashed. */
static void requeue_the_command(void)
{
    struct error error = {""};
    struct client_message message;
    struct client *client = open_worker_client();
    for (int i = 0; i < DELIVERIES; i++) {
        assert_int_equal(client_get(client, "allot.commands", &message, &error), CLIENT_MESSAGE);
        assert_true(client_requeue(client, message.tag, &error));
        arena_free(message.arena);
    }
    client_close(client);
}

static void test_a_command_that_crashed_its_workers_is_dead_lettered(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct outgoing command = command_message("poison", producer.queue, WRITE);
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    requeue_the_command();
    run_on_database(fixture_database(), ATTEMPTS); /* attempt records of three crashed workers */
    pid_t worker = start_worker();
    expect_code(&producer, "poison", "attempts_exhausted");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_a_command_that_expires_unanswered_is_dead_lettered_by_the_broker(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct outgoing command = command_message("expired", producer.queue, READ);
    command.properties.expiration = text_of("1");
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    expect_letter();
    expect_silence(&producer, 0);
    client_close(producer.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_every_command_is_answered_as_its_line_says),
        WORKER_TEST(test_an_invalid_message_is_answered_and_dead_lettered),
        WORKER_TEST(test_a_command_of_an_unknown_principal_is_dead_lettered_only),
        WORKER_TEST(test_headers_are_checked_and_copied),
        WORKER_TEST(test_a_consumer_of_1001_providers_is_over_the_limit),
        WORKER_TEST(test_a_command_that_crashed_its_workers_is_dead_lettered),
        WORKER_TEST(test_a_command_that_expires_unanswered_is_dead_lettered_by_the_broker),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
