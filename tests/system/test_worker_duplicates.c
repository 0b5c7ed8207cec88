/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests commands that are delivered more than once: two copies to two workers at the same time, and
 * workers that are shut down and started again under load.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/field_table.h"
#include "common/mongo/libmongoc.h"
#include "tests/system/worker_database.h"

enum { CLAIMS = 300 };

/* Sends each claim twice in a row: the broker delivers the two copies to different workers. */
static void send_pairs(struct producer *producer)
{
    for (size_t i = 0; i < CLAIMS; i++) {
        send_claims(producer, i, i + 1);
        send_claims(producer, i, i + 1);
    }
}

static bool is_replayed(const struct client_message *reply)
{
    struct field field;
    assert_true(field_table_find(reply->raw_headers, "x-allot-replayed", &field));
    assert_int_equal(field.kind, FIELD_BOOLEAN);
    return field.integer != 0;
}

/* Keeps the first reply to each claim. The second must be equal, and one of the two a replay. */
static void receive_pairs(struct producer *producer, struct client_message *firsts)
{
    for (size_t replies = 0; replies < (size_t)2 * CLAIMS; replies++) {
        struct client_message reply = receive(producer);
        size_t number = claim_number(&reply);
        assert_in_range(number, 0, CLAIMS - 1);
        struct client_message *first = &firsts[number];
        if (first->arena == NULL) {
            assert_true(contains(reply.body, "\"success\""));
            *first = reply;
            continue;
        }
        assert_true(text_equal(first->body, reply.body));
        assert_true(text_equal(first->properties.message_id, reply.properties.message_id));
        assert_int_equal(is_replayed(first) + is_replayed(&reply), 1);
        arena_free(reply.arena);
    }
}

static void test_two_copies_at_two_workers_have_one_effect_and_equal_replies(void **state)
{
    (void)state;
    static struct client_message firsts[CLAIMS];
    memset(firsts, 0, sizeof firsts);
    set_worker("ALLOT_AMQP_PREFETCH", "20");
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t workers[2] = {start_worker(), start_worker()};
    make_providers(&producer);
    send_pairs(&producer);
    receive_pairs(&producer, firsts);
    expect_silence(&producer, 200);
    for (size_t i = 0; i < CLAIMS; i++)
        arena_free(firsts[i].arena);
    await_empty_queue();
    check_database(CLAIMS, CLAIMS + 2 * PROVIDERS);
    expect_no_dead_letter();
    assert_int_equal(end_worker(workers[0], SIGTERM), 0);
    assert_int_equal(end_worker(workers[1], SIGTERM), 0);
    client_close(producer.client);
}

static void test_5_sigterms_under_load_lose_and_double_nothing(void **state)
{
    (void)state;
    enum { ROUNDS = 5, HALF = 200, FEW = 20, COMMANDS = ROUNDS * 2 * HALF };
    static unsigned char answered[COMMANDS];
    memset(answered, 0, sizeof answered);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    size_t replies = 0;
    for (size_t sent = 0; sent < COMMANDS; sent += (size_t)2 * HALF) {
        send_claims(&producer, sent, sent + HALF);
        /* A worker that has replied handles SIGTERM; before, the signal would kill it. */
        while (count_answered(answered + sent, HALF) < FEW)
            replies += receive_claims(&producer, answered, COMMANDS, 1);
        assert_int_equal(kill(worker, SIGTERM), 0);
        send_claims(&producer, sent + HALF, sent + (size_t)2 * HALF);
        assert_int_equal(await_end(worker), 0);
        worker = start_worker();
    }
    replies += receive_claims(&producer, answered, COMMANDS, SIZE_MAX);
    /* Answered commands are acknowledged, so none is redelivered and answered twice. */
    assert_int_equal(replies, COMMANDS);
    await_empty_queue();
    check_database(COMMANDS, COMMANDS + 2 * PROVIDERS);
    expect_no_dead_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_two_copies_at_two_workers_have_one_effect_and_equal_replies),
        WORKER_TEST(test_5_sigterms_under_load_lose_and_double_nothing),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
