/* SPDX-License-Identifier: Apache-2.0 */
/* Tests tables where stdout is no terminal; tests/system/test_allotctl_terminal has the rest. */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "ctl/table.h"

enum { OUTPUT_BYTES_MAX = 4096 };

struct fixture {
    struct arena *arena;
    FILE *file;
    int saved; /* stdout */
    char text[OUTPUT_BYTES_MAX];
};
static struct fixture shared;

static int setup(void **state)
{
    shared.arena = arena_new(0);
    shared.file = tmpfile();
    assert_non_null(shared.file);
    (void)fflush(stdout);
    shared.saved = dup(STDOUT_FILENO);
    assert_int_equal(dup2(fileno(shared.file), STDOUT_FILENO), STDOUT_FILENO);
    *state = &shared;
    return 0;
}

/* Puts stdout back, and returns what was printed. */
static const char *printed(struct fixture *fixture)
{
    (void)fflush(stdout);
    rewind(fixture->file);
    size_t length = fread(fixture->text, 1, sizeof fixture->text - 1, fixture->file);
    fixture->text[length] = '\0';
    (void)dup2(fixture->saved, STDOUT_FILENO);
    return fixture->text;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    (void)fflush(stdout);
    (void)dup2(fixture->saved, STDOUT_FILENO);
    (void)close(fixture->saved);
    (void)fclose(fixture->file);
    arena_free(fixture->arena);
    return 0;
}

static const struct table_column columns[] = {
    {"ID", false, false, false},
    {"MORE", false, true, false},
    {"COUNT", true, false, false},
    {"DETAIL", false, false, true},
};
enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

static void fill(struct table *table, const char *id, int64_t count, const char *detail)
{
    table_cell(table, text_of(id), TONE_GOOD);
    table_cell(table, text_of("more"), TONE_PLAIN);
    table_number(table, count);
    table_cell(table, text_of(detail), TONE_BAD);
}

static void test_a_row_is_a_line_with_tabs_and_there_are_no_titles(void **state)
{
    struct fixture *fixture = *state;
    const struct options options = {.form = OUTPUT_TABLE};
    struct table *table = table_new(fixture->arena, columns, COLUMN_COUNT, &options);
    fill(table, "a", -7, "one");
    fill(table, "b", INT64_MAX, "two");
    table_end(table);
    assert_string_equal(printed(fixture), "a\t-7\tone\nb\t9223372036854775807\ttwo\n");
}

static void test_wide_shows_all_columns(void **state)
{
    struct fixture *fixture = *state;
    const struct options options = {.form = OUTPUT_WIDE};
    struct table *table = table_new(fixture->arena, columns, COLUMN_COUNT, &options);
    fill(table, "a", 1, "one");
    table_end(table);
    assert_string_equal(printed(fixture), "a\tmore\t1\tone\n");
}

static void test_nothing_is_cut_and_what_is_empty_is_a_dash(void **state)
{
    struct fixture *fixture = *state;
    const struct options options = {.form = OUTPUT_TABLE};
    struct table *table = table_new(fixture->arena, columns, COLUMN_COUNT, &options);
    static const char wide[] =
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789";
    fill(table, "", 1, wide);
    fill(table, NULL, 1, "");
    table_end(table);
    assert_string_equal(printed(fixture),
                        text_format(fixture->arena, "-\t1\t%s\n-\t1\t-\n", wide).bytes);
}

static void test_a_cell_cannot_make_columns_rows_or_commands_of_a_terminal(void **state)
{
    struct fixture *fixture = *state;
    const struct options options = {.form = OUTPUT_TABLE};
    struct table *table = table_new(fixture->arena, columns, COLUMN_COUNT, &options);
    fill(table, "a\tb\nc", 1, "\x1b[31m\xff\xc2\x9b\xe2\x80\xae");
    table_end(table);
    assert_string_equal(printed(fixture), "a?b?c\t1\t?[31m???\n");
}

static void test_an_empty_table_prints_nothing(void **state)
{
    struct fixture *fixture = *state;
    const struct options options = {.form = OUTPUT_TABLE};
    table_end(table_new(fixture->arena, columns, COLUMN_COUNT, &options));
    assert_string_equal(printed(fixture), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_row_is_a_line_with_tabs_and_there_are_no_titles,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_wide_shows_all_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_cut_and_what_is_empty_is_a_dash, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_a_cell_cannot_make_columns_rows_or_commands_of_a_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_table_prints_nothing, setup, teardown),
    };
    return cmocka_run_group_tests_name("table", tests, NULL, NULL) != 0;
}
