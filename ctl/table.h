/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results in columns, on stdout. On a terminal the columns have titles and are aligned; else each
 * row is one line with tabs, without titles, for programs such as cut and awk. No control character
 * is printed.
 */
#ifndef ALLOT_CTL_TABLE_H
#define ALLOT_CTL_TABLE_H

#include "common/base/text.h"
#include "ctl/options.h"
#include "ctl/terminal.h"

struct table_column {
    const char *title;
    bool is_number; /* aligned to the right */
    bool is_wide;   /* only with --output wide */
    bool may_cut;   /* on a terminal it is cut if the row is too wide; one column of a table */
};

struct table;

/* Begins a table. `columns` are borrowed. The table is in `arena`, and keeps its rows there until
   table_end() on a terminal. */
struct table *table_new(struct arena *arena, const struct table_column *columns, size_t count,
                        const struct options *options);
/* Adds the next cell of a row, also those of columns that are not shown; the last one ends the row.
   An absent or empty text is shown as "-". */
void table_cell(struct table *table, struct text text, enum tone tone);
void table_number(struct table *table, int64_t number);
/* Prints what is not printed yet. */
void table_end(struct table *table);

#endif
