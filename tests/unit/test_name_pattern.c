/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which names a pattern of the broker matches, and which patterns are left to people. */
#include "tests/support/cmocka.h"

#include "ctl/name_pattern.h"

static void assert_answer(const char *pattern, const char *name, enum pattern_answer expected)
{
    assert_int_equal(name_pattern_matches(text_of(pattern), text_of(name)), expected);
}

static void test_a_pattern_matches_a_part_of_a_name(void **state)
{
    (void)state;
    assert_answer("^allot\\.", "allot.commands", PATTERN_MATCHES);
    assert_answer("^(amq\\.default|allot\\..*)$", "amq.default", PATTERN_MATCHES);
    assert_answer("dead", "allot.dead.desk", PATTERN_MATCHES);
    assert_answer(".*", "x", PATTERN_MATCHES);
    assert_answer("^[a-z]+-[0-9]{2}$", "queue-42", PATTERN_MATCHES);
    assert_answer("^allot\\.dead$", "allot.dead.desk", PATTERN_DIFFERS);
    assert_answer("^ALLOT", "allot.dead", PATTERN_DIFFERS);
    assert_answer("^$", "allot.dead", PATTERN_DIFFERS);
}

static void test_an_empty_pattern_matches_all(void **state)
{
    (void)state;
    assert_answer("", "allot.dead", PATTERN_MATCHES);
    assert_answer(NULL, "allot.dead", PATTERN_MATCHES);
}

/* A wrong answer would be worse than none. */
static void test_patterns_of_one_dialect_are_unreadable(void **state)
{
    (void)state;
    static const char *const patterns[] = {"(?i)allot", "\\d+",     "^allot\\b",         "a+?",
                                           "a*+",       "a{2}+",    "(?:allot)",         "[",
                                           "(",         "a??",      "^[a\\-z]+\\.dead$", "[^\\]]",
                                           "[]a\\-z]",  "\\<allot", "allot\\>",          "\\`a",
                                           "a\\'",      "a{,3}",    "(*UTF8)a",          "a\\"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        assert_answer(patterns[i], "allot.dead", PATTERN_UNREADABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pattern_matches_a_part_of_a_name),
        cmocka_unit_test(test_an_empty_pattern_matches_all),
        cmocka_unit_test(test_patterns_of_one_dialect_are_unreadable),
    };
    return cmocka_run_group_tests_name("name_pattern", tests, NULL, NULL) != 0;
}
