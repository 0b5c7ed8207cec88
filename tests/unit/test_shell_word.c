/* SPDX-License-Identifier: Apache-2.0 */
/* Tests how a word is quoted for a shell. */
#include "tests/support/cmocka.h"

#include <string.h>

#include "ctl/shell_word.h"

static void test_words_are_quoted_whatever_they_have(void **state)
{
    static const char *const rows[][2] = {{"/", "'/'"},
                                          {"", "''"},
                                          {"a b$c`d\"", "'a b$c`d\"'"},
                                          {"it's", "'it'\\''s'"},
                                          {"''", "''\\'''\\'''"}};
    struct arena *arena = arena_new(0);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(shell_word(arena, text_of(rows[i][0])).bytes, rows[i][1]);
    assert_string_equal(shell_word(arena, TEXT_NONE).bytes, "''");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_quoted_whatever_they_have),
    };
    return cmocka_run_group_tests_name("shell_word", tests, NULL, NULL) != 0;
}
