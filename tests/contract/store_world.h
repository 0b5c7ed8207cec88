/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the storage port share. A world is a database with its stores, either in memory
 * or of a real MongoDB. A session is one store with the snapshot that it works on.
 *
 * Each run of a program has a database of its own, dropped at the end; the tests of a program share
 * it. So a test uses ids and names that world_uuid() and world_text() made. Helpers that return no
 * status end the test when a call does not return OK.
 */
#ifndef ALLOT_STORE_WORLD_H
#define ALLOT_STORE_WORLD_H

#include "allot/store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_store.h"
#include "common/mongo/mongo_store.h"

enum { WORLD_RETENTION_MS = 3600 * 1000 }; /* of outcomes and attempt records, on MongoDB */

struct store_world {
    struct memory_database *memory; /* NULL: the world is on MongoDB */
    struct fake_clock clock;        /* of the database in memory */
    struct mongo_pool *pool;        /* NULL: the world is in memory */
    char database[64];              /* name of the database on MongoDB */
    struct arena *arena;
    uint32_t run;    /* a random number */
    uint32_t number; /* how many ids and texts were made */
};

/* --- worlds --- */

/* Create a world in `*state`: group set-up functions of cmocka. */
int store_world_memory(void **state);
int store_world_mongo(void **state); /* fails if ALLOT_MONGODB_URI is not set */
/* Drops the database and frees the world: the group tear-down. */
int store_world_end(void **state);

/* Makes a pool for the world's database with this time limit. Owned by the caller; NULL: failed. */
struct mongo_pool *store_world_pool(const struct store_world *world, int64_t timeout_ms);
/* The same with a clock of its own, which is borrowed. */
struct mongo_pool *store_world_pool_with(const struct store_world *world, int64_t timeout_ms,
                                         struct clock *clock);

/* Returns the principal of all tests that need only one. */
struct text conductor(void);
/* Makes a UUID; each is greater than those made before it. */
struct uuid world_uuid(struct store_world *world);
/* Makes a unique text that begins with `prefix`; the world's arena owns it. */
struct text world_text(struct store_world *world, const char *prefix);

/* --- sessions --- */

struct session {
    struct store_world *world;
    struct store *store;
    struct arena *arena;
    struct snapshot *snapshot;
    struct error error; /* of the last call that failed */
};

struct session session_open(struct store_world *world);
/* Ends the transaction, if one was begun, and makes an empty snapshot. */
void session_restart(struct session *session);
/* Ends the transaction and frees the store and the snapshot. */
void session_close(struct session *session);

enum store_status session_prepare(struct session *session);
void session_begin(struct session *session);
/* Seals the snapshot and loads what is wanted. */
void session_load(struct session *session);
enum store_status session_try_load(struct session *session);
enum store_status session_write(struct session *session);
enum store_status session_commit(struct session *session);
/* Writes, commits, ends, and makes an empty snapshot. */
void session_save(struct session *session);
/* Records an attempt of `count` commands with the principal conductor() and these keys. */
enum store_status session_record_attempts(struct session *session, const struct text *keys,
                                          size_t count);
/* Returns what the records of other stores say of the command with this key. */
struct attempt_history session_find_attempts(struct session *session, struct text key);

/* Ends the test unless the status is the expected one; prints both and the session's error. */
#define assert_status(session, expected, actual)                                                   \
    session_expect((session), (expected), (actual), __FILE__, __LINE__)
void session_expect(const struct session *session, enum store_status expected,
                    enum store_status actual, const char *file, int line);

/* --- documents --- */

/* Begin, and load one document, a consumer with its mappings. Return its slot, borrowed. */
struct provider *open_provider(struct session *session, struct uuid id);
struct consumer *open_consumer(struct session *session, struct uuid id);
struct outcome *open_outcome(struct session *session, struct text principal, struct text key);

/* Fill a slot with `content`, to be inserted. The slot has to be loaded and absent. */
void put_provider(struct session *session, const struct provider *content);
void put_consumer(struct session *session, const struct consumer *content);
void put_outcome(struct session *session, struct text principal, struct text key, const char *body);
/* Opens and puts a provider. */
void stage_provider(struct session *session, const struct provider *content);

/* Insert a document, each in a transaction of its own. */
void world_add_provider(struct store_world *world, const struct provider *content);
void world_add_consumer(struct store_world *world, const struct consumer *content);
void world_add_outcome(struct store_world *world, struct text principal, struct text key,
                       const char *body);

/* Makes a root provider with a unique name and one inventory: 64 VCPU, 0 used. Not stored. */
struct provider plain_provider(struct store_world *world);
/* Makes a consumer with one allocation: `amount` VCPU on `provider`. Not stored. */
struct consumer plain_consumer(struct store_world *world, struct uuid provider, int64_t amount);

/* --- comparison --- */

#define assert_text(expected, actual) session_expect_text((expected), (actual), __FILE__, __LINE__)
void session_expect_text(struct text expected, struct text actual, const char *file, int line);
/* Compare all members. `actual` must be a slot as a load fills it: stored, and not dirty. */
void assert_same_provider(const struct provider *expected, const struct provider *actual);
void assert_same_consumer(const struct consumer *expected, const struct consumer *actual);

#endif
