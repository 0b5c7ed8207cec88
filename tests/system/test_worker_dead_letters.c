/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests where a failure is reported: to the reply queue if the principal may use it and it exists,
 * otherwise to the dead-letter queue.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/codec/field_table.h"
#include "common/mongo/libmongoc.h"
#include "tests/system/worker_database.h"

#define UNKNOWN_CONSUMER                                                                           \
    "{\"version\":1,\"command\":\"allocation.delete\",\"params\":"                                 \
    "{\"consumer_uuid\":\"00000000-0000-4000-9000-00000000dead\"}}"

static void assert_header(const struct client_message *letter, const char *name, const char *value)
{
    struct field field;
    if (!field_table_find(letter->raw_headers, name, &field))
        fail_msg("no header %s", name);
    assert_int_equal(field.kind, FIELD_TEXT);
    if (!text_equal(field.text, text_of(value)))
        fail_msg("header %s: got %.*s, expected %s", name, TEXT_ARGS(field.text), value);
}

/* Expects exactly one dead letter: a copy of `command` with this reason. */
static void expect_dead_letter(const struct outgoing *command, const char *principal,
                               const char *reason)
{
    struct field at;
    struct client_message letter = take_dead_letter();
    assert_header(&letter, "x-allot-reason", reason);
    assert_header(&letter, "x-allot-principal", principal);
    assert_header(&letter, "x-allot-queue", "allot.commands");
    assert_header(&letter, "x-allot-worker", FIXTURE_WORKER);
    assert_true(field_table_find(letter.raw_headers, "x-allot-dead-at", &at));
    assert_int_equal(at.kind, FIELD_INTEGER);
    assert_true(text_equal(letter.body, command->body));
    assert_true(text_equal(letter.properties.message_id, command->properties.message_id));
    assert_true(text_equal(letter.properties.reply_to, command->properties.reply_to));
    for (size_t i = 0; i < command->header_count; i++)
        assert_header(&letter, command->headers[i].name, command->headers[i].text.bytes);
    arena_free(letter.arena);
    await_empty_queue();
    expect_no_dead_letter();
}

static void test_malformed_bytes_without_reply_to_are_dead_lettered_unchanged(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    const struct outgoing_header own = {
        .name = "x-own", .kind = OUTGOING_TEXT, .text = text_of("kept")};
    struct outgoing command = command_message("garbage", NULL, "\xff{\"version\":1,,\x01 not JSON");
    command.headers = &own;
    command.header_count = 1;
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    expect_dead_letter(&command, "conductor", "malformed");
    check_database(0, 0);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_a_failure_whose_reply_queue_is_missing_is_dead_lettered(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    struct outgoing command = command_message("nowhere", "conductor.nowhere", UNKNOWN_CONSUMER);
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    expect_dead_letter(&command, "conductor", "consumer_not_found");
    /* Sent again, the command gets the recorded outcome. */
    expect(&producer, "nowhere", UNKNOWN_CONSUMER, "\"consumer_not_found\"");
    expect_no_dead_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_the_reply_queue_of_another_principal_gets_no_reply(void **state)
{
    (void)state;
    struct producer owner = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct producer other = open_producer("ALLOT_AMQP_URI_TEAM_BLUE", "team-blue");
    pid_t worker = start_worker();
    make_providers(&owner);
    char body[BODY_MAX];
    claim_body_of(body, sizeof body, 1, "blue-1"); /* allowed, but the reply queue is not */
    struct outgoing command = command_message("elsewhere", owner.queue, body);
    assert_int_equal(publish(&other, &command), CLIENT_CONFIRMED);
    expect_dead_letter(&command, "team-blue", "forbidden");
    command = command_message("garbage", owner.queue, "not JSON");
    assert_int_equal(publish(&other, &command), CLIENT_CONFIRMED);
    expect_dead_letter(&command, "team-blue", "malformed");
    expect_silence(&owner, 300);
    expect_silence(&other, 0);
    check_database(0, 2 * PROVIDERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(other.client);
    client_close(owner.client);
}

static void test_a_success_whose_reply_queue_is_missing_is_not_dead_lettered(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    char body[BODY_MAX];
    claim_body(body, sizeof body, 1);
    struct outgoing command = command_message("unroutable", "conductor.nowhere", body);
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    /* Sent again, the command gets the recorded outcome. */
    expect(&producer, "unroutable", body, "\"consumer_generation\":1");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    await_empty_queue(); /* nothing was requeued at shutdown */
    expect_no_dead_letter();
    check_database(1, 1 + 2 * PROVIDERS);
    client_close(producer.client);
}

/* The producer's garbage is accepted meanwhile, and nobody else is stopped. */
static void test_a_deleted_dead_letter_exchange_and_queue_come_back_without_a_restart(void **state)
{
    (void)state;
    char output[4096], log[] = "/tmp/allot-log-XXXXXX";
    int fd = mkstemp(log);
    assert_true(fd >= 0 && close(fd) == 0);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker_with_log(log);
    make_providers(&producer);
    rabbitmqctl("eval 'rabbit_exchange:delete(rabbit_misc:r(<<\"/\">>, exchange, "
                "<<\"allot.dead\">>), false, <<\"test\">>).'",
                output, sizeof output);
    rabbitmqctl("delete_queue allot.dead", output, sizeof output);
    struct outgoing command = command_message("garbage", NULL, "not JSON");
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    await_log_event(log, "topology.declared");
    expect_dead_letter(&command, "conductor", "malformed");
    send_claims(&producer, 0, 1);
    unsigned char answered[1] = {0};
    assert_int_equal(receive_claims(&producer, answered, 1, SIZE_MAX), 1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
    assert_int_equal(unlink(log), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_malformed_bytes_without_reply_to_are_dead_lettered_unchanged),
        WORKER_TEST(test_a_failure_whose_reply_queue_is_missing_is_dead_lettered),
        WORKER_TEST(test_the_reply_queue_of_another_principal_gets_no_reply),
        WORKER_TEST(test_a_deleted_dead_letter_exchange_and_queue_come_back_without_a_restart),
        WORKER_TEST(test_a_success_whose_reply_queue_is_missing_is_not_dead_lettered),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
