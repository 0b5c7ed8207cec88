/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what the settings of letters do in a real worker. */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mongo/libmongoc.h"
#include "tests/system/worker_database.h"

enum { LARGE = 100 * 1024, LETTERS = 4 };

/* Lets a worker dead-letter commands with large bodies, and ends it. */
static void make_large_letters(struct producer *producer)
{
    static char body[LARGE + 1];
    char key[32];
    pid_t worker = start_worker();
    memset(body, 'x', LARGE);
    for (size_t i = 0; i < LETTERS; i++) {
        (void)snprintf(key, sizeof key, "large-%zu", i);
        send_body(producer, key, body);
        struct client_message dead = take_dead_letter();
        assert_int_equal(dead.body.length, LARGE);
        arena_free(dead.arena);
    }
    await_stored_letters("{\"published_at\": {\"$exists\": true}}", LETTERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

static void test_letters_over_the_bound_lose_their_oldest_bodies(void **state)
{
    (void)state;
    char log[] = "/tmp/allot-log-XXXXXX";
    int fd = mkstemp(log);
    assert_true(fd >= 0 && close(fd) == 0);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    make_large_letters(&producer);
    assert_int_equal(database_letters("{\"body_dropped\": false}").count, LETTERS);
    set_worker("ALLOT_LETTERS_MAX_BYTES", "1MiB"); /* a quarter of it has two of these bodies */
    pid_t worker = start_worker_with_log(log);
    await_log_event(log, "letters.trimmed");
    assert_int_equal(
        database_letters("{\"body_dropped\": false, \"body\": {\"$exists\": true}}").count, 2);
    assert_int_equal(
        database_letters("{\"body_dropped\": true, \"body\": {\"$exists\": false}}").count, 2);
    assert_int_equal(database_letters("{\"body_dropped\": true, \"bytes\": {\"$lt\": 4096}}").count,
                     2);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
    (void)unlink(log);
}

static void test_private_data_is_published_but_not_stored(void **state)
{
    (void)state;
    const struct outgoing_header secret = {
        .name = "x-token", .kind = OUTGOING_TEXT, .text = text_of("private-value")};
    set_worker("ALLOT_LETTERS_KEEP_BODY", "false");
    set_worker("ALLOT_LETTERS_REDACT_HEADERS", "x-other, x-token");
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    struct outgoing command = command_message("private", NULL, "no JSON");
    command.headers = &secret;
    command.header_count = 1;
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    struct client_message dead = take_dead_letter();
    assert_true(text_is(dead.body, "no JSON"));
    assert_true(contains(dead.raw_headers, "private-value"));
    arena_free(dead.arena);
    await_stored_letters("{\"published_at\": {\"$exists\": true}}", 1);
    assert_int_equal(
        database_letters("{\"body\": {\"$exists\": false}, \"body_size\": 7, "
                         "\"$expr\": {\"$lt\": [{\"$binarySize\": \"$headers\"}, 45]}}")
            .count,
        1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_letters_over_the_bound_lose_their_oldest_bodies),
        WORKER_TEST(test_private_data_is_published_but_not_stored),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
