/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests `allotctl letter list` and `letter show` on a real database.
 *
 * The letters are written as a worker does it, through the storage port (worker_letters.h), because
 * no producer could make a worker write all that a letter may hold: control characters in each
 * text, a cut body, ids that begin alike. One test has a worker write its letter.
 *
 * Not here: the import (test_worker_letters_imported.c), and the list of the queue
 * (test_worker_dead_list.c).
 */
#include "tests/system/worker_fixture.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/worker_letters.h"

#define GARBAGE "garbage\x1b[2J"

static void store_plain(const char *id, const char *reason, const char *principal)
{
    struct letter letter = {.id = text_of(id),
                            .times = 1,
                            .reason = text_of(reason),
                            .principal = text_of(principal),
                            .key = text_of("key-1"),
                            .body = text_of("{}"),
                            .body_size = 2};
    store_letter(&letter);
}

static size_t count_lines(const char *output)
{
    size_t count = 0;
    for (; *output != '\0'; output++)
        count += *output == '\n';
    return count;
}

static void test_a_list_has_the_newest_letters_first_and_filters(void **state)
{
    (void)state;
    store_plain("aaaaaaaa000000000000000000000001", "internal", "conductor");
    (void)usleep(20000);
    store_plain("aaaaaaaa000000000000000000000002", "malformed", "team-blue");
    (void)usleep(20000);
    store_plain("bbbbbbbb000000000000000000000003", "malformed", "conductor");
    const char *all = run_allotctl("letter list", 0);
    assert_int_equal(count_lines(all), 3);
    const char *newest =
        strstr(all, "bbbbbbbb0000\topen\tmalformed\tconductor\t-\t1\tunpublished\t-\n");
    const char *oldest = strstr(all, "aaaaaaaa0000\topen\tinternal");
    assert_true(newest != NULL && oldest != NULL && newest < oldest);
    assert_int_equal(count_lines(run_allotctl("letter list --reason malformed", 0)), 2);
    assert_int_equal(count_lines(run_allotctl("letter list --principal team-blue", 0)), 1);
    assert_int_equal(count_lines(run_allotctl("letter list --state open --since 1h", 0)), 3);
    assert_int_equal(count_lines(run_allotctl("letter list --until 1h", 0)), 0);
    assert_int_equal(count_lines(run_allotctl("letter list --state resolved", 0)), 0);
    assert_int_equal(count_lines(run_allotctl("letter list --command usage.get", 0)), 0);
    assert_int_equal(count_lines(run_allotctl("letter list --project p", 0)), 0);
    const char *limited = run_allotctl("letter list --limit 2", 0);
    assert_non_null(strstr(limited, "there are more letters"));
    assert_int_equal(count_lines(limited), 3);
    assert_null(strstr(run_allotctl("letter list --limit 3", 0), "more letters"));
}

static void test_a_wrong_option_is_a_usage_error(void **state)
{
    (void)state;
    assert_non_null(strstr(run_allotctl("letter list --state closed", 2), "expected open"));
    assert_non_null(strstr(run_allotctl("letter list --since now", 2), "--since"));
    assert_non_null(strstr(run_allotctl("letter list --queue q", 2), "--from-queue"));
    (void)run_allotctl("letter list --from-queue --reason internal", 2);
    (void)run_allotctl("letter show", 2);
    (void)run_allotctl("letter show 1234567", 2);
    (void)run_allotctl("letter show 1234567x", 2);
}

static void test_a_prefix_names_one_letter_or_the_error_says_why(void **state)
{
    (void)state;
    store_plain("aaaaaaaa000000000000000000000001", "internal", "conductor");
    store_plain("aaaaaaaa000000000000000000000002", "internal", "conductor");
    store_plain("bbbbbbbb000000000000000000000003", "internal", "conductor");
    assert_non_null(strstr(run_allotctl("letter show BBBBBBBB", 0), "bbbbbbbb0000"));
    assert_non_null(strstr(run_allotctl("letter show aaaaaaaa", 1),
                           "allotctl: two or more letters begin with aaaaaaaa"));
    assert_non_null(strstr(run_allotctl("letter show 12ab34cd", 1),
                           "allotctl: no letter has an id that begins with '12ab34cd'"));
    assert_non_null(strstr(run_allotctl("letter show 12ab34cd --uri "
                                        "'mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=500'",
                                        1),
                           "allotctl: mongodb: "));
}

static void assert_printable(const char *output)
{
    for (const char *at = output; *at != '\0'; at++)
        assert_true((unsigned char)*at >= ' ' ? *at != 0x7f : *at == '\n' || *at == '\t');
    assert_null(strstr(output, "\xc2\x9b"));
    assert_null(strstr(output, "\xe2\x80\xae"));
}

/* Whatever a letter holds: no byte of the output may be a control character. */
static void test_control_characters_never_reach_the_terminal(void **state)
{
    (void)state;
    static const char evil[] = "\x1b]0;title\x07\xc2\x9b"
                               "31m\x7f\r\n\t\xe2\x80\xae";
    const struct outgoing_header header = {
        .name = evil, .kind = OUTGOING_TEXT, .text = text_of(evil)};
    struct arena *arena = arena_new(0);
    struct letter letter = {.id = text_of("cccccccc000000000000000000000001"),
                            .times = 1,
                            .reason = text_of(evil),
                            .detail = text_of(evil),
                            .principal = text_of(evil),
                            .key = text_of(evil),
                            .command = text_of(evil),
                            .project = text_of(evil),
                            .group = text_of(evil),
                            .queue = text_of(evil),
                            .worker = text_of(evil),
                            .traceparent = text_of(evil),
                            .raw_headers = field_table_merge(arena, TEXT_NONE, &header, 1),
                            .body = text_of(evil),
                            .body_size = sizeof evil - 1};
    letter.properties.reply_to = letter.properties.app_id = text_of(evil);
    store_letter(&letter);
    const char *const commands[] = {"letter list", "letter list --json", "letter show cccccccc",
                                    "letter show cccccccc --json"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const char *output = run_allotctl(commands[i], 0);
        assert_non_null(strstr(output, "title"));
        assert_printable(output);
        if (strstr(commands[i], "show") == NULL)
            assert_int_equal(count_lines(output), 1);
    }
    json_t *json = json_loads(run_allotctl("letter show cccccccc --json", 0), 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "body")), evil);
    json_decref(json);
    arena_free(arena);
}

/* Writes the body of the letter dddddddd to the file, which only the user may read then. */
static void assert_body_is_written(const char *path, const char *body, size_t length)
{
    char command[128], read[64];
    struct stat status;
    (void)snprintf(command, sizeof command, "letter show dddddddd --body %s", path);
    assert_non_null(strstr(run_allotctl(command, 0), "only the first 9 of 2000000 bytes"));
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(fread(read, 1, sizeof read, file), length);
    assert_memory_equal(read, body, length);
    (void)fclose(file);
}

static void test_a_binary_body_is_shown_in_base64_and_written_as_it_came(void **state)
{
    (void)state;
    static const char body[] = "\xff\0\1binary";
    struct letter letter = {.id = text_of("dddddddd000000000000000000000001"),
                            .times = 1,
                            .reason = text_of("malformed"),
                            .body = text_view(body, sizeof body - 1),
                            .body_size = 2000000};
    store_letter(&letter);
    char path[] = "/tmp/allot-body-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_non_null(strstr(run_allotctl("letter show dddddddd", 0), "  /wABYmluYXJ5\n"));
    assert_non_null(
        strstr(run_allotctl("letter show dddddddd --json", 0), "\"body_base64\":\"/wABYmluYXJ5\""));
    assert_body_is_written(path, body, sizeof body - 1);
    assert_int_equal(chmod(path, 0666), 0); /* as if the file was there before */
    assert_body_is_written(path, body, sizeof body - 1);
    (void)close(fd);
    (void)unlink(path);
    assert_non_null(
        strstr(run_allotctl("letter show dddddddd --body /nowhere/file", 1), "/nowhere/file"));
}

static void test_what_a_worker_stores_can_be_looked_at_and_stays_the_same(void **state)
{
    (void)state;
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    struct outgoing command = command_message("garbage-1", NULL, GARBAGE);
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    struct client_message dead = take_dead_letter();
    arena_free(dead.arena);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    char id[64], show[128];
    json_t *json = json_loads(run_allotctl("letter list --json", 0), 0, NULL);
    assert_non_null(json);
    (void)snprintf(id, sizeof id, "%s", json_string_value(json_object_get(json, "id")));
    json_decref(json);
    (void)snprintf(show, sizeof show, "letter show %.8s --json", id);
    char first[OUTPUT_MAX];
    (void)snprintf(first, sizeof first, "%s", run_allotctl(show, 0));
    assert_non_null(strstr(first, "\"reason\":\"malformed\""));
    assert_non_null(strstr(first, "\"message_id\":\"garbage-1\""));
    assert_non_null(strstr(first, "\"principal\":\"conductor\""));
    assert_non_null(strstr(first, "\"body\":\"garbage\\u001b[2J\""));
    (void)snprintf(show, sizeof show, "letter show %s", id);
    assert_non_null(strstr(run_allotctl(show, 0), "  garbage?[2J\n"));
    (void)snprintf(show, sizeof show, "letter show %s --json", id);
    assert_string_equal(run_allotctl(show, 0), first);
    client_close(producer.client);
}

static void test_a_group_of_commands_has_help(void **state)
{
    (void)state;
    assert_non_null(strstr(run_allotctl("letter --help", 0), "allotctl letter import"));
    assert_non_null(strstr(run_allotctl("topology --help", 0), "allotctl topology check"));
    assert_non_null(strstr(run_allotctl("letter", 2), "'letter' needs a verb"));
    assert_non_null(strstr(run_allotctl("letter shwo", 2), "unknown command 'letter shwo'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_list_has_the_newest_letters_first_and_filters),
        WORKER_TEST(test_a_wrong_option_is_a_usage_error),
        WORKER_TEST(test_a_prefix_names_one_letter_or_the_error_says_why),
        WORKER_TEST(test_control_characters_never_reach_the_terminal),
        WORKER_TEST(test_a_binary_body_is_shown_in_base64_and_written_as_it_came),
        WORKER_TEST(test_what_a_worker_stores_can_be_looked_at_and_stays_the_same),
        WORKER_TEST(test_a_group_of_commands_has_help),
    };
    return cmocka_run_group_tests_name("letters_shown", tests, declare_topology, NULL) != 0;
}
