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

struct request {
    struct text principal; /* the publisher's user, checked by the broker */
    struct text key;       /* message_id: the idempotency key, scoped to the principal */
    struct text reply_to;  /* absent: no reply is wanted */
    struct fingerprint fingerprint;
    bool has_deadline;
    int64_t deadline_ms; /* since the epoch */
    int64_t attempts;    /* workers that crashed while processing this command */
    /* The database permanently rejected the command's writes, in a batch of its own: it is
       `internal`, unless it fails by the current state. */
    bool rejected_by_storage;
    /* The database rejected even the write of that failure's outcome: it is `internal`. */
    bool rejection_unrecordable;
    /* Its workers died of decoding it, so only principal, key and reply_to are known: it gets its
       recorded outcome, or is `attempts_exhausted`. */
    bool undecoded;
    struct text storage_reason; /* the database's error text */
    struct command command;
};

#endif
