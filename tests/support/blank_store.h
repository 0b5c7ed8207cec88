/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations for the fake stores of tests that need no stored state. Every call succeeds, and
 * nothing is kept.
 */
#ifndef ALLOT_BLANK_STORE_H
#define ALLOT_BLANK_STORE_H

#include "allot/store.h"

/* Does nothing. For `begin`, `commit` and others with these parameters. */
enum store_status blank_call(struct store *store, struct error *error);
/* Returns 1. */
int64_t blank_now_ms(struct store *store);
/* Marks the providers, consumers, outcomes and usages as loaded. None of the documents exists. */
enum store_status blank_load(struct store *store, struct snapshot *snapshot, struct error *error);
/* Does nothing. */
enum store_status blank_write(struct store *store, const struct snapshot *snapshot,
                              struct error *error);
/* Claims nothing. */
enum store_status blank_claim_letters(struct store *store, size_t max, size_t bytes_max,
                                      struct arena *arena, struct letter **ret_letters,
                                      size_t *ret_count, struct error *error);
/* Finds nothing. */
enum store_status blank_find_letters(struct store *store, const struct text *ids, size_t count,
                                     struct arena *arena, struct letter_sighting *ret_sightings,
                                     struct error *error);
/* Does nothing. */
void blank_limit_calls(struct store *store, int64_t limit_ms);
enum store_status blank_prove_health(struct store *store, uint64_t *ret_primary,
                                     struct error *error);
void blank_end(struct store *store);

#endif
