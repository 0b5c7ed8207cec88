/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the claims about the storage port are tried on: a world is a database with its stores, in
 * memory or of a real MongoDB; a session is one store with the snapshot that it works on.
 */
#ifndef ALLOT_STORE_WORLD_H
#define ALLOT_STORE_WORLD_H

#include "allot/store.h"
#include "tests/support/memory_store.h"
#include "common/mongo/mongo_store.h"

struct store_world {
    struct memory_database *memory; /* or */
    struct mongo_pool *pool;
    char database[64]; /* of the real one: made for this run, and dropped after it */
    struct arena *arena;
    uint32_t run;    /* random */
    uint32_t number; /* of ids given so far */
};

/* Runs `tests` of a program against one world or the other; cmocka's group set-up and tear-down. */
int store_world_memory(void **state);
int store_world_mongo(void **state); /* fails where ALLOT_MONGODB_URI is not set */
int store_world_end(void **state);

/* A pool for the world's database, with another time limit. */
struct mongo_pool *store_world_pool(const struct store_world *world, int64_t timeout_ms);

struct clock *store_world_clock(void); /* the system's */

struct uuid world_uuid(struct store_world *world); /* each greater than those before it */
struct text world_text(struct store_world *world, const char *prefix); /* unique */

struct session {
    struct store_world *world;
    struct store *store;
    struct arena *arena;
    struct snapshot *snapshot;
    struct error error;
};

struct session session_open(struct store_world *world);
/* Ends a transaction, if one was begun, and starts anew with an empty snapshot. */
void session_restart(struct session *session);
void session_close(struct session *session);
/* `begin`, and it has to succeed. */
void session_begin(struct session *session);
/* Seals and loads what is wanted, and it has to succeed. */
void session_load(struct session *session);
enum store_status session_write(struct session *session);
enum store_status session_commit(struct session *session);
/* Both, and they have to succeed; `end` as well. */
void session_keep(struct session *session);

#define assert_status(session, expected, actual)                                                   \
    session_expect((session), (expected), (actual), __FILE__, __LINE__)
void session_expect(const struct session *session, enum store_status expected,
                    enum store_status actual, const char *file, int line);

/* Slots made to be inserted, with what `content` says. The slot has to be loaded and absent. */
void put_provider(struct session *session, const struct provider *content);
void put_consumer(struct session *session, const struct consumer *content);
void put_outcome(struct session *session, struct text principal, struct text key, const char *body);

/* Whole transactions of their own. */
void world_add_provider(struct store_world *world, const struct provider *content);
void world_add_consumer(struct store_world *world, const struct consumer *content);
void world_add_outcome(struct store_world *world, struct text principal, struct text key,
                       const char *body);
/* A root provider of that name with one VCPU inventory of 64, 0 used. */
struct provider plain_provider(struct store_world *world);
/* A consumer of one allocation: an amount of VCPU on `provider`. */
struct consumer plain_consumer(struct store_world *world, struct uuid provider, int64_t amount);

/* Begins, wants and loads one document. */
struct provider *open_provider(struct session *session, struct uuid id);
struct consumer *open_consumer(struct session *session, struct uuid id);
struct outcome *open_outcome(struct session *session, struct text principal, struct text key);

#define assert_text(expected, actual) session_expect_text((expected), (actual), __FILE__, __LINE__)
void session_expect_text(struct text expected, struct text actual, const char *file, int line);
void assert_same_provider(const struct provider *expected, const struct provider *actual);
void assert_same_consumer(const struct consumer *expected, const struct consumer *actual);

#endif
