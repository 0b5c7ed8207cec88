/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says what a replay of letters would do now, and changes nothing. It uses the decoder, the load
 * and the planner of the worker, in a transaction that is aborted.
 */
#ifndef ALLOT_CTL_DESK_DRY_RUN_H
#define ALLOT_CTL_DESK_DRY_RUN_H

#include "ctl/desk/desk.h"
#include "ctl/desk/replay_message.h"

enum { DRY_RUN_SNAPSHOT_MAX = 512 }; /* letters that are planned on one snapshot */

/* X(identifier, name in JSON) */
#define DRY_KINDS(X)                                                                               \
    X(SUCCEEDS, "would_succeed")                                                                   \
    X(ANSWERED, "already_answered") /* the recorded answer would be given again */                 \
    X(FAILS, "would_fail")                                                                         \
    X(KEY_EXPIRED, "key_expired")                                                                  \
    X(NOT_REPLAYABLE, "not_replayable")

enum dry_kind {
#define X(id, name) DRY_##id,
    DRY_KINDS(X)
#undef X
};

/* Returns the name of the list. Static. */
const char *dry_kind_name(enum dry_kind kind);

/* What would become of one letter. Texts are in the arena of the call. */
struct dry_verdict {
    enum dry_kind kind;
    struct text code;       /* FAILS: the failure; ANSWERED: "success", or the failure */
    struct text text;       /* for people: the effect, the failure's message, or the reason */
    int64_t recorded_at_ms; /* ANSWERED: when the answer was recorded; 0: by a letter before it */
    size_t snapshot;        /* number of the snapshot on which it, or the next one, was planned */
};

/*
 * Plans the letters one after the other, in this order. Each block of DRY_RUN_SNAPSHOT_MAX is
 * planned on a snapshot of its own, which does not have the effects of the blocks before; a block
 * is smaller if its documents are too large. The records must have their bodies. Sets
 * `ret_verdicts[count]`. Without desk->policy nothing is planned: a letter that can be sent is
 * SUCCEEDS then, with a text that says no more than that. Returns false, with an error, if the
 * database does not answer.
 */
ALLOT_CHECK bool dry_run(const struct desk *desk, const struct replay_options *options,
                         const struct letter_record *records, size_t count, struct arena *arena,
                         struct dry_verdict *ret_verdicts, struct error *error);

#endif
