/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the values of settings: numbers, units, ranges and words.
 *
 * The generic part goes over the list of settings itself: every number is tried at its bounds and
 * one beyond them, and every setting has a variable that reaches its own member (the check_TYPE
 * functions, one for each type of SETTINGS). So a new setting is tested without a change here.
 *
 * Which of file, variable and default counts is in test_settings_file.c.
 */
#include "tests/unit/test_settings_file.h"

#include "common/codec/units.h"

static void test_a_boolean_is_true_or_false_and_nothing_else(void **state)
{
    static const char *const values[] = {"yes", "no", "on", "True", "FALSE", "1", "0", "y"};
    assert_false(accepted(*state, "amqp: {declare: false}\n")->amqp_declare);
    assert_true(accepted(*state, "amqp: {declare: true}\n")->amqp_declare);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char yaml[64], error[128];
        (void)snprintf(yaml, sizeof yaml, "amqp:\n  declare: %s\n", values[i]);
        (void)snprintf(
            error, sizeof error,
            "allotd.yaml:2: amqp.declare: invalid value '%s': expected one of false, true",
            values[i]);
        refused(*state, yaml, error);
    }
    refused(*state, "log: {level: warn}\n",
            "allotd.yaml:1: log.level: invalid value 'warn': expected one of error, warning, info, "
            "debug");
    refused(*state, "log: {format: JSON}\n",
            "allotd.yaml:1: log.format: invalid value 'JSON': expected one of auto, json, text");
}

static void test_only_plain_decimal_numbers_count(void **state)
{
    static const char *const values[] = {"0x10", "010", "1.0", "1e1", "+1", "-1", "1_0", "true"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char yaml[64], error[128];
        (void)snprintf(yaml, sizeof yaml, "lanes: %s\n", values[i]);
        (void)snprintf(
            error, sizeof error,
            "allotd.yaml:1: lanes: invalid value '%s': expected a whole number without a unit",
            values[i]);
        refused(*state, yaml, error);
    }
}

static void test_a_number_without_its_unit_is_told_the_units(void **state)
{
    refused(
        *state, "amqp: {heartbeat: 10}\n",
        "allotd.yaml:1: amqp.heartbeat: invalid value '10': expected a whole number with one of "
        "the units ms, s, m, h, d");
    refused(*state, "batch: {max_bytes: 8388608}\n",
            "allotd.yaml:1: batch.max_bytes: invalid value '8388608': expected a whole number with "
            "one of the units B, KiB, MiB, GiB");
    refused(*state, "batch: {max_bytes: 8MB}\n",
            "allotd.yaml:1: batch.max_bytes: invalid value '8MB': expected a whole number with one "
            "of the units B, KiB, MiB, GiB");
}

static void test_a_value_out_of_range_is_told_the_bounds_in_its_unit(void **state)
{
    refused(*state, "amqp:\n  heartbeat: 999ms\n",
            "allotd.yaml:2: amqp.heartbeat: out of range: 999ms (allowed: 1s to 5m)");
    refused(
        *state, "amqp:\n  max_bytes_in_flight: 17GiB\n",
        "allotd.yaml:2: amqp.max_bytes_in_flight: out of range: 17GiB (allowed: 2MiB to 16GiB)");
    refused(*state, "lanes: 65\n", "allotd.yaml:1: lanes: out of range: 65 (allowed: 1 to 64)");
    refused(*state, "lanes: 18446744073709551617\n",
            "allotd.yaml:1: lanes: out of range: 18446744073709551617 (allowed: 1 to 64)");
    refused(*state, "idempotency: {retention: 213503982334602d}\n",
            "allotd.yaml:1: idempotency.retention: out of range: 213503982334602d (allowed: 1m to "
            "365d)");
}

/* Writes a file with the one setting `key`. */
static void yaml_of(const char *key, const char *value, char *yaml, size_t size)
{
    size_t length = 0;
    for (int level = 0;; level++) {
        size_t part = strcspn(key, ".");
        length +=
            (size_t)snprintf(yaml + length, size - length, "%*s%.*s:", level, "", (int)part, key);
        key += part;
        if (*key++ == '\0')
            break;
        length += (size_t)snprintf(yaml + length, size - length, "\n");
    }
    (void)snprintf(yaml + length, size - length, " %s\n", value);
}

static void check_bounds(struct fixture *fixture, enum unit_kind kind, const char *key,
                         int64_t minimum, int64_t maximum)
{
    const int64_t values[] = {minimum - 1, minimum, maximum, maximum + 1};
    for (size_t i = 0; i < 4; i++) {
        char yaml[256];
        yaml_of(key, units_format(kind, values[i]).chars, yaml, sizeof yaml);
        bool valid = i == 1 || i == 2;
        if (read_text(fixture, text_of(yaml)) != valid)
            fail_msg("%s: %s", yaml, fixture->error.text);
        if (!valid && values[i] >= 0) /* a number has no sign */
            assert_non_null(strstr(fixture->error.text, "out of range: "));
    }
}

static void test_every_number_takes_its_bounds_and_nothing_beyond(void **state)
{
#define CHECK_TEXT(key, minimum, maximum)
#define CHECK_BOOLEAN(key, minimum, maximum)
#define CHECK_LEVEL(key, minimum, maximum)
#define CHECK_FORMAT(key, minimum, maximum)
#define CHECK_COUNT(key, minimum, maximum) check_bounds(*state, UNIT_COUNT, key, minimum, maximum);
#define CHECK_DURATION(key, minimum, maximum)                                                      \
    check_bounds(*state, UNIT_DURATION, key, minimum, maximum);
#define CHECK_BYTES(key, minimum, maximum) check_bounds(*state, UNIT_BYTES, key, minimum, maximum);
#define X(type, member, key, value, minimum, maximum, help) CHECK_##type(key, minimum, maximum)
    SETTINGS(X)
#undef X
}

/* A value of a setting that is not its default; for a text, the name of the variable. */
struct assignment {
    char variable[96];
    char value[96];
};

struct assignments {
    const struct assignment *items;
    size_t count;
};

static struct assignment assign(const char *key, const char *value)
{
    struct assignment assignment;
    (void)variable_name(key, assignment.variable, sizeof assignment.variable);
    (void)snprintf(assignment.value, sizeof assignment.value, "%s",
                   value != NULL ? value : assignment.variable);
    return assignment;
}

#define VALUE_TEXT(minimum) NULL
#define VALUE_BOOLEAN(minimum) "false"
#define VALUE_COUNT(minimum) units_format(UNIT_COUNT, (minimum) + 1).chars
#define VALUE_DURATION(minimum) units_format(UNIT_DURATION, (minimum) + 1).chars
#define VALUE_BYTES(minimum) units_format(UNIT_BYTES, (minimum) + 1).chars
#define VALUE_LEVEL(minimum) "warning"
#define VALUE_FORMAT(minimum) "text"

static const char *assigned(void *context, const char *name)
{
    const struct assignments *assignments = context;
    for (size_t i = 0; i < assignments->count; i++) {
        if (strcmp(assignments->items[i].variable, name) == 0)
            return assignments->items[i].value;
    }
    return NULL;
}

static void check_TEXT(struct text member, const char *value, int64_t minimum)
{
    (void)minimum;
    assert_text(member, value);
}

static void check_BOOLEAN(bool member, const char *value, int64_t minimum)
{
    (void)minimum;
    assert_int_equal(member, strcmp(value, "true") == 0);
}

static void check_number(int64_t member, const char *value, int64_t minimum)
{
    (void)value;
    assert_int_equal(member, minimum + 1);
}

static void check_LEVEL(enum log_level member, const char *value, int64_t minimum)
{
    (void)value;
    (void)minimum;
    assert_int_equal(member, LOG_LEVEL_WARNING);
}

static void check_FORMAT(enum log_format member, const char *value, int64_t minimum)
{
    (void)value;
    (void)minimum;
    assert_int_equal(member, LOG_FORMAT_TEXT);
}

#define check_COUNT check_number
#define check_DURATION check_number
#define check_BYTES check_number

static void test_every_setting_has_a_variable_that_reaches_its_own_member(void **state)
{
    struct fixture *fixture = *state;
    const struct assignment items[] = {
#define X(type, member, key, value, minimum, maximum, help) assign(key, VALUE_##type(minimum)),
        SETTINGS(X)
#undef X
    };
    struct assignments assignments = {items, sizeof items / sizeof items[0]};
    if (!settings_read(text_of(""), "f", assigned, &assignments, fixture->arena, &fixture->settings,
                       &fixture->error))
        fail_msg("%s", fixture->error.text);
    size_t i = 0;
#define X(type, member, key, default_value, minimum, maximum, help)                                \
    check_##type(fixture->settings.member, items[i++].value, minimum);
    SETTINGS(X)
#undef X
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_boolean_is_true_or_false_and_nothing_else),
        TEST(test_only_plain_decimal_numbers_count),
        TEST(test_a_number_without_its_unit_is_told_the_units),
        TEST(test_a_value_out_of_range_is_told_the_bounds_in_its_unit),
        TEST(test_every_number_takes_its_bounds_and_nothing_beyond),
        TEST(test_every_setting_has_a_variable_that_reaches_its_own_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
