/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests runs of replays that are stopped: by kill -9 at any point, by Ctrl-C, by failures, by
 * servers that fail, and by others who take or change the letters meanwhile. In the end each
 * command has taken effect once, and no letter is lost.
 *
 * A test waits for progress in the database before it stops a run, never for a time.
 * Not here: what becomes of single letters (test_worker_replay_life.c).
 */
#include "tests/system/worker_replay.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/worker_database.h"
#include "tests/system/worker_run.h"

enum { MANY = 300, PATH_ROOM = 160 };

/* --- kill -9 ---------------------------------------------------------------------------------- */

/* Killed again and again, each time a bit later: while it marks, sends, and notes. */
static void test_a_run_that_is_killed_is_continued_without_loss_or_second_effect(void **state)
{
    (void)state;
    char run[RUN_ROOM] = "";
    pid_t worker = start_with_providers();
    store_claims(MANY);
    for (int64_t part = 0; part < 8; part++) {
        pid_t pid = *run == '\0' ? start_run("letter replay --all --yes --rate 400")
                                 : start_run("letter replay --continue %s --rate 400", run);
        await_letters("{\"replay.phase\": {\"$in\": [\"sending\", \"sent\"]}}",
                      1 + part * MANY / 10);
        (void)usleep((useconds_t)(part * 3001 % 17) * 1000);
        (void)kill(pid, SIGKILL);
        (void)await_run(pid);
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
    pid_t pid = start_run("letter replay --all --yes --rate 10");
    await_letters("{\"replay.phase\": \"sent\"}", 3);
    assert_int_equal(kill(pid, SIGINT), 0);
    int status = await_run(pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    expect_output(run_output(), "go on with: allotctl letter replay --continue ");
    assert_int_equal(count_letters("{\"replay.phase\": \"sending\"}"), 0);
    assert_true(count_letters("{\"replay.phase\": \"selected\"}") > 0);
    char run[RUN_ROOM];
    (void)snprintf(run, sizeof run, "%s", run_of_letters());
    expect_output(run_output(), run);
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
    pid_t pid = start_run("letter replay --all --yes --timeout 10m --stop-at-failures 1");
    await_letters("{\"replay.phase\": \"sent\"}", 2);
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_true(WIFEXITED(await_run(pid)));
    expect_output(run_output(), "2 waiting for an answer");
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
    char second_path[PATH_ROOM];
    pid_t worker = start_with_providers();
    store_claims(120);
    (void)snprintf(second_path, sizeof second_path, "/tmp/allot-second-run-%d", (int)getpid());
    pid_t one = start_run("letter replay --all --yes --rate 100");
    pid_t other = start_operator(second_path, "letter replay --all --yes --rate 100");
    (void)await_run(one);
    (void)await_run(other);
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
    pid_t pid = start_run("letter replay --all --yes --rate 20 --json");
    await_letters("{\"replay.phase\": \"sent\"}", 1);
    change_letters("{\"replay.place\": 39}", "{\"$set\": {\"state\": \"discarded\"}}", 1);
    (void)await_run(pid);
    json_t *end = last_object(run_output());
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
    pid_t pid = start_run("letter replay --all --yes --rate 30");
    await_letters("{\"replay.phase\": \"sent\"}", 5);
    close_connections_of("operator");
    int status = await_run(pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    expect_output(run_output(), "--continue");
    (void)run_operator(0, "letter replay --continue %s --rate 1000", run_of_letters());
    expect_all_done(60);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

static void test_a_frozen_database_is_an_error_and_the_run_can_be_continued(void **state)
{
    (void)state;
    pid_t worker = start_with_providers();
    store_claims(60);
    set_worker("ALLOT_MONGODB_TIMEOUT", "1s");
    pid_t pid = start_run("letter replay --all --yes --rate 30");
    await_letters("{\"replay.phase\": \"sent\"}", 5);
    freeze_database();
    int status = await_run(pid);
    thaw_database();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    expect_output(run_output(), "allotctl: ");
    expect_output(run_output(), "--continue");
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
    return cmocka_run_group_tests_name("worker: runs of replays", tests, NULL, remove_run_output) !=
           0;
}
