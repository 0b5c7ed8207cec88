/* SPDX-License-Identifier: Apache-2.0 */
/* The database as a command uses it: one pool with one store. */
#ifndef ALLOT_CTL_DATABASE_H
#define ALLOT_CTL_DATABASE_H

#include "allot/settings.h"
#include "common/mongo/mongo_store.h"

struct database {
    struct mongo_pool *pool; /* owned */
    struct store *store;     /* owned */
};

/* Starts libmongoc and opens a store; it does not connect. `settings` are borrowed for the call.
   Returns false, with an error, if the URI is invalid. Call database_close() also then, and once
   in a process. */
ALLOT_CHECK bool database_open(const struct settings *settings, struct database *ret_database,
                               struct error *error);
/* Frees the store and the pool, and ends libmongoc. */
void database_close(struct database *database);

#endif
