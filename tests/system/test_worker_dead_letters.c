/* SPDX-License-Identifier: Apache-2.0 */
/* Who hears of a failure: the reply queue where it may and can, the dead letters where not. */
#include "tests/system/worker_fixture.h"

#include <mongoc/mongoc.h>
#include <signal.h>
#include <string.h>

#include "common/codec/field_table.h"
#include "tests/system/worker_storage.h"

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
        fail_msg("%s is %.*s, not %s", name, TEXT_ARGS(field.text), value);
}

/* The next dead letter is this command, with this reason, and it is the only one. */
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

static void test_garbage_without_reply_to_is_dead_lettered_as_it_came(void **state)
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
    audit(0, 0);
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
    expect(&producer, "nowhere", UNKNOWN_CONSUMER, "\"consumer_not_found\""); /* on record */
    expect_no_dead_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_a_reply_to_of_others_receives_nothing_and_the_dead_letter_says_why(void **state)
{
    (void)state;
    struct producer victim = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct producer stranger = open_producer("ALLOT_AMQP_URI_TEAM_BLUE", "team-blue");
    pid_t worker = start_worker();
    make_providers(&victim);
    char body[BODY_MAX];
    claim_body_of(body, sizeof body, 1, "blue-1"); /* it may do that, but not answer there */
    struct outgoing command = command_message("elsewhere", victim.queue, body);
    assert_int_equal(publish(&stranger, &command), CLIENT_CONFIRMED);
    expect_dead_letter(&command, "team-blue", "forbidden");
    command = command_message("garbage", victim.queue, "not JSON");
    assert_int_equal(publish(&stranger, &command), CLIENT_CONFIRMED);
    expect_dead_letter(&command, "team-blue", "malformed");
    expect_silence(&victim, 300);
    expect_silence(&stranger, 0);
    audit(0, 2 * PROVIDERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(stranger.client);
    client_close(victim.client);
}

static void test_a_success_whose_reply_queue_is_missing_is_no_dead_letter(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    char body[BODY_MAX];
    claim_body(body, sizeof body, 1);
    struct outgoing command = command_message("unheard", "conductor.nowhere", body);
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    expect(&producer, "unheard", body, "\"consumer_generation\":1"); /* asked again: on record */
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    await_empty_queue(); /* of what it has not settled, too */
    expect_no_dead_letter();
    audit(1, 1 + 2 * PROVIDERS);
    client_close(producer.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_garbage_without_reply_to_is_dead_lettered_as_it_came),
        WORKER_TEST(test_a_failure_whose_reply_queue_is_missing_is_dead_lettered),
        WORKER_TEST(test_a_reply_to_of_others_receives_nothing_and_the_dead_letter_says_why),
        WORKER_TEST(test_a_success_whose_reply_queue_is_missing_is_no_dead_letter),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
