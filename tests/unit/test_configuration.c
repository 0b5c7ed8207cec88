/* SPDX-License-Identifier: Apache-2.0 */
/* Tests how settings are read from the environment, with and without a settings file. */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/host/configuration.h"

static const char *const names[] = {"ALLOT_AMQP_URI",        "ALLOT_AMQP_URI_FILE",
                                    "ALLOT_MONGODB_URI",     "ALLOT_POLICY_FILE",
                                    "ALLOT_REPLY_ATTEMPTS",  "ALLOT_REPLY_ATTEMPTS_FILE",
                                    "ALLOT_MONGODB_URI_FILE"};

static int set_up(void **state)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)unsetenv(names[i]);
    (void)setenv("ALLOT_AMQP_URI", "amqp://b", 1);
    (void)setenv("ALLOT_MONGODB_URI", "mongodb://d", 1);
    (void)setenv("ALLOT_POLICY_FILE", "p.yaml", 1);
    *state = arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static void refused(struct arena *arena, const char *path, const char *expected)
{
    struct settings settings;
    struct error error = {""};
    assert_false(configuration_load(path, arena, &settings, &error));
    assert_string_equal(error.text, expected);
}

static void test_no_file_is_needed_if_the_environment_has_all(void **state)
{
    struct settings settings;
    struct error error = {""};
    if (!configuration_load(NULL, *state, &settings, &error))
        fail_msg("%s", error.text);
    assert_true(text_is(settings.amqp_uri, "amqp://b"));
    assert_true(text_is(settings.mongodb_database, "allot"));
}

static void test_a_missing_setting_is_named_with_its_variable(void **state)
{
    (void)unsetenv("ALLOT_MONGODB_URI");
    refused(*state, NULL,
            "mongodb.uri is required: set it in the settings file or in ALLOT_MONGODB_URI");
}

static void test_a_value_may_be_in_a_file_that_a_variable_names(void **state)
{
    char path[] = "/tmp/allot-test-XXXXXX";
    int file = mkstemp(path);
    assert_int_equal(write(file, "amqp://x\r\n", 10), 10);
    (void)close(file);
    (void)unsetenv("ALLOT_AMQP_URI");
    (void)setenv("ALLOT_AMQP_URI_FILE", path, 1);
    struct settings settings;
    bool loaded = configuration_load(NULL, *state, &settings, NULL);
    (void)unlink(path);
    assert_true(loaded);
    assert_true(text_is(settings.amqp_uri, "amqp://x"));
    refused(*state, NULL,
            text_format(*state, "ALLOT_AMQP_URI_FILE: %s: No such file or directory", path).bytes);
}

static void test_a_renamed_variable_is_an_error_also_with_an_unreadable_file(void **state)
{
    (void)setenv("ALLOT_REPLY_ATTEMPTS_FILE", "/no/such/file", 1);
    refused(*state, NULL, "ALLOT_REPLY_ATTEMPTS_FILE is now ALLOT_REPLY_MAX_ATTEMPTS_FILE");
    (void)unsetenv("ALLOT_REPLY_ATTEMPTS_FILE");
    (void)setenv("ALLOT_REPLY_ATTEMPTS", "3", 1);
    refused(*state, NULL, "ALLOT_REPLY_ATTEMPTS is now ALLOT_REPLY_MAX_ATTEMPTS");
}

static void test_a_file_that_cannot_be_read_is_named(void **state)
{
    refused(*state, "/no/such/file", "/no/such/file: No such file or directory");
    refused(*state, "/", "/: not a regular file, but a directory");
    refused(*state, "/dev/zero", "/dev/zero: not a regular file, but a character device");
}

static void test_a_variable_may_not_name_a_device(void **state)
{
    (void)unsetenv("ALLOT_AMQP_URI");
    (void)setenv("ALLOT_AMQP_URI_FILE", "/dev/zero", 1);
    refused(*state, NULL,
            "ALLOT_AMQP_URI_FILE: /dev/zero: not a regular file, but a character device");
    (void)unsetenv("ALLOT_AMQP_URI_FILE");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_no_file_is_needed_if_the_environment_has_all),
        TEST(test_a_missing_setting_is_named_with_its_variable),
        TEST(test_a_value_may_be_in_a_file_that_a_variable_names),
        TEST(test_a_renamed_variable_is_an_error_also_with_an_unreadable_file),
        TEST(test_a_file_that_cannot_be_read_is_named),
        TEST(test_a_variable_may_not_name_a_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
