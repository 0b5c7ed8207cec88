/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests where allotctl has its settings and its policy from, and which source overrides which.
 *
 * Each test has a folder of its own, with the file of contexts and what it names; no variable of
 * allotctl is set at first. A value says which source it is from: amqp://lab/ is from the context
 * lab, amqp://file/ from the settings file, and so on. The tests of an order begin with the last
 * source, and add one after another, so that each step shows that the new one comes first.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/settings.h"
#include "tests/support/captured_log.h"

static const char *const variables[] = {
    "XDG_CONFIG_HOME",      "HOME",
    "ALLOT_CONTEXT",        "ALLOT_AMQP_URI",
    "ALLOT_AMQP_URI_FILE",  "ALLOT_AMQP_QUEUE",
    "ALLOT_MONGODB_URI",    "ALLOT_MONGODB_URI_FILE",
    "ALLOT_MANAGEMENT_URI", "ALLOT_MANAGEMENT_URI_FILE",
    "ALLOT_POLICY_FILE",    "ALLOT_MONGODB_DATABASE",
};

static const char *const files[] = {"allot/allotctl.yaml", "allot/context.amqp", "allotd.yaml",
                                    "option.uri",          "option.policy",      "context.policy",
                                    "file.policy"};

struct fixture {
    struct arena *arena;
    char folder[64];
    struct options options;
    struct settings settings;
    struct error error;
    struct captured_log errors;
};

static const char *path_in(struct fixture *fixture, const char *name)
{
    return text_format(fixture->arena, "%s/%s", fixture->folder, name).bytes;
}

/* Writes a file of the folder, and returns its path. */
static const char *write_file(struct fixture *fixture, const char *name, const char *content)
{
    const char *path = path_in(fixture, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
    return path;
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->arena = arena_new(0);
    strcpy(fixture->folder, "/tmp/allot-settings-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_int_equal(mkdir(path_in(fixture, "allot"), 0755), 0);
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        assert_int_equal(unsetenv(variables[i]), 0);
    set("XDG_CONFIG_HOME", fixture->folder);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        (void)unlink(path_in(fixture, files[i]));
    (void)rmdir(path_in(fixture, "allot"));
    assert_int_equal(rmdir(fixture->folder), 0);
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

/* The contexts: `current` is lab, and there is production. */
static void write_contexts(struct fixture *fixture)
{
    (void)write_file(fixture, "allot/allotctl.yaml",
                     "current: lab\n"
                     "contexts:\n"
                     "- name: lab\n"
                     "  amqp_uri: amqp://lab/\n"
                     "  mongodb_uri: mongodb://lab/\n"
                     "  management_uri: http://lab\n"
                     "  policy_file: ../context.policy\n"
                     "- name: production\n"
                     "  amqp_uri: amqp://production/\n"
                     "  mongodb_uri: mongodb://production/\n"
                     "  mongodb_database: allot2\n"
                     "  management_uri: http://production\n"
                     "  policy_file: ../context.policy\n"
                     "- name: empty\n"
                     "- name: file\n"
                     "  config: ../allotd.yaml\n");
}

/* The settings file has what no other source has, too. */
static const char *write_config(struct fixture *fixture)
{
    return write_file(fixture, "allotd.yaml",
                      text_format(fixture->arena,
                                  "amqp:\n  uri: amqp://file/\n  queue: queue-of-file\n"
                                  "mongodb:\n  uri: mongodb://file/\n"
                                  "policy:\n  file: %s/file.policy\n",
                                  fixture->folder)
                          .bytes);
}

static const char *broker_of(struct fixture *fixture)
{
    if (!broker_settings_load(&fixture->options, fixture->arena, &fixture->settings,
                              &fixture->error))
        fail_msg("%s", fixture->error.text);
    return text_copy(fixture->arena, fixture->settings.amqp_uri).bytes;
}

static const char *database_of(struct fixture *fixture)
{
    if (!database_settings_load(&fixture->options, fixture->arena, &fixture->settings,
                                &fixture->error))
        fail_msg("%s", fixture->error.text);
    return text_copy(fixture->arena, fixture->settings.mongodb_uri).bytes;
}

/* --- which source --------------------------------------------------------------------------- */

/* Each step adds a source that overrides the ones before it. */
static void test_each_source_overrides_the_ones_before_it(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.config = write_config(fixture);
    assert_string_equal(broker_of(fixture), "amqp://file/");
    assert_string_equal(database_of(fixture), "mongodb://file/");
    write_contexts(fixture);
    assert_string_equal(broker_of(fixture), "amqp://lab/");
    assert_string_equal(database_of(fixture), "mongodb://lab/");
    set("ALLOT_AMQP_URI", "amqp://variable/");
    set("ALLOT_MONGODB_URI", "mongodb://variable/");
    assert_string_equal(broker_of(fixture), "amqp://variable/");
    assert_string_equal(database_of(fixture), "mongodb://variable/");
    fixture->options.context = "production";
    assert_string_equal(broker_of(fixture), "amqp://production/");
    assert_string_equal(database_of(fixture), "mongodb://production/");
    fixture->options.uri_file = write_file(fixture, "option.uri", "amqp://option/\n");
    assert_string_equal(broker_of(fixture), "amqp://option/");
    fixture->options.uri_file = NULL;
    fixture->options.uri = "mongodb://option/";
    assert_string_equal(database_of(fixture), "mongodb://option/");
    assert_true(text_is(fixture->settings.mongodb_database, "allot2"));
}

static void test_what_a_source_does_not_have_is_from_the_next(void **state)
{
    struct fixture *fixture = *state;
    write_contexts(fixture);
    fixture->options.config = write_config(fixture);
    fixture->options.context = "empty";
    set("ALLOT_MONGODB_URI", "mongodb://variable/");
    assert_string_equal(broker_of(fixture), "amqp://file/");
    assert_true(text_is(fixture->settings.amqp_queue, "queue-of-file"));
    assert_string_equal(database_of(fixture), "mongodb://variable/");
}

/* ALLOT_CONTEXT is like `current`: a variable that names a server is nearer to the command. */
static void test_a_context_of_a_variable_does_not_override_variables(void **state)
{
    struct fixture *fixture = *state;
    write_contexts(fixture);
    set("ALLOT_CONTEXT", "production");
    assert_string_equal(broker_of(fixture), "amqp://production/");
    set("ALLOT_AMQP_URI", "amqp://variable/");
    assert_string_equal(broker_of(fixture), "amqp://variable/");
}

static void test_a_context_can_name_the_settings_file(void **state)
{
    struct fixture *fixture = *state;
    write_contexts(fixture);
    (void)write_config(fixture);
    fixture->options.context = "file";
    assert_string_equal(broker_of(fixture), "amqp://file/");
    fixture->options.config = "/nowhere.yaml";
    assert_false(broker_settings_load(&fixture->options, fixture->arena, &fixture->settings,
                                      &fixture->error));
    assert_string_equal(fixture->error.text, "/nowhere.yaml: No such file or directory");
}

static void test_both_servers_have_their_own_options(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.uri = "amqp://a/";
    fixture->options.database_uri_file = write_file(fixture, "option.uri", "mongodb://b/\n");
    assert_true(
        both_settings_load(&fixture->options, fixture->arena, &fixture->settings, &fixture->error));
    assert_true(text_is(fixture->settings.amqp_uri, "amqp://a/"));
    assert_true(text_is(fixture->settings.mongodb_uri, "mongodb://b/"));
}

static void test_the_management_api_has_the_same_order(void **state)
{
    struct fixture *fixture = *state;
    const char *uri = "";
    assert_true(management_uri_find(&fixture->options, fixture->arena, &uri, &fixture->error));
    assert_null(uri);
    write_contexts(fixture);
    assert_true(management_uri_find(&fixture->options, fixture->arena, &uri, &fixture->error));
    assert_string_equal(uri, "http://lab");
    set("ALLOT_MANAGEMENT_URI", "http://variable");
    assert_true(management_uri_find(&fixture->options, fixture->arena, &uri, &fixture->error));
    assert_string_equal(uri, "http://variable");
    fixture->options.context = "production";
    assert_true(management_uri_find(&fixture->options, fixture->arena, &uri, &fixture->error));
    assert_string_equal(uri, "http://production");
    fixture->options.management_uri = "http://option";
    assert_true(management_uri_find(&fixture->options, fixture->arena, &uri, &fixture->error));
    assert_string_equal(uri, "http://option");
}

/* --- errors --------------------------------------------------------------------------------- */

static void expect_broker_error(struct fixture *fixture, const char *error)
{
    assert_false(broker_settings_load(&fixture->options, fixture->arena, &fixture->settings,
                                      &fixture->error));
    assert_string_equal(fixture->error.text, error);
}

static void test_without_any_source_the_error_names_the_ways(void **state)
{
    struct fixture *fixture = *state;
    expect_broker_error(fixture, "amqp.uri is required: set it in the settings file or in "
                                 "ALLOT_AMQP_URI, or give --context, or a file that has it (see "
                                 "--help)");
    fixture->options.uri = "amqp://a/";
    assert_false(
        both_settings_load(&fixture->options, fixture->arena, &fixture->settings, &fixture->error));
    assert_string_equal(fixture->error.text,
                        "mongodb.uri is required: set it in the settings file or in "
                        "ALLOT_MONGODB_URI, or give --context, or a file that has it (see --help)");
}

/* An error in the settings file is not taken for a URI that is missing. */
static void test_another_error_stays_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.config = write_file(fixture, "allotd.yaml", "amqp:\n  qeueu: a\n");
    expect_broker_error(fixture, text_format(fixture->arena, "%s:2: unknown key 'amqp.qeueu'",
                                             fixture->options.config)
                                     .bytes);
}

static void test_a_uri_file_that_cannot_be_read_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    set("ALLOT_AMQP_URI", "amqp://variable/"); /* is not taken instead */
    fixture->options.uri_file = "/nowhere.uri";
    expect_broker_error(fixture, "/nowhere.uri: No such file or directory");
    fixture->options.uri_file = NULL;
    assert_int_equal(unsetenv("ALLOT_AMQP_URI"), 0);
    set("ALLOT_AMQP_URI_FILE", "/nowhere.uri");
    expect_broker_error(fixture, "ALLOT_AMQP_URI_FILE: /nowhere.uri: No such file or directory");
    write_contexts(fixture);
    fixture->options.context = "test";
    expect_broker_error(fixture, text_format(fixture->arena,
                                             "%s/allot/allotctl.yaml has no "
                                             "context 'test'",
                                             fixture->folder)
                                     .bytes);
}

static void test_a_uri_file_that_others_can_read_has_a_warning(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.uri_file = write_file(fixture, "option.uri", "amqp://u:s3cret@h/\n");
    assert_int_equal(chmod(fixture->folder, 0755), 0);
    assert_int_equal(chmod(fixture->options.uri_file, 0644), 0);
    captured_log_begin(&fixture->errors);
    const char *uri = broker_of(fixture);
    const char *printed = captured_log_read(&fixture->errors);
    captured_log_end(&fixture->errors);
    assert_string_equal(uri, "amqp://u:s3cret@h/");
    assert_non_null(strstr(printed, "option.uri can be read by other users and has a password"));
}

/* --- the policy ----------------------------------------------------------------------------- */

static const char policy_text[] = "version: 1\n"
                                  "principals:\n"
                                  "  - name: %s\n"
                                  "    reply_to: []\n"
                                  "    allow: []\n";

static const char *write_policy(struct fixture *fixture, const char *name, const char *principal)
{
    return write_file(fixture, name, text_format(fixture->arena, policy_text, principal).bytes);
}

/* The policy that is loaded is the file of this name. */
static void expect_policy(struct fixture *fixture, const char *file)
{
    struct policy policy;
    struct text name;
    const struct settings settings = {.amqp_queue = text_of("commands"),
                                      .amqp_dead_letter_queue = text_of("dead")};
    if (!policy_load(&fixture->options, &settings, fixture->arena, &policy, &name, &fixture->error))
        fail_msg("%s", fixture->error.text);
    assert_non_null(strstr(name.bytes, file));
    assert_true(text_is(policy.service_queues.commands, "commands"));
    assert_true(text_is(policy.service_queues.dead_letters, "dead"));
}

static void test_each_source_of_the_policy_overrides_the_ones_before_it(void **state)
{
    struct fixture *fixture = *state;
    (void)write_policy(fixture, "file.policy", "a");
    (void)write_policy(fixture, "context.policy", "b");
    const char *option = write_policy(fixture, "option.policy", "c");
    fixture->options.config = write_config(fixture);
    expect_policy(fixture, "/file.policy");
    write_contexts(fixture);
    expect_policy(fixture, "/context.policy");
    set("ALLOT_POLICY_FILE", option);
    expect_policy(fixture, "/option.policy");
    fixture->options.context = "lab";
    expect_policy(fixture, "/context.policy");
    fixture->options.policy = option;
    expect_policy(fixture, "/option.policy");
}

static void expect_policy_error(struct fixture *fixture, const char *error)
{
    struct policy policy;
    struct text name;
    assert_false(policy_load(&fixture->options, &fixture->settings, fixture->arena, &policy, &name,
                             &fixture->error));
    assert_string_equal(fixture->error.text, error);
}

static void test_without_a_policy_the_error_names_the_ways(void **state)
{
    struct fixture *fixture = *state;
    static const char error[] = "no policy is known: give --policy, ALLOT_POLICY_FILE, or a "
                                "context or settings file that names it";
    expect_policy_error(fixture, error);
    fixture->options.config = write_file(fixture, "allotd.yaml", "amqp:\n  uri: amqp://file/\n");
    expect_policy_error(fixture, error);
}

static void test_a_policy_that_cannot_be_read_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.policy = "/nowhere.policy";
    expect_policy_error(fixture, "/nowhere.policy: No such file or directory");
    fixture->options.policy = NULL;
    fixture->options.config = "/nowhere.yaml";
    expect_policy_error(fixture, "/nowhere.yaml: No such file or directory");
    fixture->options.config = write_file(fixture, "allotd.yaml", "nonsense: 1\n");
    expect_policy_error(
        fixture,
        text_format(fixture->arena, "%s:1: unknown key 'nonsense'", fixture->options.config).bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_source_overrides_the_ones_before_it),
        TEST(test_what_a_source_does_not_have_is_from_the_next),
        TEST(test_a_context_of_a_variable_does_not_override_variables),
        TEST(test_a_context_can_name_the_settings_file),
        TEST(test_both_servers_have_their_own_options),
        TEST(test_the_management_api_has_the_same_order),
        TEST(test_without_any_source_the_error_names_the_ways),
        TEST(test_another_error_stays_as_it_is),
        TEST(test_a_uri_file_that_cannot_be_read_is_an_error),
        TEST(test_a_uri_file_that_others_can_read_has_a_warning),
        TEST(test_each_source_of_the_policy_overrides_the_ones_before_it),
        TEST(test_without_a_policy_the_error_names_the_ways),
        TEST(test_a_policy_that_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests_name("ctl_settings", tests, NULL, NULL) != 0;
}
