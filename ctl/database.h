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
   in a process, which then has to end by end_process(). */
ALLOT_CHECK bool database_open(const struct settings *settings, struct database *ret_database,
                               struct error *error);
/* Frees the store. The pool and libmongoc are left to the end of the process, since to end them
   takes up to 500 ms, which a person would notice after each command. */
void database_close(struct database *database);

#endif
