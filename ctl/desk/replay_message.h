/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the message that replays a letter. Pure. */
#ifndef ALLOT_CTL_DESK_REPLAY_MESSAGE_H
#define ALLOT_CTL_DESK_REPLAY_MESSAGE_H

#include "allot/letter.h"
#include "allot/settings.h"
#include "common/base/error.h"

struct replay_options {
    bool keep_deadline;   /* x-allot-deadline of the original */
    bool keep_expiration; /* its `expiration` */
    bool keep_reply_to;   /* its `reply_to`; without it nobody gets a reply */
    bool new_key;         /* letters whose key has expired, or that have none, get a new one */
};

/* X(identifier, text): why a letter is not replayed. */
#define REPLAY_OBSTACLES(X)                                                                        \
    X(NONE, "")                                                                                    \
    X(CLOSED, "the letter is closed; see 'allotctl letter reopen'")                                \
    X(PENDING, "it was replayed, and the answer is not known yet")                                 \
    X(INTERRUPTED, "its replay was interrupted: 'allotctl letter show' names the run, for "        \
                   "'letter replay --continue RUN'")                                               \
    X(READ, "the command is a read: nobody would get its answer")                                  \
    X(TRUNCATED, "the letter has only the first part of the body")                                 \
    X(NO_BODY, "the letter has no body (letters.keep_body or letters.max_bytes)")                  \
    X(NO_MESSAGE, "the letter has no message: a worker could not read it")                         \
    X(NO_PRINCIPAL, "the message has no user_id, so it has no principal to act for")               \
    X(NO_KEY, "the message has no valid message_id; --new-key gives it one")                       \
    X(KEY_EXPIRED, "the key has expired, so the command could take effect a second time; "         \
                   "--new-key gives it another one")

enum replay_obstacle {
#define X(id, text) REPLAY_OBSTACLE_##id,
    REPLAY_OBSTACLES(X)
#undef X
};

/* Returns the text of the list. Static. */
const char *replay_obstacle_text(enum replay_obstacle obstacle);

/*
 * Returns why the letter cannot be replayed at this time of the database; NONE: it can. The record
 * must have its body. NO_KEY and KEY_EXPIRED are not returned if options->new_key is true. A letter
 * whose replay was begun, and not noted as sent, is INTERRUPTED: only its own run sends it again.
 */
enum replay_obstacle replay_obstacle(const struct letter_record *record,
                                     const struct replay_options *options,
                                     const struct settings *settings, int64_t now_ms);

/*
 * Returns the key under which a replay sends the command: the letter's new key if it has one,
 * otherwise its own. Absent: that key has expired or is not valid, so a new one is needed. A key
 * expires settings->idempotency_retention_ms after the letter got it: its own when it was last
 * dead-lettered, the new one at `new_key_at_ms`.
 */
struct text replay_key(const struct letter_record *record, const struct settings *settings,
                       int64_t now_ms);

/*
 * Returns the message to publish, mandatory and to the exchange of the commands: body, content type
 * and encoding, principal (as user_id), correlation id and traceparent of the original, the given
 * key, and what `options` keep. Without security.trust_user_id it has no user_id. Texts are
 * borrowed from the arguments, or in `arena`.
 */
struct outgoing replay_message(const struct letter_record *record,
                               const struct replay_options *options, struct text key,
                               const struct settings *settings, struct arena *arena);

#endif
