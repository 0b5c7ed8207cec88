/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents and the structs of the core, both ways. Inside of common/mongo; it sends nothing. What
 * is written goes into a bson_t that the caller has initialised.
 */
#ifndef ALLOT_MONGO_DOCUMENT_H
#define ALLOT_MONGO_DOCUMENT_H

#include <bson/bson.h>

#include "allot/limits.h"
#include "common/core/snapshot.h"

void document_append_text(bson_t *document, const char *key, struct text value);
void document_append_uuid(bson_t *document, const char *key, struct uuid value);

/* `_id` of each kind: alone, a selector. */
void document_provider_id(bson_t *document, const struct provider *provider);
void document_consumer_id(bson_t *document, const struct consumer *consumer);
/* Principal and key, in this order: it is part of what makes two ids equal. */
void document_command_id(bson_t *document, struct text principal, struct text key);

/* Whole documents, for an insert. `now_ms` and `expires_ms` since the epoch. */
void document_provider(bson_t *document, const struct provider *provider);
void document_consumer(bson_t *document, const struct consumer *consumer);
void document_outcome(bson_t *document, const struct outcome *outcome, int64_t now_ms,
                      int64_t expires_ms);

/* Update documents: what changed, and always `rev`, so that a concurrent write conflicts. */
void document_provider_update(bson_t *update, const struct provider *provider);
void document_node_update(bson_t *update, const struct tree_node *node);
void document_consumer_update(bson_t *update, const struct consumer *consumer);

/*
 * Fill all but `state` from a stored document, with copies in the arena; false, and `ret_x` in any
 * condition, where the document has not the form that the validators ask for.
 */
ALLOT_CHECK bool document_read_id(const bson_t *document, struct uuid *ret_id);
ALLOT_CHECK bool document_read_provider(const bson_t *document, struct arena *arena,
                                        struct provider *ret_provider);
ALLOT_CHECK bool document_read_name(const bson_t *document, struct text *ret_borrowed);
ALLOT_CHECK bool document_read_consumer(const bson_t *document, struct arena *arena,
                                        struct consumer *ret_consumer);
/* Of a consumer of which only `generation` and some of `allocations` were asked for. */
ALLOT_CHECK bool document_read_row(const bson_t *document, struct arena *arena,
                                   struct consumer *ret_consumer);
ALLOT_CHECK bool document_read_node(const bson_t *document, struct tree_node *ret_node);
ALLOT_CHECK bool document_read_outcome_id(const bson_t *document, struct text *ret_principal,
                                          struct text *ret_key);
ALLOT_CHECK bool document_read_outcome(const bson_t *document, struct arena *arena,
                                       struct outcome *ret_outcome);
/* One group of usage.get: type, class (empty: the count of consumers) and amount; borrowed. */
ALLOT_CHECK bool document_read_usage(const bson_t *document, struct text *ret_type,
                                     struct text *ret_class, int64_t *ret_amount);

#endif
