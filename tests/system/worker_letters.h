/* SPDX-License-Identifier: Apache-2.0 */
/* Letters in the database of the running test, and allotctl, which shows them. */
#ifndef ALLOT_WORKER_LETTERS_H
#define ALLOT_WORKER_LETTERS_H

#include "allot/letter.h"
#include "common/codec/field_table.h"

enum { OUTPUT_MAX = 64 * 1024 };

/*
 * Runs allotctl on this test's database and the broker, and fails unless it exits with `status`.
 * Returns what it printed on both streams; static, until the next call.
 */
const char *run_allotctl(const char *arguments, int status);
/* The same, as the user of the broker whose URI the variable has. */
const char *run_allotctl_as(const char *uri_variable, const char *arguments, int status);

/* Write letters as a worker does it, in transactions of up to 500. */
void store_letters(const struct letter *letters, size_t count);
void store_letter(const struct letter *letter);
/* Returns the number of letters that match a query of MongoDB, given as JSON. */
int64_t count_letters(const char *query);

#endif
