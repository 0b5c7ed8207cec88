/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several queries in one command, so that a load takes one round trip whatever it asks for: an
 * `aggregate` with a $lookup for each ($unionWith is not allowed in a transaction). Inside of
 * common/mongo.
 */
#ifndef ALLOT_MONGO_QUERIES_H
#define ALLOT_MONGO_QUERIES_H

#include "common/mongo/session.h"

/* More than these take another round trip: the server has a limit on the stages of a pipeline. */
enum { QUERIES_A_COMMAND = 200 };

struct query {
    enum mongo_collection from;
    bson_t *pipeline; /* an array of stages */
    mongo_row row;
    void *context; /* of `row` */
};

struct queries {
    struct query *list;
    size_t count;
    size_t capacity;
};

/* Room for `capacity` of them, in the arena; to be freed by `queries_free`. */
struct queries queries_new(struct arena *arena, size_t capacity);
void queries_free(struct queries *queries);

/* Takes over the pipeline. The context must outlive the run. */
void queries_add(struct queries *queries, struct query query);

/*
 * Gives each query its rows, query by query in the order in which they were added. OK only when
 * each of them was answered to its end. A row that gives another status ends it.
 */
enum store_status queries_run(struct mongo_store *store, const struct queries *queries,
                              struct error *error);

/* {name: content}, or {$limit: limit}, at the end of a pipeline: an array of stages. */
void pipeline_append(bson_t *pipeline, const char *name, const bson_t *content);
void pipeline_append_limit(bson_t *pipeline, int64_t limit);

#endif
