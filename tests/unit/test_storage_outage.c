/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests which lines an outage of the database leaves in the log, with three apply threads.
 *
 * Each call gets the time as a number. A test makes steps of threads: run() makes a whole
 * one, and storage_outage_enter() alone leaves it open, as if its call hung. The fixture puts a
 * file in the place of stderr. After each part of a test, all new lines are compared: there is
 * exactly one (expect_line), or none (expect_nothing).
 *
 * Not here: which steps fail because of an outage; tests/sim/test_lane.c has the real threads.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "common/host/log.h"
#include "tests/support/captured_log.h"
#include "worker/service/storage_outage.h"

enum { WRITES, ASIDE, READER, THREADS, SECOND = 1000, MINUTE = 60 * SECOND };

#define UNAVAILABLE "\"storage.unavailable\""
#define RECOVERED "\"storage.recovered\""

struct fixture {
    struct storage_outage *outage;
    struct captured_log captured;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof fixture);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "");
    fixture.outage = storage_outage_new(THREADS);
    captured_log_begin(&fixture.captured);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    storage_outage_free(fixture->outage);
    captured_log_end(&fixture->captured);
    return 0;
}

/* One step of a thread. */
static void run(struct fixture *fixture, size_t thread, enum storage_result result,
                int64_t began_ms, int64_t end_ms)
{
    struct error error = {"no primary"};
    storage_outage_enter(fixture->outage, thread, began_ms);
    storage_outage_leave(fixture->outage, thread,
                         &(struct storage_step){result, STORE_UNAVAILABLE, &error}, end_ms);
}

static const char *logged(struct fixture *fixture)
{
    return captured_log_read(&fixture->captured);
}

static void expect_line(struct fixture *fixture, const char *event, const char *part)
{
    const char *text = logged(fixture);
    assert_int_equal(occurrences(text, "\n"), 1);
    assert_non_null(strstr(text, event));
    assert_non_null(strstr(text, part));
}

static void expect_nothing(struct fixture *fixture)
{
    assert_string_equal(logged(fixture), "");
}

static void test_all_threads_share_the_lines_of_an_outage(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, READER, STORAGE_FAILED, 5000, 5000);
    expect_line(fixture, UNAVAILABLE, "\"error\":\"no primary\"");
    for (int64_t second = 0; second < 60; second++) {
        run(fixture, WRITES, STORAGE_FAILED, 5000 + second * SECOND, 5000 + second * SECOND);
        run(fixture, ASIDE, STORAGE_FAILED, 5000 + second * SECOND, 5000 + second * SECOND);
        storage_outage_check(fixture->outage, 5000 + second * SECOND);
    }
    expect_nothing(fixture);
    run(fixture, ASIDE, STORAGE_FAILED, 5000 + MINUTE, 5000 + MINUTE);
    expect_line(fixture, UNAVAILABLE, "\"outage_ms\":60000,");
    run(fixture, READER, STORAGE_WORKED, 70000, 70001);
    run(fixture, ASIDE, STORAGE_WORKED, 70000, 70002);
    expect_nothing(fixture);
    run(fixture, WRITES, STORAGE_WORKED, 70000, 70003);
    expect_line(fixture, RECOVERED, "\"outage_ms\":65003}");
}

static void test_a_write_without_an_answer_is_an_outage(void **state)
{
    struct fixture *fixture = *state;
    storage_outage_enter(fixture->outage, WRITES, 5000);
    storage_outage_check(fixture->outage, 5999);
    expect_nothing(fixture);
    storage_outage_check(fixture->outage, 6000);
    expect_line(fixture, UNAVAILABLE, "\"outage_ms\":1000}");
    for (int64_t second = 2; second < 61; second++)
        storage_outage_check(fixture->outage, 5000 + second * SECOND);
    expect_nothing(fixture);
    storage_outage_check(fixture->outage, 66000);
    expect_line(fixture, UNAVAILABLE, "\"outage_ms\":61000}");
    run(fixture, WRITES, STORAGE_FAILED, 5000, 67000);
    run(fixture, WRITES, STORAGE_WORKED, 67000, 67500);
    expect_line(fixture, RECOVERED, "\"outage_ms\":62500}");
}

static void test_a_slow_call_of_another_thread_is_no_outage(void **state)
{
    struct fixture *fixture = *state;
    storage_outage_enter(fixture->outage, READER, 5000);
    storage_outage_enter(fixture->outage, ASIDE, 5000);
    for (int64_t second = 0; second < 100; second++)
        storage_outage_check(fixture->outage, 5000 + second * SECOND);
    expect_nothing(fixture);
}

/* Makes a batch of a load and a commit, each of which takes `call_ms`. Returns its end. */
static int64_t run_batch(struct fixture *fixture, int64_t now_ms, int64_t call_ms)
{
    storage_outage_enter(fixture->outage, WRITES, now_ms);
    storage_outage_check(fixture->outage, now_ms + call_ms);
    run(fixture, WRITES, STORAGE_UNTOLD, now_ms, now_ms + call_ms);
    run(fixture, WRITES, STORAGE_WORKED, now_ms + call_ms, now_ms + 2 * call_ms);
    return now_ms + 2 * call_ms;
}

static void test_a_slow_database_is_one_outage_until_it_is_quick(void **state)
{
    struct fixture *fixture = *state;
    int64_t now_ms = 5000;
    for (int batch = 0; batch < 10; batch++) {
        now_ms = run_batch(fixture, now_ms, 2 * SECOND);
        run(fixture, READER, STORAGE_WORKED, now_ms, now_ms);
    }
    expect_line(fixture, UNAVAILABLE, "\"outage_ms\":2000}");
    now_ms = run_batch(fixture, now_ms, 10);
    expect_line(fixture, RECOVERED, "\"outage_ms\":40020}");
}

static void test_a_slow_database_is_an_outage_until_nothing_waits(void **state)
{
    struct fixture *fixture = *state;
    int64_t now_ms = run_batch(fixture, 5000, 2 * SECOND);
    expect_line(fixture, UNAVAILABLE, "\"outage_ms\":2000}");
    run(fixture, WRITES, STORAGE_IDLE, now_ms, now_ms);
    expect_line(fixture, RECOVERED, "\"outage_ms\":4000}");
}

static void test_the_loss_of_all_commands_ends_no_outage(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, WRITES, STORAGE_FAILED, 5000, 5000);
    expect_line(fixture, UNAVAILABLE, "\"status\":\"unavailable\"");
    run(fixture, WRITES, STORAGE_IDLE, 5001, 5001);
    storage_outage_check(fixture->outage, 5000 + 10 * MINUTE);
    expect_nothing(fixture); /* nothing waits */
    run(fixture, READER, STORAGE_WORKED, 900000, 905000);
    expect_line(fixture, RECOVERED, "\"outage_ms\":900000}");
}

static void test_a_call_that_fails_after_the_end_of_the_outage_begins_no_other(void **state)
{
    struct fixture *fixture = *state;
    storage_outage_enter(fixture->outage, READER, 5000);
    run(fixture, WRITES, STORAGE_FAILED, 5000, 5001);
    run(fixture, WRITES, STORAGE_WORKED, 8000, 8001);
    assert_non_null(strstr(logged(fixture), RECOVERED));
    struct error error = {"timed out"};
    storage_outage_leave(fixture->outage, READER,
                         &(struct storage_step){STORAGE_FAILED, STORE_UNAVAILABLE, &error}, 15000);
    expect_nothing(fixture);
    run(fixture, READER, STORAGE_FAILED, 15001, 15002);
    expect_line(fixture, UNAVAILABLE, "\"outage_ms\":0,");
}

/* Its cause concerns one thread only, such as a missing right on one collection. */
static void test_a_thread_that_works_does_not_end_the_outage_of_another(void **state)
{
    struct fixture *fixture = *state;
    for (int64_t second = 0; second < 60; second++) {
        int64_t now_ms = 5000 + second * SECOND;
        run(fixture, ASIDE, STORAGE_FAILED, now_ms, now_ms);
        run(fixture, WRITES, STORAGE_WORKED, now_ms + 1, now_ms + 2);
    }
    expect_line(fixture, UNAVAILABLE, "\"outage_ms\":0,");
}

int main(void)
{
#define OUTAGE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        OUTAGE_TEST(test_all_threads_share_the_lines_of_an_outage),
        OUTAGE_TEST(test_a_write_without_an_answer_is_an_outage),
        OUTAGE_TEST(test_a_slow_call_of_another_thread_is_no_outage),
        OUTAGE_TEST(test_a_slow_database_is_one_outage_until_it_is_quick),
        OUTAGE_TEST(test_a_slow_database_is_an_outage_until_nothing_waits),
        OUTAGE_TEST(test_the_loss_of_all_commands_ends_no_outage),
        OUTAGE_TEST(test_a_call_that_fails_after_the_end_of_the_outage_begins_no_other),
        OUTAGE_TEST(test_a_thread_that_works_does_not_end_the_outage_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
