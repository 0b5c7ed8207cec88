/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that nothing that allotctl prints can send commands to a terminal. */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/output.h"

static void expect_printable(const char *given, const char *expected)
{
    char *printed = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&printed, &length);
    assert_non_null(stream);
    print_printable(stream, text_of(given));
    (void)fclose(stream);
    assert_string_equal(printed, expected);
    free(printed);
}

static void expect_json(const char *given, const char *expected)
{
    char *printed = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&printed, &length);
    assert_non_null(stream);
    print_json_line(stream, text_of(given));
    (void)fclose(stream);
    assert_string_equal(printed, expected);
    free(printed);
}

static void test_control_characters_become_marks(void **state)
{
    (void)state;
    expect_printable("plain \xc3\xa9 \xe2\x82\xac", "plain \xc3\xa9 \xe2\x82\xac");
    expect_printable("a\x1b[2Jb\nc\rd\te\x7f", "a?[2Jb?c?d?e?");
    expect_printable("\xc2\x9b"
                     "31m",
                     "?31m"); /* C1: CSI */
    expect_printable("\xe2\x80\xae"
                     "abc",
                     "?abc"); /* U+202E: right to left */
    expect_printable("\xe2\x81\xa6"
                     "abc",
                     "?abc"); /* U+2066: isolate */
    expect_printable("\xff\xfe"
                     "a",
                     "??a"); /* no UTF-8 */
    expect_printable("", "");
}

static void test_control_characters_of_json_are_escaped(void **state)
{
    (void)state;
    expect_json("{\"a\":\"\xc3\xa9\"}", "{\"a\":\"\xc3\xa9\"}\n");
    expect_json("[\"\xc2\x9b\x7f\xe2\x80\xae\"]", "[\"\\u009b\\u007f\\u202e\"]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_characters_become_marks),
        cmocka_unit_test(test_control_characters_of_json_are_escaped),
    };
    return cmocka_run_group_tests_name("output", tests, NULL, NULL) != 0;
}
