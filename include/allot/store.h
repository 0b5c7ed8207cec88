/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storage port: transactions on the stored state, and attempt records beside them.
 *
 * Life of a transaction:
 *
 *   begin -> [take_advisory_lock] -> load (once or twice) -> write -> [write_letters] -> commit
 *         -> end
 *
 * Call `end` exactly once for each `begin` that returned STORE_OK. After a step that failed, call
 * `end` at once; `commit` may be repeated before it, after UNKNOWN. `end` aborts what is not
 * committed, so a failed transaction has no effect. There is no compensation.
 *
 * No call returns "not found". A document that does not exist is a slot with `exists == false`, and
 * a status concerns the whole call. So a database outage is never mistaken for a missing document.
 *
 * Threads: a store belongs to one thread. A process may have any number of stores.
 */
#ifndef ALLOT_STORE_H
#define ALLOT_STORE_H

#include "allot/letter.h"
#include "allot/notification.h"
#include "allot/worker_report.h"
#include "common/base/error.h"
#include "common/core/letter_bounds.h"
#include "common/core/snapshot.h"

/*
 * X(identifier, name in the log): how a call ended. Never part of a reply. Only UNKNOWN leaves open
 * whether the transaction took effect; with each of the statuses below it, it did not.
 *
 *   UNKNOWN        `commit` only, which has repeated itself for a bounded time: call `commit`
 *                  again, or `end` and `renew`, then load and plan again. The outcomes that the
 *                  load finds tell whether the commit took effect.
 *   CONFLICT       another transaction wrote the same document: load and plan again. Of
 *                  `take_advisory_lock`: another store holds the lock.
 *   UNAVAILABLE    no connection, no primary, or out of a resource: wait, then try again
 *   TIMED_OUT      the call took longer than its limit. The commands may be the cause, or the
 *                  database: only `prove_health` tells
 *   UNEXPLAINED    the connection broke in the call, or the database answered with an error that
 *                  says nothing about the cause: as after TIMED_OUT
 *   EXPIRED        the transaction outlived the server's limit: as after TIMED_OUT
 *   REFUSED        the database permanently rejects these writes (validator, size, unique index of
 *                  somebody else), or a stored document is malformed: try a smaller batch, or
 *                  answer `internal`
 *   TOO_LARGE      what is to be loaded exceeds the snapshot's `bytes_max`, or the limit
 *                  STORE_ROWS_BYTES_MAX: try a smaller batch, or answer `limit_exceeded`
 *   MISCONFIGURED  a bug in allotd, or a server that is not set up as required: an operator is
 *                  needed, so report it; then try again as after UNAVAILABLE
 */
#define STORE_STATUSES(X)                                                                          \
    X(OK, "ok")                                                                                    \
    X(CONFLICT, "conflict")                                                                        \
    X(UNAVAILABLE, "unavailable")                                                                  \
    X(UNKNOWN, "unknown")                                                                          \
    X(TIMED_OUT, "timed_out")                                                                      \
    X(UNEXPLAINED, "unexplained")                                                                  \
    X(EXPIRED, "expired")                                                                          \
    X(REFUSED, "refused")                                                                          \
    X(TOO_LARGE, "too_large")                                                                      \
    X(MISCONFIGURED, "misconfigured")

enum store_status {
#define X(id, name) STORE_##id,
    STORE_STATUSES(X)
#undef X
};

/* Returns the name for the log. Static. */
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

/* The database ends a load that finds more bytes of one kind of documents (of a $lookup stage, by
   default). */
enum { STORE_ROWS_BYTES_MAX = 100 * 1024 * 1024 };

/* What names a command before it is decoded (worker/service/attempt.h); valid UTF-8. */
struct attempt_key {
    struct text principal;
    struct text key;
};

/* What the attempt records of other stores say. Their workers have crashed, or they would have
   withdrawn their records; those of a worker that ended in order (WORKER_STOPPED) do not count. */
struct attempt_history {
    int64_t alone;   /* records that were made in a batch of one */
    size_t smallest; /* the size of the smallest batch; 0: there is no record */
};

enum {
    LETTER_SWEEP_AFTER_MS = 30 * 1000,
    LETTER_CLAIM_MS = 60 * 1000,
    LETTER_TRIM_MAX = 1000, /* letters that one call of trim_letters changes */
};

/* What the letters hold, and what is to be done about it. */
struct letter_measure {
    struct letter_share *shares; /* one for each principal that has letters, in any order */
    size_t count;
    struct letter_cut cut; /* LETTER_CUT_NONE: nothing */
};

/* What one call of trim_letters did. */
struct letter_trimmed {
    size_t letters; /* changed or deleted by this call */
    int64_t bytes;  /* by which the cut came nearer to its end */
    bool done;      /* nothing of the cut is left */
};

/* What `repair` found missing in the database. */
struct store_gap {
    struct error names; /* of what was missing, for people; empty: nothing */
    struct error left;  /* of what is missing still, after a repair that failed */
    bool stops_writes; /* no transaction could write because of `names`; after a repair that failed,
                          none can because of `left` */
};

struct store;

/* `error` may be NULL in each call. */
struct store_ops {
    /*
     * Checks the server (replica set, version), reads its limit for transactions, and creates or
     * updates collections, validators and indexes. Idempotent. UNAVAILABLE: call again later;
     * MISCONFIGURED: an operator is needed, and the error names the cause.
     */
    enum store_status (*prepare)(struct store *store, struct error *error);
    /*
     * Looks whether all that `prepare` creates is there, and calls `prepare` if not. To be called
     * after MISCONFIGURED from a call in a transaction, which says that a collection was dropped;
     * and once in a while. Not in a transaction. Sets `ret_gap` in any case. Not OK, with a gap: a
     * part of it could not be repaired, and `error` says why. If then two documents with the same
     * unique value could be written, no transaction of any store can write any more until a repair
     * succeeds. Not OK, without a gap: the database could not be looked at. While a worker of a
     * newer schema runs, it repairs; then this does nothing.
     */
    enum store_status (*repair)(struct store *store, struct store_gap *ret_gap,
                                struct error *error);
    /* To be called in place of `prepare` by a store whose database another one has prepared. After
       a failure call it again later. */
    enum store_status (*start)(struct store *store, struct error *error);

    /*
     * Returns the time by the database's clock, in milliseconds since the Unix epoch. Valid after
     * `prepare`, `start` or `begin` has returned OK. Cannot fail, and asks no server: these and
     * `record_attempts` measure how far that clock is from the monotonic one, again after each
     * change of the primary, and fail if they cannot. So no stored time, and no comparison with
     * one, depends on the wall clock of this machine.
     */
    int64_t (*now_ms)(struct store *store);

    /* Starts a transaction. Its snapshot is taken by the first step that follows. */
    enum store_status (*begin)(struct store *store, struct error *error);
    /*
     * Takes the advisory lock for this transaction, right after `begin`; optional. `end` releases
     * it. While one store has it, all others get CONFLICT from this call; a transaction that does
     * not call it is not kept out. `ret_contended` is true if the last transaction that committed
     * with the lock was another store's. The lock saves wasted work; correctness does not depend on
     * it.
     */
    enum store_status (*take_advisory_lock)(struct store *store, bool *ret_contended,
                                            struct error *error);
    /*
     * Fills every slot that is not `loaded`, for exactly the wanted keys, from the state that the
     * transaction sees. All texts and lists are copied into the snapshot's arena, which must not
     * exceed `bytes_max`. Unless it returns OK, no slot becomes `loaded`. MISCONFIGURED: a
     * collection was dropped, see `repair`.
     */
    enum store_status (*load)(struct store *store, struct snapshot *snapshot, struct error *error);
    /*
     * Writes every dirty slot, in the order of _id. What is written depends on two flags:
     *   !stored,  exists   insert
     *    stored,  exists   update, which always raises `rev`
     *    stored, !exists   delete
     *   !stored, !exists   insert and delete, so that a concurrent insert conflicts
     * An outcome counts as not stored, so a second outcome under the same key is a CONFLICT.
     */
    enum store_status (*write)(struct store *store, const struct snapshot *snapshot,
                               struct error *error);
    /*
     * Writes letters, whose ids are different: inserts each, or adds to the one that is stored. Its
     * state becomes `open`. It has to be published, also if it was before; but if it is written as
     * `published`, it is marked as published. `count` grows by `times`; reason, detail, worker and
     * group become the latest. The first three are added to the history, which keeps the newest
     * LETTER_HISTORY_MAX entries. Headers and body become the latest too, since a bound may have
     * deleted the body. All else stays as it was first written. It may be the only write of the
     * transaction. MISCONFIGURED: the collection was dropped, see `repair`.
     */
    enum store_status (*write_letters)(struct store *store, const struct letter *letters,
                                       size_t count, struct error *error);
    /* Commits durably: on a majority of the nodes, journaled. Repeats itself for a bounded time
       while the result is unknown. After UNKNOWN only `commit` or `end` may follow. */
    enum store_status (*commit)(struct store *store, struct error *error);
    /* Ends the transaction, and aborts it if it is not committed. Cannot fail. */
    void (*end)(struct store *store);
    /* Starts a new database session; to be called after UNKNOWN and `end`. So the next transaction
       has nothing in common with the one whose result is unknown. */
    void (*renew)(struct store *store);

    /* Sets how long a load may take on the server, in the transactions that begin from now on; at
       most the limit that the store was made with, which is the default. */
    void (*limit_calls)(struct store *store, int64_t limit_ms);
    /*
     * Proves that the database works: reads, writes and commits something of its own on a majority,
     * in a session of its own; not while a transaction is open. Sets `ret_primary` to the term of
     * the primary, so two equal ones mean that it was primary all the time between. Any failure is
     * UNAVAILABLE. What time it took is for the caller to judge.
     */
    enum store_status (*prove_health)(struct store *store, uint64_t *ret_primary,
                                      struct error *error);

    /*
     * Attempt records: which store is processing a command that may crash its worker, and in a
     * batch of how many. The first call reads, each other is one durable write (majority) outside
     * of any transaction, for all commands at once; it may be repeated without further effect. The
     * keys of one call are different.
     *   find_attempts      sets `ret_histories`, one for each command; see struct attempt_history
     *   record_attempts    adds a record of this store to each command. It says that the command
     *                      is in a batch of `batch` commands
     *   withdraw_attempts  removes this store's records again: the commands are not answered, but
     *                      this worker did not crash
     *   clear_attempts     removes the records of every store: the commands are answered
     */
    enum store_status (*find_attempts)(struct store *store, const struct attempt_key *keys,
                                       size_t count, struct attempt_history *ret_histories,
                                       struct error *error);
    enum store_status (*record_attempts)(struct store *store, const struct attempt_key *keys,
                                         size_t count, size_t batch, struct error *error);
    enum store_status (*withdraw_attempts)(struct store *store, const struct attempt_key *keys,
                                           size_t count, struct error *error);
    enum store_status (*clear_attempts)(struct store *store, const struct attempt_key *keys,
                                        size_t count, struct error *error);

    /*
     * Publishing of letters, outside of any transaction; each call that writes is durable
     * (majority) and may be repeated without further effect. All times are the database's.
     *   mark_letters_published  the dead letters of these ids were confirmed: they need no sweep,
     *                           and expire after the retention. An id that is not stored is ignored
     *   mark_letter_refused     the broker does not take this dead letter, and says why: it is not
     *                           tried again
     */
    enum store_status (*mark_letters_published)(struct store *store, const struct text *ids,
                                                size_t count, struct error *error);
    enum store_status (*mark_letter_refused)(struct store *store, struct text id,
                                             struct text reason, struct error *error);
    /*
     * Claims up to `max` letters, oldest first, for LETTER_CLAIM_MS: those that are unpublished for
     * LETTER_SWEEP_AFTER_MS, not refused, and not claimed by a call that returned OK. They have at
     * most `bytes_max` of headers and bodies, but there is at least one if any may be claimed. Sets
     * the list, which is in `arena` with all its texts. A call that is repeated after a failure
     * gets what the failed one claimed.
     */
    enum store_status (*claim_letters)(struct store *store, size_t max, size_t bytes_max,
                                       struct arena *arena, struct letter **ret_letters,
                                       size_t *ret_count, struct error *error);

    /*
     * Looks for letters, outside of any transaction, in one read for all ids. Sees what was
     * committed on a majority before the call. Sets `ret_sightings`, one for each id; the same id
     * may be given twice. Texts are in `arena`. A text that cannot be an id, or is absent, counts
     * as an id that is not stored.
     */
    enum store_status (*find_letters)(struct store *store, const struct text *ids, size_t count,
                                      struct arena *arena, struct letter_sighting *ret_sightings,
                                      struct error *error);

    /*
     * Keeps letters within a bound, outside of any transaction; both may be repeated.
     *   measure_letters  adds up what the letters of each principal hold, and plans the next cut
     *                    (letter_cut_choose). Reads no document. Shares and cut are in `arena`
     *   trim_letters     makes one batch of a cut: the oldest of its letters, until cut->bytes are
     *                    freed, and at most LETTER_TRIM_MAX. It changes only letters that were
     *                    last dead-lettered until cut->until_ms and that still meet the
     *                    conditions of the cut. So if several stores have planned the same cut,
     *                    each letter is changed once. Durable (majority)
     * A cut is planned for a bounded number of letters, so after a cut that is done, measure again.
     */
    enum store_status (*measure_letters)(struct store *store, int64_t max_bytes,
                                         struct arena *arena, struct letter_measure *ret_measure,
                                         struct error *error);
    enum store_status (*trim_letters)(struct store *store, const struct letter_cut *cut,
                                      struct letter_trimmed *ret_trimmed, struct error *error);

    /*
     * Notifications about letters, outside of any transaction; each call is durable (majority) and
     * may be repeated. All times are the database's.
     *   find_notifications  looks for groups that letters have come to since the last look of any
     *                       store, and notes a notification for each that had no letters before.
     *                       If more than `rate` open letters were dead-lettered in the last
     *                       NOTIFICATION_RATE_MS, it notes a notification of that, unless the last
     *                       one is still to be sent, or the rate was not lower since for
     *                       NOTIFICATION_RATE_MS, at most for NOTIFICATION_RATE_AGAIN_MS; 0: never.
     *                       Does nothing if a look of any store was within `pause_ms`. If there
     *                       was no look for a day, all groups that have letters count as known
     *   claim_notification  claims one that is due, for `claim_ms`; if more than
     *                       NOTIFICATION_GROUPS_MAX new groups are due, all of them as one. Texts
     *                       are in `arena`. Sets `ret_found` to false if none is due
     *   end_notification    ends a claim. FAILED: it is due again after `pause_ms`. Without
     *                       effect if the claim's time is over and another store has claimed it
     */
    enum store_status (*find_notifications)(struct store *store, int64_t rate, int64_t pause_ms,
                                            struct error *error);
    enum store_status (*claim_notification)(struct store *store, int64_t claim_ms,
                                            struct arena *arena, bool *ret_found,
                                            struct notification *ret_notification,
                                            struct error *error);
    enum store_status (*end_notification)(struct store *store,
                                          const struct notification *notification,
                                          enum notification_end end, int64_t pause_ms,
                                          struct error *error);

    /*
     * Writes the document of the worker that this store belongs to, outside of any transaction.
     * Durable (majority); may be repeated, and needs no `start`. The store adds the times, and how
     * far the wall clock of this machine is ahead. After STOPPED no report changes the state any
     * more, and `find_attempts` of other workers ignores the records of this one. The document is
     * deleted WORKER_KEPT_MS after the last report; after STOPPED not before its records have
     * expired.
     */
    enum store_status (*report_worker)(struct store *store, const struct worker_report *report,
                                       struct error *error);

    /* Ends the transaction, if there is one, and frees the store. */
    void (*free)(struct store *store);
};

/* The first member of each adapter's own struct. */
struct store {
    const struct store_ops *ops;
};

#endif
