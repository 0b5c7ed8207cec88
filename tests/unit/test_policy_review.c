/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "ctl/policy/review.h"
#include "tests/unit/policy_random.h"

enum { SEEDS = 2000, CASES = 200 };

static const struct text any[] = {{"*", 1}};
static const struct text stars[] = {{"**", 2}};
static const struct text all_blue[] = {{"blue*", 5}};
static const struct text some_blue[] = {{"blue-*-x", 8}, {"blue", 4}};
static const struct text sets[] = {{"*.set", 5}};
static const struct text set[] = {{"allocation.set", 14}, {"inventory.set", 13}};
static const struct text list[] = {{"provider.list", 13}};
static const struct text page[] = {{"provider.allocations", 20}};
static const struct text providers[] = {{"provider.*", 10}};
static const struct text queues[] = {{"p.*", 3}, {"graves.desk", 11}};

static struct policy_rule rule_of(struct patterns commands, struct patterns projects,
                                  struct patterns of_providers)
{
    return (struct policy_rule){commands, projects, of_providers};
}

static void test_a_rule_covers_what_its_patterns_match(void **state)
{
    (void)state;
    struct patterns star = {any, 1}, twice = {stars, 1}, wide = {all_blue, 1},
                    narrow = {some_blue, 2};
    struct policy_rule a = rule_of((struct patterns){sets, 1}, wide, star);
    struct policy_rule b = rule_of((struct patterns){set, 2}, narrow, star);
    assert_true(policy_rule_covers(&a, &b));
    assert_false(policy_rule_covers(&b, &a));
    a.commands = (struct patterns){set, 1};
    assert_false(policy_rule_covers(&a, &b)); /* inventory.set */
    a = rule_of((struct patterns){sets, 1}, wide, twice);
    assert_false(policy_rule_covers(&a, &b)); /* only "*" itself is enough for provider.list */
    b.providers = twice;
    a.providers = star;
    assert_true(policy_rule_covers(&a, &b));
}

static struct policy_mistakes review(const struct policy_rule *rules, size_t count,
                                     struct patterns reply_to, struct arena *arena)
{
    struct policy_principal principal = {text_of("p"), rules, count, reply_to};
    struct policy policy = {&principal, 1, {text_of("jobs"), text_of("graves")}};
    return policy_review(&policy, &principal, arena);
}

static void test_mistakes_are_found(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct patterns star = {any, 1}, blue = {all_blue, 1};
    const struct policy_rule rules[] = {
        rule_of((struct patterns){set, 1}, blue, star),
        rule_of((struct patterns){sets, 1}, blue, star),
        rule_of((struct patterns){list, 1}, star, blue),
        rule_of((struct patterns){page, 1}, blue, star),
        rule_of((struct patterns){page, 1}, blue, star),
        rule_of((struct patterns){providers, 1}, blue, blue),
    };
    struct policy_mistakes mistakes =
        review(rules, sizeof rules / sizeof rules[0], (struct patterns){queues, 2}, arena);
    static const struct {
        enum policy_mistake_kind kind;
        size_t rule, other;
    } expected[] = {
        {MISTAKE_COVERED, 0, 1}, {MISTAKE_LIST, 2, 0},      {MISTAKE_CONSUMERS, 3, 0},
        {MISTAKE_COVERED, 4, 3}, {MISTAKE_CONSUMERS, 4, 0}, {MISTAKE_REPLY_TO, 0, 0},
    };
    assert_int_equal(mistakes.count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < mistakes.count; i++) {
        assert_int_equal(mistakes.items[i].kind, expected[i].kind);
        assert_int_equal(mistakes.items[i].rule, expected[i].rule);
        assert_int_equal(mistakes.items[i].other, expected[i].other);
    }
    assert_true(text_is(mistakes.items[5].pattern, "graves.desk"));
    assert_true(text_is(policy_mistake_text(arena, &mistakes.items[0]),
                        "rule 1 allows nothing that rule 2 does not allow"));
    mistakes = review(NULL, 0, star, arena);
    assert_int_equal(mistakes.count, 1);
    assert_int_equal(mistakes.items[0].kind, MISTAKE_NO_RULES);
    arena_free(arena);
}

static bool allows(const struct policy *policy, const struct policy_case *asked,
                   struct arena *arena)
{
    return policy_explain(policy, asked, arena).finding.reason == REASON_ALLOWED;
}

/* Returns the policy without one rule. */
static struct policy without(const struct policy *policy, size_t rule, struct arena *arena)
{
    struct policy_principal *principal = ARENA_NEW(arena, struct policy_principal);
    *principal = policy->principals[0];
    struct policy_rule *rules = ARENA_ARRAY(arena, struct policy_rule, principal->rule_count);
    for (size_t i = 0; i < principal->rule_count; i++)
        rules[i - (i > rule)] = principal->rules[i];
    principal->rules = rules;
    principal->rule_count--;
    return (struct policy){principal, 1, policy->service_queues};
}

static void test_without_a_rule_that_is_covered_all_verdicts_stay(void **state)
{
    (void)state;
    size_t covered = 0;
    struct arena *arena = arena_new(0);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct random_source source = {seed};
        struct policy policy = random_policy(&source, arena);
        struct policy_mistakes mistakes = policy_review(&policy, &policy.principals[0], arena);
        for (size_t i = 0; i < mistakes.count; i++) {
            if (mistakes.items[i].kind != MISTAKE_COVERED)
                continue;
            struct policy less = without(&policy, mistakes.items[i].rule, arena);
            covered++;
            for (size_t j = 0; j < CASES; j++) {
                struct policy_case asked = random_case(&source, arena);
                if (allows(&policy, &asked, arena) != allows(&less, &asked, arena))
                    fail_msg("seed %llu: rule %zu is not covered", (unsigned long long)seed,
                             mistakes.items[i].rule);
            }
        }
        arena_reset(arena);
    }
    assert_in_range(covered, SEEDS / 10, SIZE_MAX); /* it is not rare */
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rule_covers_what_its_patterns_match),
        cmocka_unit_test(test_mistakes_are_found),
        cmocka_unit_test(test_without_a_rule_that_is_covered_all_verdicts_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
