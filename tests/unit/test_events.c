/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the lists of events and counters: each name exists once, and has the form of its kind. */
#include "tests/support/cmocka.h"

#include <string.h>

#include "worker/service/counters.h"
#include "worker/service/events.h"

static const char *const counter_names[] = {
#define X(id, name, kind, unit, help) name,
    COUNTERS(X)
#undef X
};

/* Lower-case words joined by '_', and one '.' where the name has two parts. */
static bool is_well_formed(const char *name, unsigned dots)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz_.";
    const char *dot = strchr(name, '.');
    unsigned found = dot == NULL ? 0 : strchr(dot + 1, '.') == NULL ? 1 : 2;
    return name[0] != '\0' && strspn(name, allowed) == strlen(name) && found == dots;
}

static void test_each_event_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (enum event event = 0; event < EVENT_COUNT; event++) {
        assert_true(is_well_formed(event_name(event), 1));
        for (enum event other = 0; other < event; other++)
            assert_string_not_equal(event_name(event), event_name(other));
    }
}

static void test_each_counter_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (enum counter counter = 0; counter < COUNTER_COUNT; counter++) {
        assert_true(is_well_formed(counter_names[counter], 0));
        for (enum counter other = 0; other < counter; other++)
            assert_string_not_equal(counter_names[counter], counter_names[other]);
    }
}

static void test_an_event_has_the_level_of_the_list(void **state)
{
    (void)state;
    assert_int_equal(event_level(EVENT_LANE_STALLED), LOG_LEVEL_ERROR);
    assert_int_equal(event_level(EVENT_BATCH_COMMITTED), LOG_LEVEL_DEBUG);
    assert_string_equal(event_name(EVENT_FLOW_RESUMED), "flow.resumed");
}

static void test_repeats_are_limited_unless_each_line_matters(void **state)
{
    (void)state;
    struct log_kind kind = event_kind(LOG_LEVEL_WARNING, EVENT_REPLY_NOT_ALLOWED);
    assert_int_equal(kind.level, LOG_LEVEL_WARNING);
    assert_string_equal(kind.event, "reply.not_allowed");
    assert_true(kind.limited);
    assert_true(event_kind(LOG_LEVEL_ERROR, EVENT_BATCH_FAILED).limited);
    assert_false(event_kind(LOG_LEVEL_WARNING, EVENT_COMMAND_FAILED).limited);
    assert_false(event_kind(LOG_LEVEL_WARNING, EVENT_AUDIT_DENIED).limited);
    assert_false(event_kind(LOG_LEVEL_ERROR, EVENT_LANE_STALLED).limited);
}

static void test_counters_add_up_and_gauges_are_set(void **state)
{
    (void)state;
    struct counters counters = {0};
    counter_add(&counters, COUNTER_COMMANDS_FAILED, 2);
    counter_add(&counters, COUNTER_COMMANDS_FAILED, 3);
    counter_set(&counters, COUNTER_IN_FLIGHT, 7);
    counter_set(&counters, COUNTER_IN_FLIGHT, 4);
    assert_int_equal(counter_read(&counters, COUNTER_COMMANDS_FAILED), 5);
    assert_int_equal(counter_read(&counters, COUNTER_IN_FLIGHT), 4);
    assert_int_equal(counter_read(&counters, COUNTER_COMMANDS_SUCCEEDED), 0);
    counter_add(NULL, COUNTER_COMMANDS_FAILED, 1); /* counts nothing */
    counter_set(NULL, COUNTER_IN_FLIGHT, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_event_has_a_name_of_its_own),
        cmocka_unit_test(test_each_counter_has_a_name_of_its_own),
        cmocka_unit_test(test_an_event_has_the_level_of_the_list),
        cmocka_unit_test(test_repeats_are_limited_unless_each_line_matters),
        cmocka_unit_test(test_counters_add_up_and_gauges_are_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
