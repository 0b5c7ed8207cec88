/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a load whose documents are not known by key: provider trees, pages of
 * provider.allocations and provider.list, and usages. Their queries go into the same command as
 * those of load.c. Internal to common/mongo.
 */
#ifndef ALLOT_MONGO_READS_H
#define ALLOT_MONGO_READS_H

#include "common/mongo/queries.h"

struct reads; /* the rows that have arrived; owned by the snapshot's arena */

/* Returns how many queries reads_add_queries() adds at most. */
size_t reads_query_count(const struct snapshot *snapshot);
/* Adds the queries for all lists that are not loaded. Returns what will collect their rows. */
struct reads *reads_add_queries(struct queries *queries, const struct snapshot *snapshot);
/* Moves the rows to the snapshot, whose lists become `loaded`. Call it only if all queries
   succeeded. */
void reads_finish(struct reads *reads, struct snapshot *snapshot);

#endif
