/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests which settings files are valid, and whether the file, the variable or the default is used.
 *
 * The fixture (test_settings_file.h) reads a YAML text with given variables; a refused file has to
 * give an error with its line and the key. The tests cover precedence, required settings, unknown,
 * repeated and renamed keys, settings that need each other, and that no error shows a URI, which
 * may hold a password.
 *
 * Values of single settings are in test_settings_values.c; files and the environment are in
 * test_configuration.c.
 */
#include "tests/unit/test_settings_file.h"

static void test_an_empty_file_gives_every_default(void **state)
{
    static const char *const files[] = {"", "# nothing\n", "---\n", "{}\n", "\n\n"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const struct settings *settings = accepted(*state, files[i]);
        assert_text(settings->amqp_queue, "allot.commands");
        assert_text(settings->amqp_dead_letter_exchange, "allot.dead");
        assert_text(settings->amqp_tls_ca_file, "");
        assert_text(settings->worker_name, "");
        assert_int_equal(settings->amqp_prefetch, 1500);
        assert_int_equal(settings->amqp_heartbeat_ms, 10000);
        assert_true(settings->amqp_declare);
        assert_int_equal(settings->amqp_max_bytes_in_flight, 64 << 20);
        assert_int_equal(settings->lanes, 1);
        assert_int_equal(settings->batch_max_bytes, 8 << 20);
        assert_int_equal(settings->idempotency_retention_ms, 604800000);
        assert_true(settings->security_trust_user_id);
        assert_int_equal(settings->log_level, LOG_LEVEL_INFO);
        assert_int_equal(settings->log_format, LOG_FORMAT_AUTO);
    }
}

static void test_a_file_sets_what_it_names_and_nothing_else(void **state)
{
    const struct settings *settings =
        accepted(*state, "amqp:\n  queue: 'other'\n  tls:\n    ca_file: /etc/ca.pem\n"
                         "  declare: false\n  heartbeat: 1500ms\nlanes: 4\n"
                         "log: {level: debug, format: json}\nbatch: {max_bytes: 1MiB}\n");
    assert_text(settings->amqp_queue, "other");
    assert_text(settings->amqp_tls_ca_file, "/etc/ca.pem");
    assert_false(settings->amqp_declare);
    assert_int_equal(settings->amqp_heartbeat_ms, 1500);
    assert_int_equal(settings->lanes, 4);
    assert_int_equal(settings->batch_max_bytes, 1 << 20);
    assert_int_equal(settings->log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(settings->log_format, LOG_FORMAT_JSON);
    assert_text(settings->amqp_exchange, "allot.commands");
    assert_int_equal(settings->amqp_prefetch, 1500);
}

static void test_a_variable_wins_over_the_file(void **state)
{
    struct fixture *fixture = *state;
    static const char *const pairs[] = {"ALLOT_AMQP_TLS_CA_FILE",
                                        "/run/ca.pem",
                                        "ALLOT_LANES",
                                        "8",
                                        "ALLOT_AMQP_DECLARE",
                                        "false",
                                        "ALLOT_MONGODB_TIMEOUT",
                                        "2s",
                                        "ALLOT_LOG_LEVEL",
                                        "error",
                                        NULL};
    fixture->environment.pairs = pairs;
    const struct settings *settings =
        accepted(fixture, "lanes: 2\namqp: {tls: {ca_file: /etc/ca.pem}, queue: q}\n");
    assert_text(settings->amqp_tls_ca_file, "/run/ca.pem");
    assert_int_equal(settings->lanes, 8);
    assert_false(settings->amqp_declare);
    assert_int_equal(settings->mongodb_timeout_ms, 2000);
    assert_int_equal(settings->log_level, LOG_LEVEL_ERROR);
    assert_text(settings->amqp_queue, "q");
}

static void test_an_error_in_the_file_counts_though_a_variable_overrides_it(void **state)
{
    struct fixture *fixture = *state;
    static const char *const pairs[] = {"ALLOT_LANES", "8", NULL};
    fixture->environment.pairs = pairs;
    refused(fixture, "lanes: many\n",
            "allotd.yaml:1: lanes: invalid value 'many': expected a whole number without a unit");
}

static void test_a_bad_variable_is_named_in_the_error(void **state)
{
    static const char *const cases[][3] = {
        {"ALLOT_LANES", "0", "ALLOT_LANES: out of range: 0 (allowed: 1 to 64)"},
        {"ALLOT_LANES", "",
         "ALLOT_LANES: invalid value '': expected a whole number without a unit"},
        {"ALLOT_AMQP_DECLARE", "yes",
         "ALLOT_AMQP_DECLARE: invalid value 'yes': expected one of false, true"},
        {"ALLOT_AMQP_QUEUE", "a\n",
         "ALLOT_AMQP_QUEUE: contains a control character, such as a line end"},
        {"ALLOT_WORKER_NAME", "\xff", "ALLOT_WORKER_NAME: invalid UTF-8"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const pairs[] = {cases[i][0], cases[i][1], NULL};
        fixture->environment.pairs = pairs;
        refused(fixture, "", cases[i][2]);
    }
}

static void test_a_variable_of_no_setting_is_not_looked_at(void **state)
{
    struct fixture *fixture = *state;
    static const char *const pairs[] = {"ALLOT_AMQP_URI_CONDUCTOR",
                                        "x",
                                        "ALLOT_LANE",
                                        "x",
                                        "ALLOT_AMQP_URI_FILE",
                                        "x",
                                        "LANES",
                                        "x",
                                        "ALLOT_AMQP",
                                        "x",
                                        NULL};
    fixture->environment.pairs = pairs;
    (void)accepted(fixture, "");
}

static void test_unknown_keys_are_refused_at_every_level(void **state)
{
    refused(*state, "lanes: 1\nqueues: 2\n", "allotd.yaml:2: unknown key 'queues'");
    refused(*state, "amqp:\n  queue: a\n  quue: b\n", "allotd.yaml:3: unknown key 'amqp.quue'");
    refused(*state, "amqp:\n  tls:\n    ca: b\n", "allotd.yaml:3: unknown key 'amqp.tls.ca'");
    refused(*state, "Lanes: 1\n", "allotd.yaml:1: unknown key 'Lanes'");
    refused(*state, "amqp: {tls_ca_file: x}\n", "allotd.yaml:1: unknown key 'amqp.tls_ca_file'");
    refused(*state, "<<: {lanes: 2}\n", "allotd.yaml:1: unknown key '<<'");
    refused(*state, "lanes_: {}\n", "allotd.yaml:1: unknown key 'lanes_'");
    refused(*state, "am: {qp: 1}\n", "allotd.yaml:1: unknown key 'am'");
    refused(*state, "\"\": 1\n", "allotd.yaml:1: unknown key ''");
}

/* Returns a file with the setting `key`, which has two parts, on line 3. */
static struct text yaml_with(struct arena *arena, const char *key)
{
    return text_format(arena, "lanes: 1\n%.*s:\n  %s: x\n", (int)strcspn(key, "."), key,
                       strchr(key, '.') + 1);
}

static void check_renamed(struct fixture *fixture, const char *old_key, const char *new_key)
{
    struct arena *arena = fixture->arena;
    char old_name[96], new_name[96];
    (void)variable_name(old_key, old_name, sizeof old_name);
    (void)variable_name(new_key, new_name, sizeof new_name);
    struct text error =
        text_format(arena, "allotd.yaml:3: unknown key '%s': it is now '%s'", old_key, new_key);
    refused(fixture, yaml_with(arena, old_key).bytes, error.bytes);
    const char *const pairs[] = {old_name, "x", NULL};
    fixture->environment.pairs = pairs;
    refused(fixture, "", text_format(arena, "%s is now %s", old_name, new_name).bytes);
    struct text file_name = text_format(arena, "%s_FILE", old_name);
    const char *const file_pairs[] = {file_name.bytes, "/no/such/file", NULL};
    fixture->environment.pairs = file_pairs;
    refused(fixture, "", text_format(arena, "%s_FILE is now %s_FILE", old_name, new_name).bytes);
    fixture->environment.pairs = NULL;
}

static void test_an_old_name_is_refused_and_the_new_one_is_named(void **state)
{
    check_renamed(*state, "amqp.dead_queue", "amqp.dead_letter_queue");
#define X(old_key, new_key) check_renamed(*state, old_key, new_key);
    SETTINGS_RENAMED(X)
#undef X
}

static void test_the_new_name_of_every_old_one_is_a_setting(void **state)
{
    (void)state;
    static const char *const keys[] = {
#define X(type, member, key, value, minimum, maximum, help) key,
        SETTINGS(X)
#undef X
    };
    static const char *const renamed[][2] = {
#define X(old_key, new_key) {old_key, new_key},
        SETTINGS_RENAMED(X)
#undef X
    };
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++) {
        int found[2] = {0, 0};
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            found[0] += strcmp(keys[k], renamed[i][0]) == 0;
            found[1] += strcmp(keys[k], renamed[i][1]) == 0;
        }
        assert_int_equal(found[0], 0);
        assert_int_equal(found[1], 1);
    }
}

static void test_a_dotted_key_does_not_reach_a_nested_setting(void **state)
{
    static const char format[] = "allotd.yaml:1: unknown key '%s': use nested keys, not a dot";
    char error[128];
    (void)snprintf(error, sizeof error, format, "amqp.queue");
    refused(*state, "amqp.queue: x\n", error);
    (void)snprintf(error, sizeof error, format, "amqp.tls.ca_file");
    refused(*state, "amqp: {tls.ca_file: x}\n", error);
    (void)snprintf(error, sizeof error, format, "amqp.tls");
    refused(*state, "amqp.tls: {ca_file: x}\n", error);
}

static void test_a_repeated_key_is_refused_however_it_is_spelled(void **state)
{
    refused(*state, "lanes: 1\nlog: {}\nlanes: 1\n",
            "allotd.yaml:3: duplicate key 'lanes', first on line 1");
    refused(*state, "amqp: {queue: a}\n\"amqp\": {exchange: b}\n",
            "allotd.yaml:2: duplicate key 'amqp', first on line 1");
    refused(*state, "amqp:\n  queue: a\n  'queue': b\n",
            "allotd.yaml:3: duplicate key 'queue', first on line 2");
}

static void test_a_value_of_the_wrong_kind_is_refused(void **state)
{
    refused(*state, "amqp: 1\n", "allotd.yaml:1: amqp: expected a mapping, found a value");
    refused(*state, "amqp:\n- a\n", "allotd.yaml:1: amqp: expected a mapping, found a list");
    refused(*state, "lanes: [1]\n", "allotd.yaml:1: lanes: expected a value, found a list");
    refused(*state, "lanes: {a: 1}\n", "allotd.yaml:1: lanes: expected a value, found a mapping");
    refused(*state, "- lanes\n", "allotd.yaml:1: settings: expected a mapping, found a list");
    refused(*state, "lanes\n", "allotd.yaml:1: settings: expected a mapping, found a value");
    refused(*state, "~\n", "allotd.yaml:1: settings: expected a mapping, found nothing");
}

static void test_a_key_without_a_value_is_refused(void **state)
{
    static const char *const nothings[] = {"", " ~", " null", " Null", " NULL"};
    char yaml[64];
    for (size_t i = 0; i < sizeof nothings / sizeof nothings[0]; i++) {
        (void)snprintf(yaml, sizeof yaml, "worker:\n  name:%s\n", nothings[i]);
        refused(*state, yaml,
                "allotd.yaml:2: worker.name: missing value: leave the key out for the default, or "
                "write \"\" for an empty text");
        (void)snprintf(yaml, sizeof yaml, "worker:%s\n", nothings[i]);
        refused(*state, yaml, "allotd.yaml:1: worker: expected a mapping, found nothing");
    }
    assert_text(accepted(*state, "worker: {name: 'null'}\n")->worker_name, "null");
    assert_text(accepted(*state, "worker: {name: ''}\n")->worker_name, "");
}

static void test_a_required_text_may_come_from_the_file_or_a_variable(void **state)
{
    struct fixture *fixture = *state;
    static const char *const empty_uri[] = {"ALLOT_AMQP_URI", "", NULL};
    fixture->environment.pairs = empty_uri;
    refused(fixture, "amqp: {uri: 'amqp://a'}\n",
            "amqp.uri is required: set it in the settings file or in ALLOT_AMQP_URI");
    fixture->environment = (struct environment){.bare = true};
    refused(fixture, "", "amqp.uri is required: set it in the settings file or in ALLOT_AMQP_URI");
    refused(fixture, "amqp: {uri: 'amqp://a'}\n",
            "mongodb.uri is required: set it in the settings file or in ALLOT_MONGODB_URI");
    refused(fixture, "amqp: {uri: 'amqp://a'}\nmongodb: {uri: 'mongodb://a'}\n",
            "policy.file is required: set it in the settings file or in ALLOT_POLICY_FILE");
    (void)accepted(fixture, "amqp: {uri: 'amqp://a'}\nmongodb: {uri: 'mongodb://a'}\n"
                            "policy: {file: p}\n");
    refused(fixture,
            "amqp: {uri: 'amqp://a', queue: ''}\nmongodb: {uri: 'mongodb://a'}\n"
            "policy: {file: p}\n",
            "amqp.queue is required: set it in the settings file or in ALLOT_AMQP_QUEUE");
}

static void test_a_distrusted_user_id_needs_a_principal(void **state)
{
    struct fixture *fixture = *state;
    refused(fixture, "lanes: 1\nsecurity:\n  trust_user_id: false\n",
            "allotd.yaml:3: security.trust_user_id: false requires security.default_principal");
    (void)accepted(fixture, "security: {trust_user_id: false, default_principal: dev}\n");
    (void)accepted(fixture, "security: {trust_user_id: true, default_principal: dev}\n");

    static const char *const pairs[] = {"ALLOT_SECURITY_TRUST_USER_ID", "false", NULL};
    fixture->environment.pairs = pairs;
    refused(fixture, "security: {trust_user_id: true}\n",
            "ALLOT_SECURITY_TRUST_USER_ID: false requires security.default_principal");
}

static void test_a_certificate_and_its_key_come_together(void **state)
{
    refused(*state, "amqp:\n  tls:\n    certificate_file: c\n",
            "allotd.yaml:3: amqp.tls.certificate_file: requires amqp.tls.key_file");
    refused(*state, "amqp:\n  tls:\n    key_file: k\n",
            "allotd.yaml:3: amqp.tls.key_file: requires amqp.tls.certificate_file");
    (void)accepted(*state, "amqp: {tls: {certificate_file: c, key_file: k}}\n");
    (void)accepted(*state, "amqp: {tls: {ca_file: c}}\n");
}

/* Otherwise each dead letter would come back as a command, and end as a dead letter again. */
static void test_dead_letters_do_not_go_where_commands_come_from(void **state)
{
    refused(*state, "amqp:\n  dead_letter_queue: allot.commands\n",
            "allotd.yaml:2: amqp.dead_letter_queue: amqp.queue is a queue of dead letters");
    refused(*state, "amqp:\n  queue: allot.dead\n",
            "allotd.yaml:2: amqp.queue: amqp.queue is a queue of dead letters");
    refused(*state, "amqp:\n  queue: allot.dead.desk\n",
            "allotd.yaml:2: amqp.queue: amqp.queue is a queue of dead letters");
    refused(*state, "amqp:\n  dead_letter_exchange: allot.commands\n",
            "allotd.yaml:2: amqp.dead_letter_exchange: must differ from amqp.exchange");
    refused(*state, "amqp:\n  exchange: allot.dead\n",
            "allotd.yaml:2: amqp.exchange: must differ from amqp.dead_letter_exchange");
    (void)accepted(*state, "amqp: {queue: dead, dead_letter_queue: commands}\n");
}

static void test_no_error_shows_a_uri(void **state)
{
    static const char *const files[] = {
        "amqp: {uri: \"amqp://u:s3cret@h\\n\"}\n",
        "amqp: {uri: [\"amqp://u:s3cret@h\"]}\n",
        "amqp: {uri: {\"amqp://u:s3cret@h\": 1}}\n",
        "amqp:\n  uri: amqp://u:s3cret@h: x\n",
        "amqp:\n  uri: \"amqp://u:s3cret@h\" x\n",
        "amqp:\n  uri: \"amqp://u:s3cret@h\n",
        "amqp:\n  uri: 'amqp://u:s3cret@h\n  queue: x\n",
        "amqp:\n  uri: &a amqp://u:s3cret@h\n",
        "amqp:\n  uri: !amqp://u:s3cret@h x\n",
        "amqp:\n  uri: *amqp://u:s3cret@h\n",
        "amqp:\n  uri:amqp://u:s3cret@h\n",
        "amqp: {amqp://u:s3cret@h}\n",
        "amqp://u:s3cret@h\n",
        "\"amqp://u:s3cret@h\": x\n",
        "amqp:\n  uri: amqp://u:s3cret@h\n  uri: amqp://u:s3cret@h\n",
        "amqp:\n  uri: amqp://u:s3cret@h\xff\n",
        "lanes: amqp://u:s3cret@h\n",
        "amqp: {declare: amqp://u:s3cret@h}\n",
        "amqp: {heartbeat: amqp://u:s3cret@h}\n",
        "- amqp://u:s3cret@h\n",
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (read_text(fixture, text_of(files[i])))
            fail_msg("accepted: %s", files[i]);
        if (strstr(fixture->error.text, "s3cret") != NULL)
            fail_msg("shown: %s", fixture->error.text);
        assert_true(fixture->error.text[0] != '\0');
    }
}

static void test_an_error_stays_one_line_and_short_whatever_the_file_holds(void **state)
{
    struct fixture *fixture = *state;
    char yaml[2000] = "\"";
    memset(yaml + 1, 'k', 1500);
    (void)snprintf(yaml + 1501, sizeof yaml - 1501, "\\n\\e[2J\": 1\n");
    assert_false(read_text(fixture, text_of(yaml)));
    assert_true(strlen(fixture->error.text) < 200);
    assert_false(read_text(fixture, text_of("\"a\\n\\e[2J\": 1\n")));
    assert_string_equal(fixture->error.text, "allotd.yaml:1: unknown key 'a??[2J'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_empty_file_gives_every_default),
        TEST(test_a_file_sets_what_it_names_and_nothing_else),
        TEST(test_a_variable_wins_over_the_file),
        TEST(test_an_error_in_the_file_counts_though_a_variable_overrides_it),
        TEST(test_a_bad_variable_is_named_in_the_error),
        TEST(test_a_variable_of_no_setting_is_not_looked_at),
        TEST(test_unknown_keys_are_refused_at_every_level),
        TEST(test_an_old_name_is_refused_and_the_new_one_is_named),
        TEST(test_the_new_name_of_every_old_one_is_a_setting),
        TEST(test_a_dotted_key_does_not_reach_a_nested_setting),
        TEST(test_a_repeated_key_is_refused_however_it_is_spelled),
        TEST(test_a_value_of_the_wrong_kind_is_refused),
        TEST(test_a_key_without_a_value_is_refused),
        TEST(test_a_required_text_may_come_from_the_file_or_a_variable),
        TEST(test_a_distrusted_user_id_needs_a_principal),
        TEST(test_a_certificate_and_its_key_come_together),
        TEST(test_dead_letters_do_not_go_where_commands_come_from),
        TEST(test_no_error_shows_a_uri),
        TEST(test_an_error_stays_one_line_and_short_whatever_the_file_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
