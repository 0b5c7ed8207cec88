/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests `allotctl letter import` on a real broker and database.
 *
 * - Dead letters from before letters were stored are put into the queue as a worker did it then.
 * - Those of the broker are made by it: a command expires while no worker runs.
 * - An import is killed while mongod holds its commit, which takes effect afterwards.
 * - mongod rejects a write of allotctl with a fail point, so that a message cannot be stored.
 *
 * Not here: which letter a message makes (tests/unit/test_letter_of_message.c).
 */
#include "tests/system/worker_fixture.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/codec/digest.h"
#include "tests/system/worker_database.h"
#include "tests/system/worker_letters.h"

extern char **environ;

#define READ "{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"p\"}}"

/* --- dead letters --------------------------------------------------------------------------- */

static struct outgoing_header text_header(const char *name, const char *value)
{
    return (struct outgoing_header){.name = name, .kind = OUTGOING_TEXT, .text = text_of(value)};
}

static void put_message(const char *message_id, const struct outgoing_header *headers, size_t count,
                        const char *body)
{
    struct client *client = open_worker_client();
    enum client_outcome outcome = CLIENT_NACKED;
    struct error error = {""};
    struct outgoing letter = {.exchange = text_of("allot.dead"),
                              .routing_key = text_of("allot.commands"),
                              .mandatory = true,
                              .headers = headers,
                              .header_count = count,
                              .body = text_of(body)};
    letter.properties.message_id = text_of(message_id);
    if (!client_publish(client, &letter, WAIT_MS, &outcome, &error))
        fail_msg("%s", error.text);
    assert_int_equal(outcome, CLIENT_CONFIRMED);
    client_close(client);
}

/* As a worker published it that stored no letters; `letter_id` NULL: without that header. */
static void put_dead_letter(const char *message_id, const char *detail, const char *letter_id,
                            const char *body)
{
    const struct outgoing_header headers[] = {
        text_header("x-allot-reason", "internal"),
        text_header("x-allot-detail", detail),
        text_header("x-allot-principal", "conductor"),
        text_header("x-allot-queue", "allot.commands"),
        text_header("x-allot-worker", "w-1"),
        {.name = "x-allot-dead-at", .kind = OUTGOING_INTEGER, .integer = 1700000000000},
        text_header("x-allot-letter", letter_id)};
    put_message(message_id, headers, letter_id != NULL ? 7 : 6, body);
}

static void assert_part(const char *output, const char *part)
{
    if (strstr(output, part) == NULL)
        fail_msg("'%s' is not in: %s", part, output);
}

static uint32_t ready_messages(void)
{
    struct client *client = open_worker_client();
    struct error error;
    uint32_t count = 0;
    assert_true(client_count(client, "allot.dead", &count, &error));
    client_close(client);
    return count;
}

static void await_messages(uint32_t count)
{
    for (int i = 0; i < WAIT_MS / 50 && ready_messages() != count; i++)
        (void)poll(NULL, 0, 50);
    assert_int_equal(ready_messages(), count);
}

static void drain_dead(size_t count)
{
    struct client *client = open_worker_client();
    struct error error;
    for (size_t i = 0; i < count; i++) {
        struct client_message message = {0};
        assert_int_equal(client_get(client, "allot.dead", &message, &error), CLIENT_MESSAGE);
        assert_true(client_ack(client, message.tag, &error));
        arena_free(message.arena);
    }
    client_close(client);
}

/* Counts the letters that the sweep would publish, or that would never expire. */
static void assert_all_published(int64_t letters)
{
    assert_int_equal(count_letters("{}"), letters);
    assert_int_equal(count_letters("{\"unpublished\": {\"$exists\": false}, \"published_at\": "
                                   "{\"$exists\": true}, \"expires_at\": {\"$exists\": true}}"),
                     letters);
}

/* --- what the worker dead-lettered ---------------------------------------------------------- */

static void test_dead_letters_become_letters_that_are_not_published_again(void **state)
{
    (void)state;
    put_dead_letter("one", "first", NULL, READ);
    put_dead_letter("two", "", NULL, "\xff binary \x1b[2J");
    put_dead_letter("one", "second", NULL, READ);
    put_message("bare", NULL, 0, "{}");
    await_messages(4);
    assert_part(run_allotctl("letter import --dry-run", 0),
                "4 dead letters: 4 to import, 0 stored before, 0 left in the queue\n");
    await_messages(4);
    assert_int_equal(count_letters("{}"), 0);
    assert_part(run_allotctl("letter import", 0),
                "4 dead letters: 4 imported, 0 stored before, 0 left in the queue\n");
    assert_int_equal(ready_messages(), 0);
    assert_all_published(3);
    assert_int_equal(count_letters("{\"key\": \"one\", \"count\": 2, \"detail\": \"second\", "
                                   "\"reason\": \"internal\", \"principal\": \"conductor\", "
                                   "\"worker\": \"w-1\", \"source\": \"worker\", \"state\": "
                                   "\"open\", \"command\": \"usage.get\", \"project\": \"p\"}"),
                     1);
    assert_int_equal(count_letters("{\"key\": \"bare\", \"reason\": \"unknown\"}"), 1);
    assert_part(run_allotctl("letter import", 0), "0 dead letters: 0 imported");
    expect_no_dead_letter();
}

static void test_an_import_takes_no_more_than_the_limit(void **state)
{
    (void)state;
    put_dead_letter("one", "", NULL, READ);
    put_dead_letter("two", "", NULL, READ);
    put_dead_letter("three", "", NULL, READ);
    await_messages(3);
    assert_part(run_allotctl("letter import --limit 2", 0), "2 dead letters: 2 imported");
    assert_int_equal(ready_messages(), 1);
    assert_part(run_allotctl("letter import", 0), "1 dead letters: 1 imported");
    assert_all_published(3);
}

/* The broker redelivers what an import that was killed had not acknowledged. */
static void test_a_message_whose_letter_is_stored_is_only_removed(void **state)
{
    (void)state;
    put_dead_letter("one", "why", NULL, READ);
    await_messages(1);
    (void)run_allotctl("letter import", 0);
    put_dead_letter("one", "why", NULL, READ);
    await_messages(1);
    assert_part(run_allotctl("letter import", 0),
                "1 dead letters: 0 imported, 1 stored before, 0 left in the queue\n");
    assert_int_equal(ready_messages(), 0);
    assert_all_published(1);
    assert_int_equal(count_letters("{\"count\": 1}"), 1);
}

/* Starts an import that runs until it is killed. */
static pid_t start_import(void)
{
    char program[] = ALLOTCTL, letter[] = "letter", import[] = "import";
    char *arguments[] = {program, letter, import, NULL};
    pid_t pid = 0;
    assert_int_equal(posix_spawn(&pid, ALLOTCTL, NULL, NULL, arguments, environ), 0);
    return pid;
}

/* The commit takes effect after the process that asked for it is gone. */
static void test_an_import_that_is_killed_during_the_commit_loses_and_doubles_nothing(void **state)
{
    (void)state;
    put_dead_letter("one", "why", NULL, READ);
    put_dead_letter("two", "why", NULL, READ);
    await_messages(2);
    (void)run_allotctl("letter import --dry-run", 0);
    hold_commits();
    pid_t pid = start_import();
    await_held_commit();
    int status = 0;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    release_commits();
    for (int i = 0; i < WAIT_MS / 50 && count_letters("{}") == 0; i++)
        (void)poll(NULL, 0, 50);
    assert_all_published(1);
    await_messages(2);
    assert_part(run_allotctl("letter import", 0),
                "2 dead letters: 1 imported, 1 stored before, 0 left in the queue\n");
    assert_all_published(2);
    assert_int_equal(count_letters("{\"count\": 1}"), 2);
    expect_no_dead_letter();
}

/* Letters lose their bodies first when they hold too much. */
static void test_a_message_is_not_removed_if_it_has_the_only_body(void **state)
{
    (void)state;
    put_dead_letter("one", "why", NULL, READ);
    await_messages(1);
    (void)run_allotctl("letter import", 0);
    run_on_database(fixture_database(),
                    "{\"update\":\"letters\",\"updates\":[{\"q\":{\"body\":{\"$exists\":true}},"
                    "\"u\":{\"$set\":{\"body_dropped\":true},\"$unset\":{\"body\":\"\"}}}]}");
    put_dead_letter("one", "why", NULL, READ);
    await_messages(1);
    const char *output = run_allotctl("letter import", 1);
    assert_part(output, "its letter has no body any more, but the message has it");
    assert_part(output, "0 imported, 0 stored before, 1 left in the queue");
    await_messages(1);
    drain_dead(1);
}

/* --- the letter that a message names -------------------------------------------------------- */

static void test_a_message_that_names_a_stored_letter_makes_no_other(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct digest *digest = digest_new();
    digest_add(digest, READ, sizeof READ - 1);
    struct fingerprint fingerprint = digest_end(digest);
    struct letter letter = {.id = text_of("aaaaaaaa000000000000000000000001"),
                            .times = 1,
                            .reason = text_of("internal"),
                            .detail = text_of("why"),
                            .worker = text_of("w-1"),
                            .body = text_of(READ),
                            .body_size = sizeof READ - 1,
                            .body_sha256 = fingerprint_hex(arena, &fingerprint)};
    store_letter(&letter);
    put_dead_letter("ours", "why", "aaaaaaaa000000000000000000000001", READ);
    await_messages(1);
    assert_part(run_allotctl("letter import", 0), "0 imported, 1 stored before");
    assert_all_published(1);
    /* Names that are not that letter's: another body, an unknown id, a prefix. */
    put_dead_letter("other", "why", "aaaaaaaa000000000000000000000001", "{}");
    put_dead_letter("unknown", "why", "bbbbbbbb000000000000000000000001", READ);
    put_dead_letter("prefix", "why", "aaaaaaaa", READ);
    await_messages(3);
    assert_part(run_allotctl("letter import", 0), "3 imported, 0 stored before");
    assert_all_published(4);
    arena_free(arena);
}

/* --- what the broker dead-lettered ---------------------------------------------------------- */

/* A producer lets the broker dead-letter a command with headers of its own. */
static void test_a_letter_of_the_broker_does_not_believe_the_producer(void **state)
{
    (void)state;
    struct letter victim = {.id = text_of("aaaaaaaa000000000000000000000001"),
                            .times = 1,
                            .reason = text_of("internal")};
    const struct outgoing_header forged[] = {
        text_header("x-allot-reason", "malformed"), text_header("x-allot-principal", "team-blue"),
        text_header("x-allot-queue", "forged.queue"), text_header("x-allot-worker", "forged"),
        text_header("x-allot-letter", "aaaaaaaa000000000000000000000001")};
    store_letter(&victim);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct outgoing command = command_message("expired-1", NULL, READ);
    command.headers = forged;
    command.header_count = sizeof forged / sizeof forged[0];
    command.properties.expiration = text_of("1");
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    await_messages(1);
    assert_part(run_allotctl("letter import", 0), "1 dead letters: 1 imported");
    assert_int_equal(count_letters("{\"key\": \"expired-1\", \"source\": \"broker\", \"reason\": "
                                   "\"expired\", \"principal\": \"conductor\", \"queue\": "
                                   "\"allot.commands\", \"worker\": {\"$exists\": false}}"),
                     1);
    assert_int_equal(count_letters("{}"), 2);
    assert_int_equal(count_letters("{\"published_at\": {\"$exists\": true}}"), 1);
    client_close(producer.client);
}

/* --- what cannot be stored ------------------------------------------------------------------ */

/* Makes the next writes of allotctl fail, as those of a document that is too large. */
static void reject_writes(int times)
{
    char json[512];
    (void)snprintf(json, sizeof json,
                   "{\"configureFailPoint\": \"failCommand\", \"mode\": {\"times\": %d}, \"data\": "
                   "{\"failCommands\": [\"update\"], \"appName\": \"allotd:allotctl\", "
                   "\"errorCode\": 10334}}",
                   times);
    run_on_database("admin", json);
}

static void test_a_message_that_cannot_be_stored_stays_and_is_named(void **state)
{
    (void)state;
    (void)run_allotctl("letter import", 0); /* prepares the database, which writes */
    put_dead_letter("refused \x1b[2J", "why", NULL, READ);
    put_dead_letter("taken", "why", NULL, READ);
    await_messages(2);
    reject_writes(1);
    const char *output = run_allotctl("letter import", 1);
    assert_part(output, "a message with message id refused ?[2J stays in the queue: mongodb: ");
    assert_part(output, "2 dead letters: 1 imported, 0 stored before, 1 left in the queue\n");
    await_messages(1);
    assert_all_published(1);
    assert_part(run_allotctl("letter import", 0), "1 dead letters: 1 imported");
    assert_all_published(2);
}

static void test_without_a_database_every_message_stays(void **state)
{
    (void)state;
    put_dead_letter("one", "why", NULL, READ);
    await_messages(1);
    const char *output = run_allotctl("letter import --database-uri 'mongodb://127.0.0.1:1/"
                                      "?serverSelectionTimeoutMS=500'",
                                      1);
    assert_part(output, "allotctl: mongodb: ");
    await_messages(1);
    drain_dead(1);
}

/* --- listing the queue ---------------------------------------------------------------------- */

static void test_the_queue_is_listed_as_dead_list_does_it(void **state)
{
    (void)state;
    char listed[4096];
    put_dead_letter("one", "why", NULL, READ);
    await_messages(1);
    (void)snprintf(listed, sizeof listed, "%s", run_allotctl("dead list --json", 0));
    assert_part(listed, "\"message_id\":\"one\"");
    assert_string_equal(run_allotctl("letter list --from-queue --json", 0), listed);
    await_messages(1);
    drain_dead(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_dead_letters_become_letters_that_are_not_published_again),
        WORKER_TEST(test_an_import_takes_no_more_than_the_limit),
        WORKER_TEST(test_a_message_whose_letter_is_stored_is_only_removed),
        WORKER_TEST(test_an_import_that_is_killed_during_the_commit_loses_and_doubles_nothing),
        WORKER_TEST(test_a_message_is_not_removed_if_it_has_the_only_body),
        WORKER_TEST(test_a_message_that_names_a_stored_letter_makes_no_other),
        WORKER_TEST(test_a_letter_of_the_broker_does_not_believe_the_producer),
        WORKER_TEST(test_a_message_that_cannot_be_stored_stays_and_is_named),
        WORKER_TEST(test_without_a_database_every_message_stays),
        WORKER_TEST(test_the_queue_is_listed_as_dead_list_does_it),
    };
    return cmocka_run_group_tests_name("letters_imported", tests, declare_topology, NULL) != 0;
}
