/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests workers while somebody drops collections: they stop, create what is missing, say so, and go
 * on. What the database keeps unique stays unique. Where they may not repair it, they say what is
 * missing, and write nothing.
 *
 * A name is created twice, at the same time and by two workers, so only the index on the name keeps
 * it unique.
 *
 * Not here: what is found missing, case by case (tests/contract/test_store_sentinel.c), and the
 * look once a minute (tests/sim/test_repairer.c).
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mongo/libmongoc.h"
#include "tests/system/worker_database.h"

enum { NAMES = 30, DROPS = 3, LAST = 1 + 2 * NAMES * DROPS };

static void drop_collection(const char *name)
{
    char json[128];
    (void)snprintf(json, sizeof json, "{\"drop\": \"%s\"}", name);
    run_on_database(fixture_database(), json);
}

/* Writes a provider.create to `body`. */
static void create_body(char *body, size_t room, size_t uuid, size_t name)
{
    (void)snprintf(body, room,
                   "{\"version\":1,\"command\":\"provider.create\",\"params\":{\"uuid\":\"%s\","
                   "\"name\":\"name-%zu\"}}",
                   provider_uuid(uuid), name);
}

/* Creates a provider, and fails unless the reply contains this. */
static void expect_create(struct producer *producer, size_t uuid, size_t name, const char *part)
{
    char key[32], body[BODY_MAX];
    (void)snprintf(key, sizeof key, "create-%zu", uuid);
    create_body(body, sizeof body, uuid, name);
    expect(producer, key, body, part);
}

/* The indexes and validators that keep the database right. */
static void check_schema(void)
{
    static const char *const collections[] = {"providers", "consumers", "outcomes"};
    assert_int_equal(count_indexes("providers", "{\"name\":\"name\",\"unique\":true}"), 1);
    assert_int_equal(count_indexes("outcomes", "{\"name\":\"expiry\",\"expireAfterSeconds\":0}"),
                     1);
    for (size_t i = 0; i < sizeof collections / sizeof collections[0]; i++)
        assert_true(has_validator(collections[i]));
}

static int open_log(char *path)
{
    int file = mkstemp(path);
    assert_true(file >= 0);
    return file;
}

static void close_log(int file, const char *path)
{
    (void)close(file);
    (void)unlink(path);
}

static void test_each_dropped_collection_is_created_before_the_next_write(void **state)
{
    static const char *const collections[] = {"providers", "consumers", "outcomes"};
    (void)state;
    char log[] = "/tmp/allot-schema-XXXXXX";
    int file = open_log(log);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker_with_log(log);
    await_log_event(log, "storage.ready");
    for (size_t i = 0; i < 3; i++) {
        drop_collection(collections[i]);
        expect_create(&producer, i, i, "\"success\"");
        check_schema();
    }
    await_log_event(log, "\"missing\":\"providers: the collection\"");
    await_log_event(log, "\"missing\":\"consumers: the collection\"");
    await_log_event(log, "\"missing\":\"outcomes: the collection\"");
    expect_create(&producer, 3, 2, "\"provider_name_taken\"");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
    close_log(file, log);
}

/* Receives replies until `count` more commands have one. A worker that was frozen before a reply
   was confirmed publishes it again, so some commands have two. Returns whether the last one is a
   success. */
static bool receive_some(struct producer *producer, unsigned char *answered, size_t count)
{
    bool success = false;
    for (size_t received = 0; received < count;) {
        struct client_message reply = receive(producer);
        size_t number = reply_number(&reply, "create-");
        assert_in_range(number, 0, LAST);
        received += answered[number] == 0;
        answered[number] = 1;
        success = contains(reply.body, "\"success\"");
        arena_free(reply.arena);
    }
    return success;
}

static void send_create(struct producer *producer, size_t uuid, size_t name)
{
    char key[32], body[BODY_MAX];
    (void)snprintf(key, sizeof key, "create-%zu", uuid);
    create_body(body, sizeof body, uuid, name);
    send_body(producer, key, body);
}

static void signal_both(const pid_t *workers, int signal_number)
{
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(kill(workers[i], signal_number), 0);
}

/*
 * The collection is dropped while commands are applied: some transactions have loaded it, others
 * are about to. The drop waits for the first, until mongod ends them. The workers are frozen
 * meanwhile, and none of their commands is being executed, since mongod 6.0.5 may abort
 * (_requests.empty() in lock_state.cpp) if the aggregate that begins a transaction meets a drop.
 */
static void test_no_name_exists_twice_after_drops_under_load(void **state)
{
    (void)state;
    unsigned char answered[LAST + 1] = {0};
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t workers[] = {start_worker(), start_worker()};
    expect_create(&producer, 0, 0, "\"success\"");
    for (size_t round = 0; round < DROPS; round++) {
        for (size_t i = 0; i < 2 * NAMES; i++)
            send_create(&producer, 1 + (2 * NAMES * round) + i, i / 2);
        (void)receive_some(&producer, answered, NAMES);
        signal_both(workers, SIGSTOP);
        await_no_command();
        drop_collection("providers");
        signal_both(workers, SIGCONT);
        (void)receive_some(&producer, answered, NAMES);
        assert_int_equal(double_names(), 0);
    }
    send_create(&producer, LAST, NAMES);
    assert_true(receive_some(&producer, answered, 1)); /* all others have an answer */
    check_schema();
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(end_worker(workers[i], SIGTERM), 0);
    client_close(producer.client);
}

/* The drop of letters is noticed when the next one is written. */
static void test_letters_are_stored_after_their_collection_was_dropped(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    send_body(&producer, "first", "garbage");
    await_stored_letters("{\"key\": \"first\"}", 1);
    drop_collection("letters");
    send_body(&producer, "second", "garbage");
    await_stored_letters("{\"key\": \"second\"}", 1);
    assert_int_equal(count_indexes("letters", "{\"name\":\"expiry\",\"expireAfterSeconds\":0}"), 1);
    for (int i = 0; i < 2; i++) {
        struct client_message reply = receive(&producer);
        arena_free(reply.arena);
        struct client_message letter = take_dead_letter();
        arena_free(letter.arena);
    }
    await_empty_queue();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

/* The worker's user may write, but not create collections and indexes. */
static void test_without_the_rights_to_repair_commands_wait_and_the_log_says_why(void **state)
{
    (void)state;
    char log[] = "/tmp/allot-schema-XXXXXX", body[BODY_MAX];
    int file = open_log(log);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker_with_log(log);
    await_log_event(log, "storage.ready");
    fail_commands("\"create\", \"createIndexes\"", 0, "\"errorCode\": 13");
    drop_collection("providers");
    create_body(body, sizeof body, 1, 1);
    send_body(&producer, "create", body);
    await_log_event(log, "storage.incomplete");
    await_log_event(log, "\"missing\":\"providers: the collection\"");
    expect_silence(&producer, 100);
    assert_int_equal(count_documents("providers", "{}"), 0);
    assert_true(clear_faults() > 0);
    struct client_message reply = receive(&producer);
    arena_free(reply.arena);
    await_log_event(log, "storage.repaired");
    check_schema();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
    close_log(file, log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_each_dropped_collection_is_created_before_the_next_write),
        WORKER_TEST(test_no_name_exists_twice_after_drops_under_load),
        WORKER_TEST(test_letters_are_stored_after_their_collection_was_dropped),
        WORKER_TEST(test_without_the_rights_to_repair_commands_wait_and_the_log_says_why),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
