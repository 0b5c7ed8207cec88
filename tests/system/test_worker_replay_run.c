/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests runs of replays that are stopped: by kill -9 at any point, by Ctrl-C, by failures, by
 * servers that fail, and by others who take or change the letters meanwhile. In the end each
 * command has taken effect once, and no letter is lost.
 */
#include "tests/system/worker_replay.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/worker_database.h"

enum { PATH_ROOM = 64, RUN_ROOM = 32, MANY = 300, TEXT_ROOM = 512 };

static char output_path[PATH_ROOM];

/* --- letters of claims ------------------------------------------------------------------------ */

/* Stores letters of the claims from 0 on. */
static void store_claims(size_t count)
{
    struct arena *arena = arena_new(0);
    struct letter *letters = ARENA_ARRAY(arena, struct letter, count);
    for (size_t i = 0; i < count; i++) {
        char body[BODY_MAX], key[TEXT_ROOM];
        (void)snprintf(key, sizeof key, "claim-%zu", i);
        claim_body(body, sizeof body, i);
        letters[i] = letter_of(arena, "conductor", key, body);
    }
    store_letters(letters, count);
    arena_free(arena);
}

static pid_t start_with_providers(void)
{
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = restart_worker(0, policy_open);
    make_providers(&producer);
    client_close(producer.client);
    return worker;
}

enum { PROVIDER_OUTCOMES = 2 * PROVIDERS };

/* Each claim took effect once, and has one letter, which is closed. */
static void expect_all_done(size_t count)
{
    check_database((int64_t)count, (int64_t)count + PROVIDER_OUTCOMES);
    assert_int_equal(count_letters("{\"state\": \"resolved\"}"), count);
    assert_int_equal(count_letters("{}"), count);
    (void)run_reader(0, "audit");
    expect_no_dead_letter();
}

/* --- runs in the background ------------------------------------------------------------------- */

static void make_output(void)
{
    if (*output_path == '\0')
        (void)snprintf(output_path, sizeof output_path, "/tmp/allot-run-%d", (int)getpid());
}

static int remove_output(void **state)
{
    (void)state;
    (void)unlink(output_path);
    return 0;
}

/* Returns what the command in the background has printed; static. */
static const char *read_output(void)
{
    static char output[OUTPUT_MAX];
    FILE *file = fopen(output_path, "re");
    assert_non_null(file);
    size_t length = fread(output, 1, sizeof output - 1, file);
    output[length] = '\0';
    (void)fclose(file);
    return output;
}

static int await_exit(pid_t pid)
{
    int status = 0;
    for (int waited_ms = 0; waitpid(pid, &status, WNOHANG) == 0; waited_ms += 5) {
        if (waited_ms >= WAIT_MS) {
            (void)kill(pid, SIGKILL);
            fail_msg("allotctl does not end");
        }
        (void)usleep(5000);
    }
    return status;
}

/* Returns the name of the run that the first letters belong to; static. */
static const char *run_of_letters(void)
{
    static char run[RUN_ROOM];
    struct found_letters found = database_letters("{\"replay.run\": {\"$exists\": true}}");
    assert_true(found.count > 0);
    json_t *letter = show_letter(found.id);
    (void)snprintf(run, sizeof run, "%s",
                   json_string_value(json_object_get(json_object_get(letter, "replay"), "run")));
    json_decref(letter);
    return run;
}

static void await_letters(const char *filter, int64_t count)
{
    for (int waited_ms = 0; count_letters(filter) < count; waited_ms += 5) {
        if (waited_ms >= WAIT_MS)
            fail_msg("no %d letters fit %s", (int)count, filter);
        (void)usleep(5000);
    }
}

/* --- kill -9 ---------------------------------------------------------------------------------- */

/* Killed again and again, each time a bit later: while it marks, sends, and notes. */
static void test_a_run_that_is_killed_is_continued_without_loss_or_second_effect(void **state)
{
    (void)state;
    char run[RUN_ROOM] = "";
    pid_t worker = start_with_providers();
    store_claims(MANY);
    make_output();
    for (int64_t part = 0; part < 8; part++) {
        pid_t pid =
            *run == '\0'
                ? start_operator(output_path, "letter replay --all --yes --rate 400")
                : start_operator(output_path, "letter replay --continue %s --rate 400", run);
        await_letters("{\"replay.phase\": {\"$in\": [\"sending\", \"sent\"]}}",
                      1 + part * MANY / 10);
        (void)usleep((useconds_t)(part * 3001 % 17) * 1000);
        (void)kill(pid, SIGKILL);
        (void)await_exit(pid);
        if (*run == '\0')
            (void)snprintf(run, sizeof run, "%s", run_of_letters());
    }
    /* The marks of the kills: some letters may be SENDING, and others are not sent yet. */
    assert_true(count_letters("{\"replay.phase\": \"selected\"}") > 0);
    json_t *end =
        last_object(run_operator(0, "letter replay --continue %s --rate 1000 --json", run));
    expect_number(end, "total", MANY);
    expect_number(end, "sent", MANY);
    expect_number(end, "succeeded", MANY);
    json_decref(end);
    expect_all_done(MANY);
    /* Again: there is nothing left. */
    expect_output(run_operator(0, "letter replay --continue %s", run), "300 of 300 sent");
    expect_all_done(MANY);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* What was SENDING when the run was killed has been sent, or not: both are continued. */
static void test_letters_that_may_have_been_sent_are_sent_again_with_their_keys(void **state)
{
    (void)state;
    pid_t worker = start_with_providers();
    store_claims(4);
    (void)run_operator(0, "letter replay --all --yes");
    char run[RUN_ROOM];
    (void)snprintf(run, sizeof run, "%s", run_of_letters());
    /* As if it was killed before the marks. One of the commands has failed again since. */
    change_letters("{\"key\": {\"$in\": [\"claim-0\", \"claim-1\"]}}",
                   "{\"$set\": {\"state\": \"replayed\", \"replay.phase\": \"sending\"}}", 2);
    change_letters("{\"key\": \"claim-2\"}",
                   "{\"$set\": {\"state\": \"open\", \"replay.phase\": \"sending\", \"reason\": "
                   "\"internal\"}}",
                   1);
    json_t *end = last_object(run_operator(1, "letter replay --continue %s --json", run));
    expect_number(end, "sent", 4);
    expect_number(end, "failed", 1);
    json_decref(end);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* After the key has expired, a command that took effect could do so a second time. */
static void test_nothing_is_sent_again_under_a_key_that_has_expired(void **state)
{
    (void)state;
    use_policy(policy_open);
    store_claims(2);
    (void)run_operator(1, "letter replay --all --yes --timeout 1ms");
    char run[RUN_ROOM];
    (void)snprintf(run, sizeof run, "%s", run_of_letters());
    change_letters("{\"key\": \"claim-0\"}",
                   "{\"$set\": {\"replay.phase\": \"sending\", \"last_at\": {\"$date\": "
                   "\"2020-01-01T00:00:00Z\"}}}",
                   1);
    change_letters("{\"key\": \"claim-1\"}", "{\"$set\": {\"replay.phase\": \"sending\"}}", 1);
    json_t *end = last_object(
        run_operator(1, "letter replay --continue %s --new-key --json --timeout 1ms", run));
    expect_number(end, "skipped", 1);
    expect_number(end, "sent", 1);
    json_decref(end);
    assert_int_equal(count_letters("{\"new_key\": {\"$exists\": true}}"), 0);
    assert_int_equal(count_letters("{\"replay.phase\": \"sent\"}"), 1);
}

/* --- Ctrl-C, pace, failures ------------------------------------------------------------------- */

static void test_ctrl_c_ends_a_run_in_order(void **state)
{
    (void)state;
    pid_t worker = start_with_providers();
    store_claims(40);
    make_output();
    pid_t pid = start_operator(output_path, "letter replay --all --yes --rate 10");
    await_letters("{\"replay.phase\": \"sent\"}", 3);
    assert_int_equal(kill(pid, SIGINT), 0);
    int status = await_exit(pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    expect_output(read_output(), "go on with: allotctl letter replay --continue ");
    assert_int_equal(count_letters("{\"replay.phase\": \"sending\"}"), 0);
    assert_true(count_letters("{\"replay.phase\": \"selected\"}") > 0);
    char run[RUN_ROOM];
    (void)snprintf(run, sizeof run, "%s", run_of_letters());
    expect_output(read_output(), run);
    (void)run_operator(0, "letter replay --continue %s --rate 1000", run);
    expect_all_done(40);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* Nobody answers, and the user does not want to wait. */
static void test_ctrl_c_ends_the_wait_for_answers(void **state)
{
    (void)state;
    use_policy(policy_open);
    store_claims(2);
    make_output();
    pid_t pid =
        start_operator(output_path, "letter replay --all --yes --timeout 10m --stop-at-failures 1");
    await_letters("{\"replay.phase\": \"sent\"}", 2);
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_true(WIFEXITED(await_exit(pid)));
    expect_output(read_output(), "2 waiting for an answer");
}

static void test_a_run_stops_at_failures_and_keeps_the_rest_selected(void **state)
{
    (void)state;
    pid_t worker = restart_worker(0, policy_open); /* no providers: each claim fails */
    store_claims(200);
    json_t *end = last_object(
        run_operator(1, "letter replay --all --yes --json --rate 40 --stop-at-failures 3"));
    assert_true(json_is_true(json_object_get(end, "stopped")));
    json_int_t sent = json_integer_value(json_object_get(end, "sent"));
    assert_in_range(sent, 3, 150);
    expect_number(end, "failed", sent); /* it has waited for their answers */
    expect_number(end, "waiting", 0);
    expect_number(end, "total", 200);
    json_decref(end);
    assert_int_equal(count_letters("{\"replay.phase\": \"selected\", \"state\": \"open\"}"),
                     200 - sent);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* --- others ----------------------------------------------------------------------------------- */

/* Two people select the same letters. The run that was selected last has them. */
static void test_two_replays_of_the_same_letters_send_each_once(void **state)
{
    (void)state;
    char second_path[2 * PATH_ROOM];
    pid_t worker = start_with_providers();
    store_claims(120);
    make_output();
    (void)snprintf(second_path, sizeof second_path, "%s-2", output_path);
    pid_t one = start_operator(output_path, "letter replay --all --yes --rate 100");
    pid_t other = start_operator(second_path, "letter replay --all --yes --rate 100");
    (void)await_exit(one);
    (void)await_exit(other);
    expect_all_done(120);
    assert_int_equal(count_letters("{\"history.action\": {\"$size\": 0}}"), 0);
    assert_int_equal(unlink(second_path), 0);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* The letters that arrive, or are closed, after the totals were shown. */
static void test_a_letter_that_was_closed_meanwhile_is_not_sent(void **state)
{
    (void)state;
    pid_t worker = start_with_providers();
    store_claims(40);
    make_output();
    pid_t pid = start_operator(output_path, "letter replay --all --yes --rate 20 --json");
    await_letters("{\"replay.phase\": \"sent\"}", 1);
    change_letters("{\"replay.place\": 39}", "{\"$set\": {\"state\": \"discarded\"}}", 1);
    (void)await_exit(pid);
    json_t *end = last_object(read_output());
    expect_number(end, "sent", 39);
    expect_number(end, "skipped", 1);
    json_decref(end);
    check_database(39, 39 + PROVIDER_OUTCOMES);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* --- servers ---------------------------------------------------------------------------------- */

static void test_a_lost_connection_is_an_error_and_the_run_can_be_continued(void **state)
{
    (void)state;
    pid_t worker = start_with_providers();
    store_claims(60);
    make_output();
    pid_t pid = start_operator(output_path, "letter replay --all --yes --rate 30");
    await_letters("{\"replay.phase\": \"sent\"}", 5);
    close_connections_of("operator");
    int status = await_exit(pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    expect_output(read_output(), "--continue");
    (void)run_operator(0, "letter replay --continue %s --rate 1000", run_of_letters());
    expect_all_done(60);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

static void test_a_frozen_database_is_an_error_and_the_run_can_be_continued(void **state)
{
    (void)state;
    pid_t worker = start_with_providers();
    store_claims(60);
    make_output();
    set_worker("ALLOT_MONGODB_TIMEOUT", "1s");
    pid_t pid = start_operator(output_path, "letter replay --all --yes --rate 30");
    await_letters("{\"replay.phase\": \"sent\"}", 5);
    freeze_database();
    int status = await_exit(pid);
    thaw_database();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    expect_output(read_output(), "allotctl: ");
    expect_output(read_output(), "--continue");
    (void)run_operator(0, "letter replay --continue %s --rate 1000", run_of_letters());
    expect_all_done(60);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_run_that_is_killed_is_continued_without_loss_or_second_effect),
        WORKER_TEST(test_letters_that_may_have_been_sent_are_sent_again_with_their_keys),
        WORKER_TEST(test_nothing_is_sent_again_under_a_key_that_has_expired),
        WORKER_TEST(test_ctrl_c_ends_a_run_in_order),
        WORKER_TEST(test_ctrl_c_ends_the_wait_for_answers),
        WORKER_TEST(test_a_run_stops_at_failures_and_keeps_the_rest_selected),
        WORKER_TEST(test_two_replays_of_the_same_letters_send_each_once),
        WORKER_TEST(test_a_letter_that_was_closed_meanwhile_is_not_sent),
        WORKER_TEST(test_a_lost_connection_is_an_error_and_the_run_can_be_continued),
        WORKER_TEST(test_a_frozen_database_is_an_error_and_the_run_can_be_continued),
    };
    return cmocka_run_group_tests_name("worker: runs of replays", tests, NULL, remove_output) != 0;
}
