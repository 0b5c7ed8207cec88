/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what the worker makes of the messages in the desk queue of a real broker: a command that
 * expires in the queue gets a letter, a dead letter that the worker published gets no second one,
 * and a header that a producer writes hides nothing.
 *
 * The tests look into the collection `letters` with a client of their own, and wait until the
 * letter is there, with a generous limit.
 *
 * Not here: forged headers of all kinds (tests/sim/test_desk.c).
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <unistd.h>

#include "common/mongo/libmongoc.h"
#include "tests/system/worker_database.h"

enum { PAUSE_US = 50000, LIVES_MAX = 50 };

#define COMMAND                                                                                    \
    "{\"version\":1,\"command\":\"allocation.delete\",\"params\":"                                 \
    "{\"consumer_uuid\":\"00000000-0000-4000-9000-00000000dead\"}}"

/* --- queues --------------------------------------------------------------------------------- */

/* Counts the messages that are in the queue, without those that are delivered and unacknowledged.
 */
static uint32_t count_ready(const char *queue)
{
    struct error error = {""};
    struct client *client = open_worker_client();
    uint32_t count = 0;
    if (!client_count(client, queue, &count, &error))
        fail_msg("%s", error.text);
    client_close(client);
    return count;
}

static void await_count(const char *queue, uint32_t expected)
{
    for (int waited_ms = 0; waited_ms < WAIT_MS && count_ready(queue) != expected;
         waited_ms += PAUSE_US / 1000)
        (void)usleep(PAUSE_US);
    assert_int_equal(count_ready(queue), expected);
}

/* Publishes a command that expires while no worker runs. */
static void send_expiring(struct producer *producer, const struct outgoing *command)
{
    struct outgoing expiring = *command;
    expiring.properties.expiration = text_of("1");
    assert_int_equal(publish(producer, &expiring), CLIENT_CONFIRMED);
    await_count("allot.commands", 0);
    await_count("allot.dead.desk", 1);
}

/* Ends the worker, and then leaves nothing in the desk queue, not even unacknowledged: what a
   worker had not yet acknowledged when it was ended comes back, and the next one takes it. */
static void end_with_empty_desk(pid_t worker)
{
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    for (int lives = 1; count_ready("allot.dead.desk") > 0; lives++) {
        assert_in_range(lives, 1, LIVES_MAX);
        worker = start_worker();
        await_count("allot.dead.desk", 0);
        assert_int_equal(end_worker(worker, SIGTERM), 0);
    }
}

/* --- tests ---------------------------------------------------------------------------------- */

static void test_a_command_that_expires_in_the_queue_gets_a_letter_of_the_broker(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct outgoing command = command_message("late", producer.queue, COMMAND);
    send_expiring(&producer, &command);
    await_count("allot.dead", 1);
    pid_t worker = start_worker();
    await_stored_letters(
        "{\"source\": \"broker\", \"reason\": \"expired\", \"principal\": \"conductor\", "
        "\"key\": \"late\", \"command\": \"allocation.delete\", \"count\": 1, "
        "\"queue\": \"allot.commands\", \"state\": \"open\", "
        "\"detail\": {\"$regex\": \"published to exchange 'allot.commands' with routing "
        "key 'allot.commands'\"}}",
        1);
    await_stored_letters(
        "{\"published_at\": {\"$exists\": true}, \"unpublished\": {\"$exists\": false}, "
        "\"expires_at\": {\"$exists\": true}}",
        1);
    end_with_empty_desk(worker);
    assert_int_equal(database_letters("{}").count, 1);
    await_count("allot.dead", 1); /* the broker's copy, and no second one */
    expect_silence(&producer, 0);
    client_close(producer.client);
}

/* Lets the worker dead-letter a command, and takes the dead letter. */
static void dead_letter_garbage(struct producer *producer)
{
    struct outgoing command = command_message("garbage", NULL, "not JSON");
    assert_int_equal(publish(producer, &command), CLIENT_CONFIRMED);
    struct client_message dead = take_dead_letter();
    arena_free(dead.arena);
}

static void test_the_dead_letter_of_a_worker_makes_no_second_letter(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    dead_letter_garbage(&producer);
    await_stored_letters("{\"source\": \"worker\", \"reason\": \"malformed\", \"count\": 1, "
                         "\"published_at\": {\"$exists\": true}}",
                         1);
    end_with_empty_desk(worker);
    assert_int_equal(database_letters("{}").count, 1);
    assert_int_equal(database_letters("{\"source\": \"worker\", \"count\": 1}").count, 1);
    client_close(producer.client);
}

static void test_a_forged_header_hides_no_expired_command(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    dead_letter_garbage(&producer);
    await_stored_letters("{\"source\": \"worker\"}", 1);
    end_with_empty_desk(worker);
    struct found_letters other = database_letters("{}");
    const struct outgoing_header forged[] = {
        {.name = "x-allot-letter", .kind = OUTGOING_TEXT, .text = text_of(other.id)},
        {.name = "x-death", .kind = OUTGOING_TEXT, .text = text_of("none of your business")}};
    struct outgoing hidden = command_message("hidden", NULL, "not JSON");
    hidden.headers = forged;
    hidden.header_count = 2;
    send_expiring(&producer, &hidden);
    worker = start_worker();
    await_stored_letters("{\"source\": \"broker\", \"reason\": \"expired\", \"key\": \"hidden\"}",
                         1);
    end_with_empty_desk(worker);
    assert_int_equal(database_letters("{}").count, 2);
    assert_int_equal(database_letters("{\"source\": \"worker\", \"count\": 1}").count, 1);
    client_close(producer.client);
}

/* A message of the desk queue that is redelivered counts once: the workers are killed with it. */
static void test_killed_workers_store_an_expired_command_once(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct outgoing command = command_message("late", producer.queue, COMMAND);
    send_expiring(&producer, &command);
    for (int i = 0; i < 4; i++) {
        pid_t killed = start_worker();
        (void)usleep((useconds_t)((i + 1) * 4 * PAUSE_US));
        (void)end_worker(killed, SIGKILL);
    }
    pid_t worker = start_worker();
    expect(&producer, "next", COMMAND, "\"consumer_not_found\"");
    await_stored_letters(
        "{\"source\": \"broker\", \"count\": 1, \"published_at\": {\"$exists\": true}}", 1);
    end_with_empty_desk(worker);
    assert_int_equal(database_letters("{\"count\": 1}").count, 1);
    client_close(producer.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_command_that_expires_in_the_queue_gets_a_letter_of_the_broker),
        WORKER_TEST(test_the_dead_letter_of_a_worker_makes_no_second_letter),
        WORKER_TEST(test_a_forged_header_hides_no_expired_command),
        WORKER_TEST(test_killed_workers_store_an_expired_command_once),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
