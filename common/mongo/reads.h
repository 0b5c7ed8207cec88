/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists whose documents are not known by key: trees, pages and usages. Inside of common/mongo:
 * what load.c asks for in the same command as for its slots.
 */
#ifndef ALLOT_MONGO_READS_H
#define ALLOT_MONGO_READS_H

#include "common/mongo/queries.h"

struct reads; /* what has come so far; in the snapshot's arena */

/* The most that `reads_ask` adds. */
size_t reads_queries(const struct snapshot *snapshot);
struct reads *reads_ask(struct queries *queries, struct snapshot *snapshot);
/* Once the queries have run: the snapshot gets its lists, `loaded`. */
void reads_close(struct reads *reads, struct snapshot *snapshot);

#endif
