/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests that real workers send notifications about letters: to programs, which are shell scripts
 * in a folder of the test's own, and to a webhook, a server in this process.
 *
 * Groups that have letters at the first look are known, so a test waits for that look before it
 * sends what fails. A later notification shows that an earlier one was not sent, since a look finds
 * all that is new.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/http_server.h"
#include "tests/system/worker_database.h"

enum { PATH_ROOM = 128, TICK_US = 20000, TEXT_ROOM = 64 * 1024 };

#define INTERVAL "500ms"

/* A folder with a program, and the file that it writes. */
struct box {
    char folder[PATH_ROOM];
    char program[2 * PATH_ROOM];
    char output[2 * PATH_ROOM];
    char log[2 * PATH_ROOM];
};

/* Makes a program in which $OUT is the path of the output, and has the workers run it. */
static struct box make_program(const char *lines)
{
    struct box box = {.folder = "/tmp/allot-notify-XXXXXX"};
    static char setting[2 * PATH_ROOM];
    assert_non_null(mkdtemp(box.folder));
    (void)snprintf(box.program, sizeof box.program, "%s/program", box.folder);
    (void)snprintf(box.output, sizeof box.output, "%s/output", box.folder);
    (void)snprintf(box.log, sizeof box.log, "%s/log", box.folder);
    FILE *file = fopen(box.program, "we");
    assert_non_null(file);
    assert_true(fprintf(file, "#!/bin/sh\nOUT='%s'\n%s\n", box.output, lines) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(box.program, S_IRWXU), 0);
    file = fopen(box.log, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(setting, sizeof setting, "%s", box.program);
    set_worker("ALLOT_LETTERS_NOTIFY_COMMAND", setting);
    set_worker("ALLOT_LETTERS_NOTIFY_INTERVAL", INTERVAL);
    return box;
}

static void remove_box(const struct box *box)
{
    (void)unlink(box->program);
    (void)unlink(box->output);
    (void)unlink(box->log);
    (void)rmdir(box->folder);
}

/* Returns what the file holds; static, until the next call. Empty: it does not exist yet. */
static const char *content_of(const char *path)
{
    static char content[TEXT_ROOM];
    FILE *file = fopen(path, "re");
    size_t length = file != NULL ? fread(content, 1, sizeof content - 1, file) : 0;
    content[length] = '\0';
    if (file != NULL)
        (void)fclose(file);
    return content;
}

static size_t count_parts(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        count++;
    return count;
}

/* Waits until the program has written so many lines. */
static void await_lines(const struct box *box, size_t lines)
{
    int waited_ms = 0;
    for (; count_parts(content_of(box->output), "\n") < lines; waited_ms += TICK_US / 1000) {
        if (waited_ms >= WAIT_MS)
            fail_msg("%zu lines: %s", lines, content_of(box->output));
        (void)usleep(TICK_US);
    }
}

static void await_requests(struct http_server *server, size_t count)
{
    int waited_ms = 0;
    for (; http_server_requests(server) < count; waited_ms += TICK_US / 1000) {
        assert_true(waited_ms < WAIT_MS);
        (void)usleep(TICK_US);
    }
}

static void await_first_look(void)
{
    await_document("notifications", "{\"_id.kind\": \"seen\", \"complete\": true}");
}

/* Waits until so many notifications of groups were sent, and none is to be sent. */
static void await_sent(int64_t count)
{
    const char *filter = "{\"_id.kind\": \"group\", \"sent_at\": {\"$exists\": true}, "
                         "\"due_at\": {\"$exists\": false}}";
    int waited_ms = 0;
    for (; count_documents("notifications", filter) < count; waited_ms += TICK_US / 1000) {
        assert_true(waited_ms < WAIT_MS);
        (void)usleep(TICK_US);
    }
    assert_int_equal(count_documents("notifications", "{\"due_at\": {\"$exists\": true}}"), 0);
}

static void make_letter(struct producer *producer, const char *key, const char *body)
{
    struct outgoing command = command_message(key, NULL, body);
    assert_int_equal(publish(producer, &command), CLIENT_CONFIRMED);
    struct client_message dead = take_dead_letter();
    arena_free(dead.arena);
}

/* Letters of two groups. */
static void make_malformed(struct producer *producer, const char *key)
{
    make_letter(producer, key, "no JSON");
}

static void make_unknown(struct producer *producer, const char *key)
{
    make_letter(producer, key, "{\"version\":1,\"command\":\"nothing\",\"params\":{}}");
}

/* --- programs --------------------------------------------------------------------------------- */

static void test_two_workers_tell_of_each_new_group_once(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct box box = make_program("cat >>$OUT; echo >>$OUT");
    pid_t first = start_worker(), second = start_worker();
    await_first_look();
    make_malformed(&producer, "malformed-1");
    await_lines(&box, 1);
    make_malformed(&producer, "malformed-2");
    make_unknown(&producer, "unknown-1");
    await_lines(&box, 2);
    await_sent(2);
    make_malformed(&producer, "malformed-3");
    assert_int_equal(end_worker(first, SIGTERM), 0);
    make_unknown(&producer, "unknown-2");
    assert_int_equal(end_worker(second, SIGTERM), 0);
    first = start_worker(); /* looks at its start, and finds nothing new */
    make_letter(&producer, NULL,
                "{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"p\"}}");
    await_lines(&box, 3);
    assert_int_equal(end_worker(first, SIGTERM), 0);
    const char *output = content_of(box.output);
    assert_int_equal(
        count_parts(output, "{\"version\":1,\"event\":\"new_group\",\"worker\":\"" FIXTURE_WORKER
                            "\",\"at\":\"20"),
        3);
    assert_int_equal(count_parts(output, "\"group\":{\"reason\":\"malformed\",\"command\":null,"),
                     1);
    assert_int_equal(count_parts(output, "\"group\":{\"reason\":\"unknown_command\","), 1);
    assert_int_equal(count_parts(output, "\"group\":{\"reason\":\"missing_message_id\","), 1);
    assert_int_equal(count_parts(output, "\"count\":1},\"letter\":\""), 3);
    client_close(producer.client);
    remove_box(&box);
}

static void test_groups_that_had_letters_before_are_not_told(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker(); /* tells nobody */
    make_malformed(&producer, "malformed-1");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    struct box box = make_program("cat >>$OUT; echo >>$OUT");
    worker = start_worker();
    await_first_look();
    make_malformed(&producer, "malformed-2");
    make_unknown(&producer, "unknown-1");
    await_lines(&box, 1);
    await_sent(1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    assert_non_null(strstr(content_of(box.output), "\"reason\":\"unknown_command\""));
    assert_null(strstr(content_of(box.output), "\"reason\":\"malformed\""));
    client_close(producer.client);
    remove_box(&box);
}

static void test_too_many_letters_in_a_minute_are_told_once(void **state)
{
    (void)state;
    char key[32];
    set_worker("ALLOT_LETTERS_NOTIFY_RATE", "3");
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct box box = make_program("cat >>$OUT; echo >>$OUT");
    pid_t worker = start_worker();
    await_first_look();
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(key, sizeof key, "malformed-%zu", i);
        make_malformed(&producer, key);
    }
    await_lines(&box, 2); /* the group, and the rate */
    make_malformed(&producer, "malformed-4");
    make_unknown(&producer, "unknown-1");
    await_lines(&box, 3);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    assert_int_equal(count_parts(content_of(box.output), "\"event\":\"rate\""), 1);
    assert_int_equal(
        count_parts(content_of(box.output), ",\"letters_last_minute\":4,\"limit\":3}\n"), 1);
    client_close(producer.client);
    remove_box(&box);
}

static void test_a_program_that_fails_is_run_again(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct box box = make_program("echo run >>$OUT\n"
                                  "if [ $(wc -l <$OUT) -lt 3 ]; then echo 'not yet'; exit 1; fi");
    pid_t worker = start_worker_with_log(box.log);
    await_first_look();
    make_malformed(&producer, "malformed-1");
    await_lines(&box, 3);
    await_sent(1);
    await_log_event(box.log, "letters.notified");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    assert_int_equal(count_parts(content_of(box.output), "run"), 3);
    assert_int_equal(count_parts(content_of(box.log), "letters.notify_failed"), 2);
    assert_non_null(strstr(content_of(box.log), "exited with status 1: not yet"));
    client_close(producer.client);
    remove_box(&box);
}

static void test_commands_are_answered_while_a_program_hangs(void **state)
{
    (void)state;
    unsigned char answered[64] = {0};
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct box box = make_program("echo $$ >>$OUT; exec sleep 1000");
    set_worker("ALLOT_LETTERS_NOTIFY_TIMEOUT", "60s");
    pid_t worker = start_worker_with_log(box.log);
    await_first_look();
    make_malformed(&producer, "malformed-1");
    await_lines(&box, 1);
    make_providers(&producer);
    send_claims(&producer, 0, sizeof answered);
    assert_int_equal(receive_claims(&producer, answered, sizeof answered, sizeof answered),
                     sizeof answered);
    pid_t program = (pid_t)strtol(content_of(box.output), NULL, 10);
    assert_true(program > 1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    assert_non_null(strstr(content_of(box.log), "shutdown complete\""));
    assert_null(strstr(content_of(box.log), "has not returned"));
    assert_int_not_equal(kill(program, 0), 0);
    remove_box(&box);
    /* It is due at once for the next worker, which has a better program. */
    box = make_program("cat >>$OUT; echo >>$OUT");
    worker = start_worker();
    await_lines(&box, 1);
    await_sent(1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
    remove_box(&box);
}

/* --- webhooks --------------------------------------------------------------------------------- */

static struct http_server *start_server(const char *const *answers, size_t count)
{
    static char url[PATH_ROOM];
    struct http_server *server = http_server_start(answers, count);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/hook?token=secret-token",
                   http_server_port(server));
    set_worker("ALLOT_LETTERS_NOTIFY_URL", url);
    set_worker("ALLOT_LETTERS_NOTIFY_INTERVAL", INTERVAL);
    return server;
}

static void test_a_webhook_that_fails_twice_gets_three_requests(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 ok\r\nContent-Length: 0\r\n\r\n",
    };
    (void)state;
    char log[] = "/tmp/allot-log-XXXXXX";
    int fd = mkstemp(log);
    assert_true(fd >= 0 && close(fd) == 0);
    struct http_server *server = start_server(answers, 3);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker_with_log(log);
    await_first_look();
    make_malformed(&producer, "malformed-1");
    await_sent(1);
    make_malformed(&producer, "malformed-2");
    make_unknown(&producer, "unknown-1");
    await_sent(2);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    assert_int_equal(http_server_requests(server), 4);
    for (size_t i = 0; i < 3; i++)
        assert_non_null(strstr(http_server_request(server, i), "\"reason\":\"malformed\""));
    assert_non_null(strstr(http_server_request(server, 3), "\"reason\":\"unknown_command\""));
    assert_null(strstr(content_of(log), "secret-token"));
    http_server_stop(server);
    client_close(producer.client);
    (void)unlink(log);
}

static void test_a_worker_stops_while_a_webhook_does_not_answer(void **state)
{
    static const char *const answers[] = {""};
    (void)state;
    char log[] = "/tmp/allot-log-XXXXXX";
    int fd = mkstemp(log);
    assert_true(fd >= 0 && close(fd) == 0);
    struct http_server *server = start_server(answers, 1);
    set_worker("ALLOT_LETTERS_NOTIFY_TIMEOUT", "60s");
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker_with_log(log);
    await_first_look();
    make_malformed(&producer, "malformed-1");
    await_requests(server, 1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    assert_non_null(strstr(content_of(log), "shutdown complete\""));
    assert_int_equal(count_documents("notifications",
                                     "{\"_id.kind\": \"group\", \"due_at\": {\"$exists\": "
                                     "true}, \"claimed_by\": {\"$exists\": false}}"),
                     1);
    http_server_stop(server);
    client_close(producer.client);
    (void)unlink(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_two_workers_tell_of_each_new_group_once),
        WORKER_TEST(test_groups_that_had_letters_before_are_not_told),
        WORKER_TEST(test_too_many_letters_in_a_minute_are_told_once),
        WORKER_TEST(test_a_program_that_fails_is_run_again),
        WORKER_TEST(test_commands_are_answered_while_a_program_hangs),
        WORKER_TEST(test_a_webhook_that_fails_twice_gets_three_requests),
        WORKER_TEST(test_a_worker_stops_while_a_webhook_does_not_answer),
    };
    return cmocka_run_group_tests(tests, declare_topology, NULL);
}
