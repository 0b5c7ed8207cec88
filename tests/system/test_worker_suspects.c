/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests commands that the database does not execute, though it works for all others, with real
 * causes: a read that is too slow, a damaged document, a unique index that an administrator has
 * added, a connection that breaks at each insert, and a document that somebody's open transaction
 * holds. Each such command is answered with a failure or waits; the others are answered meanwhile.
 *
 * tests/sim/test_suspects.c has the rules in detail.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <string.h>

#include "common/mongo/libmongoc.h"
#include "tests/system/worker_database.h"

enum { COMMANDS = 40 };

struct fixture {
    struct producer producer;
    pid_t worker;
};

static struct fixture start(void)
{
    struct fixture fixture = {.producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor")};
    fixture.worker = start_worker();
    make_providers(&fixture.producer);
    return fixture;
}

static void stop(struct fixture *fixture)
{
    await_empty_queue();
    assert_int_equal(end_worker(fixture->worker, SIGTERM), 0);
    client_close(fixture->producer.client);
}

/* Receives `count` replies to claims. Those on the first provider have to contain `part`, all
   others to be successes. NULL: there must be none of the first provider. */
static void receive_replies(struct fixture *fixture, size_t count, const char *part)
{
    for (size_t i = 0; i < count; i++) {
        struct client_message reply = receive(&fixture->producer);
        bool first = claim_number(&reply) % PROVIDERS == 0;
        assert_false(first && part == NULL);
        if (!contains(reply.body, first ? part : "\"success\""))
            fail_msg("%.*s", TEXT_ARGS(reply.body));
        arena_free(reply.arena);
    }
}

static void run_json(const char *format, const char *value)
{
    char json[BODY_MAX];
    assert_in_range(snprintf(json, sizeof json, format, value), 1, sizeof json - 1);
    run_on_database(fixture_database(), json);
}

static void take_dead_letters(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct client_message letter = take_dead_letter();
        arena_free(letter.arena);
    }
}

/* --- a slow read ------------------------------------------------------------------------------ */

/* Makes the server itself write so many consumers of the project "slow". */
static void make_consumers(void)
{
    run_on_database(
        fixture_database(),
        "{\"aggregate\": 1, \"cursor\": {}, \"bypassDocumentValidation\": true, \"pipeline\": ["
        "{\"$documents\": [{\"n\": {\"$range\": [0, 120000]}}]}, {\"$unwind\": \"$n\"},"
        "{\"$project\": {\"_id\": \"$n\", \"project_id\": \"slow\", \"user_id\": \"u\","
        "\"consumer_type\": \"INSTANCE\", \"allocations\": [{\"provider\": \"$n\", \"resources\": "
        "{\"VCPU\": {\"$toLong\": 1}, \"DISK_GB\": {\"$toLong\": 1}}}]}},"
        "{\"$merge\": {\"into\": \"consumers\"}}]}");
}

static void test_a_read_that_is_too_slow_exceeds_the_limit(void **state)
{
    (void)state;
    size_t successes = 0;
    set_worker("ALLOT_READS_TIMEOUT", "100ms");
    struct fixture fixture = start();
    make_consumers();
    send_body(&fixture.producer, "slow",
              "{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"slow\"}}");
    send_claims(&fixture.producer, 0, COMMANDS);
    for (size_t i = 0; i < COMMANDS + 1; i++) {
        struct client_message reply = receive(&fixture.producer);
        bool success = contains(reply.body, "\"success\"");
        successes += success;
        if (!success &&
            (!contains(reply.body, "\"limit_exceeded\"") || !contains(reply.body, "\"limit\":100")))
            fail_msg("%.*s", TEXT_ARGS(reply.body));
        arena_free(reply.arena);
    }
    assert_int_equal(successes, COMMANDS);
    expect_no_dead_letter();
    stop(&fixture);
}

/* --- commands that are refused for ever ------------------------------------------------------- */

static void test_commands_on_a_damaged_document_are_internal(void **state)
{
    (void)state;
    struct fixture fixture = start();
    run_json(
        "{\"update\": \"providers\", \"bypassDocumentValidation\": true, \"updates\": [{\"q\": "
        "{\"name\": \"%s\"}, \"u\": {\"$set\": {\"generation\": \"seven\"}}}]}",
        "host-0");
    send_claims(&fixture.producer, 0, COMMANDS);
    receive_replies(&fixture, COMMANDS, "malformed document");
    take_dead_letters(COMMANDS / PROVIDERS);
    stop(&fixture);
}

static void test_a_unique_index_of_an_administrator_is_named_in_the_reply(void **state)
{
    (void)state;
    struct fixture fixture = start();
    char body[BODY_MAX];
    run_json("{\"createIndexes\": \"consumers\", \"indexes\": [{\"key\": {\"project_id\": 1}, "
             "\"name\": \"%s\", \"unique\": true}]}",
             "one_per_project");
    claim_body_of(body, sizeof body, 1, "once");
    expect(&fixture.producer, "first", body, "\"success\"");
    claim_body_of(body, sizeof body, 2, "once");
    expect(&fixture.producer, "second", body, "one_per_project");
    claim_body_of(body, sizeof body, 3, "another");
    expect(&fixture.producer, "third", body, "\"success\"");
    take_dead_letters(1);
    stop(&fixture);
}

static void test_an_insert_that_always_breaks_the_connection_is_internal(void **state)
{
    (void)state;
    struct fixture fixture = start();
    char how[BODY_MAX], body[BODY_MAX];
    (void)snprintf(how, sizeof how, "\"closeConnection\": true, \"namespace\": \"%s.consumers\"",
                   fixture_database());
    fail_commands("\"insert\"", 0, how);
    claim_body(body, sizeof body, 1);
    send_body(&fixture.producer, "broken", body);
    expect(&fixture.producer, "create",
           "{\"version\":1,\"command\":\"provider.create\",\"params\":{\"uuid\":"
           "\"00000000-0000-4000-8000-0000000000ff\",\"name\":\"late\"}}",
           "\"success\"");
    struct client_message reply = receive(&fixture.producer);
    if (!contains(reply.body, "\"internal\""))
        fail_msg("%.*s", TEXT_ARGS(reply.body));
    arena_free(reply.arena);
    take_dead_letters(1);
    assert_true(clear_faults() > 0);
    expect(&fixture.producer, "broken", body, "\"success\"");
    stop(&fixture);
}

/* --- a held document -------------------------------------------------------------------------- */

static void test_a_held_document_keeps_only_its_own_commands_waiting(void **state)
{
    (void)state;
    struct fixture fixture = start();
    struct held_document *held = hold_document("providers", "{\"name\": \"host-0\"}");
    send_claims(&fixture.producer, 0, COMMANDS);
    receive_replies(&fixture, COMMANDS - COMMANDS / PROVIDERS, NULL);
    release_document(held);
    receive_replies(&fixture, COMMANDS / PROVIDERS, "\"success\"");
    check_database(COMMANDS, COMMANDS + 2 * PROVIDERS);
    expect_no_dead_letter();
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_read_that_is_too_slow_exceeds_the_limit),
        WORKER_TEST(test_commands_on_a_damaged_document_are_internal),
        WORKER_TEST(test_a_unique_index_of_an_administrator_is_named_in_the_reply),
        WORKER_TEST(test_an_insert_that_always_breaks_the_connection_is_internal),
        WORKER_TEST(test_a_held_document_keeps_only_its_own_commands_waiting),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
