/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "common/core/disposition.h"

/* Section 5 of docs/protocol.md: what is published with an allowed reply_to, and without one. */
struct row {
    enum verdict_code code;
    bool replied;
    bool dead_letter_with_reply;
    bool dead_letter_without_reply;
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

static void test_the_disposition_is_as_in_the_contract(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct disposition with_reply_to = disposition_of(rows[i].code, true);
        struct disposition without = disposition_of(rows[i].code, false);
        if (with_reply_to.reply != rows[i].replied ||
            with_reply_to.dead_letter != rows[i].dead_letter_with_reply ||
            without.dead_letter != rows[i].dead_letter_without_reply)
            fail_msg("%s", verdict_name(rows[i].code));
    }
}

static void test_a_reply_to_that_is_not_allowed_never_receives_anything(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_false(disposition_of(rows[i].code, false).reply);
}

static void test_an_unroutable_failure_is_dead_lettered_and_a_success_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(disposition_dead_letter_if_unroutable(rows[i].code),
                         rows[i].code != VERDICT_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_disposition_is_as_in_the_contract),
        cmocka_unit_test(test_a_reply_to_that_is_not_allowed_never_receives_anything),
        cmocka_unit_test(test_an_unroutable_failure_is_dead_lettered_and_a_success_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
