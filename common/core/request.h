/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command together with who sent it and how: what the planner judges. Borrowed from the
 * delivery's arena.
 */
#ifndef ALLOT_CORE_REQUEST_H
#define ALLOT_CORE_REQUEST_H

#include "common/core/command.h"

enum { FINGERPRINT_BYTES = 32 };

/* SHA-256 of the canonical body. */
struct fingerprint {
    uint8_t bytes[FINGERPRINT_BYTES];
};

struct request {
    struct text principal; /* who: checked by the broker */
    struct text key;       /* message_id: the idempotency key, scoped to the principal */
    struct text reply_to;  /* absent: nobody waits */
    struct fingerprint fingerprint;
    bool has_deadline;
    int64_t deadline_ms; /* since the epoch */
    int64_t attempts;    /* workers that died on this very command */
    /* Stood alone, and the storage refused what it would write: `internal`, unless the state
       refuses it now; once more, when not even the record of a refusal was taken: `internal`
       outright. */
    bool rejected_by_storage;
    bool rejection_unrecordable;
    struct text storage_reason;
    struct command command;
};

#endif
