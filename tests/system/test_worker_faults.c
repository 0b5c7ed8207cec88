/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of the storage, one by one, and writes that it refuses for good. */
#include "tests/system/worker_fixture.h"

#include <mongoc/mongoc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/codec/field_table.h"
#include "tests/system/worker_storage.h"

enum { COMMANDS = 50 };

#define TRANSIENT "\"errorCode\": 112, \"errorLabels\": [\"TransientTransactionError\"]"
#define CLOSED "\"closeConnection\": true"

/* 50 claims meet the fault `times` times: each is answered once, as if nothing had been. */
static void work_through(const char *commands, int times, const char *how)
{
    unsigned char answered[COMMANDS] = {0};
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    fail_commands(commands, times, how);
    send_claims(&producer, 0, COMMANDS);
    assert_int_equal(receive_claims(&producer, answered, COMMANDS, SIZE_MAX), COMMANDS);
    assert_true(clear_storage_faults() > 0);
    expect_silence(&producer, 100);
    await_empty_queue();
    audit(COMMANDS, COMMANDS + 2 * PROVIDERS);
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

static void test_a_refused_commit_is_worked_through(void **state)
{
    (void)state;
    work_through("\"commitTransaction\"", 3, TRANSIENT);
}

static void test_a_connection_lost_before_the_commit_is_worked_through(void **state)
{
    (void)state;
    work_through("\"commitTransaction\"", 5, CLOSED);
}

/* The server has committed, and says that it does not know. */
static void test_a_commit_that_took_effect_unknown_to_the_worker_is_answered_once(void **state)
{
    (void)state;
    work_through("\"commitTransaction\"", 5,
                 "\"writeConcernError\": {\"code\": 91, \"errmsg\": \"shutting down\"}");
}

/* --- refused for good ------------------------------------------------------------------------- */

static void refuse_poison(const char *validator)
{
    char json[256];
    (void)snprintf(json, sizeof json, "{\"collMod\": \"consumers\", \"validator\": %s}", validator);
    run_on_storage(fixture_database(), json);
}

/* The poison, and 50 others; the storage is slow with the command before, so that they meet. */
static void send_together(struct producer *producer, const char *poison)
{
    fail_commands("\"aggregate\"", 1, "\"blockConnection\": true, \"blockTimeMS\": 1500");
    send_claims(producer, 0, 1);
    (void)usleep(200000);
    send_claims(producer, 1, COMMANDS / 2);
    send_body(producer, "poison", poison);
    send_claims(producer, COMMANDS / 2, COMMANDS + 1);
}

/* One reply is the poison's, `internal`; the others are successes, one each. */
static void receive_together(struct producer *producer)
{
    unsigned char answered[COMMANDS + 1] = {0};
    size_t refused = 0;
    for (size_t replies = 0; replies < COMMANDS + 2; replies++) {
        struct client_message reply = receive(producer);
        if (text_equal(reply.properties.correlation_id, text_of("poison"))) {
            assert_true(contains(reply.body, "\"internal\""));
            refused++;
        } else {
            assert_true(contains(reply.body, "\"success\""));
            assert_in_range(claim_number(&reply), 0, COMMANDS);
            answered[claim_number(&reply)] = 1;
        }
        arena_free(reply.arena);
    }
    assert_int_equal(refused, 1);
    assert_int_equal(count_answered(answered, COMMANDS + 1), COMMANDS + 1);
}

static void test_the_one_write_that_is_refused_for_good_is_found_among_50_others(void **state)
{
    (void)state;
    char poison[BODY_MAX];
    struct field reason;
    claim_body_of(poison, sizeof poison, COMMANDS + 1, "poison");
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    refuse_poison("{\"project_id\": {\"$ne\": \"poison\"}}");
    send_together(&producer, poison);
    receive_together(&producer);
    assert_true(clear_storage_faults() > 0);
    audit(COMMANDS + 1, COMMANDS + 1 + 2 * PROVIDERS);

    struct client_message letter = take_dead_letter();
    assert_true(field_table_find(letter.raw_headers, "x-allot-reason", &reason));
    assert_true(text_equal(reason.text, text_of("internal")));
    assert_true(text_equal(letter.body, text_of(poison)));
    arena_free(letter.arena);
    await_empty_queue();
    expect_no_dead_letter();

    refuse_poison("{}"); /* mended: the dead letter can be replayed under its key */
    expect(&producer, "poison", poison, "\"success\"");
    audit(COMMANDS + 2, COMMANDS + 2 + 2 * PROVIDERS);
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
        WORKER_TEST(test_a_refused_commit_is_worked_through),
        WORKER_TEST(test_a_connection_lost_before_the_commit_is_worked_through),
        WORKER_TEST(test_a_commit_that_took_effect_unknown_to_the_worker_is_answered_once),
        WORKER_TEST(test_the_one_write_that_is_refused_for_good_is_found_among_50_others),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
