/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests each fault of the database once, while a worker works through claims; then a write that the
 * database permanently rejects.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <string.h>

#include "common/codec/field_table.h"
#include "common/mongo/libmongoc.h"
#include "tests/system/worker_database.h"

enum { COMMANDS = 50 };

#define TRANSIENT "\"errorCode\": 112, \"errorLabels\": [\"TransientTransactionError\"]"
#define CLOSED "\"closeConnection\": true"

/* Makes `commands` fail `times` times. Each of 50 claims is answered once all the same. */
static void work_through(const char *commands, int times, const char *how)
{
    unsigned char answered[COMMANDS] = {0};
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    fail_commands(commands, times, how);
    send_claims(&producer, 0, COMMANDS);
    assert_int_equal(receive_claims(&producer, answered, COMMANDS, SIZE_MAX), COMMANDS);
    assert_true(clear_faults() > 0);
    expect_silence(&producer, 100);
    await_empty_queue();
    check_database(COMMANDS, COMMANDS + 2 * PROVIDERS);
    expect_no_dead_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_a_write_conflict_is_worked_through(void **state)
{
    (void)state;
    work_through("\"insert\", \"update\"", 4, TRANSIENT);
}

static void test_a_conflict_of_the_load_is_worked_through(void **state)
{
    (void)state;
    work_through("\"aggregate\"", 3, TRANSIENT);
}

static void test_a_connection_lost_while_loading_is_worked_through(void **state)
{
    (void)state;
    work_through("\"aggregate\"", 2, CLOSED);
}

static void test_a_connection_lost_while_writing_is_worked_through(void **state)
{
    (void)state;
    work_through("\"insert\", \"update\"", 2, CLOSED);
}

static void test_an_aborted_commit_is_worked_through(void **state)
{
    (void)state;
    work_through("\"commitTransaction\"", 3, TRANSIENT);
}

static void test_a_connection_lost_before_the_commit_is_worked_through(void **state)
{
    (void)state;
    work_through("\"commitTransaction\"", 5, CLOSED);
}

/* The server has committed, but reports that the result is unknown. */
static void test_a_commit_that_took_effect_unknown_to_the_worker_is_answered_once(void **state)
{
    (void)state;
    work_through("\"commitTransaction\"", 5, COMMIT_RESULT_UNKNOWN);
}

/* --- a permanently rejected write ------------------------------------------------------------- */

static void set_validator(const char *validator)
{
    char json[256];
    (void)snprintf(json, sizeof json, "{\"collMod\": \"consumers\", \"validator\": %s}", validator);
    run_on_database(fixture_database(), json);
}

/*
 * Sends the rejected command among 50 others so that they form one batch: the batch before them
 * waits for its commit until the worker has taken all of them from the queue.
 */
static void send_in_one_batch(struct producer *producer, const char *rejected)
{
    hold_commits();
    send_claims(producer, 0, 1);
    await_held_commit();
    send_claims(producer, 1, COMMANDS / 2);
    send_body(producer, "rejected", rejected);
    send_claims(producer, COMMANDS / 2, COMMANDS + 1);
    await_empty_queue();
    release_commits();
}

/* Expects `internal` for the rejected command, and one success for each of the others. */
static void receive_in_any_order(struct producer *producer)
{
    unsigned char answered[COMMANDS + 1] = {0};
    size_t rejected = 0;
    for (size_t replies = 0; replies < COMMANDS + 2; replies++) {
        struct client_message reply = receive(producer);
        if (text_equal(reply.properties.correlation_id, text_of("rejected"))) {
            assert_true(contains(reply.body, "\"internal\""));
            rejected++;
        } else {
            assert_true(contains(reply.body, "\"success\""));
            assert_in_range(claim_number(&reply), 0, COMMANDS);
            answered[claim_number(&reply)] = 1;
        }
        arena_free(reply.arena);
    }
    assert_int_equal(rejected, 1);
    assert_int_equal(count_answered(answered, COMMANDS + 1), COMMANDS + 1);
}

static void test_the_one_permanently_rejected_write_is_found_among_50_others(void **state)
{
    (void)state;
    char rejected[BODY_MAX];
    struct field reason;
    claim_body_of(rejected, sizeof rejected, COMMANDS + 1, "rejected");
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    set_validator("{\"project_id\": {\"$ne\": \"rejected\"}}");
    send_in_one_batch(&producer, rejected);
    receive_in_any_order(&producer);
    check_database(COMMANDS + 1, COMMANDS + 1 + 2 * PROVIDERS);

    struct client_message letter = take_dead_letter();
    assert_true(field_table_find(letter.raw_headers, "x-allot-reason", &reason));
    assert_true(text_equal(reason.text, text_of("internal")));
    assert_true(text_equal(letter.body, text_of(rejected)));
    arena_free(letter.arena);
    await_empty_queue();
    expect_no_dead_letter();

    /* Once the cause is removed, the command can be sent again under its message id. */
    set_validator("{}");
    expect(&producer, "rejected", rejected, "\"success\"");
    check_database(COMMANDS + 2, COMMANDS + 2 + 2 * PROVIDERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_write_conflict_is_worked_through),
        WORKER_TEST(test_a_conflict_of_the_load_is_worked_through),
        WORKER_TEST(test_a_connection_lost_while_loading_is_worked_through),
        WORKER_TEST(test_a_connection_lost_while_writing_is_worked_through),
        WORKER_TEST(test_an_aborted_commit_is_worked_through),
        WORKER_TEST(test_a_connection_lost_before_the_commit_is_worked_through),
        WORKER_TEST(test_a_commit_that_took_effect_unknown_to_the_worker_is_answered_once),
        WORKER_TEST(test_the_one_permanently_rejected_write_is_found_among_50_others),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
