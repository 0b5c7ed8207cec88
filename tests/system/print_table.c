/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints a table as the commands of allotctl do, for test_allotctl_terminal: each line of FILE is a
 * row, and tabs separate its cells.
 *
 *     print_table FILE [wide] [pager] [note] [pause]
 *     print_table ask
 *
 * `note` writes a line to stderr behind the table; `pause` then waits for a signal. `ask` asks a
 * question, and prints the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/table.h"

static const struct table_column columns[] = {
    {"NAME", false, false, false},  {"EXTRA", false, true, false},  {"COUNT", true, false, false},
    {"DETAIL", false, false, true}, {"STATE", false, false, false},
};
enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

static bool has(int argc, char **argv, const char *word)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], word) == 0)
            return true;
    }
    return false;
}

static enum tone tone_of(struct text cell)
{
    if (text_is(cell, "good"))
        return TONE_GOOD;
    return text_is(cell, "bad") ? TONE_BAD : TONE_PLAIN;
}

static void print_row(struct table *table, struct text row)
{
    for (size_t column = 0; column < COLUMN_COUNT; column++) {
        const char *tab = row.length > 0 ? memchr(row.bytes, '\t', row.length) : NULL;
        size_t length = tab != NULL ? (size_t)(tab - row.bytes) : row.length;
        struct text cell = text_view(row.bytes, length);
        table_cell(table, cell, tone_of(cell));
        length += tab != NULL;
        row = text_view(row.bytes + length, row.length - length);
    }
}

static int print_file(const char *path, const struct options *options)
{
    struct arena *arena = arena_new(0);
    struct table *table = table_new(arena, columns, COLUMN_COUNT, options);
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length = 0;
    while (file != NULL && (length = getline(&line, &capacity, file)) > 0)
        print_row(table, text_view(line, (size_t)length - 1));
    table_end(table);
    free(line);
    arena_free(arena);
    if (file == NULL)
        return EXIT_FAILURE;
    (void)fclose(file);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "ask") == 0)
        return puts(terminal_ask("go on?") ? "yes" : "no") == EOF;
    if (argc < 2)
        return 2;
    const struct options options = {.form = has(argc, argv, "wide") ? OUTPUT_WIDE : OUTPUT_TABLE};
    terminal_open(has(argc, argv, "pager"));
    int status = print_file(argv[1], &options);
    if (has(argc, argv, "note"))
        (void)fputs("a note\n", stderr);
    if (has(argc, argv, "pause"))
        (void)pause();
    return terminal_finish(status);
}
