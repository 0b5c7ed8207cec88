/* SPDX-License-Identifier: Apache-2.0 */
/* Tests when a failure counts as evidence against a command, and the time limits of its tries. */
#include "tests/support/cmocka.h"

#include "worker/service/proof.h"

enum { TIMEOUT_MS = 1000 };

static void test_both_proofs_have_to_be_there(void **state)
{
    struct proof before = {true, 5, 9500}, after = {true, 5, 12000}, none = {0};
    (void)state;
    assert_true(proof_covers(&before, &after, 10000, TIMEOUT_MS));
    assert_false(proof_covers(&none, &after, 10000, TIMEOUT_MS));
    assert_false(proof_covers(&before, &none, 10000, TIMEOUT_MS));
}

static void test_the_primary_has_to_be_the_same(void **state)
{
    struct proof before = {true, 5, 9500}, after = {true, 6, 12000};
    (void)state;
    assert_false(proof_covers(&before, &after, 10000, TIMEOUT_MS));
}

static void test_the_first_proof_must_not_be_old(void **state)
{
    struct proof before = {true, 5, 9000}, after = {true, 5, 12000};
    (void)state;
    assert_true(proof_covers(&before, &after, 10000, TIMEOUT_MS));
    assert_false(proof_covers(&before, &after, 10001, TIMEOUT_MS));
    assert_true(proof_is_fresh(&before, 10000, TIMEOUT_MS));
    assert_false(proof_is_fresh(&before, 10001, TIMEOUT_MS));
}

static void test_the_limit_grows_to_all_of_it(void **state)
{
    (void)state;
    assert_int_equal(proof_limit_ms(8000, 0), 2000);
    assert_int_equal(proof_limit_ms(8000, 1), 4000);
    assert_int_equal(proof_limit_ms(8000, 2), 8000);
    assert_int_equal(proof_limit_ms(8000, 1000), 8000);
    assert_int_equal(proof_limit_ms(1, 0), 1);
}

static void test_only_failures_without_a_cause_need_a_proof(void **state)
{
    (void)state;
    assert_true(proof_is_needed(STORE_TIMED_OUT));
    assert_true(proof_is_needed(STORE_UNEXPLAINED));
    assert_true(proof_is_needed(STORE_EXPIRED));
    assert_true(proof_is_needed(STORE_UNKNOWN));
    assert_false(proof_is_needed(STORE_CONFLICT));
    assert_false(proof_is_needed(STORE_UNAVAILABLE));
    assert_false(proof_is_needed(STORE_REFUSED));
    assert_false(proof_is_needed(STORE_MISCONFIGURED));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_both_proofs_have_to_be_there),
    cmocka_unit_test(test_the_primary_has_to_be_the_same),
    cmocka_unit_test(test_the_first_proof_must_not_be_old),
    cmocka_unit_test(test_the_limit_grows_to_all_of_it),
    cmocka_unit_test(test_only_failures_without_a_cause_need_a_proof),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
