/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in a form that does not depend on the transport: deliveries come in, outgoing messages
 * (replies and dead letters) go out. Texts are borrowed: those of a delivery from the arena that
 * comes with it, those of an outgoing message from the caller, for the time of the call.
 */
#ifndef ALLOT_MESSAGE_H
#define ALLOT_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

/* X(member, name in the constants of AMQP libraries): the AMQP basic properties that are texts.
   Their names in documents and on pages are those of the members. */
#define TEXT_PROPERTIES(X)                                                                         \
    X(content_type, CONTENT_TYPE)                                                                  \
    X(content_encoding, CONTENT_ENCODING)                                                          \
    X(correlation_id, CORRELATION_ID)                                                              \
    X(reply_to, REPLY_TO)                                                                          \
    X(expiration, EXPIRATION)                                                                      \
    X(message_id, MESSAGE_ID)                                                                      \
    X(type, TYPE)                                                                                  \
    X(user_id, USER_ID)                                                                            \
    X(app_id, APP_ID)                                                                              \
    X(cluster_id, CLUSTER_ID)

/* AMQP basic properties. An absent text is a property that was not set. */
struct properties {
#define X(member, constant) struct text member;
    TEXT_PROPERTIES(X)
#undef X
    bool has_priority;
    uint8_t priority;
    bool has_timestamp;
    uint64_t timestamp;
};

enum header_integer { HEADER_ABSENT, HEADER_INTEGER, HEADER_WRONG_TYPE };

/* Which queue a delivery is from: that of the commands, or the desk queue of dead letters. */
enum delivery_source { DELIVERY_COMMAND, DELIVERY_DESK };

struct delivery {
    enum delivery_source source;
    uint64_t tag;     /* of the transport; means nothing else */
    bool redelivered; /* it was delivered before, to whatever worker: a flag of the broker's, which
                         no producer can set */
    struct properties properties;
    struct text raw_headers;      /* an encoded field table of all headers, or absent */
    enum header_integer deadline; /* x-allot-deadline */
    int64_t deadline_ms;          /* since the Unix epoch; only if `deadline` is HEADER_INTEGER */
    struct text traceparent;      /* absent if missing or malformed */
    struct text body;             /* of a body over BODY_BYTES_MAX, the first BODY_KEPT_BYTES */
    uint64_t cut_size;            /* of such a body: its size; otherwise 0 */
    struct text body_sha256; /* of such a body: of all of it, 64 hex digits; otherwise absent */
};

enum outgoing_header_kind { OUTGOING_BOOL, OUTGOING_INTEGER, OUTGOING_TEXT };

struct outgoing_header {
    const char *name;
    enum outgoing_header_kind kind;
    int64_t integer; /* OUTGOING_BOOL, OUTGOING_INTEGER */
    struct text text;
};

/*
 * X(identifier, name in the log): the ways from the worker to the broker. Each route is a
 * connection of its own, so that what the broker does to one costs nothing on the others, and no
 * delivery.
 *
 *   REPLIES       all replies, but for those of isolated destinations
 *   DEAD_LETTERS  the dead letters
 *   ISOLATED      replies to destinations that are suspected, or known, to stop a route
 *   SILENT        replies to destinations that do not confirm
 */
#define ROUTES(X)                                                                                  \
    X(REPLIES, "replies")                                                                          \
    X(DEAD_LETTERS, "dead_letters")                                                                \
    X(ISOLATED, "isolated")                                                                        \
    X(SILENT, "silent")

enum route {
#define X(id, name) ROUTE_##id,
    ROUTES(X)
#undef X
        ROUTE_COUNT
};

/* Returns the name for the log; static. */
static inline const char *route_name(enum route route)
{
    static const char *const names[] = {
#define X(id, name) [ROUTE_##id] = name,
        ROUTES(X)
#undef X
    };
    return names[route];
}

/* A message to publish: persistent, and its confirm is reported under `sequence`. */
struct outgoing {
    enum route route;
    uint64_t sequence;    /* used once by a process, over all connections */
    struct text exchange; /* "" for replies: the default exchange */
    struct text routing_key;
    bool mandatory;
    struct properties properties;
    struct text raw_headers;               /* the original message's headers, or absent */
    const struct outgoing_header *headers; /* replace those of the same name in `raw_headers` */
    size_t header_count;
    struct text body;
};

#endif
