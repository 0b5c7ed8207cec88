/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations for stores that a test makes: the database is empty and keeps nothing. Every call
 * succeeds; a load marks every slot as loaded and absent.
 */
#ifndef ALLOT_BLANK_STORE_H
#define ALLOT_BLANK_STORE_H

#include "allot/store.h"

enum store_status blank_call(struct store *store, struct error *error); /* begin, commit, ... */
enum store_status blank_load(struct store *store, struct snapshot *snapshot, struct error *error);
enum store_status blank_write(struct store *store, const struct snapshot *snapshot,
                              struct error *error);
void blank_end(struct store *store);

#endif
