/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the policy file: which files are valid, what they decide, and the error of each
 * invalid one.
 *
 * `accepted` reads a policy and fails the test if it is invalid; `refused` expects an error text,
 * with line and reason. The first tests compare config/policy.example.yaml with the protocol's
 * example; the next ones show that the file decides as it is written; the rest go through missing,
 * unknown, repeated and malformed members.
 *
 * How a policy is applied to a command is tested in tests/unit/test_policy.c and
 * tests/table/policy.table.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/policy_file.h"

#define EXAMPLE "config/policy.example.yaml"
#define HEAD "version: 1\nprincipals:\n"
#define RULE "{commands: [usage.get], projects: [p], providers: ['*']}"

static int set_up(void **state)
{
    *state = arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static struct policy accepted_text(struct arena *arena, struct text yaml)
{
    struct policy policy = {0};
    struct error error = {{0}};
    if (!policy_read(yaml, "p.yaml", arena, &policy, &error))
        fail_msg("%s", error.text);
    return policy;
}

static struct policy accepted(struct arena *arena, const char *yaml)
{
    return accepted_text(arena, text_of(yaml));
}

static void refused(struct arena *arena, const char *yaml, const char *expected)
{
    struct policy policy, before;
    struct error error = {{0}};
    memset(&policy, 0x5a, sizeof policy);
    memset(&before, 0x5a, sizeof before);
    if (policy_read(text_of(yaml), "p.yaml", arena, &policy, &error))
        fail_msg("accepted, instead of \"%s\"", expected);
    assert_string_equal(error.text, expected);
    assert_memory_equal(&policy, &before, sizeof policy);
}

static void assert_patterns(struct patterns patterns, const char *joined)
{
    char text[512] = "";
    for (size_t i = 0; i < patterns.count; i++) {
        size_t length = strlen(text);
        (void)snprintf(text + length, sizeof text - length, "%s%.*s", i > 0 ? " " : "",
                       TEXT_ARGS(patterns.items[i]));
    }
    assert_string_equal(text, joined);
}

static struct text example(struct arena *arena)
{
    FILE *file = fopen(EXAMPLE, "r");
    assert_non_null(file);
    char *bytes = arena_alloc(arena, 1 << 16);
    size_t length = fread(bytes, 1, 1 << 16, file);
    (void)fclose(file);
    return text_view(bytes, length);
}

static void test_the_example_is_the_policy_of_the_protocol(void **state)
{
    struct policy policy = accepted_text(*state, example(*state));
    assert_int_equal(policy.count, 3);
    const struct policy_principal *conductor = policy_principal(&policy, text_of("conductor"));
    const struct policy_principal *blue = policy_principal(&policy, text_of("team-blue"));
    assert_non_null(conductor);
    assert_non_null(blue);
    assert_int_equal(conductor->rule_count, 1);
    assert_patterns(conductor->rules[0].commands,
                    "provider.* inventory.set reshape allocation.* usage.get");
    assert_patterns(conductor->rules[0].projects, "*");
    assert_patterns(conductor->rules[0].providers, "*");
    assert_patterns(conductor->reply_to, "conductor.* amq.rabbitmq.reply-to.*");
    assert_int_equal(blue->rule_count, 1);
    assert_patterns(blue->rules[0].commands, "allocation.set allocation.delete allocation.get");
    assert_patterns(blue->rules[0].projects, "blue-*");
    assert_patterns(blue->reply_to, "team-blue.*");
    const struct policy_principal *operator = policy_principal(&policy, text_of("operator"));
    assert_non_null(operator);
    assert_int_equal(operator->rule_count, 1);
    assert_patterns(operator->rules[0].commands, "*");
    assert_patterns(operator->reply_to, "operator.allotctl.*");
}

static void test_a_policy_decides_as_it_was_written(void **state)
{
    struct policy policy = accepted_text(*state, example(*state));
    struct policy_question question;
    assert_true(
        policy_ask_command(&question, &policy, text_of("team-blue"), COMMAND_ALLOCATION_SET));
    assert_true(policy_ask_project(&question, text_of("blue-1")));
    assert_false(policy_ask_project(&question, text_of("red-1")));
    assert_false(policy_ask_command(&question, &policy, text_of("team-blue"), COMMAND_USAGE_GET));
    assert_false(policy_ask_command(&question, &policy, text_of("nobody"), COMMAND_USAGE_GET));
    assert_true(policy_allows_reply_to(&policy, text_of("team-blue"), text_of("team-blue.a.b")));
    assert_false(policy_allows_reply_to(&policy, text_of("team-blue"), text_of("conductor.a")));
}

static void test_a_principal_may_have_no_rules_no_queues_and_several_rules(void **state)
{
    struct policy policy = accepted(*state, HEAD "- {name: a, allow: []}\n- {name: b, allow: [" RULE
                                                 "," RULE "], reply_to: []}\n");
    assert_int_equal(policy.count, 2);
    assert_true(text_is(policy.principals[0].name, "a"));
    assert_int_equal(policy.principals[0].rule_count, 0);
    assert_int_equal(policy.principals[0].reply_to.count, 0);
    assert_int_equal(policy.principals[1].rule_count, 2);
    assert_int_equal(policy.principals[1].reply_to.count, 0);
    assert_int_equal(accepted(*state, "version: 1\nprincipals: []\n").count, 0);
}

static void test_every_scalar_is_a_string(void **state)
{
    struct policy policy =
        accepted(*state, "version: '1'\nprincipals:\n- name: 12\n  allow:\n"
                         "  - {commands: ['*'], projects: [007, 1.50, true, 'null', \"a b\"], "
                         "providers: [no]}\n  reply_to: [0x1F]\n");
    assert_true(text_is(policy.principals[0].name, "12"));
    assert_patterns(policy.principals[0].rules[0].projects, "007 1.50 true null a b");
    assert_patterns(policy.principals[0].rules[0].providers, "no");
    assert_patterns(policy.principals[0].reply_to, "0x1F");
}

static void test_only_a_star_is_special(void **state)
{
    struct policy policy = accepted(*state, HEAD "- name: a\n  allow:\n  - commands: ['us*.*et']\n"
                                                 "    projects: ['?', '[ab]', '\\*']\n"
                                                 "    providers: ['a*c']\n");
    const struct policy_rule *rule = &policy.principals[0].rules[0];
    assert_true(patterns_match(rule->projects, text_of("?")));
    assert_false(patterns_match(rule->projects, text_of("a")));
    assert_true(patterns_match(rule->projects, text_of("\\anything")));
    assert_true(patterns_match(rule->providers, text_of("a.b.c")));
}

static void test_a_pattern_that_matches_no_command_is_named(void **state)
{
    static const char head[] = HEAD "- name: a\n  allow:\n  - projects: [p]\n    providers: [q]\n";
    static const char *const patterns[] = {"allocation.put", "allocation",   "Allocation.*", "*.",
                                           "usage.get.*",    "allocations.*"};
    static const char *const valid[] = {"*", "*.set", "reshape", "allocation.*", "**", "p*t*"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        char yaml[256], error[256];
        (void)snprintf(yaml, sizeof yaml, "%s    commands:\n    - reshape\n    - '%s'\n", head,
                       patterns[i]);
        (void)snprintf(error, sizeof error, "p.yaml:9: commands: pattern '%s' matches no command",
                       patterns[i]);
        refused(*state, yaml, error);
    }
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        char yaml[256];
        (void)snprintf(yaml, sizeof yaml, "%s    commands: ['%s']\n", head, valid[i]);
        (void)accepted(*state, yaml);
    }
}

static void test_missing_members_are_named(void **state)
{
    static const char *const cases[][2] = {
        {"", "p.yaml:1: the policy file is empty"},
        {"# nothing\n", "p.yaml:1: the policy file is empty"},
        {"principals: []\n", "p.yaml:1: policy: missing key 'version'"},
        {"version: 1\n", "p.yaml:1: policy: missing key 'principals'"},
        {HEAD "- allow: []\n", "p.yaml:3: principal: missing key 'name'"},
        {HEAD "- name: a\n", "p.yaml:3: principal: missing key 'allow'"},
        {HEAD "- name: a\n  allow:\n  - {projects: [p], providers: [q]}\n",
         "p.yaml:5: rule: missing key 'commands'"},
        {HEAD "- name: a\n  allow:\n  - {commands: ['*'], providers: [q]}\n",
         "p.yaml:5: rule: missing key 'projects'"},
        {HEAD "- name: a\n  allow:\n  - {commands: ['*'], projects: [q]}\n",
         "p.yaml:5: rule: missing key 'providers'"},
        {HEAD "- name: a\n  allow:\n  - {}\n", "p.yaml:5: rule: missing key 'commands'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(*state, cases[i][0], cases[i][1]);
}

static void test_unknown_and_repeated_members_are_named(void **state)
{
    static const char *const cases[][2] = {
        {"version: 1\nprincipals: []\nrules: []\n", "p.yaml:3: unknown key 'rules'"},
        {HEAD "- name: a\n  allow: []\n  deny: []\n", "p.yaml:5: unknown key 'deny'"},
        {HEAD "- name: a\n  allow: []\n  reply-to: []\n", "p.yaml:5: unknown key 'reply-to'"},
        {HEAD "- name: a\n  allow:\n  - commands: ['*']\n    project: [p]\n",
         "p.yaml:6: unknown key 'project'"},
        {HEAD "- name: a\n  name: b\n  allow: []\n",
         "p.yaml:4: duplicate key 'name', first on line 3"},
        {"version: 1\nprincipals: []\nversion: 1\n",
         "p.yaml:3: duplicate key 'version', first on line 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(*state, cases[i][0], cases[i][1]);
}

static void test_a_member_of_the_wrong_kind_is_named(void **state)
{
    static const char *const cases[][2] = {
        {"[]\n", "p.yaml:1: policy: expected a mapping, found a list"},
        {"version: [1]\nprincipals: []\n", "p.yaml:1: version: expected a value, found a list"},
        {"version: 1\nprincipals: {}\n", "p.yaml:2: principals: expected a list, found a mapping"},
        {"version: 1\nprincipals:\n", "p.yaml:2: principals: expected a list, found nothing"},
        {HEAD "- a\n", "p.yaml:3: principal: expected a mapping, found a value"},
        {HEAD "- name: a\n  allow: '*'\n", "p.yaml:4: allow: expected a list, found a value"},
        {HEAD "- name: a\n  allow:\n", "p.yaml:4: allow: expected a list, found nothing"},
        {HEAD "- name:\n  allow: []\n", "p.yaml:3: name: expected a value, found nothing"},
        {HEAD "- name: [a]\n  allow: []\n", "p.yaml:3: name: expected a value, found a list"},
        {HEAD "- name: a\n  allow: []\n  reply_to: a\n",
         "p.yaml:5: reply_to: expected a list, found a value"},
        {HEAD "- name: a\n  allow: []\n  reply_to:\n",
         "p.yaml:5: reply_to: expected a list, found nothing"},
        {HEAD "- name: a\n  allow: []\n  reply_to:\n  - a\n  - ~\n",
         "p.yaml:7: reply_to: expected a value, found nothing"},
        {HEAD "- name: a\n  allow:\n  - {commands: '*', projects: [p], providers: [q]}\n",
         "p.yaml:5: commands: expected a list, found a value"},
        {HEAD "- name: a\n  allow:\n  - {commands: ['*'], projects: [[p]], providers: [q]}\n",
         "p.yaml:5: projects: expected a value, found a list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(*state, cases[i][0], cases[i][1]);
}

static void test_a_rule_that_can_allow_nothing_is_refused(void **state)
{
    static const char *const lists[] = {"commands", "projects", "providers"};
    for (size_t empty = 0; empty < 3; empty++) {
        char yaml[256], error[256];
        (void)snprintf(yaml, sizeof yaml,
                       HEAD "- name: a\n  allow:\n  - commands: [%s]\n    projects: [%s]\n"
                            "    providers: [%s]\n",
                       empty == 0 ? "" : "'*'", empty == 1 ? "" : "p", empty == 2 ? "" : "q");
        (void)snprintf(error, sizeof error,
                       "p.yaml:%zu: %s: the list is empty, so the rule allows nothing", 5 + empty,
                       lists[empty]);
        refused(*state, yaml, error);
    }
    refused(*state,
            HEAD "- name: a\n  allow:\n  - {commands: ['*'], projects: [''], "
                 "providers: [q]}\n",
            "p.yaml:5: projects: must not be empty");
    refused(*state, HEAD "- {name: '', allow: []}\n", "p.yaml:3: name: must not be empty");
}

static void test_another_version_is_refused(void **state)
{
    static const char *const versions[] = {"2", "0", "1.0", "01", "one", "''"};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        char yaml[64], error[128];
        (void)snprintf(yaml, sizeof yaml, "version: %s\nprincipals: []\n", versions[i]);
        (void)snprintf(error, sizeof error, "p.yaml:1: version: invalid value '%s': expected 1",
                       i == 5 ? "" : versions[i]);
        refused(*state, yaml, error);
    }
}

static void test_a_principal_that_is_named_twice_is_refused_at_the_second(void **state)
{
    refused(*state,
            HEAD "- {name: b, allow: []}\n- {name: a, allow: []}\n- {name: c, allow: []}\n"
                 "- {name: 'a', allow: []}\n",
            "p.yaml:6: duplicate principal 'a', first on line 4");
    (void)accepted(*state, HEAD "- {name: a, allow: []}\n- {name: A, allow: []}\n");
}

static void test_the_rules_of_one_principal_are_bounded(void **state)
{
    struct arena *arena = *state;
    size_t size = (POLICY_RULES_MAX + 2) * 64 + 100;
    char *yaml = arena_alloc(arena, size);
    size_t length = (size_t)snprintf(yaml, size, HEAD "- name: a\n  allow:\n");
    for (int i = 0; i <= POLICY_RULES_MAX; i++) {
        if (i == POLICY_RULES_MAX)
            assert_int_equal(accepted(arena, yaml).principals[0].rule_count, POLICY_RULES_MAX);
        length += (size_t)snprintf(yaml + length, size - length, "  - " RULE "\n");
    }
    refused(arena, yaml, "p.yaml:4: allow: too many rules: 1025 (limit 1024)");
}

static void test_anything_but_one_plain_document_is_refused(void **state)
{
    refused(*state, "version: 1\nprincipals: []\n---\nversion: 1\n",
            "p.yaml:3: more than one YAML document");
    refused(*state, "version: &v 1\nprincipals: []\n",
            "p.yaml:1: anchors and tags are not allowed");
    refused(*state, "version: 1\nprincipals: [\n",
            "p.yaml:3: invalid YAML: flow sequence without a closing bracket");
    refused(*state, "version: 1\nprincipals: []\n# \xff\n", "p.yaml:3: invalid UTF-8");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_example_is_the_policy_of_the_protocol),
        TEST(test_a_policy_decides_as_it_was_written),
        TEST(test_a_principal_may_have_no_rules_no_queues_and_several_rules),
        TEST(test_every_scalar_is_a_string),
        TEST(test_only_a_star_is_special),
        TEST(test_a_pattern_that_matches_no_command_is_named),
        TEST(test_missing_members_are_named),
        TEST(test_unknown_and_repeated_members_are_named),
        TEST(test_a_member_of_the_wrong_kind_is_named),
        TEST(test_a_rule_that_can_allow_nothing_is_refused),
        TEST(test_another_version_is_refused),
        TEST(test_a_principal_that_is_named_twice_is_refused_at_the_second),
        TEST(test_the_rules_of_one_principal_are_bounded),
        TEST(test_anything_but_one_plain_document_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
