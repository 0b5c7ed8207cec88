/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "common/core/verdict.h"

/* The contract's codes, in its order of precedence. */
struct row {
    const char *name;
    bool recorded;
    bool retryable;
    bool dead;
};

static const struct row rows[] = {
    {"success", true, false, false},
    {"too_large", false, false, true},
    {"malformed", false, false, true},
    {"missing_message_id", false, false, true},
    {"unauthenticated", false, false, true},
    {"unsupported_version", false, false, false},
    {"unknown_command", false, false, false},
    {"invalid", false, false, false},
    {"idempotency_key_reused", false, false, false},
    {"attempts_exhausted", false, false, true},
    {"forbidden", false, false, false},
    {"deadline_exceeded", true, false, false},
    {"limit_exceeded", true, false, false},
    {"consumer_generation_conflict", true, true, false},
    {"consumer_not_found", true, false, false},
    {"provider_exists", true, false, false},
    {"provider_not_found", true, false, false},
    {"provider_name_taken", true, false, false},
    {"invalid_parent", true, false, false},
    {"provider_generation_conflict", true, true, false},
    {"provider_has_children", true, false, false},
    {"provider_in_use", true, false, false},
    {"inventory_in_use", true, false, false},
    {"inventory_not_found", true, false, false},
    {"constraint_violation", true, false, false},
    {"capacity_exceeded", true, false, false},
    {"internal", false, false, true},
};

static void test_every_code_is_as_in_the_contract(void **state)
{
    (void)state;
    assert_int_equal(sizeof rows / sizeof *rows, VERDICT_INTERNAL + 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum verdict_code code;
        assert_true(verdict_parse(text_of(rows[i].name), &code));
        assert_int_equal(code, i);
        assert_string_equal(verdict_name(code), rows[i].name);
        assert_int_equal(verdict_recorded(code), rows[i].recorded);
        assert_int_equal(verdict_retryable(code), rows[i].retryable);
        assert_int_equal(verdict_always_dead_lettered(code), rows[i].dead);
    }
}

static void test_an_unknown_name_is_no_code(void **state)
{
    (void)state;
    enum verdict_code code = VERDICT_INTERNAL;
    assert_false(verdict_parse(text_of("Success"), &code));
    assert_false(verdict_parse(text_of("inval"), &code));
    assert_false(verdict_parse(TEXT_NONE, &code));
    assert_int_equal(code, VERDICT_INTERNAL);
}

static void test_details_are_found_by_name(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct verdict verdict = {.code = VERDICT_SUCCESS};
    verdict_refuse(&verdict, arena, VERDICT_LIMIT_EXCEEDED, "%d of %d", 3, 2);
    verdict_add_integer(&verdict, "given", INT64_MIN);
    verdict_add_null(&verdict, "stored");
    assert_int_equal(verdict.code, VERDICT_LIMIT_EXCEEDED);
    assert_true(text_is(verdict.message, "3 of 2"));
    assert_int_equal(verdict_detail(&verdict, "given")->value.integer, INT64_MIN);
    assert_int_equal(verdict_detail(&verdict, "stored")->kind, DETAIL_NULL);
    assert_null(verdict_detail(&verdict, "limit"));
    verdict_refuse(&verdict, arena, VERDICT_FORBIDDEN, "no");
    assert_int_equal(verdict.detail_count, 0);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_is_as_in_the_contract),
        cmocka_unit_test(test_an_unknown_name_is_no_code),
        cmocka_unit_test(test_details_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
