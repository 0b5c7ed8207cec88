/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storage port on MongoDB, with libmongoc. One pool serves all stores of the process; each
 * store has a client and a session of its own. This header and library.h are the only ones of
 * common/mongo that need no libmongoc header, and the folder is the only one that may include them.
 */
#ifndef ALLOT_MONGO_STORE_H
#define ALLOT_MONGO_STORE_H

#include "allot/clock.h"
#include "allot/store.h"
#include "common/mongo/library.h"

struct mongo_options {
    struct text uri; /* its write concern, read concern and read preference are overridden */
    struct text database;
    int64_t timeout_ms;           /* of one round trip: 1 to INT32_MAX */
    int64_t retention_ms;         /* how long outcomes and attempt records are kept */
    int64_t letters_retention_ms; /* how long letters are kept after they were published */
    struct text worker;           /* name in `workers` and in the server's log */
    struct clock *clock; /* borrowed; must outlive the pool. Its wall clock is only compared with
                            the database's, for a warning */
    bool counting; /* for mongo_pool_counters(); makes libmongoc copy every command that it sends */
};

/* The domain of the warnings that the stores themselves give: of the server's limit for
   transactions, and of a wrong clock. Each says what to do. */
#define MONGO_WARNING_DOMAIN "allot"

/*
 * Sets where libmongoc's messages and the warnings of the stores go. Before the first call, and
 * after one with NULL, they are discarded. `level` is one of libmongoc's: 0 error, 1 critical, 2
 * warning, 3 message, 4 info, 5 debug. Call it before there are stores or after the last one. The
 * callback may run in any thread, under a lock of libmongoc: it must return soon, and must not call
 * functions of this folder.
 */
typedef void (*mongo_log_callback)(void *context, int level, const char *domain,
                                   const char *message);
void mongo_set_log(mongo_log_callback callback, void *context);

/* What a URI says of the servers. */
struct mongo_uri {
    bool tls;
    const struct text *hosts; /* names, addresses or paths of sockets, without ports */
    size_t host_count;
    struct text key_file; /* PEM file with the client's certificate and key; absent: none */
};
/* Reads a URI; everything is copied to `arena`, and ends with a NUL. Returns false, with an error,
   if mongo_pool_new() would not take the URI. Does not connect. */
ALLOT_CHECK bool mongo_uri_read(struct text text, struct arena *arena, struct mongo_uri *ret_uri,
                                struct error *error);

/* Creates the pool of the process, with copies of the options. It does not connect. Returns NULL,
   with an error, if the URI is invalid, or names a file that is not a regular file. The caller owns
   the pool. Thread-safe. */
struct mongo_pool;
struct mongo_pool *mongo_pool_new(const struct mongo_options *options, struct error *error);
/* Frees the pool, after all its stores. It waits for the threads of libmongoc that monitor the
   servers: up to 500 ms. NULL is allowed. */
void mongo_pool_free(struct mongo_pool *pool);
/* The same without the wait, for a process that ends now, by end_process(): the threads go on until
   then, so the pool's memory is kept. The server ends the sessions of the pool itself, after 30
   minutes. NULL is allowed. Not thread-safe. */
void mongo_pool_leave(struct mongo_pool *pool);

/* Totals of all stores of a pool. */
struct mongo_counters {
    uint64_t commands;           /* sent to the servers; `hello` does not count */
    uint64_t documents_returned; /* by these commands */
    uint64_t clock_measurements; /* of the database's clock; counted in any case */
};
/* Returns the counters since the pool was created. Without the option `counting`, those of commands
   and documents are 0. Thread-safe. */
struct mongo_counters mongo_pool_counters(const struct mongo_pool *pool);

/* Creates a store with a client and a session of its own, for one thread. Free it before the pool,
   with `ops->free`. Returns NULL, with an error, if the pool has no client left. */
struct store *mongo_store_new(struct mongo_pool *pool, struct error *error);
/* The same, for another thread of the lane of `store`, which is borrowed: the attempt records of
   both are those of one store. */
struct store *mongo_store_sibling(const struct store *store, struct error *error);

/* Sets the time of the database's clock, in milliseconds since the Unix epoch, and measures it if
   that is due. Needs neither `prepare` nor `begin`. `store` is one of mongo_store_new() that is not
   in a transaction. */
enum store_status mongo_read_clock(struct store *store, int64_t *ret_now_ms, struct error *error);

#endif
