/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Without a terminal a cell is printed at once. On a terminal all rows are kept until the
 * end, since the widths of the columns depend on all of them. Widths count code points: a wide
 * character (of Chinese, for example) moves the columns behind it.
 *
 * Guarantees. A cell cannot end its row or its column, or command the terminal: print_printable()
 * writes a mark for each control character and each byte that is not UTF-8, and that mark is one
 * column wide. Without a terminal nothing is cut.
 */
#include "ctl/table.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/utf8.h"
#include "common/codec/text_cut.h"
#include "ctl/output.h"

enum { GAP = 2, CUT_WIDTH_MIN = 20 };

struct cell {
    struct text text;
    enum tone tone;
    size_t width;
};

struct table {
    struct arena *arena;
    const struct table_column *columns;
    size_t column_count;
    bool wide;
    bool aligned;
    size_t next;        /* column of the next cell */
    size_t printed;     /* cells of this row; not aligned */
    struct cell *cells; /* of all rows; aligned */
    size_t cell_count;
    size_t capacity;
};

struct table *table_new(struct arena *arena, const struct table_column *columns, size_t count,
                        const struct options *options)
{
    struct table *table = ARENA_NEW(arena, struct table);
    table->arena = arena;
    table->columns = columns;
    table->column_count = count;
    table->wide = options->form == OUTPUT_WIDE;
    table->aligned = terminal_is_open();
    return table;
}

static bool is_shown(const struct table *table, size_t column)
{
    return table->wide || !table->columns[column].is_wide;
}

/* A byte that is not UTF-8 is printed as one '?'. */
static size_t width_of(struct text text)
{
    size_t width = 0;
    while (text.length > 0) {
        size_t length = utf8_sequence(text);
        length = length > 0 ? length : 1;
        text = text_view(text.bytes + length, text.length - length);
        width++;
    }
    return width;
}

static void keep_cell(struct table *table, struct text text, enum tone tone)
{
    struct cell cell = {text_copy(table->arena, text), tone, width_of(text)};
    table->cells = arena_grown(table->arena, table->cells, table->cell_count, &table->capacity,
                               sizeof *table->cells);
    table->cells[table->cell_count++] = cell;
}

static void print_cell(struct table *table, struct text text)
{
    if (table->printed++ > 0)
        (void)putchar('\t');
    print_printable(stdout, text);
}

void table_cell(struct table *table, struct text text, enum tone tone)
{
    struct text shown = text.length > 0 ? text : text_of("-");
    if (table->aligned)
        keep_cell(table, shown, tone);
    else if (is_shown(table, table->next))
        print_cell(table, shown);
    if (++table->next < table->column_count)
        return;
    table->next = 0;
    table->printed = 0;
    if (!table->aligned)
        (void)putchar('\n');
}

void table_number(struct table *table, int64_t number)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRId64, number);
    table_cell(table, text_of(digits), TONE_PLAIN);
}

/* --- aligned -------------------------------------------------------------------------------- */

/* Sets the width of each column; the one that may be cut gets what is left of the terminal. */
static void measure(const struct table *table, size_t *widths)
{
    size_t total = 0, cut = table->column_count;
    for (size_t column = 0; column < table->column_count; column++) {
        widths[column] = width_of(text_of(table->columns[column].title));
        for (size_t i = column; i < table->cell_count; i += table->column_count) {
            if (table->cells[i].width > widths[column])
                widths[column] = table->cells[i].width;
        }
        if (!is_shown(table, column))
            continue;
        total += widths[column] + GAP;
        if (table->columns[column].may_cut)
            cut = column;
    }
    size_t available = (size_t)terminal_width() + GAP;
    if (cut == table->column_count || total <= available)
        return;
    size_t rest = total - widths[cut];
    size_t left = available > rest + CUT_WIDTH_MIN ? available - rest : (size_t)CUT_WIDTH_MIN;
    if (widths[cut] > left)
        widths[cut] = left;
}

/* Returns the first `width` code points. */
static struct text first_of(struct text text, size_t width)
{
    size_t length = 0;
    for (size_t i = 0; i < width && length < text.length; i++) {
        size_t sequence = utf8_sequence(text_view(text.bytes + length, text.length - length));
        length += sequence > 0 ? sequence : 1;
    }
    return text_view(text.bytes, length);
}

static void print_text(struct text text, enum tone tone, size_t own_width, size_t width)
{
    tone_begin(stdout, tone);
    if (own_width <= width) {
        print_printable(stdout, text);
    } else {
        print_printable(stdout, first_of(text, width - 1));
        (void)fputs("…", stdout);
    }
    tone_end(stdout, tone);
}

static void print_aligned(const struct table *table, size_t column, struct cell cell, size_t width,
                          bool is_last)
{
    int padding = cell.width < width ? (int)(width - cell.width) : 0;
    bool right = table->columns[column].is_number;
    (void)printf("%*s", right ? padding : 0, "");
    print_text(cell.text, cell.tone, cell.width, width);
    if (!is_last)
        (void)printf("%*s", (right ? 0 : padding) + GAP, "");
}

static size_t last_column(const struct table *table)
{
    size_t last = table->column_count - 1;
    while (last > 0 && !is_shown(table, last))
        last--;
    return last;
}

static void print_row(const struct table *table, const struct cell *cells, const size_t *widths)
{
    size_t last = last_column(table);
    for (size_t column = 0; column <= last; column++) {
        if (is_shown(table, column))
            print_aligned(table, column, cells[column], widths[column], column == last);
    }
    (void)putchar('\n');
}

static void print_titles(const struct table *table, const size_t *widths)
{
    struct cell *titles = ARENA_ARRAY(table->arena, struct cell, table->column_count);
    for (size_t column = 0; column < table->column_count; column++) {
        struct text title = text_of(table->columns[column].title);
        titles[column] = (struct cell){title, TONE_TITLE, title.length};
    }
    print_row(table, titles, widths);
}

void table_end(struct table *table)
{
    if (!table->aligned || table->cell_count == 0)
        return;
    size_t *widths = ARENA_ARRAY(table->arena, size_t, table->column_count);
    measure(table, widths);
    print_titles(table, widths);
    for (size_t i = 0; i < table->cell_count; i += table->column_count)
        print_row(table, &table->cells[i], widths);
    table->cell_count = 0;
}
