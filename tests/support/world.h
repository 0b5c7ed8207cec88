/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two workers, one broker and one database in memory, on one thread: every step of a worker's
 * applier or transport side is a call, so that a test can stop, cut and kill between any two. The
 * wiring is the lane's, without its threads. All chance comes from the seed.
 */
#ifndef ALLOT_WORLD_H
#define ALLOT_WORLD_H

#include "tests/support/fake_clock.h"
#include "tests/support/memory_store.h"
#include "tests/support/memory_transport.h"
#include "worker/service/applier.h"
#include "worker/service/settler.h"

enum { WORLD_WORKERS = 2, JOURNAL_MAX = 2048 };

struct world;

struct world_worker {
    struct world *world;
    struct transport *transport;
    struct store *store;
    struct settler *settler;
    struct applier *applier;
    _Atomic uint64_t epoch;
    bool connected;
    bool lost;
    bool idle;             /* the applier has nothing to do */
    int64_t apply_from_ms; /* the applier pauses until then */
};

/* A message that was sent; texts are the world's. Its correlation_id is unique. */
struct sent {
    struct text principal;
    struct text key; /* absent: none */
    struct text reply_to;
    struct text correlation_id;
    struct text body;
    int64_t deadline_ms;   /* 0: none */
    size_t replies_before; /* so many replies had come when it was sent */
};

struct journal {
    struct sent sent[JOURNAL_MAX];
    size_t count;
};

struct world {
    uint64_t seed;
    uint64_t random;
    struct arena *arena;
    struct fake_clock clock;
    struct memory_broker *broker;
    struct memory_database *database;
    struct policy_source *policy;
    struct world_worker workers[WORLD_WORKERS];
    struct journal journal;
    size_t max_commands; /* of a batch */
    uint16_t prefetch;
    unsigned untaken; /* replies that were nacked, or whose confirm was swallowed */
    size_t crashes;
    size_t refusals; /* faults by which the storage refuses, or lets a transaction expire */
};

struct world_options {
    uint64_t seed;
    size_t max_commands; /* 0: a small number */
    uint16_t prefetch;   /* 0: a small number */
};

/* With both workers started. Principals: admin may all; blue and red, in blue-* and red-* only. */
struct world *world_new(struct world_options options);
void world_free(struct world *world);

/* 0 to below - 1 */
uint64_t world_random(struct world *world, uint64_t below);
/* Publishes and notes it; the message as given, but for a correlation_id of its own. */
const struct sent *world_send(struct world *world, const struct sent *message);
/* Short for a message to `replies` with that principal, key and body. */
const struct sent *world_ask(struct world *world, const char *principal, const char *key,
                             const char *body);

/* One step of the applier, unless it pauses. */
void world_apply(struct world *world, size_t worker);
/* One turn of the transport's side; connects where it is not connected. */
void world_turn(struct world *world, size_t worker);
/* Its memory is gone, and a new one starts; its transaction is dropped, or lingers. */
void world_crash(struct world *world, size_t worker, enum memory_fate fate);
/* One fault by chance: of broker, storage or worker. */
void world_inject_fault(struct world *world);
/* Ends all faults. */
void world_clear_faults(struct world *world);
/* Steps both until nothing is left to do; false: it never came to that (a watchdog). */
bool world_run_until_idle(struct world *world);

/* The n-th reply to that message (0 is the first); NULL: there is none. */
const struct memory_message *world_reply(const struct world *world, const struct sent *sent,
                                         size_t nth);
const struct memory_message *world_dead_letter(const struct world *world, const struct sent *sent);

#endif
