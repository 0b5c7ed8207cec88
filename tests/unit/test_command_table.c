/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the table of the commands' functions: no function is missing, and batched commands are
 * changes.
 */
#include "tests/support/cmocka.h"

#include "common/core/command_table.h"

static const enum command_kind kinds[] = {
#define X(id, name, mode, summary) COMMAND_##id,
    COMMANDS(X)
#undef X
};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

static void test_every_command_has_its_functions(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        const struct command_functions *functions = command_functions(kinds[i]);
        const char *name = command_name(kinds[i]);
        if (functions->policy == NULL)
            fail_msg("%s has no function `policy`", name);
        if (functions->want_first == NULL)
            fail_msg("%s has no function `want_first`", name);
        if (functions->decide == NULL)
            fail_msg("%s has no function `decide`", name);
    }
}

/* plan_prefix counts the documents of a batched command by its change_params. */
static void test_every_batched_command_is_loaded_as_a_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (command_mode(kinds[i]) == MODE_BATCHED &&
            command_functions(kinds[i])->want_first !=
                command_functions(COMMAND_ALLOCATION_SET)->want_first)
            fail_msg("%s is batched, but its parameters are no change", command_name(kinds[i]));
    }
}

static void test_every_name_is_parsed_to_its_command(void **state)
{
    (void)state;
    enum command_kind kind = COMMAND_RESHAPE;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        assert_true(command_parse(text_of(command_name(kinds[i])), &kind));
        assert_int_equal(kind, kinds[i]);
    }
    assert_false(command_parse(text_of("provider"), &kind));
    assert_false(command_parse(TEXT_NONE, &kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_has_its_functions),
        cmocka_unit_test(test_every_batched_command_is_loaded_as_a_change),
        cmocka_unit_test(test_every_name_is_parsed_to_its_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
