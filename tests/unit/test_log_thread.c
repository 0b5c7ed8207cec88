/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the log after log_start: its thread, on a stderr that takes nothing.
 *
 * Each test replaces stderr: by a pipe that is full and that nobody reads (begin_pipe), or by a
 * file. It logs, which must not block, and looks at what arrives once stderr takes lines again.
 * Nothing waits for a time: log_flush waits for the thread, and alarm ends a test that blocks. The
 * number of lines that arrived, plus the number in `log.dropped`, has to be that of all.
 *
 * The thread runs until the end of the program, so main starts it once, at the level debug.
 */
#include "tests/support/cmocka.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <jansson.h>

#include "common/host/log.h"

enum { PATIENCE_S = 60, THREADS = 4, LINES = 2000, AUDIT_LINES = 200, LINE_BYTES = 400 };

/* --- stderr ----------------------------------------------------------------------------------- */

static int saved_stderr;

static void replace_stderr(int fd)
{
    saved_stderr = dup(STDERR_FILENO);
    assert_true(saved_stderr >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
}

static void restore_stderr(void)
{
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    (void)close(saved_stderr);
}

/* Makes stderr a pipe that is full of empty lines. Returns the end to read. */
static int begin_pipe(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], "\n", 1) == 1)
        continue;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    replace_stderr(ends[1]);
    (void)close(ends[1]);
    (void)alarm(PATIENCE_S);
    return ends[0];
}

struct reader {
    int fd;
    FILE *file; /* gets what was read */
};

static void *read_all(void *context)
{
    struct reader *reader = context;
    char bytes[4096];
    ssize_t length;
    while ((length = read(reader->fd, bytes, sizeof bytes)) > 0)
        (void)fwrite(bytes, 1, (size_t)length, reader->file);
    return NULL;
}

/* Reads the pipe until all is written, and restores stderr. The caller closes the file. */
static FILE *end_pipe(int fd)
{
    struct reader reader = {fd, tmpfile()};
    pthread_t thread;
    assert_non_null(reader.file);
    assert_int_equal(pthread_create(&thread, NULL, read_all, &reader), 0);
    bool flushed = log_flush(PATIENCE_S * 1000);
    restore_stderr(); /* which closes the pipe, so that the reader ends */
    (void)pthread_join(thread, NULL);
    (void)close(fd);
    (void)alarm(0);
    assert_true(flushed);
    rewind(reader.file);
    return reader.file;
}

/* --- what arrived ----------------------------------------------------------------------------- */

struct arrived {
    json_int_t lines, audit_lines; /* `lines` has all but log.dropped */
    json_int_t dropped, audit_dropped;
    json_int_t torn; /* lines that are not JSON */
};

static json_int_t integer(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static const char *string(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value != NULL ? value : "";
}

static void add(struct arrived *arrived, const json_t *object)
{
    const char *event = string(object, "event");
    if (strcmp(event, "log.dropped") == 0) {
        arrived->dropped += integer(object, "lines");
        arrived->audit_dropped += integer(object, "audit_lines");
        return;
    }
    arrived->lines++;
    arrived->audit_lines += strcmp(event, "audit.denied") == 0;
}

static struct arrived arrived_in(FILE *file)
{
    struct arrived arrived = {0};
    char line[LOG_LINE_BYTES_MAX + 1];
    while (fgets(line, sizeof line, file) != NULL) {
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (object != NULL)
            add(&arrived, object);
        else
            arrived.torn += line[0] != '\n';
        json_decref(object);
    }
    return arrived;
}

/* --- lines ------------------------------------------------------------------------------------ */

static const struct log_kind usual = {LOG_LEVEL_INFO, "e.v", false};
static const struct log_kind audit = {LOG_LEVEL_WARNING, "audit.denied", false};
static const struct log_kind limited = {LOG_LEVEL_ERROR, "e.limited", true};

static void write_line(struct log_kind kind)
{
    log_write(kind, LOG_NONE, "%*d", LINE_BYTES, 0);
}

static void *write_lines(void *nothing)
{
    for (int i = 0; i < LINES; i++)
        write_line(usual);
    return nothing;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_a_pipe_that_nobody_reads_blocks_no_thread(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int fd = begin_pipe();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    for (int i = 0; i < AUDIT_LINES; i++)
        write_line(audit);
    assert_false(log_flush(1));

    FILE *file = end_pipe(fd);
    struct arrived arrived = arrived_in(file);
    (void)fclose(file);
    assert_int_equal(arrived.lines + arrived.dropped, THREADS * LINES + AUDIT_LINES);
    assert_in_range(arrived.dropped, 1, THREADS * LINES);
    assert_int_equal(arrived.audit_lines, AUDIT_LINES);
    assert_int_equal(arrived.audit_dropped, 0);
    assert_int_equal(arrived.torn, 0);
}

static void test_audit_lines_without_room_are_counted(void **state)
{
    (void)state;
    int fd = begin_pipe();
    for (int i = 0; i < THREADS * LINES; i++)
        write_line(audit);
    FILE *file = end_pipe(fd);
    struct arrived arrived = arrived_in(file);
    (void)fclose(file);
    assert_in_range(arrived.audit_dropped, 1, THREADS * LINES);
    assert_int_equal(arrived.audit_lines + arrived.audit_dropped, THREADS * LINES);
    assert_int_equal(arrived.dropped, arrived.audit_dropped);
}

static void test_lines_that_cannot_be_written_are_counted(void **state)
{
    (void)state;
    enum { LOST = 7 };
    int fd = open("/dev/full", O_WRONLY);
    FILE *file = tmpfile();
    assert_true(fd >= 0 && file != NULL);
    replace_stderr(fd);
    for (int i = 0; i < LOST; i++)
        write_line(i == 0 ? audit : usual);
    bool flushed = log_flush(PATIENCE_S * 1000);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    write_line(usual);
    flushed &= log_flush(PATIENCE_S * 1000);
    restore_stderr();
    (void)close(fd);
    assert_true(flushed);

    rewind(file);
    struct arrived arrived = arrived_in(file);
    (void)fclose(file);
    assert_int_equal(arrived.lines, 1);
    assert_int_equal(arrived.dropped, LOST);
    assert_int_equal(arrived.audit_dropped, 1);
}

/* The file may not become longer than four lines and a part of the fifth. */
static void test_a_line_written_in_part_does_not_spoil_the_next(void **state)
{
    (void)state;
    enum { BEFORE = 8, AFTER = 3 };
    struct rlimit limit;
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit low = {5 * LINE_BYTES, limit.rlim_max};
    replace_stderr(fileno(file));
    int result = setrlimit(RLIMIT_FSIZE, &low);
    for (int i = 0; i < BEFORE; i++)
        write_line(usual);
    bool flushed = log_flush(PATIENCE_S * 1000);
    result |= setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < AFTER; i++)
        write_line(usual);
    flushed &= log_flush(PATIENCE_S * 1000);
    restore_stderr();
    assert_int_equal(result, 0);
    assert_true(flushed);

    rewind(file);
    struct arrived arrived = arrived_in(file);
    (void)fclose(file);
    assert_int_equal(arrived.torn, 1);
    assert_in_range(arrived.lines, AFTER + 1, AFTER + 4);
    assert_int_equal(arrived.lines + arrived.dropped, BEFORE + AFTER);
}

static void test_repeats_are_at_debug_and_their_number_is_a_line(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    FILE *file = tmpfile();
    assert_non_null(file);
    replace_stderr(fileno(file));
    for (int i = 0; i < COUNT; i++)
        write_line(limited);
    bool flushed = log_flush(PATIENCE_S * 1000);
    restore_stderr();
    assert_true(flushed);

    /* Its number may come before repeats that are still in the buffer. */
    char line[2048];
    json_int_t at_error = 0, at_debug = 0, not_logged = 0;
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        json_t *object = json_loads(line, 0, NULL);
        at_error += strcmp(string(object, "level"), "error") == 0;
        at_debug += strcmp(string(object, "level"), "debug") == 0;
        not_logged += integer(object, "not_logged");
        json_decref(object);
    }
    (void)fclose(file);
    assert_int_equal(at_error, 2);
    assert_int_equal(at_debug, COUNT - 1);
    assert_int_equal(not_logged, COUNT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pipe_that_nobody_reads_blocks_no_thread),
        cmocka_unit_test(test_audit_lines_without_room_are_counted),
        cmocka_unit_test(test_lines_that_cannot_be_written_are_counted),
        cmocka_unit_test(test_a_line_written_in_part_does_not_spoil_the_next),
        cmocka_unit_test(test_repeats_are_at_debug_and_their_number_is_a_line),
    };
    (void)signal(SIGXFSZ, SIG_IGN);
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, "w");
    if (!log_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
