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
    LETTER_HISTORY_MAX = 20,
    /* What a letter counts for beside its texts: numbers, names of fields, the history, and its
       places in the indexes. */
    LETTER_BYTES_REST = 2048
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

/*
 * X(identifier, name in the database): an entry of a letter's history, besides the entries that
 * workers add, which have no action.
 *   REPLAYED   the command is sent again
 *   EDITED     a changed command is sent in its place, under a key of its own
 *   SUCCEEDED  the command has succeeded since
 *   FAILED     the command has failed again, and has no letter of its own for it
 *   RESOLVED, DISCARDED, REOPENED  a person said so
 */
#define LETTER_ACTIONS(X)                                                                          \
    X(REPLAYED, "replayed")                                                                        \
    X(EDITED, "edited")                                                                            \
    X(SUCCEEDED, "succeeded")                                                                      \
    X(FAILED, "failed")                                                                            \
    X(RESOLVED, "resolved")                                                                        \
    X(DISCARDED, "discarded")                                                                      \
    X(REOPENED, "reopened")

enum letter_action {
    LETTER_ACTION_NONE, /* a worker's entry: the command was dead-lettered */
#define X(id, name) LETTER_ACTION_##id,
    LETTER_ACTIONS(X)
#undef X
};

/*
 * X(identifier, name in the database): how far a replay of the letter is.
 *   SELECTED  it belongs to a run of replays that has not sent it yet
 *   SENDING   it is being sent; after a crash it is unknown whether it was
 *   SENT      the broker has confirmed it
 */
#define LETTER_PHASES(X)                                                                           \
    X(SELECTED, "selected")                                                                        \
    X(SENDING, "sending")                                                                          \
    X(SENT, "sent")

enum letter_phase {
    LETTER_PHASE_NONE,
#define X(id, name) LETTER_PHASE_##id,
    LETTER_PHASES(X)
#undef X
};

/* Returns the name in the database. Static. */
static inline const char *letter_source_name(enum letter_source source)
{
    switch (source) {
#define X(id, name)                                                                                \
    case LETTER_SOURCE_##id: return name;
        LETTER_SOURCES(X)
#undef X
    }
    return "";
}

/* Returns the name in the database. Static. */
static inline const char *letter_state_name(enum letter_state state)
{
    switch (state) {
#define X(id, name)                                                                                \
    case LETTER_##id: return name;
        LETTER_STATES(X)
#undef X
    }
    return "";
}

/* Returns the name in the database; "" for NONE. Static. */
static inline const char *letter_action_name(enum letter_action action)
{
    switch (action) {
    case LETTER_ACTION_NONE: break;
#define X(id, name)                                                                                \
    case LETTER_ACTION_##id: return name;
        LETTER_ACTIONS(X)
#undef X
    }
    return "";
}

/* Returns the name in the database; "" for NONE. Static. */
static inline const char *letter_phase_name(enum letter_phase phase)
{
    switch (phase) {
    case LETTER_PHASE_NONE: break;
#define X(id, name)                                                                                \
    case LETTER_PHASE_##id: return name;
        LETTER_PHASES(X)
#undef X
    }
    return "";
}

/* Return whether there is such a name; if so, set the value. */
static inline bool letter_source_parse(struct text name, enum letter_source *ret_source)
{
#define X(id, source_name)                                                                         \
    if (text_is(name, source_name)) {                                                              \
        *ret_source = LETTER_SOURCE_##id;                                                          \
        return true;                                                                               \
    }
    LETTER_SOURCES(X)
#undef X
    return false;
}

static inline bool letter_state_parse(struct text name, enum letter_state *ret_state)
{
#define X(id, state_name)                                                                          \
    if (text_is(name, state_name)) {                                                               \
        *ret_state = LETTER_##id;                                                                  \
        return true;                                                                               \
    }
    LETTER_STATES(X)
#undef X
    return false;
}

static inline bool letter_action_parse(struct text name, enum letter_action *ret_action)
{
#define X(id, action_name)                                                                         \
    if (text_is(name, action_name)) {                                                              \
        *ret_action = LETTER_ACTION_##id;                                                          \
        return true;                                                                               \
    }
    LETTER_ACTIONS(X)
#undef X
    return false;
}

static inline bool letter_phase_parse(struct text name, enum letter_phase *ret_phase)
{
#define X(id, phase_name)                                                                          \
    if (text_is(name, phase_name)) {                                                               \
        *ret_phase = LETTER_PHASE_##id;                                                            \
        return true;                                                                               \
    }
    LETTER_PHASES(X)
#undef X
    return false;
}

/*
 * What is written when a command is dead-lettered. An absent text or empty list is left out of the
 * document. All texts but `id` may have any bytes: the database stores one that is not valid UTF-8
 * as a binary, and a store returns the same bytes. The caller bounds their lengths, since a stored
 * document has at most 16 MiB, and up to LETTER_HISTORY_MAX reasons and details.
 */
struct letter {
    struct text id; /* LETTER_ID_DIGITS: the same for the same command */
    enum letter_source source;
    size_t times;  /* dead-lettered so often in this batch: 1 or more */
    int64_t at_ms; /* when, by the database's clock; of a letter that was read, the last time */
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
    bool body_dropped;            /* the body is not stored (letters.keep_body), or no more */
    uint64_t body_size;           /* of all of it */
    struct text body_sha256;      /* of all of it, in hexadecimal digits */
    bool published;               /* the dead-letter queue has it already: nobody publishes it */
};

/* What is stored under an id, as far as it tells whether a message is known. */
struct letter_sighting {
    bool exists; /* if not, all else is empty */
    enum letter_source source;
    struct text reason; /* the latest, as is `detail` */
    struct text detail;
    struct text body_sha256;
};

/* Returns whether the text is a whole id. Ids also come from headers and forms, which may have any
   bytes. */
static inline bool letter_id_is_valid(struct text id)
{
    bool valid = id.length == LETTER_ID_DIGITS;
    for (size_t i = 0; valid && i < id.length; i++)
        valid = (id.bytes[i] >= '0' && id.bytes[i] <= '9') ||
                (id.bytes[i] >= 'a' && id.bytes[i] <= 'f');
    return valid;
}

/* Returns the size that the letter counts for: its headers, its body, its texts, and
   LETTER_BYTES_REST. */
static inline int64_t letter_bytes(const struct letter *letter)
{
    const struct properties *properties = &letter->properties;
    const struct text texts[] = {letter->id,        letter->reason,      letter->detail,
                                 letter->principal, letter->key,         letter->command,
                                 letter->project,   letter->group,       letter->queue,
                                 letter->worker,    letter->traceparent, letter->raw_headers,
                                 letter->body,      letter->body_sha256,
#define X(member, constant) properties->member,
                                 TEXT_PROPERTIES(X)
#undef X
    };
    size_t bytes = LETTER_BYTES_REST;
    bytes += (letter->consumer_count + letter->provider_count) * sizeof(struct uuid);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        bytes += texts[i].length;
    return (int64_t)bytes;
}

/* An entry of a letter's history. Times, here and below, count milliseconds from the Unix epoch. */
struct letter_event {
    int64_t at_ms; /* as the letter said */
    struct text reason;
    struct text detail;
    struct text worker;
    enum letter_action action; /* NONE: a worker's entry. Of the others, the texts below */
    struct text by;            /* who did it */
    struct text note;          /* why, or what came of it */
    struct text key;           /* under which a command was sent */
};

/* The latest replay of a letter. */
struct letter_replay {
    enum letter_phase phase; /* NONE: it was never replayed, and all else is empty */
    struct text run;         /* names the letters that were selected together */
    int64_t place;           /* in the order of the run, from 0 on */
    int64_t at_ms;           /* of the phase */
    struct text by;
};

/* A letter as it is stored, with what happened to it. A time of 0 is absent. */
struct letter_record {
    struct letter letter; /* reason, detail and worker are the latest; `times` is 1 */
    enum letter_state state;
    int64_t count;                      /* dead-lettered so often */
    int64_t first_at_ms;                /* as the letter said that was written first */
    int64_t last_at_ms;                 /* like all times here, by the clock of the database */
    const struct letter_event *history; /* newest last; at most LETTER_HISTORY_MAX */
    size_t history_count;
    int64_t bytes;    /* that it counts for, as letter_bytes() says; 0: it is missing */
    bool unpublished; /* its dead letter must still be published */
    int64_t published_at_ms;
    int64_t expires_at_ms;
    struct text claimed_by; /* a store that publishes it, until `claimed_until_ms` */
    int64_t claimed_until_ms;
    struct text refused; /* why the broker does not take the dead letter */
    struct letter_replay replay;
    struct text new_key; /* under which replays send the command; absent: under its own key */
    int64_t new_key_at_ms;
    struct text edited_key; /* of a changed command that was sent in its place; absent: none */
    struct text edited_to;  /* the id that a letter of that command has */
};

#endif
