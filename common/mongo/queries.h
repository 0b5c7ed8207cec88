/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs several queries as one command, so that a load takes one round trip. The command is an
 * `aggregate` with one $lookup for each query; MongoDB does not allow $unionWith in a transaction.
 * Internal to common/mongo.
 */
#ifndef ALLOT_MONGO_QUERIES_H
#define ALLOT_MONGO_QUERIES_H

#include "common/mongo/session.h"

/* Further queries go into another command, since the server limits the stages of a pipeline. */
enum { QUERIES_PER_COMMAND = 200 };

struct query {
    enum mongo_collection from;
    bson_t *pipeline; /* an array of stages; owned */
    mongo_row row;    /* called for each row */
    void *context;    /* of `row`; borrowed */
};

struct queries {
    struct query *list;
    size_t count;
    size_t capacity;
    struct arena *arena; /* that the rows are copied to; borrowed */
    size_t bytes_max;    /* of it; 0: no limit */
};

/* Returns an empty list with room for `capacity` queries, in the arena. Freed by queries_free(). If
   the arena exceeds `bytes_max` (0: no limit) while rows come, the run ends with TOO_LARGE. */
struct queries queries_new(struct arena *arena, size_t capacity, size_t bytes_max);
/* Frees the pipelines of the queries. */
void queries_free(struct queries *queries);

/* Adds a query, and owns its pipeline from now on. Its context must outlive queries_run(). */
void queries_add(struct queries *queries, struct query query);

/*
 * Runs the queries in the transaction, and hands each query its rows, in the order in which the
 * queries were added. Returns OK only if all rows of all queries have arrived. A row that returns
 * another status ends the run.
 */
enum store_status queries_run(struct mongo_store *store, const struct queries *queries,
                              struct error *error);

/* --- pipelines: each function appends to an array of stages --- */

/* Appends the stage {name: content}. The content is copied. */
void pipeline_append(bson_t *pipeline, const char *name, const bson_t *content);
/* Appends the stage {$limit: limit}. */
void pipeline_append_limit(bson_t *pipeline, int64_t limit);
/* Appends the stages of a JSON array that is part of allotd. Aborts if it is invalid. */
void pipeline_append_json(bson_t *pipeline, const char *stages);

/* Appends to an expression: the elements of the field `allocations` that are on the provider. */
void expression_append_allocations(bson_t *expression, struct uuid provider);

#endif
