/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests how allotctl reads the options of a command, and what it says of wrong ones.
 *
 * A test gives a line of arguments, without quotes, and the list of options that a command accepts;
 * the list has one option of each kind, not those of a real command. What is printed is captured.
 *
 * Not here: which command accepts what (test_allotctl_commands.c).
 */
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "ctl/options.h"
#include "tests/support/captured_log.h"

enum { ARGUMENTS_MAX = 16 };
#define LIST(...) ((const enum option_id[]){__VA_ARGS__, OPTION_NONE})

struct fixture {
    struct arena *arena;
    struct options options;
    struct captured_log errors;
    char *argv[ARGUMENTS_MAX + 1];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->arena = arena_new(0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

/* Reads the words of `line`, which single spaces separate. */
static bool reads(struct fixture *fixture, const char *line, const enum option_id *accepted,
                  size_t operands_max)
{
    char *rest = (char *)text_format(fixture->arena, "allotctl %s", line).bytes;
    int argc = 0;
    fixture->options = (struct options){0};
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        assert_true(argc < ARGUMENTS_MAX);
        fixture->argv[argc++] = word;
    }
    fixture->argv[argc] = NULL;
    return options_read(argc, fixture->argv, accepted, operands_max, fixture->arena,
                        &fixture->options);
}

static void expect_error(struct fixture *fixture, const char *line, const enum option_id *accepted,
                         const char *error)
{
    captured_log_begin(&fixture->errors);
    bool read = reads(fixture, line, accepted, 1);
    const char *printed = captured_log_read(&fixture->errors);
    captured_log_end(&fixture->errors);
    assert_string_equal(printed, error);
    assert_false(read);
}

static void test_every_kind_of_option_sets_its_member(void **state)
{
    struct fixture *fixture = *state;
    const enum option_id *all = LIST(OPTION_REASON, OPTION_BROKER_URI, OPTION_YES, OPTION_LIMIT,
                                     OPTION_TIMEOUT, OPTION_GENERATION, OPTION_RESOURCE);
    assert_true(reads(fixture,
                      "--reason internal --uri amqp://h/v --yes --limit 7 --timeout 2m "
                      "--generation 0 --resource VCPU=1",
                      all, 0));
    const struct options *options = &fixture->options;
    assert_string_equal(options->reason, "internal");
    assert_string_equal(options->uri, "amqp://h/v");
    assert_true(options->yes);
    assert_true(options->limit == 7);
    assert_true(options->timeout_ms == 120000);
    assert_true(options->generation_given);
    assert_true(options->generation == 0);
    assert_int_equal(options->item_count, 1);
    assert_int_equal(options->items[0].id, OPTION_RESOURCE);
    assert_string_equal(options->items[0].value, "VCPU=1");
}

static void test_what_is_not_given_is_absent_or_the_default(void **state)
{
    struct fixture *fixture = *state;
    assert_true(reads(fixture, "file",
                      LIST(OPTION_REASON, OPTION_LIMIT, OPTION_GENERATION, OPTION_RESOURCE), 1));
    const struct options *options = &fixture->options;
    assert_null(options->reason);
    assert_true(options->limit == 1000);
    assert_false(options->generation_given);
    assert_int_equal(options->item_count, 0);
    assert_int_equal(options->form, OUTPUT_TABLE);
}

static void test_an_option_that_is_not_accepted_has_no_default(void **state)
{
    struct fixture *fixture = *state;
    assert_true(reads(fixture, "x", LIST(OPTION_REASON), 1));
    assert_true(fixture->options.limit == 0);
    assert_true(fixture->options.rate == 0);
    assert_true(fixture->options.timeout_ms == 0);
    assert_true(reads(fixture, "x", LIST(OPTION_IMPORT_LIMIT), 1)); /* the same name, no default */
    assert_true(fixture->options.limit == 0);
}

static void test_repeated_items_keep_their_order(void **state)
{
    struct fixture *fixture = *state;
    assert_true(reads(fixture, "--resource VCPU=2 --provider a --resource DISK_GB=1 --provider b",
                      LIST(OPTION_PROVIDER, OPTION_RESOURCE), 0));
    static const struct option_item expected[] = {{OPTION_RESOURCE, "VCPU=2"},
                                                  {OPTION_PROVIDER, "a"},
                                                  {OPTION_RESOURCE, "DISK_GB=1"},
                                                  {OPTION_PROVIDER, "b"}};
    assert_int_equal(fixture->options.item_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fixture->options.items[i].id, expected[i].id);
        assert_string_equal(fixture->options.items[i].value, expected[i].value);
    }
}

static void test_the_last_of_two_values_counts(void **state)
{
    struct fixture *fixture = *state;
    assert_true(reads(fixture, "--reason a --reason b", LIST(OPTION_REASON), 0));
    assert_string_equal(fixture->options.reason, "b");
}

static void test_operands_may_stand_between_options(void **state)
{
    struct fixture *fixture = *state;
    assert_true(reads(fixture, "one --yes two -- --three", LIST(OPTION_YES), SIZE_MAX));
    const struct options *options = &fixture->options;
    assert_true(options->yes);
    assert_int_equal(options->operand_count, 3);
    assert_string_equal(options->operand, "one");
    assert_string_equal(options->operands[1], "two");
    assert_string_equal(options->operands[2], "--three");
    assert_true(reads(fixture, "--yes", LIST(OPTION_YES), 1));
    assert_int_equal(options->operand_count, 0);
    assert_null(options->operand);
}

static void test_json_and_output_say_the_same(void **state)
{
    struct fixture *fixture = *state;
    const struct {
        const char *line;
        enum output_form form;
    } cases[] = {{"--json", OUTPUT_JSON},        {"--output json", OUTPUT_JSON},
                 {"--output wide", OUTPUT_WIDE}, {"--output table", OUTPUT_TABLE},
                 {"--yes", OUTPUT_TABLE},        {"--json --output json", OUTPUT_JSON},
                 {"--output=json", OUTPUT_JSON}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(reads(fixture, cases[i].line, LIST(OPTION_JSON, OPTION_OUTPUT, OPTION_YES), 0));
        assert_int_equal(fixture->options.form, cases[i].form);
        assert_int_equal(fixture->options.json, cases[i].form == OUTPUT_JSON);
    }
}

static void test_an_error_names_option_value_and_what_is_expected(void **state)
{
    struct fixture *fixture = *state;
    const enum option_id *all =
        LIST(OPTION_LIMIT, OPTION_TIMEOUT, OPTION_GENERATION, OPTION_OUTPUT, OPTION_JSON,
             OPTION_BROKER_URI, OPTION_URI_FILE, OPTION_SECOND_URI, OPTION_SECOND_URI_FILE);
    static const struct {
        const char *line;
        const char *error;
    } cases[] = {
        {"--limit many",
         "allotctl: invalid value 'many' for --limit: expected a whole number without a unit\n"},
        {"--limit 0", "allotctl: invalid value '0' for --limit: expected 1 to 2147483647\n"},
        {"--generation -1",
         "allotctl: invalid value '-1' for --generation: expected a whole number without a "
         "unit\n"},
        {"--timeout 5",
         "allotctl: invalid value '5' for --timeout: expected a whole number with one of the "
         "units ms, s, m, h, d\n"},
        {"--output xml",
         "allotctl: invalid value 'xml' for --output: expected table, wide or json\n"},
        {"--json --output wide", "allotctl: --json and --output wide contradict each other\n"},
        {"--uri-file f --uri amqp://h",
         "allotctl: --uri and --uri-file say the same; give one of them\n"},
        {"--database-uri-file f --database-uri mongodb://h",
         "allotctl: --database-uri and --database-uri-file say the same; give one of them\n"},
        {"one two", "allotctl: unexpected argument 'two'\n"},
        {"--limit", "allotctl: option '--limit' requires an argument\n"},
        {"--yes", "allotctl: unrecognized option '--yes'\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_error(fixture, cases[i].line, all, cases[i].error);
}

static void test_a_password_is_taken_from_the_arguments(void **state)
{
    struct fixture *fixture = *state;
    captured_log_begin(&fixture->errors);
    bool read = reads(fixture, "--database-uri mongodb://u:secret@h/", LIST(OPTION_SECOND_URI), 0);
    const char *printed = captured_log_read(&fixture->errors);
    captured_log_end(&fixture->errors);
    assert_true(read);
    assert_string_equal(fixture->options.database_uri, "mongodb://u:secret@h/");
    assert_null(strstr(fixture->argv[2], "secret"));
    assert_non_null(strstr(printed, "warning: every user of this machine"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_kind_of_option_sets_its_member, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_given_is_absent_or_the_default, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_option_that_is_not_accepted_has_no_default, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_repeated_items_keep_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_last_of_two_values_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_operands_may_stand_between_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_and_output_say_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_error_names_option_value_and_what_is_expected,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_password_is_taken_from_the_arguments, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL) != 0;
}
