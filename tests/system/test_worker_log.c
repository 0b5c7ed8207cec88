/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests a worker whose stderr takes nothing: a pipe that was full before the worker started, and
 * that nobody reads. The worker answers commands and ends as usual. What it logged is there once
 * somebody reads.
 */
#include "tests/system/worker_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COMMANDS = 50, PATH_ROOM = 64, WAIT_STEP_US = 10000 };

struct full_pipe {
    char folder[PATH_ROOM], path[2 * PATH_ROOM];
    int fd; /* the end to read; does not block */
};

/* Fills the pipe with empty lines. */
static struct full_pipe make_full_pipe(void)
{
    struct full_pipe full = {.folder = "/tmp/allot-pipe-XXXXXX"};
    assert_non_null(mkdtemp(full.folder));
    (void)snprintf(full.path, sizeof full.path, "%s/log", full.folder);
    assert_int_equal(mkfifo(full.path, 0600), 0);
    full.fd = open(full.path, O_RDONLY | O_NONBLOCK);
    int filler = open(full.path, O_WRONLY | O_NONBLOCK);
    assert_true(full.fd >= 0 && filler >= 0);
    while (write(filler, "\n", 1) == 1)
        continue;
    (void)close(filler);
    return full;
}

static void remove_pipe(const struct full_pipe *full)
{
    (void)close(full->fd);
    (void)unlink(full->path);
    (void)rmdir(full->folder);
}

/* Returns true if `*matched` characters of `part`, with those of `bytes` behind, contain it. */
static bool find_part(const char *part, size_t *matched, const char *bytes, ssize_t length)
{
    for (ssize_t i = 0; i < length && part[*matched] != '\0'; i++) {
        if (bytes[i] == part[*matched])
            (*matched)++;
        else
            *matched = bytes[i] == part[0];
    }
    return part[*matched] == '\0';
}

/* Reads the pipe until it read `part`, a word in quotes. */
static void read_until(const struct full_pipe *full, const char *part)
{
    char bytes[4096];
    size_t matched = 0;
    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += WAIT_STEP_US / 1000) {
        ssize_t length;
        while ((length = read(full->fd, bytes, sizeof bytes)) > 0) {
            if (find_part(part, &matched, bytes, length))
                return;
        }
        (void)usleep(WAIT_STEP_US);
    }
    fail_msg("no %s in the log", part);
}

/* Starts a worker, has COMMANDS claims answered, and a command of another principal denied. */
static pid_t work(const struct full_pipe *full)
{
    unsigned char answered[COMMANDS] = {0};
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct producer other = open_producer("ALLOT_AMQP_URI_TEAM_BLUE", "team-blue");
    char body[BODY_MAX];
    set_worker("ALLOT_LOG_LEVEL", "debug");
    pid_t worker = start_worker_with_log(full->path);
    make_providers(&producer);
    send_claims(&producer, 0, COMMANDS);
    assert_int_equal(receive_claims(&producer, answered, COMMANDS, SIZE_MAX), COMMANDS);
    claim_body(body, sizeof body, COMMANDS);
    expect(&other, "denied", body, "\"forbidden\"");
    client_close(other.client);
    client_close(producer.client);
    return worker;
}

static void test_a_worker_whose_log_nobody_reads_answers_and_ends(void **state)
{
    (void)state;
    struct full_pipe full = make_full_pipe();
    pid_t worker = work(&full);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    remove_pipe(&full);
}

static void test_the_log_is_there_once_somebody_reads_it(void **state)
{
    (void)state;
    struct full_pipe full = make_full_pipe();
    pid_t worker = work(&full);
    read_until(&full, "\"audit.denied\"");
    assert_int_equal(kill(worker, SIGTERM), 0);
    read_until(&full, "\"worker.stopped\"");
    assert_int_equal(await_end(worker), 0);
    remove_pipe(&full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_worker_whose_log_nobody_reads_answers_and_ends),
        WORKER_TEST(test_the_log_is_there_once_somebody_reads_it),
    };
    return cmocka_run_group_tests(tests, declare_topology, NULL) != 0;
}
