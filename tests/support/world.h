/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator: two workers, one broker and one database in memory, all on one thread.
 *
 * Each step of a worker is a function call: one of the applier (world_apply_step) or one of the
 * transport side (world_transport_step). So a test can crash a worker, cut its connection or make a
 * call fail between any two steps. The workers run the real applier, settler, planner and codec;
 * world.c does what lane.c does, without the threads. Time is a fake clock, by whose wall clock the
 * database goes. That of one worker is eight days behind, and that of the other eight days ahead.
 *
 * Every random choice comes from the seed: the same seed gives the same run, step by step. Nothing
 * here waits or depends on the speed of the machine.
 */
#ifndef ALLOT_WORLD_H
#define ALLOT_WORLD_H

#include "tests/support/fake_clock.h"
#include "tests/support/memory_store.h"
#include "tests/support/memory_transport.h"
#include "worker/service/applier.h"
#include "worker/service/flow.h"
#include "worker/service/read_queue.h"
#include "worker/service/settler.h"

/* WORLD_ATTEMPTS_MAX is the max_attempts of each worker. Its other settings are in world.c. */
enum {
    WORLD_WORKERS = 2,
    WORLD_READERS = 2,
    WORLD_FIRST_READER = 2,
    WORLD_APPLIERS = WORLD_FIRST_READER + WORLD_READERS,
    WORLD_ATTEMPTS_MAX = 3,
    JOURNAL_MAX = 2048
};

struct world;

/* An apply thread of a worker, without the thread. */
struct world_applier {
    struct applier *applier;
    struct store *store;
    size_t count;              /* jobs that were submitted and are not reaped */
    bool idle;                 /* it has nothing to do */
    bool idle_until_submitted; /* what is submitted ends the pause */
    int64_t from_ms;           /* it pauses until this time of the fake clock */
};

struct world_worker {
    struct world *world;
    struct wrong_clock clock; /* of its machine */
    struct transport *transport;
    struct settler *settler;
    struct world_applier appliers[WORLD_APPLIERS]; /* by role; from WORLD_FIRST_READER on readers */
    size_t turn_of;                                /* the applier that had the last step */
    struct read_queue *reads;
    _Atomic uint64_t epoch;
    struct memory_budget budget; /* without a limit */
    struct flow flow;            /* of the subscription; bytes in flight are not counted */
    bool connected;
    bool lost;
    struct attempt_turn turn; /* unless the workers are lanes of one process */
    struct full_principals *full;
    bool sweeping; /* the applier looks for unpublished letters */
    int64_t sweep_at_ms;
    bool trimming; /* the applier makes a step of a trim */
    int64_t trim_at_ms;
};

/* A message that was sent. Its texts are owned by the world; its correlation_id is unique. */
struct sent {
    struct text principal;
    struct text key; /* absent: none */
    struct text reply_to;
    struct text correlation_id;
    struct text body;
    int64_t deadline_ms;   /* 0: none */
    size_t replies_before; /* how many replies had arrived when it was sent */
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
    size_t max_documents;
    uint16_t prefetch;
    int64_t letters_max_bytes;
    struct letter_redaction redaction;
    bool one_process;
    struct attempt_turn turn;     /* of the one process */
    unsigned unconfirmed_replies; /* replies that were nacked, or whose confirm was dropped */
    size_t crashes;
    size_t rejections; /* injected faults of the kinds REFUSED and EXPIRED */
};

struct world_options {
    uint64_t seed;
    size_t max_commands;       /* 0: a small number */
    size_t max_documents;      /* of a batch; 0: a large number */
    uint16_t prefetch;         /* 0: a small number */
    int64_t letters_max_bytes; /* 0: a large number */
    bool one_process; /* the workers are two lanes of one; the caller crashes them together */
    struct letter_redaction redaction; /* of stored letters */
};

/*
 * Creates a world with both workers started. The policy has three principals: `admin` may run
 * everything; `blue` and `red` may allocate in the projects blue-* and red-* only. Owned by the
 * caller.
 */
struct world *world_new(struct world_options options);
void world_free(struct world *world);

/* Returns a random number from 0 to `below` - 1. */
uint64_t world_random(struct world *world, uint64_t below);
/* Publishes the message with a correlation_id of its own, and adds it to the journal. */
const struct sent *world_send(struct world *world, const struct sent *message);
/* Sends a message with this principal, key and body; its reply_to is the queue `replies`. */
const struct sent *world_ask(struct world *world, const char *principal, const char *key,
                             const char *body);

/* Makes one step of one applier: the next one in turn that has something to do and does not
   pause. */
void world_apply_step(struct world *world, size_t worker);
/* Makes one step of the applier with this role, or of the first reader, unless it pauses. */
void world_apply_step_of(struct world *world, size_t worker, enum apply_role role);
/* Submits a job to the applier that it belongs to, as the transport side does. */
void world_submit(struct world *world, size_t worker, struct job *job);
/* Makes one step of the transport side; connects the worker if it is not connected. */
void world_transport_step(struct world *world, size_t worker);
/* Crashes a worker and starts a new one. `fate` says what becomes of its open transaction. */
void world_crash(struct world *world, size_t worker, enum memory_fate fate);
/* Stops a worker in order, with what is in flight, and starts a new one. */
void world_restart(struct world *world, size_t worker);
/* Injects one random fault of the broker, the database or a worker. */
void world_inject_fault(struct world *world);
/* Ends all injected faults. */
void world_clear_faults(struct world *world);
/* Steps both workers until nothing is left to do. Returns false if that takes more than a bounded
   number of steps. */
bool world_run_until_idle(struct world *world);

/* Returns the n-th reply to the message (0 is the first), borrowed; NULL if there is none. */
const struct memory_message *world_reply(const struct world *world, const struct sent *sent,
                                         size_t nth);
/* Returns the dead letter of the message, borrowed; NULL if there is none. */
const struct memory_message *world_dead_letter(const struct world *world, const struct sent *sent);

#endif
