/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the file of contexts: which context is chosen, what it gives, and what its errors say.
 *
 * Each test has a home of its own, in which the file is written. The variables that choose the file
 * and the context are not set at first.
 *
 * Not here: which of a context and other sources comes first (test_ctl_settings.c).
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "ctl/context.h"
#include "tests/support/captured_log.h"

/* The variables that choose the file and the context. */
static const char *const variables[] = {"XDG_CONFIG_HOME", "HOME", "ALLOT_CONTEXT"};

struct fixture {
    struct arena *arena;
    char folder[64]; /* the user's home */
    const char *file;
    struct context context;
    struct error error;
    struct captured_log errors;
};

static void write_file(const char *path, const char *content, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static const char *path_in(struct fixture *fixture, const char *name)
{
    return text_format(fixture->arena, "%s/%s", fixture->folder, name).bytes;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->arena = arena_new(0);
    strcpy(fixture->folder, "/tmp/allot-context-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_int_equal(mkdir(path_in(fixture, ".config"), 0755), 0);
    assert_int_equal(mkdir(path_in(fixture, ".config/allot"), 0755), 0);
    fixture->file = path_in(fixture, ".config/allot/allotctl.yaml");
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        assert_int_equal(unsetenv(variables[i]), 0);
    assert_int_equal(setenv("HOME", fixture->folder, 1), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    const char *const files[] = {".config/allot/allotctl.yaml", ".config/allot/production.amqp",
                                 "home.amqp"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        (void)unlink(path_in(fixture, files[i]));
    (void)rmdir(path_in(fixture, ".config/allot"));
    (void)rmdir(path_in(fixture, ".config"));
    assert_int_equal(rmdir(fixture->folder), 0);
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static bool chooses(struct fixture *fixture, const char *option)
{
    return context_choose(option, fixture->arena, &fixture->context, &fixture->error);
}

/* The file has `content`, and choosing fails with "FILE" and `error`. */
static void expect_error(struct fixture *fixture, const char *content, const char *error)
{
    write_file(fixture->file, content, 0600);
    assert_false(chooses(fixture, NULL));
    assert_string_equal(fixture->error.text,
                        text_format(fixture->arena, "%s%s", fixture->file, error).bytes);
}

static const char *value_of(struct fixture *fixture, const char *variable)
{
    const char *value = NULL;
    if (!context_variable(&fixture->context, variable, fixture->arena, &value, &fixture->error))
        fail_msg("%s", fixture->error.text);
    return value;
}

static const char two[] = "current: lab\n"
                          "contexts:\n"
                          "  - name: lab\n"
                          "    amqp_uri: amqp://lab/\n"
                          "  - name: production\n"
                          "    amqp_uri_file: production.amqp\n"
                          "    mongodb_uri: mongodb://production/\n"
                          "    mongodb_database: allot2\n"
                          "    management_uri: http://production:15672\n"
                          "    policy_file: /etc/allot/policy.yaml\n"
                          "    config: ~/allotd.yaml\n";

/* --- which one ------------------------------------------------------------------------------ */

static void test_without_a_file_there_is_no_context(void **state)
{
    struct fixture *fixture = *state;
    assert_true(chooses(fixture, NULL));
    assert_null(fixture->context.name);
    assert_null(value_of(fixture, "ALLOT_AMQP_URI"));
}

static void test_a_context_that_is_asked_for_needs_the_file(void **state)
{
    struct fixture *fixture = *state;
    const char *expected =
        text_format(fixture->arena, "cannot use the context 'lab': there is no file %s",
                    fixture->file)
            .bytes;
    assert_false(chooses(fixture, "lab"));
    assert_string_equal(fixture->error.text, expected);
    assert_int_equal(setenv("ALLOT_CONTEXT", "lab", 1), 0);
    assert_false(chooses(fixture, NULL));
    assert_string_equal(fixture->error.text, expected);
    assert_int_equal(unsetenv("HOME"), 0);
    assert_false(chooses(fixture, NULL));
    assert_string_equal(fixture->error.text, "cannot use the context 'lab': there is no file "
                                             "~/.config/allot/allotctl.yaml");
}

static void test_the_option_comes_before_the_variable_and_that_before_current(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture->file, two, 0600);
    assert_true(chooses(fixture, NULL));
    assert_string_equal(fixture->context.name, "lab");
    assert_false(fixture->context.is_option);
    assert_int_equal(setenv("ALLOT_CONTEXT", "production", 1), 0);
    assert_true(chooses(fixture, NULL));
    assert_string_equal(fixture->context.name, "production");
    assert_false(fixture->context.is_option);
    assert_true(chooses(fixture, "lab"));
    assert_string_equal(fixture->context.name, "lab");
    assert_true(fixture->context.is_option);
    assert_int_equal(setenv("ALLOT_CONTEXT", "", 1), 0); /* as if it was not set */
    assert_true(chooses(fixture, NULL));
    assert_string_equal(fixture->context.name, "lab");
}

static void test_without_current_none_is_chosen(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture->file, strchr(two, '\n') + 1, 0600);
    assert_true(chooses(fixture, NULL));
    assert_null(fixture->context.name);
    write_file(fixture->file, "# nothing\n", 0600);
    assert_true(chooses(fixture, NULL));
    assert_null(fixture->context.name);
}

static void test_a_context_that_is_not_in_the_file_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture->file, two, 0600);
    assert_false(chooses(fixture, "test"));
    assert_string_equal(
        fixture->error.text,
        text_format(fixture->arena, "%s has no context 'test'", fixture->file).bytes);
    expect_error(fixture, "current: gone\n", " has no context 'gone'");
}

static void test_the_folder_of_settings_can_be_another(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture->file, two, 0600);
    assert_int_equal(setenv("XDG_CONFIG_HOME", path_in(fixture, ".config"), 1), 0);
    assert_int_equal(setenv("HOME", "/nowhere", 1), 0);
    assert_true(chooses(fixture, NULL));
    assert_string_equal(fixture->context.name, "lab");
    assert_string_equal(fixture->context.file, fixture->file);
}

/* --- values --------------------------------------------------------------------------------- */

static void test_a_context_gives_values(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture->file, two, 0600);
    assert_true(chooses(fixture, "production"));
    assert_string_equal(value_of(fixture, "ALLOT_MONGODB_URI"), "mongodb://production/");
    assert_string_equal(value_of(fixture, "ALLOT_MONGODB_DATABASE"), "allot2");
    assert_string_equal(value_of(fixture, "ALLOT_MANAGEMENT_URI"), "http://production:15672");
    assert_string_equal(value_of(fixture, "ALLOT_POLICY_FILE"), "/etc/allot/policy.yaml");
    assert_null(value_of(fixture, "ALLOT_AMQP_QUEUE"));
}

static void test_paths_are_taken_from_the_folder_of_the_file_or_from_home(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture->file, two, 0600);
    write_file(path_in(fixture, ".config/allot/production.amqp"), "amqp://beside/\n", 0600);
    assert_true(chooses(fixture, "production"));
    assert_string_equal(value_of(fixture, "ALLOT_AMQP_URI"), "amqp://beside/");
    assert_string_equal(fixture->context.values[CONTEXT_CONFIG].bytes,
                        path_in(fixture, "allotd.yaml"));
    write_file(path_in(fixture, "home.amqp"), "amqp://home/\n", 0600);
    write_file(fixture->file, "contexts:\n- {name: a, amqp_uri_file: ~/home.amqp}\n", 0600);
    assert_true(chooses(fixture, "a"));
    assert_string_equal(value_of(fixture, "ALLOT_AMQP_URI"), "amqp://home/");
}

static void test_a_file_of_a_value_that_cannot_be_read_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    const char *value = NULL;
    write_file(fixture->file, two, 0600);
    assert_true(chooses(fixture, "production"));
    assert_false(context_variable(&fixture->context, "ALLOT_AMQP_URI", fixture->arena, &value,
                                  &fixture->error));
    assert_string_equal(fixture->error.text,
                        text_format(fixture->arena,
                                    "context 'production': amqp_uri_file: %s: No such file or "
                                    "directory",
                                    path_in(fixture, ".config/allot/production.amqp"))
                            .bytes);
}

/* --- errors --------------------------------------------------------------------------------- */

static void test_an_error_names_file_and_line(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *content;
        const char *error;
    } cases[] = {
        {"- a\n", ":1: expected a mapping, found a list"},
        {"current: a\nmore: b\n", ":2: unknown key 'more'"},
        {"current:\n", ":1: current: expected a value, found nothing"},
        {"current: [a]\n", ":1: current: expected a value, found a list"},
        {"contexts: a\n", ":1: contexts: expected a list, found a value"},
        {"contexts:\n- amqp_uri: amqp://a/\n", ":2: a context needs a name"},
        {"contexts:\n- a\n", ":2: a context needs a name"},
        {"contexts:\n- name: a\n  amqp_url: amqp://a/\n", ":3: unknown key 'amqp_url'"},
        {"contexts:\n- name: a\n  amqp_uri:\n", ":3: amqp_uri: expected a value, found nothing"},
        {"contexts:\n- name: a\n  amqp_uri: ''\n", ":3: amqp_uri: expected a value, found nothing"},
        {"contexts:\n- name: a\n  amqp_uri: {b: c}\n",
         ":3: amqp_uri: expected a value, found a mapping"},
        {"contexts:\n- name: a\n  amqp_uri_file: f\n  amqp_uri: amqp://a/\n",
         ":2: amqp_uri and amqp_uri_file say the same; give one of them"},
        {"contexts:\n- name: a\n  mongodb_uri_file: f\n  mongodb_uri: mongodb://a/\n",
         ":2: mongodb_uri and mongodb_uri_file say the same; give one of them"},
        {"contexts:\n- name: a\n  management_uri_file: f\n  management_uri: http://a/\n",
         ":2: management_uri and management_uri_file say the same; give one of them"},
        {"contexts:\n- name: a\n- name: b\n- name: a\n",
         ":4: the context 'a' is already in line 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_error(fixture, cases[i].content, cases[i].error);
}

/* Also one in a context that is not chosen, so that it is found before the context is needed. */
static void test_an_error_in_any_context_is_found(void **state)
{
    struct fixture *fixture = *state;
    expect_error(fixture, "current: a\ncontexts:\n- name: a\n- name: b\n  x: y\n",
                 ":5: unknown key 'x'");
}

/* --- passwords ------------------------------------------------------------------------------ */

static const char *warnings(struct fixture *fixture, const char *content, mode_t mode)
{
    (void)unlink(fixture->file);
    write_file(fixture->file, content, mode);
    captured_log_begin(&fixture->errors);
    bool chosen = chooses(fixture, NULL) && chooses(fixture, NULL);
    const char *printed = captured_log_read(&fixture->errors);
    captured_log_end(&fixture->errors);
    assert_true(chosen);
    return printed;
}

static void test_a_password_that_others_can_read_has_one_warning(void **state)
{
    struct fixture *fixture = *state;
    static const char secret[] = "contexts:\n- name: a\n  amqp_uri: amqp://u:s3cret@h/\n"
                                 "  mongodb_uri: mongodb://u:s3cret@h/\n";
    static const char plain[] = "contexts:\n- name: a\n  amqp_uri: amqp://u@h/\n";
    assert_int_equal(chmod(fixture->folder, 0755), 0);
    assert_string_equal(warnings(fixture, plain, 0644), "");
    assert_string_equal(warnings(fixture, secret, 0600), "");
    assert_string_equal(warnings(fixture, secret, 0644),
                        text_format(fixture->arena,
                                    "allotctl: warning: %s can be read by other users and has a "
                                    "password: run chmod 600 '%s'\n",
                                    fixture->file, fixture->file)
                            .bytes);
}

static void test_who_may_not_enter_the_folder_cannot_read_it(void **state)
{
    struct fixture *fixture = *state;
    static const char secret[] = "contexts:\n- name: a\n  amqp_uri: amqp://u:s3cret@h/\n";
    assert_int_equal(chmod(path_in(fixture, ".config/allot"), 0700), 0);
    assert_string_equal(warnings(fixture, secret, 0644), "");
}

static void test_a_file_that_the_context_names_is_looked_at_too(void **state)
{
    struct fixture *fixture = *state;
    const char *path = path_in(fixture, ".config/allot/production.amqp");
    write_file(fixture->file, two, 0600);
    write_file(path, "amqp://u:s3cret@h/\n", 0644);
    assert_true(chooses(fixture, "production"));
    captured_log_begin(&fixture->errors);
    const char *value = value_of(fixture, "ALLOT_AMQP_URI");
    const char *printed = captured_log_read(&fixture->errors);
    captured_log_end(&fixture->errors);
    assert_string_equal(value, "amqp://u:s3cret@h/");
    assert_non_null(strstr(printed, path));
    assert_null(strstr(printed, "s3cret"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_file_there_is_no_context),
        TEST(test_a_context_that_is_asked_for_needs_the_file),
        TEST(test_the_option_comes_before_the_variable_and_that_before_current),
        TEST(test_without_current_none_is_chosen),
        TEST(test_a_context_that_is_not_in_the_file_is_an_error),
        TEST(test_the_folder_of_settings_can_be_another),
        TEST(test_a_context_gives_values),
        TEST(test_paths_are_taken_from_the_folder_of_the_file_or_from_home),
        TEST(test_a_file_of_a_value_that_cannot_be_read_is_an_error),
        TEST(test_an_error_names_file_and_line),
        TEST(test_an_error_in_any_context_is_found),
        TEST(test_a_password_that_others_can_read_has_one_warning),
        TEST(test_who_may_not_enter_the_folder_cannot_read_it),
        TEST(test_a_file_that_the_context_names_is_looked_at_too),
    };
    return cmocka_run_group_tests_name("context", tests, NULL, NULL) != 0;
}
