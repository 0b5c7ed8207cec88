/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A letter: the stored record of a command that got a dead letter, or of a message that the broker
 * dead-lettered. The dead letter itself is the message in the dead-letter queue. Texts and lists
 * are borrowed. Source: docs/protocol.md, section 5.
 */
#ifndef ALLOT_LETTER_H
#define ALLOT_LETTER_H

#include "allot/message.h"
#include "common/base/uuid.h"

enum {
    LETTER_ID_DIGITS = 32, /* hexadecimal, lower case */
    LETTER_NAMES_MAX = 16, /* consumers, and providers, that a letter names */
    LETTER_HISTORY_MAX = 20
};

/* X(identifier, name in the database): who dead-lettered the message. */
#define LETTER_SOURCES(X)                                                                          \
    X(WORKER, "worker")                                                                            \
    X(BROKER, "broker")

enum letter_source {
#define X(id, name) LETTER_SOURCE_##id,
    LETTER_SOURCES(X)
#undef X
};

/*
 * X(identifier, name in the database): what people did about it.
 *   OPEN       nothing yet, or the same command was dead-lettered again since
 *   REPLAYED   the command was sent again
 *   RESOLVED   it needs nothing more
 *   DISCARDED  it was thrown away
 */
#define LETTER_STATES(X)                                                                           \
    X(OPEN, "open")                                                                                \
    X(REPLAYED, "replayed")                                                                        \
    X(RESOLVED, "resolved")                                                                        \
    X(DISCARDED, "discarded")

enum letter_state {
#define X(id, name) LETTER_##id,
    LETTER_STATES(X)
#undef X
};

/* What is written when a command is dead-lettered. An absent text is left out of the document. */
struct letter {
    struct text id; /* LETTER_ID_DIGITS: the same for the same command */
    enum letter_source source;
    size_t times; /* dead-lettered so often in this batch: 1 or more */
    struct text reason;
    struct text detail;
    struct text principal;
    struct text key; /* message_id */
    struct text command;
    struct text project;
    const struct uuid *consumers;
    size_t consumer_count;
    const struct uuid *providers;
    size_t provider_count;
    struct text group; /* the same for letters of one cause */
    struct text queue;
    struct text worker;
    int64_t attempts;
    struct text traceparent;
    struct properties properties; /* of the command, with its user_id */
    struct text raw_headers;      /* an encoded field table, or absent */
    struct text body;             /* or the first part of it */
    uint64_t body_size;           /* of all of it */
    struct text body_sha256;      /* of all of it, in hexadecimal digits */
};

#endif
