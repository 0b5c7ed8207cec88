/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the log: the form of a line, and how it is written.
 *
 * The first part tests log_format_line, which is pure: JSON and text, time, escapes of everything
 * that a terminal or a parser would obey, bytes that are not UTF-8, and lines that are cut because
 * they are too long. A JSON line is parsed again and has to give the values that went in. The
 * second part replaces stderr by a pipe (struct capture) and tests log_write: levels, several
 * threads, and a stderr that is full or closed.
 *
 * Which events exist is not tested here; see worker/service/events.h.
 */
#include "tests/support/cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/base/utf8.h"
#include "common/host/log.h"

/* 2026-01-02T03:04:05.678Z */
#define WHEN_MS INT64_C(1767323045678)
#define JSON_HEAD                                                                                  \
    "{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"event\":\"e.v\",\"message\":"

static struct log_kind kind_of(enum log_level level, const char *event)
{
    return (struct log_kind){level, event, false};
}

static struct log_line line_of(const char *message, const struct log_field *fields)
{
    return (struct log_line){WHEN_MS, LOG_LEVEL_INFO, "e.v", message, NULL, fields};
}

/* Returns the line as a C string; it is formatted in a buffer of exactly LOG_LINE_BYTES_MAX. */
static char *formatted(const struct log_line *line, enum log_format format, size_t *ret_length)
{
    char *buffer = malloc(LOG_LINE_BYTES_MAX);
    assert_non_null(buffer);
    size_t length = log_format_line(line, format, buffer);
    assert_true(length > 0 && length <= LOG_LINE_BYTES_MAX);
    assert_int_equal(buffer[length - 1], '\n');
    assert_ptr_equal(memchr(buffer, '\n', length), buffer + length - 1);
    assert_true(utf8_valid(text_view(buffer, length)));
    char *string = calloc(1, length + 1);
    assert_non_null(string);
    memcpy(string, buffer, length);
    free(buffer);
    if (ret_length != NULL)
        *ret_length = length;
    return string;
}

static void assert_line(const struct log_line *line, enum log_format format, const char *expected)
{
    char *string = formatted(line, format, NULL);
    assert_string_equal(string, expected);
    free(string);
}

static json_t *parsed(const struct log_line *line, size_t *ret_length)
{
    char *string = formatted(line, LOG_FORMAT_JSON, ret_length);
    json_error_t error;
    json_t *object = json_loads(string, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL)
        fail_msg("%s: %s", error.text, string);
    free(string);
    return object;
}

static const char *member(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    assert_non_null(value);
    return value;
}

static void test_json_has_the_members_in_their_order(void **state)
{
    (void)state;
    const struct log_line line = {WHEN_MS,
                                  LOG_LEVEL_WARNING,
                                  "command.failed",
                                  "a sentence",
                                  "worker-1",
                                  LOG_FIELDS(LOG_S("code", "forbidden"), LOG_I("count", -7),
                                             LOG_T("absent", TEXT_NONE), LOG_S("empty", ""))};
    static const char expected[] =
        "{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warning\",\"event\":\"command.failed\","
        "\"message\":\"a sentence\",\"worker\":\"worker-1\",\"code\":\"forbidden\",\"count\":-7,"
        "\"absent\":null,\"empty\":\"\"}\n";
    assert_line(&line, LOG_FORMAT_JSON, expected);
    assert_line(&line, LOG_FORMAT_AUTO, expected);
}

static void test_text_has_columns_and_pairs(void **state)
{
    (void)state;
    struct log_line line =
        line_of("a sentence",
                LOG_FIELDS(LOG_S("code", "forbidden"), LOG_I("count", 3), LOG_S("said", "a b"),
                           LOG_T("absent", TEXT_NONE), LOG_S("empty", ""), LOG_S("sum", "a=b")));
    assert_line(&line, LOG_FORMAT_TEXT,
                "2026-01-02 03:04:05.678 INFO  e.v  a sentence  code=forbidden count=3 "
                "said=\"a b\" absent=null empty=\"\" sum=\"a=b\"\n");
    line = line_of("m", LOG_NONE);
    line.level = LOG_LEVEL_ERROR;
    assert_line(&line, LOG_FORMAT_TEXT, "2026-01-02 03:04:05.678 ERROR e.v  m\n");
    line.level = LOG_LEVEL_WARNING;
    assert_line(&line, LOG_FORMAT_TEXT, "2026-01-02 03:04:05.678 WARN  e.v  m\n");
    line.level = LOG_LEVEL_DEBUG;
    assert_line(&line, LOG_FORMAT_TEXT, "2026-01-02 03:04:05.678 DEBUG e.v  m\n");
}

static void test_an_unnamed_worker_is_left_out(void **state)
{
    (void)state;
    struct log_line line = line_of("m", LOG_NONE);
    assert_line(&line, LOG_FORMAT_JSON, JSON_HEAD "\"m\"}\n");
    line.worker = "";
    assert_line(&line, LOG_FORMAT_JSON, JSON_HEAD "\"m\"}\n");
}

static void test_time_is_utc_with_milliseconds_also_before_the_epoch(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *start;
    } cases[] = {{0, "1970-01-01 00:00:00.000"},
                 {7, "1970-01-01 00:00:00.007"},
                 {-1, "1969-12-31 23:59:59.999"},
                 {-1000, "1969-12-31 23:59:59.000"},
                 {951782400000, "2000-02-29 00:00:00.000"},
                 {4102444799999, "2099-12-31 23:59:59.999"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct log_line line = line_of("m", LOG_NONE);
        line.wall_ms = cases[i].ms;
        char *string = formatted(&line, LOG_FORMAT_TEXT, NULL);
        assert_memory_equal(string, cases[i].start, strlen(cases[i].start));
        free(string);
    }
    static const int64_t absurd[] = {INT64_MIN, INT64_MAX, INT64_MIN / 1000, INT64_MAX / 1000};
    for (size_t i = 0; i < 4; i++) {
        struct log_line line = line_of("m", LOG_NONE);
        line.wall_ms = absurd[i];
        json_decref(parsed(&line, NULL));
    }
}

static void test_what_a_terminal_or_parser_would_obey_is_escaped(void **state)
{
    (void)state;
    struct log_line line =
        line_of("a\"b\\c\nd\x1b[2J\x7f\xc2\x85z\t/", LOG_FIELDS(LOG_T("x", text_view("\0\r", 2))));
    assert_line(&line, LOG_FORMAT_JSON,
                JSON_HEAD "\"a\\\"b\\\\c\\u000ad\\u001b[2J\\u007f\\u0085z\\u0009/\","
                          "\"x\":\"\\u0000\\u000d\"}\n");
    line.fields = LOG_FIELDS(LOG_S("x", "a\nb"), LOG_S("y", "\xc2\x9b"), LOG_S("z", "a\"b"));
    line.message = "one\ntwo";
    assert_line(&line, LOG_FORMAT_TEXT,
                "2026-01-02 03:04:05.678 INFO  e.v  one\\u000atwo  x=\"a\\u000ab\" "
                "y=\"\\u009b\" z=\"a\\\"b\"\n");
}

static void test_any_text_comes_back_from_json_as_it_went_in(void **state)
{
    (void)state;
    char text[512];
    for (uint32_t point = 1; point < 0x110000; point = point < 0x300 ? point + 1 : point + 977) {
        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        size_t length = 0;
        if (point < 0x80)
            text[length++] = (char)point;
        else if (point < 0x800)
            text[length++] = (char)(0xc0 | point >> 6);
        else if (point < 0x10000)
            text[length++] = (char)(0xe0 | point >> 12);
        else
            text[length++] = (char)(0xf0 | point >> 18);
        if (point >= 0x10000)
            text[length++] = (char)(0x80 | (point >> 12 & 0x3f));
        if (point >= 0x800)
            text[length++] = (char)(0x80 | (point >> 6 & 0x3f));
        if (point >= 0x80)
            text[length++] = (char)(0x80 | (point & 0x3f));
        text[length] = '\0';
        struct log_line line = line_of("m", LOG_FIELDS(LOG_S("x", text)));
        json_t *object = parsed(&line, NULL);
        assert_string_equal(member(object, "x"), text);
        json_decref(object);
    }
}

static void test_bytes_that_are_not_utf8_are_replaced_one_by_one(void **state)
{
    (void)state;
    struct log_line line = line_of("a\xff\xfe"
                                   "b\xc3",
                                   LOG_FIELDS(LOG_S("x", "\xed\xa0\x80")));
    json_t *object = parsed(&line, NULL);
    assert_string_equal(member(object, "message"), "a\xef\xbf\xbd\xef\xbf\xbd"
                                                   "b\xef\xbf\xbd");
    assert_string_equal(member(object, "x"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(object);
}

static void test_numbers_are_written_whole(void **state)
{
    (void)state;
    struct log_line line =
        line_of("m", LOG_FIELDS(LOG_I("a", INT64_MIN), LOG_I("b", INT64_MAX), LOG_I("c", 0)));
    assert_line(&line, LOG_FORMAT_JSON,
                JSON_HEAD "\"m\",\"a\":-9223372036854775808,\"b\":9223372036854775807,\"c\":0}\n");
}

/* One field before, one of `count` units, three after: each length cuts the line elsewhere. */
static void check_cut(const char *unit, size_t count, enum log_format format)
{
    size_t size = strlen(unit) * count, length = 0;
    char *value = calloc(1, size + 1);
    assert_non_null(value);
    for (size_t i = 0; i < count; i++)
        memcpy(value + i * strlen(unit), unit, strlen(unit));
    struct log_line line = line_of("m", LOG_FIELDS(LOG_I("before", 1), LOG_S("long", value),
                                                   LOG_I("number", INT64_MIN), LOG_S("tail", "t"),
                                                   LOG_T("nothing", TEXT_NONE)));
    if (format == LOG_FORMAT_TEXT) {
        free(formatted(&line, format, &length));
        free(value);
        return;
    }
    json_t *object = parsed(&line, &length);
    bool cut = json_is_true(json_object_get(object, "truncated"));
    assert_int_equal(json_integer_value(json_object_get(object, "before")), 1);
    assert_int_equal(cut, json_object_get(object, "nothing") == NULL);
    const json_t *number = json_object_get(object, "number");
    assert_true(number == NULL || json_integer_value(number) == INT64_MIN);
    assert_true(cut || number != NULL);
    const char *kept = member(object, "long");
    assert_memory_equal(kept, value, strlen(kept));
    assert_true(strlen(kept) == size || (cut && strlen(kept) + 16 * strlen(unit) > size) ||
                length > LOG_LINE_BYTES_MAX - 64);
    json_decref(object);
    free(value);
}

static void test_a_line_is_cut_at_a_character_and_says_so(void **state)
{
    (void)state;
    static const char *const units[] = {"a", "\xc3\xa9", "\xf0\x9f\x98\x80", "\n", "\"", " "};
    static const size_t widths[] = {1, 2, 4, 6, 2, 1};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        /* The simplest unit tries every place of a cut, the others some of them. */
        size_t full = LOG_LINE_BYTES_MAX / widths[i], step = i == 0 ? 1 : 7;
        for (size_t count = full - 250 / widths[i]; count < full + 4; count += step) {
            check_cut(units[i], count, LOG_FORMAT_JSON);
            check_cut(units[i], count, LOG_FORMAT_TEXT);
        }
        check_cut(units[i], 100000, LOG_FORMAT_JSON);
        check_cut(units[i], 100000, LOG_FORMAT_TEXT);
    }
}

static void test_many_fields_are_cut_between_fields(void **state)
{
    (void)state;
    enum { FIELDS = 2000 };
    struct log_field *fields = calloc(FIELDS + 1, sizeof *fields);
    char (*names)[16] = calloc(FIELDS, sizeof *names);
    assert_non_null(fields);
    assert_non_null(names);
    for (size_t i = 0; i < FIELDS; i++) {
        (void)snprintf(names[i], sizeof names[i], "field%zu", i);
        fields[i] = i % 2 == 0 ? LOG_I(names[i], (int64_t)i) : LOG_S(names[i], "value");
    }
    struct log_line line = line_of("m", fields);
    json_t *object = parsed(&line, NULL);
    assert_true(json_is_true(json_object_get(object, "truncated")));
    assert_true(json_object_size(object) > 500);
    free(formatted(&line, LOG_FORMAT_TEXT, NULL));
    json_decref(object);
    free(names);
    free(fields);
}

static void test_a_long_message_or_name_is_cut_as_well(void **state)
{
    (void)state;
    char *message = malloc(100001);
    assert_non_null(message);
    memset(message, 'm', 100000);
    message[100000] = '\0';
    struct log_line line = line_of(message, LOG_FIELDS(LOG_I("x", 1)));
    json_t *object = parsed(&line, NULL);
    assert_true(json_is_true(json_object_get(object, "truncated")));
    json_decref(object);
    line = line_of("m", LOG_FIELDS(LOG_I(message, 1)));
    object = parsed(&line, NULL);
    assert_true(json_is_true(json_object_get(object, "truncated")));
    json_decref(object);
    free(formatted(&line, LOG_FORMAT_TEXT, NULL));
    free(message);
}

/* Between begin and end, stderr is a pipe. */
struct capture {
    int saved;
    int ends[2];
};

static struct capture capture_begin(void)
{
    struct capture capture;
    assert_int_equal(pipe2(capture.ends, O_NONBLOCK), 0);
    capture.saved = dup(STDERR_FILENO);
    assert_true(capture.saved >= 0);
    assert_true(dup2(capture.ends[1], STDERR_FILENO) >= 0);
    return capture;
}

static void capture_end(struct capture *capture)
{
    (void)dup2(capture->saved, STDERR_FILENO);
    (void)close(capture->saved);
    (void)close(capture->ends[1]);
    if (capture->ends[0] >= 0)
        (void)close(capture->ends[0]);
}

static void test_levels_above_the_configured_one_are_silent(void **state)
{
    (void)state;
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO,
                                            LOG_LEVEL_DEBUG};
    for (size_t configured = 0; configured < 4; configured++) {
        log_configure(levels[configured], LOG_FORMAT_JSON, "w");
        struct capture capture = capture_begin();
        for (size_t i = 0; i < 4; i++) {
            char byte;
            log_write(kind_of(levels[i], "e"), LOG_NONE, "m");
            bool written = read(capture.ends[0], &byte, 1) == 1;
            char rest[512];
            while (read(capture.ends[0], rest, sizeof rest) > 0)
                ;
            assert_int_equal(written, i <= configured);
            assert_int_equal(log_enabled(levels[i]), i <= configured);
        }
        capture_end(&capture);
    }
}

static void test_a_written_line_has_all_that_was_given(void **state)
{
    (void)state;
    char worker[] = "worker-7", line[1024] = "";
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_AUTO, worker);
    worker[0] = 'x'; /* the name was copied */
    struct capture capture = capture_begin();
    errno = ENOENT;
    log_write(kind_of(LOG_LEVEL_INFO, "a.b"), LOG_FIELDS(LOG_I("n", 5)), "%d of %s", 3, "four");
    assert_int_equal(errno, ENOENT);
    ssize_t length = read(capture.ends[0], line, sizeof line - 1);
    capture_end(&capture);
    assert_true(length > 0);
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    assert_string_equal(member(object, "event"), "a.b");
    assert_string_equal(member(object, "message"), "3 of four");
    assert_string_equal(member(object, "worker"), "worker-7");
    assert_int_equal(json_integer_value(json_object_get(object, "n")), 5);
    assert_int_equal(strlen(member(object, "ts")), strlen("2026-01-02T03:04:05.678Z"));
    json_decref(object);
}

static void test_a_full_or_broken_stderr_is_ignored(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "w");
    struct capture capture = capture_begin();
    for (int i = 0; i < 2000; i++)
        log_write(kind_of(LOG_LEVEL_INFO, "e"), LOG_FIELDS(LOG_I("n", i)), "%*d", 1000, i);
    (void)close(capture.ends[0]);
    capture.ends[0] = -1;
    log_write(kind_of(LOG_LEVEL_INFO, "e"), LOG_NONE, "nobody reads");
    (void)close(STDERR_FILENO);
    log_write(kind_of(LOG_LEVEL_INFO, "e"), LOG_NONE, "nowhere to write");
    capture_end(&capture);
}

enum { THREADS = 4, LINES = 200 };

static void *write_lines(void *context)
{
    const int *number = context;
    for (int i = 0; i < LINES; i++)
        log_write(kind_of(LOG_LEVEL_INFO, "e"),
                  LOG_FIELDS(LOG_I("thread", *number), LOG_I("line", i)), "%0*d", 100 + i, *number);
    return NULL;
}

static void test_lines_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "w");
    FILE *file = tmpfile();
    assert_non_null(file);
    (void)fcntl(fileno(file), F_SETFL, O_APPEND);
    int saved = dup(STDERR_FILENO), numbers[THREADS], counts[THREADS] = {0};
    (void)dup2(fileno(file), STDERR_FILENO);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);

    char line[2048];
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(object);
        json_int_t thread = json_integer_value(json_object_get(object, "thread"));
        assert_true(thread >= 0 && thread < THREADS);
        assert_int_equal(json_integer_value(json_object_get(object, "line")), counts[thread]++);
        json_decref(object);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(counts[i], LINES);
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_has_the_members_in_their_order),
        cmocka_unit_test(test_text_has_columns_and_pairs),
        cmocka_unit_test(test_an_unnamed_worker_is_left_out),
        cmocka_unit_test(test_time_is_utc_with_milliseconds_also_before_the_epoch),
        cmocka_unit_test(test_what_a_terminal_or_parser_would_obey_is_escaped),
        cmocka_unit_test(test_any_text_comes_back_from_json_as_it_went_in),
        cmocka_unit_test(test_bytes_that_are_not_utf8_are_replaced_one_by_one),
        cmocka_unit_test(test_numbers_are_written_whole),
        cmocka_unit_test(test_a_line_is_cut_at_a_character_and_says_so),
        cmocka_unit_test(test_many_fields_are_cut_between_fields),
        cmocka_unit_test(test_a_long_message_or_name_is_cut_as_well),
        cmocka_unit_test(test_levels_above_the_configured_one_are_silent),
        cmocka_unit_test(test_a_written_line_has_all_that_was_given),
        cmocka_unit_test(test_a_full_or_broken_stderr_is_ignored),
        cmocka_unit_test(test_lines_of_several_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
