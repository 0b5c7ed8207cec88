/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "common/host/log.h"
#include "tests/support/captured_log.h"
#include "worker/service/unroutable_log.h"

struct fixture {
    struct destinations destinations;
    struct unroutable_log log;
    struct captured_log captured;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof fixture);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "");
    fixture.log.destinations = &fixture.destinations;
    captured_log_begin(&fixture.captured);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    unroutable_log_end(&fixture->log);
    assert_int_equal(fixture->destinations.count, 0);
    captured_log_end(&fixture->captured);
    return 0;
}

/* Gives up the only reply of a destination, as the settler does. */
static void give_up(struct fixture *fixture, const char *reply_to, const char *key, int64_t now_ms)
{
    struct job job = {0};
    job.decoded.request.principal = text_of("conductor");
    job.decoded.request.reply_to = text_of(reply_to);
    job.decoded.request.key = text_of(key);
    job.destination = destinations_find(&fixture->destinations, text_of("conductor"),
                                        job.decoded.request.reply_to);
    unroutable_log_add(&fixture->log, &job, now_ms);
    destinations_release(&fixture->destinations, job.destination);
}

static const char *logged(struct fixture *fixture)
{
    return captured_log_read(&fixture->captured);
}

static void test_the_first_is_logged_at_once_and_the_others_by_number(void **state)
{
    struct fixture *fixture = *state;
    give_up(fixture, "replies", "first", 0);
    const char *text = logged(fixture);
    assert_int_equal(occurrences(text, "\n"), 1);
    assert_non_null(strstr(text, "\"message_id\":\"first\""));
    assert_null(strstr(text, "not_logged"));
    for (size_t i = 0; i < 5000; i++)
        give_up(fixture, "replies", "more", 1);
    assert_string_equal(logged(fixture), "");
    assert_int_equal(unroutable_log_tick(&fixture->log, UNROUTABLE_LOG_MS - 1), UNROUTABLE_LOG_MS);
    assert_string_equal(logged(fixture), "");
    assert_int_equal(unroutable_log_tick(&fixture->log, UNROUTABLE_LOG_MS), 2 * UNROUTABLE_LOG_MS);
    text = logged(fixture);
    assert_int_equal(occurrences(text, "\n"), 1);
    assert_non_null(strstr(text, "\"reply_to\":\"replies\""));
    assert_non_null(strstr(text, "\"not_logged\":5000"));
    assert_null(strstr(text, "message_id"));
}

static void test_after_a_quiet_time_a_reply_is_the_first_again(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(unroutable_log_tick(&fixture->log, 0), -1);
    give_up(fixture, "replies", "one", 0);
    assert_int_equal(fixture->destinations.count, 1);
    assert_int_equal(unroutable_log_tick(&fixture->log, UNROUTABLE_LOG_MS), -1);
    assert_int_equal(fixture->destinations.count, 0);
    give_up(fixture, "replies", "two", UNROUTABLE_LOG_MS);
    assert_int_equal(occurrences(logged(fixture), "\n"), 2);
}

static void test_each_destination_has_its_own_line(void **state)
{
    struct fixture *fixture = *state;
    give_up(fixture, "replies", "one", 0);
    give_up(fixture, "others", "two", 0);
    assert_int_equal(occurrences(logged(fixture), "\n"), 2);
}

static void test_each_reply_is_logged_at_debug(void **state)
{
    struct fixture *fixture = *state;
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, "");
    give_up(fixture, "replies", "one", 0);
    (void)logged(fixture);
    give_up(fixture, "replies", "two", 0);
    const char *text = logged(fixture);
    assert_non_null(strstr(text, "\"level\":\"debug\""));
    assert_non_null(strstr(text, "\"message_id\":\"two\""));
}

static void test_the_end_logs_what_was_not_logged(void **state)
{
    struct fixture *fixture = *state;
    give_up(fixture, "replies", "one", 0);
    give_up(fixture, "replies", "two", 0);
    (void)logged(fixture);
    unroutable_log_end(&fixture->log);
    assert_non_null(strstr(logged(fixture), "\"not_logged\":1"));
}

static void test_it_remembers_so_many_destinations(void **state)
{
    struct fixture *fixture = *state;
    char reply_to[32];
    for (size_t i = 0; i < 2 * UNROUTABLE_LOG_MAX; i++) {
        (void)snprintf(reply_to, sizeof reply_to, "replies.%zu", i);
        give_up(fixture, reply_to, "key", 0);
    }
    assert_int_equal(fixture->destinations.count, UNROUTABLE_LOG_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_is_logged_at_once_and_the_others_by_number),
        TEST(test_after_a_quiet_time_a_reply_is_the_first_again),
        TEST(test_each_destination_has_its_own_line),
        TEST(test_each_reply_is_logged_at_debug),
        TEST(test_the_end_logs_what_was_not_logged),
        TEST(test_it_remembers_so_many_destinations),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
