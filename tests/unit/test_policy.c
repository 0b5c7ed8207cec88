/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "common/core/policy.h"

static bool matches(const char *pattern, const char *subject)
{
    return pattern_matches(text_of(pattern), text_of(subject));
}

static void test_a_star_is_any_run_and_nothing_else_is_special(void **state)
{
    (void)state;
    assert_true(matches("*", ""));
    assert_true(matches("*", "a.b.c"));
    assert_true(matches("blue-*", "blue-"));
    assert_true(matches("a*b*c", "a.xbb.c"));
    assert_true(matches("*.replies", "x.replies.replies"));
    assert_true(matches("**a", "ba"));
    assert_true(matches("", ""));
    assert_false(matches("", "a"));
    assert_false(matches("blue-*", "blue"));
    assert_false(matches("a*b", "abc"));
    assert_false(matches("Blue", "blue"));
    assert_false(matches("a?c", "abc"));
    assert_false(matches("a.c", "abc"));
}

static void test_a_hostile_subject_does_not_take_exponential_time(void **state)
{
    (void)state;
    char subject[4096];
    for (size_t i = 0; i < sizeof subject; i++)
        subject[i] = 'a';
    assert_false(
        pattern_matches(text_of("*a*a*a*a*a*a*a*a*a*a*b"), text_view(subject, sizeof subject)));
}

static const struct text any[] = {{"*", 1}};
static const struct text blue[] = {{"blue*", 5}};
static const struct text red[] = {{"red", 3}};
static const struct text set[] = {{"allocation.set", 14}, {"usage.*", 7}};
static const struct text p1[] = {{"11111111-1111-1111-1111-111111111111", 36}};
static const struct text replies[] = {{"team.*", 6}};

static const struct policy_rule rules[] = {
    {{set, 2}, {blue, 1}, {p1, 1}},
    {{set, 1}, {red, 1}, {any, 1}},
};
static const struct policy_principal principals[] = {
    {{"team", 4}, rules, 2, {replies, 1}},
    {{"idle", 4}, NULL, 0, {NULL, 0}},
    {{"wide", 4}, NULL, 0, {any, 1}},
};
static const struct policy policy = {principals, 3, {{"jobs", 4}, {"graves", 6}}};

static struct uuid uuid_of(char digit)
{
    struct uuid uuid = {{0}};
    for (int i = 0; i < UUID_BYTES; i++)
        uuid.bytes[i] = (uint8_t)((digit - '0') * 17);
    return uuid;
}

static bool ask(struct policy_question *question, const char *principal, enum command_kind command)
{
    return policy_ask_command(question, &policy, text_of(principal), command);
}

static void test_one_rule_alone_has_to_cover_all(void **state)
{
    (void)state;
    struct policy_question question;
    assert_true(ask(&question, "team", COMMAND_ALLOCATION_SET));
    assert_true(policy_ask_project(&question, text_of("blue-1")));
    assert_true(policy_ask_provider(&question, uuid_of('1')));
    assert_false(policy_ask_provider(&question, uuid_of('2')));
    assert_true(ask(&question, "team", COMMAND_ALLOCATION_SET));
    assert_true(policy_ask_project(&question, text_of("red")));
    assert_true(policy_ask_provider(&question, uuid_of('2')));
    assert_false(policy_ask_project(&question, text_of("blue-1")));
}

static void test_a_command_that_no_rule_covers_fails_every_later_step(void **state)
{
    (void)state;
    struct policy_question question;
    assert_false(ask(&question, "team", COMMAND_ALLOCATION_DELETE));
    assert_false(policy_ask_project(&question, text_of("red")));
    assert_false(policy_ask_provider(&question, uuid_of('1')));
    assert_false(ask(&question, "idle", COMMAND_ALLOCATION_SET));
    assert_false(ask(&question, "nobody", COMMAND_ALLOCATION_SET));
    assert_false(ask(&question, "", COMMAND_ALLOCATION_SET));
}

static void test_all_projects_need_the_pattern_star(void **state)
{
    (void)state;
    struct policy_question question;
    assert_true(ask(&question, "team", COMMAND_USAGE_GET));
    assert_false(policy_ask_all_projects(&question));
}

static void test_replies_go_only_to_queues_that_the_policy_allows(void **state)
{
    (void)state;
    assert_true(policy_allows_reply_to(&policy, text_of("team"), text_of("team.a")));
    assert_false(policy_allows_reply_to(&policy, text_of("team"), text_of("other")));
    assert_false(policy_allows_reply_to(&policy, text_of("team"), TEXT_NONE));
    assert_false(policy_allows_reply_to(&policy, text_of("idle"), text_of("team.a")));
    assert_false(policy_allows_reply_to(&policy, text_of("nobody"), text_of("team.a")));
}

static bool wide_may(const char *reply_to)
{
    return policy_allows_reply_to(&policy, text_of("wide"), text_of(reply_to));
}

static void test_a_queue_of_the_service_gets_no_reply_under_any_policy(void **state)
{
    (void)state;
    assert_false(wide_may("jobs"));
    assert_false(wide_may("graves"));
    assert_false(wide_may("graves.desk"));
    assert_true(wide_may("job"));
    assert_true(wide_may("jobs.mine"));
    assert_true(wide_may("graves."));
    assert_true(wide_may("graves.desk.mine"));
    assert_true(wide_may(".desk"));
    assert_true(wide_may("allot.commands")); /* the names are the configured ones */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_star_is_any_run_and_nothing_else_is_special),
        cmocka_unit_test(test_a_hostile_subject_does_not_take_exponential_time),
        cmocka_unit_test(test_one_rule_alone_has_to_cover_all),
        cmocka_unit_test(test_a_command_that_no_rule_covers_fails_every_later_step),
        cmocka_unit_test(test_all_projects_need_the_pattern_star),
        cmocka_unit_test(test_replies_go_only_to_queues_that_the_policy_allows),
        cmocka_unit_test(test_a_queue_of_the_service_gets_no_reply_under_any_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
