/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storage port. It has no "not found": a document that is not there is an empty slot of the
 * snapshot, and a failure is a status of the whole call. One store belongs to one thread.
 *
 * A transaction: begin, take_advisory_lock or not, load (once or twice), write, commit, end. `end`
 * is called exactly once for each begin that gave STORE_OK, whatever happened in between; it aborts
 * what was not committed, and cannot fail. Nothing is ever compensated.
 */
#ifndef ALLOT_STORE_H
#define ALLOT_STORE_H

#include "common/base/error.h"
#include "common/core/snapshot.h"

/*
 * How an operation on the storage ended. Never part of a reply.
 *   CONFLICT     another transaction was in the way; nothing took effect: load and plan again
 *   UNAVAILABLE  no connection, time-out, no primary: nothing took effect, wait and try again
 *   UNKNOWN      of commit alone, after it repeated itself for a time: it may or may not have taken
 *                effect; end, renew and plan again: the record decides
 *   EXPIRED      the transaction outlived the server's limit; nothing took effect
 *   REFUSED      the server refuses these writes for good (validator, size): nothing took effect
 *   MISCONFIGURED     our own mistake, or a server that is not as it has to be; nothing took effect
 */
#define STORE_STATUSES(X)                                                                          \
    X(OK, "ok")                                                                                    \
    X(CONFLICT, "conflict")                                                                        \
    X(UNAVAILABLE, "unavailable")                                                                  \
    X(UNKNOWN, "unknown")                                                                          \
    X(EXPIRED, "expired")                                                                          \
    X(REFUSED, "refused")                                                                          \
    X(MISCONFIGURED, "misconfigured")

enum store_status {
#define X(id, name) STORE_##id,
    STORE_STATUSES(X)
#undef X
};

/* The name for the log; static. */
static inline const char *store_status_name(enum store_status status)
{
    switch (status) {
#define X(id, name)                                                                                \
    case STORE_##id: return name;
        STORE_STATUSES(X)
#undef X
    }
    return "";
}

struct store;

struct store_ops {
    /*
     * Makes collections, validators and indexes as they have to be, and checks the server
     * (replica set, version, transaction lifetime). Idempotent. UNAVAILABLE: call again later;
     * MISUSE: a person has to mend something, the error says what.
     */
    enum store_status (*prepare)(struct store *store, struct error *error);

    enum store_status (*begin)(struct store *store, struct error *error);
    /*
     * Where wanted, right after `begin`: until the transaction ends, it keeps out the others that
     * take their turn. CONFLICT: another one has it. `ret_contended`: the turn before was another
     * store's. A turn says who goes first where transactions are in each other's way; nothing
     * relies on it.
     */
    enum store_status (*take_advisory_lock)(struct store *store, bool *ret_contended,
                                            struct error *error);
    /*
     * Fills every slot that is not `loaded`, on the transaction's snapshot: one query per
     * collection at most, for exactly the keys wanted. Copies go to the snapshot's arena.
     */
    enum store_status (*load)(struct store *store, struct snapshot *snapshot, struct error *error);
    /*
     * Writes every slot that is dirty: one net write per document, in order of _id. !stored &&
     * exists: insert; stored && exists: update; stored && !exists: delete; neither: inserted and
     * deleted, so that a concurrent insert conflicts. Outcomes are plain inserts.
     */
    enum store_status (*write)(struct store *store, const struct snapshot *snapshot,
                               struct error *error);
    /* Majority, journaled. While the result is unknown it repeats itself, for a bounded time; it
       may be called again after UNKNOWN (and then only commit or end). */
    enum store_status (*commit)(struct store *store, struct error *error);
    void (*end)(struct store *store);
    /* After a commit that stayed UNKNOWN, and `end`: a new session, so that nothing lingers. */
    void (*renew)(struct store *store);

    /*
     * Attempts of a command that is delivered for the third time or more. Each change is a durable
     * (majority) write of its own, and the same one again changes nothing. `mark` notes an attempt
     * of this store, and gives the marks that other stores left: attempts that ended with their
     * worker. `unmark` takes one back (the worker lived on, and the command was not answered);
     * `forget` removes all marks of the command (it was answered). `attempt` is a number that the
     * caller uses once.
     */
    enum store_status (*record_attempt)(struct store *store, struct text principal, struct text key,
                                        uint64_t attempt, int64_t *ret_crashed,
                                        struct error *error);
    enum store_status (*withdraw_attempt)(struct store *store, struct text principal,
                                          struct text key, uint64_t attempt, struct error *error);
    enum store_status (*clear_attempts)(struct store *store, struct text principal, struct text key,
                                        struct error *error);

    void (*free)(struct store *store);
};

/* Adapters embed this as their first member. */
struct store {
    const struct store_ops *ops;
};

#endif
