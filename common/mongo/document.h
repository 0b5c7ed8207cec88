/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translates between the structs of the core and the stored documents. It does no I/O. The
 * functions that write append to a bson_t which the caller has initialized. Internal to
 * common/mongo.
 */
#ifndef ALLOT_MONGO_DOCUMENT_H
#define ALLOT_MONGO_DOCUMENT_H

#include "allot/limits.h"
#include "common/core/snapshot.h"
#include "common/mongo/libmongoc.h"

/* --- values --- */

/* Append a field. An absent text becomes an empty one. */
void document_append_text(bson_t *document, const char *key, struct text value);
void document_append_uuid(bson_t *document, const char *key, struct uuid value);
/* Sets `ret_view` to the document or array that an element holds, borrowed from it. Returns false
   if the element holds something else. */
ALLOT_CHECK bool document_view(const bson_iter_t *iter, bson_t *ret_view);
/* Set the value that an element holds. Return false if it holds something else. An integer may have
   32 bits as well, since the MongoDB shell may store a number that an operator types so. */
ALLOT_CHECK bool document_uuid(const bson_iter_t *iter, struct uuid *ret_uuid);
ALLOT_CHECK bool document_integer(const bson_iter_t *iter, int64_t *ret_value);
/* Parses JSON that is part of allotd; the caller owns the result. Aborts if the JSON is invalid. */
bson_t *document_from_json(const char *json);

/* --- writing --- */

/* Append `_id`. With nothing else in it, the document is a selector. */
void document_provider_id(bson_t *document, const struct provider *provider);
void document_consumer_id(bson_t *document, const struct consumer *consumer);
/* Principal and key, always in this order: MongoDB compares embedded documents with their order. */
void document_command_id(bson_t *document, struct text principal, struct text key);

/* Append whole documents, for an insert. `now_ms` and `expires_ms` count from the Unix epoch. */
void document_provider(bson_t *document, const struct provider *provider);
void document_consumer(bson_t *document, const struct consumer *consumer);
void document_outcome(bson_t *document, const struct outcome *outcome, int64_t now_ms,
                      int64_t expires_ms);

/* Append the operators of an update: what changed, and always `rev`, so that concurrent writes
   conflict. */
void document_provider_update(bson_t *update, const struct provider *provider);
void document_node_update(bson_t *update, const struct tree_node *node);
void document_consumer_update(bson_t *update, const struct consumer *consumer);

/* --- reading --- */

/*
 * Fill a struct, except for its `state`, from a stored document. Texts and lists are copied into
 * the arena; without an arena they are borrowed from the document. Return false if the document is
 * malformed; the struct may then be filled in part.
 */
ALLOT_CHECK bool document_read_id(const bson_t *document, struct uuid *ret_id);
ALLOT_CHECK bool document_read_provider(const bson_t *document, struct arena *arena,
                                        struct provider *ret_provider);
ALLOT_CHECK bool document_read_name(const bson_t *document, struct text *ret_borrowed);
ALLOT_CHECK bool document_read_consumer(const bson_t *document, struct arena *arena,
                                        struct consumer *ret_consumer);
/* Reads a row of provider.list: a provider with name, parent, root and generation only. */
ALLOT_CHECK bool document_read_place(const bson_t *document, struct arena *arena,
                                     struct provider *ret_provider);
/* Reads a row of provider.allocations: a consumer with `generation` and `allocations` only. */
ALLOT_CHECK bool document_read_row(const bson_t *document, struct arena *arena,
                                   struct consumer *ret_consumer);
ALLOT_CHECK bool document_read_node(const bson_t *document, struct tree_node *ret_node);
ALLOT_CHECK bool document_read_outcome_id(const bson_t *document, struct text *ret_principal,
                                          struct text *ret_key);
ALLOT_CHECK bool document_read_outcome(const bson_t *document, struct arena *arena,
                                       struct outcome *ret_outcome);
/* Reads a row of usage.get: consumer type, class and amount. With an empty class, the amount is the
   number of consumers. */
ALLOT_CHECK bool document_read_usage(const bson_t *document, struct text *ret_type,
                                     struct text *ret_class, int64_t *ret_amount);

#endif
