/* SPDX-License-Identifier: Apache-2.0 */
/* The storage port on libmongoc; the only folder that includes it. */
#ifndef ALLOT_MONGO_STORE_H
#define ALLOT_MONGO_STORE_H

#include "allot/clock.h"
#include "allot/store.h"

struct mongo_options {
    struct text uri; /* write concern majority and journal are set here, whatever it says */
    struct text database;
    int64_t timeout_ms;   /* of one round trip */
    int64_t retention_ms; /* of outcomes */
    struct text worker;   /* names the fence document of reads */
    struct clock *clock;  /* not owned */
    bool counting; /* for mongo_pool_counters: the library copies all that is written for it */
};

/* Once in the process, before threads, and once at its end. */
void mongo_library_init(void);
void mongo_library_cleanup(void);

/*
 * Where the library's own messages and start-up warnings go: nowhere until this is called; NULL for
 * nowhere again. `level` is one of libmongoc's: 0 error, 1 critical, 2 warning, 3 message, 4 info,
 * 5 debug. The callback may run in any thread, under a lock of the library: it has to be short and
 * may not call this folder. To be set before threads.
 */
typedef void (*mongo_log_callback)(void *context, int level, const char *domain,
                                   const char *message);
void mongo_set_log(mongo_log_callback callback, void *context);

/* One pool for all lanes; thread-safe. NULL, with an error, where the URI is not one. */
struct mongo_pool;
struct mongo_pool *mongo_pool_new(const struct mongo_options *options, struct error *error);
void mongo_pool_free(struct mongo_pool *pool);

/* The commands that the servers were sent since the pool was made, monitoring left out (APM), and
   the documents that they returned; 0 unless it was made `counting`. Thread-safe. */
struct mongo_counters {
    uint64_t commands;
    uint64_t documents_returned;
};
struct mongo_counters mongo_pool_counters(const struct mongo_pool *pool);

/* A store of its own session, for one thread; freed before the pool. NULL, with an error, where no
   client could be had. */
struct store *mongo_store_new(struct mongo_pool *pool, struct error *error);

#endif
