/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request: a command with its sender, its key and the history of its delivery. This is the input
 * of the planner. All texts are borrowed from the arena of the delivery.
 */
#ifndef ALLOT_CORE_REQUEST_H
#define ALLOT_CORE_REQUEST_H

#include "common/core/command.h"

enum { FINGERPRINT_BYTES = 32 };

/* The SHA-256 digest of the canonical body. */
struct fingerprint {
    uint8_t bytes[FINGERPRINT_BYTES];
};

/*
 * What the database made impossible for a command in a batch of its own, and so how it is answered.
 * Each level needs less of the database than the one before.
 *   NONE       nothing
 *   WRITES     its writes: it is decided again, because the state may have changed, and is
 *              `internal` if it would succeed
 *   LOAD       to load its documents, or to execute it in time: only its outcome is loaded, and it
 *              is `internal` if it has none; a read is answered as at BLIND
 *   RECORD     to touch its outcome: as LOAD, but nothing of it is written
 *   BLIND      all of that: it is answered without the database
 */
enum rejection {
    REJECTION_NONE,
    REJECTION_WRITES,
    REJECTION_LOAD,
    REJECTION_RECORD,
    REJECTION_BLIND
};

/* A limit of the worker that a command exceeds: in ms if it took too long, in bytes if its
   documents are too large. `limit` is 0 if there is none. */
struct excess {
    bool is_time;
    int64_t limit;
    int64_t given;
};

struct request {
    struct text principal; /* the publisher's user, checked by the broker */
    struct text key;       /* message_id: the idempotency key, scoped to the principal */
    struct text reply_to;  /* absent: no reply is wanted */
    struct fingerprint fingerprint;
    bool has_deadline;
    int64_t deadline_ms; /* since the epoch */
    int64_t attempts;    /* workers that crashed while processing this command */
    enum rejection rejection;
    struct text storage_reason; /* the database's error text, if it is rejected */
    struct excess excess;       /* of a rejected command that exceeds a limit */
    /* Its workers died of decoding it, so only principal, key and reply_to are known: it gets its
       recorded outcome, or is `attempts_exhausted`. */
    bool undecoded;
    struct command command;
};

#endif
