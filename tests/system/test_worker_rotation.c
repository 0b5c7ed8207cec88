/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests that a worker goes on after the password of its broker user was changed, without a restart:
 * it reads the file of ALLOT_AMQP_URI_FILE again at each connect.
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mongo/libmongoc.h"

enum { OUTPUT_MAX = 4096, PATH_ROOM = 64, COMMANDS = 60, FIRST = 20 };

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Runs a command of rabbitmqctl about the test's own broker user, which has the name of its
   database: a failed test leaves a user behind, which must not be in the way of the next. */
static void about_user(const char *command, const char *arguments)
{
    char output[OUTPUT_MAX], line[256];
    (void)snprintf(line, sizeof line, "%s %s %s", command, fixture_database(), arguments);
    rabbitmqctl(line, output, sizeof output);
}

/* Writes the stack's URI, with the test's user and this password, and a line end behind it. */
static void write_uri(const char *path, const char *broker, const char *password)
{
    char uri[256];
    const char *host = strrchr(broker, '@');
    assert_non_null(host);
    (void)snprintf(uri, sizeof uri, "amqp://%s:%s%s\n", fixture_database(), password, host);
    write_text(path, uri);
}

static void make_user(void)
{
    about_user("add_user", "first-secret");
    about_user("set_permissions", "'.*' '.*' '.*'");
}

/* Starts a worker whose URI comes from the file only. */
static pid_t start_with_file(const char *path, const char *log)
{
    char *broker = strdup(getenv("ALLOT_AMQP_URI"));
    (void)setenv("ALLOT_AMQP_URI_FILE", path, 1);
    (void)unsetenv("ALLOT_AMQP_URI");
    pid_t worker = start_worker_with_log(log);
    (void)setenv("ALLOT_AMQP_URI", broker, 1);
    (void)unsetenv("ALLOT_AMQP_URI_FILE");
    free(broker);
    return worker;
}

static void make_file(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

static void close_connections(void)
{
    close_connections_of(fixture_database());
}

static void test_a_changed_password_needs_no_restart(void **state)
{
    (void)state;
    char file[PATH_ROOM] = "/tmp/allot-uri-XXXXXX", log[PATH_ROOM] = "/tmp/allot-log-XXXXXX";
    unsigned char answered[COMMANDS] = {0};
    const char *broker = getenv("ALLOT_AMQP_URI");
    make_file(file);
    make_file(log);
    make_user();
    write_uri(file, broker, "first-secret");
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_with_file(file, log);
    make_providers(&producer);
    send_claims(&producer, 0, FIRST);
    assert_int_equal(receive_claims(&producer, answered, FIRST, SIZE_MAX), FIRST);

    /* The file is unusable for a while; then it has the new password. */
    write_text(file, "not a URI\n");
    about_user("change_password", "second-secret");
    close_connections();
    send_claims(&producer, FIRST, COMMANDS);
    await_log_event(log, "broker.uri_file_failed");
    await_log_event(log, "broker.connect_failed");
    write_uri(file, broker, "second-secret");
    assert_int_equal(receive_claims(&producer, answered, COMMANDS, SIZE_MAX), COMMANDS - FIRST);
    await_log_event(log, "broker.uri_file_read");

    /* An unusable file does no harm while the last good URI is right. */
    assert_int_equal(unlink(file), 0);
    close_connections();
    expect(&producer, "after",
           "{\"version\":1,\"command\":\"usage.get\",\"params\":"
           "{\"project_id\":\"p\"}}",
           "\"success\"");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    about_user("delete_user", "");
    client_close(producer.client);
    assert_int_equal(unlink(log), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_changed_password_needs_no_restart),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
