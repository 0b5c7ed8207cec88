/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests that SIGHUP reloads the policy of a running worker, that on an error the old policy stays,
 * and that no policy allows a reply into the queues of the service.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/codec/field_table.h"
#include "common/mongo/libmongoc.h"

enum { PATH_ROOM = 64, PAUSE_US = 50000, TRIES = 2400 };

static const char allows_create[] = "version: 1\n"
                                    "principals:\n"
                                    "  - name: conductor\n"
                                    "    allow:\n"
                                    "      - commands: [\"provider.create\"]\n"
                                    "        projects: [\"*\"]\n"
                                    "        providers: [\"*\"]\n"
                                    "    reply_to: [\"conductor.*\"]\n";
static const char allows_reads[] = "version: 1\n"
                                   "principals:\n"
                                   "  - name: conductor\n"
                                   "    allow:\n"
                                   "      - commands: [\"usage.get\"]\n"
                                   "        projects: [\"*\"]\n"
                                   "        providers: [\"*\"]\n"
                                   "    reply_to: [\"conductor.*\"]\n";

static const char allows_all[] = "version: 1\n"
                                 "principals:\n"
                                 "  - name: conductor\n"
                                 "    allow:\n"
                                 "      - commands: [\"*\"]\n"
                                 "        projects: [\"*\"]\n"
                                 "        providers: [\"*\"]\n"
                                 "    reply_to: [\"*\"]\n";

static const char create[] = "{\"version\":1,\"command\":\"provider.create\",\"params\":"
                             "{\"uuid\":\"00000000-0000-4000-8000-000000000001\","
                             "\"name\":\"one\"}}";

static const char usage[] =
    "{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"p\"}}";

/* Makes an empty file; `path` ends with XXXXXX, which is replaced. */
static void make_file(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

static void write_policy(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Sends reads until a reply contains `part`. Each has a new key, so none is a replay. */
static void await_reply(struct producer *producer, const char *part)
{
    static unsigned number;
    for (int tries = 0; tries < TRIES; tries++) {
        char key[PATH_ROOM];
        (void)snprintf(key, sizeof key, "usage-%u", ++number);
        send_body(producer, key, usage);
        struct client_message reply = receive(producer);
        bool has_part = contains(reply.body, part);
        arena_free(reply.arena);
        if (has_part)
            return;
        (void)usleep(PAUSE_US);
    }
    fail_msg("no reply with %s", part);
}

static void test_a_reload_changes_what_is_allowed_and_an_invalid_file_does_not(void **state)
{
    (void)state;
    char path[PATH_ROOM] = "/tmp/allot-policy-XXXXXX", log[PATH_ROOM] = "/tmp/allot-log-XXXXXX";
    make_file(path);
    make_file(log);
    write_policy(path, allows_create);
    set_worker("ALLOT_POLICY_FILE", path);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker_with_log(log);
    expect(&producer, "create-1", create, "\"success\"");
    await_reply(&producer, "\"forbidden\"");

    write_policy(path, allows_reads);
    assert_int_equal(kill(worker, SIGHUP), 0);
    await_reply(&producer, "\"success\"");
    expect(&producer, "create-2", create, "\"forbidden\"");

    write_policy(path, "version: 1\nprincipals: nobody\n");
    assert_int_equal(kill(worker, SIGHUP), 0);
    await_log_event(log, "policy.reload_failed");
    expect(&producer, "usage-after-error", usage, "\"success\"");

    write_policy(path, allows_create);
    assert_int_equal(kill(worker, SIGHUP), 0);
    await_reply(&producer, "\"forbidden\"");
    expect(&producer, "create-2", create, "\"provider_exists\""); /* `forbidden` is not recorded */

    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(log), 0);
}

/* Expects one dead letter, the command with this key, with the code of a reply that is refused. */
static void expect_forbidden_letter(const char *key)
{
    struct field reason;
    struct client_message letter = take_dead_letter();
    assert_true(text_is(letter.properties.message_id, key));
    assert_true(field_table_find(letter.raw_headers, "x-allot-reason", &reason));
    assert_true(text_is(reason.text, "forbidden"));
    arena_free(letter.arena);
}

/* A reply in the command queue would be a command without a user, so it would be dead-lettered, and
   one in the queue of dead letters would be found there: expect_no_dead_letter() sees both. */
static void test_no_policy_allows_a_reply_into_the_queues_of_the_service(void **state)
{
    (void)state;
    static const char *const queues[] = {"allot.commands", "allot.dead", "allot.dead.desk"};
    char path[PATH_ROOM] = "/tmp/allot-policy-XXXXXX";
    make_file(path);
    write_policy(path, allows_all);
    set_worker("ALLOT_POLICY_FILE", path);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++) {
        struct outgoing command = command_message(queues[i], queues[i], create);
        assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
        expect_forbidden_letter(queues[i]);
    }
    expect(&producer, "create", create, "\"success\""); /* no command before was applied */
    struct outgoing again = command_message("create", "allot.dead", create);
    assert_int_equal(publish(&producer, &again), CLIENT_CONFIRMED); /* an outcome is recorded */
    expect(&producer, "usage", usage, "\"success\"");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    await_empty_queue();
    expect_no_dead_letter();
    client_close(producer.client);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_no_policy_allows_a_reply_into_the_queues_of_the_service),
        WORKER_TEST(test_a_reload_changes_what_is_allowed_and_an_invalid_file_does_not),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
