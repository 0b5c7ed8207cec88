/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/core/disposition.h"

/* Section 5 of the contract, a row a code: with a reply_to that is allowed, and without. */
struct row {
    enum verdict_code code;
    bool replied;
    bool dead_beside_reply;
    bool dead_without_reply;
};

static const struct row rows[] = {
    {VERDICT_SUCCESS, true, false, false},
    {VERDICT_TOO_LARGE, true, true, true},
    {VERDICT_MALFORMED, true, true, true},
    {VERDICT_MISSING_MESSAGE_ID, true, true, true},
    {VERDICT_UNAUTHENTICATED, false, true, true},
    {VERDICT_UNSUPPORTED_VERSION, true, false, true},
    {VERDICT_UNKNOWN_COMMAND, true, false, true},
    {VERDICT_INVALID, true, false, true},
    {VERDICT_IDEMPOTENCY_KEY_REUSED, true, false, true},
    {VERDICT_ATTEMPTS_EXHAUSTED, true, true, true},
    {VERDICT_FORBIDDEN, true, false, true},
    {VERDICT_DEADLINE_EXCEEDED, true, false, true},
    {VERDICT_LIMIT_EXCEEDED, true, false, true},
    {VERDICT_CONSUMER_GENERATION_CONFLICT, true, false, true},
    {VERDICT_CAPACITY_EXCEEDED, true, false, true},
    {VERDICT_INTERNAL, true, true, true},
};

static void test_who_hears_follows_the_contract(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct disposition heard = disposition_of(rows[i].code, true);
        struct disposition unheard = disposition_of(rows[i].code, false);
        if (heard.reply != rows[i].replied || heard.dead_letter != rows[i].dead_beside_reply ||
            unheard.dead_letter != rows[i].dead_without_reply)
            fail_msg("%s", verdict_name(rows[i].code));
    }
}

static void test_a_reply_to_that_is_not_allowed_never_receives_anything(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_false(disposition_of(rows[i].code, false).reply);
}

static void test_an_unheard_failure_is_dead_and_an_unheard_success_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(disposition_dead_letter_if_unroutable(rows[i].code),
                         rows[i].code != VERDICT_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_hears_follows_the_contract),
        cmocka_unit_test(test_a_reply_to_that_is_not_allowed_never_receives_anything),
        cmocka_unit_test(test_an_unheard_failure_is_dead_and_an_unheard_success_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
