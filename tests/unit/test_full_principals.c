/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the set of principals whose letters are not stored (worker/service/full_principals.h). */
#include "tests/support/cmocka.h"

#include <pthread.h>

#include "worker/service/full_principals.h"

enum { MAX = 4000, SHARE = MAX / LETTER_SHARES };

static bool has(struct full_principals *set, const char *principal)
{
    return full_principals_has(set, text_of(principal));
}

static void test_a_set_has_those_that_were_full_at_the_last_measurement(void **state)
{
    (void)state;
    char name[] = "blue";
    const struct letter_share shares[] = {
        {.principal = text_of(name), .bytes = SHARE},
        {.principal = text_of("red"), .bytes = 5 * SHARE, .published = 5 * SHARE},
        {.principal = text_of("admin"), .bytes = 2 * SHARE},
    };
    struct full_principals *set = full_principals_new();
    assert_false(has(set, "blue"));
    full_principals_set(set, shares, 3, MAX);
    name[0] = 'X'; /* names are copied */
    assert_true(has(set, "blue"));
    assert_true(has(set, "admin"));
    assert_false(has(set, "red"));
    assert_false(full_principals_has(set, (struct text){NULL, 0}));
    full_principals_set(set, shares + 1, 1, MAX);
    assert_false(has(set, "blue"));
    full_principals_set(set, NULL, 0, MAX);
    assert_false(has(set, "admin"));
    full_principals_free(set);
}

static void test_messages_without_a_principal_can_be_full(void **state)
{
    (void)state;
    const struct letter_share share = {.bytes = SHARE};
    struct full_principals *set = full_principals_new();
    full_principals_set(set, &share, 1, MAX);
    assert_true(full_principals_has(set, (struct text){NULL, 0}));
    assert_false(has(set, "blue"));
    full_principals_free(set);
}

enum { ROUNDS = 20000 };

static void *measure(void *set)
{
    const struct letter_share shares[] = {{.principal = text_of("blue"), .bytes = SHARE},
                                          {.principal = text_of("red"), .bytes = SHARE}};
    for (size_t i = 0; i < ROUNDS; i++)
        full_principals_set(set, shares, 1 + i % 2, MAX);
    return NULL;
}

/* A sanitizer watches. */
static void test_one_thread_measures_while_others_ask(void **state)
{
    (void)state;
    pthread_t thread;
    struct full_principals *set = full_principals_new();
    const struct letter_share share = {.principal = text_of("blue"), .bytes = SHARE};
    full_principals_set(set, &share, 1, MAX);
    assert_int_equal(pthread_create(&thread, NULL, measure, set), 0);
    for (size_t i = 0; i < ROUNDS; i++)
        assert_true(has(set, "blue"));
    assert_int_equal(pthread_join(thread, NULL), 0);
    full_principals_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_set_has_those_that_were_full_at_the_last_measurement),
        cmocka_unit_test(test_messages_without_a_principal_can_be_full),
        cmocka_unit_test(test_one_thread_measures_while_others_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
