/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as the worker sees them, whatever the transport: what came (a delivery) and what goes
 * out (a reply or a dead letter). Texts are borrowed: of a delivery from the arena it came with, of
 * an outgoing message for the time of the call.
 */
#ifndef ALLOT_MESSAGE_H
#define ALLOT_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

/* AMQP basic properties; an absent text was not set. */
struct properties {
    struct text content_type;
    struct text content_encoding;
    struct text correlation_id;
    struct text reply_to;
    struct text expiration;
    struct text message_id;
    struct text type;
    struct text user_id;
    struct text app_id;
    bool has_priority;
    uint8_t priority;
    bool has_timestamp;
    uint64_t timestamp;
};

enum header_integer { HEADER_ABSENT, HEADER_INTEGER, HEADER_WRONG_TYPE };

struct delivery {
    uint64_t tag;
    int64_t delivery_count; /* x-delivery-count: how often it was delivered before; 0 if absent */
    struct properties properties;
    struct text raw_headers;      /* the transport's own form of all headers: for a dead letter */
    enum header_integer deadline; /* x-allot-deadline */
    int64_t deadline_ms;
    struct text traceparent; /* well-formed, or absent */
    struct text body;
};

enum outgoing_header_kind { OUTGOING_BOOL, OUTGOING_INTEGER, OUTGOING_TEXT };

struct outgoing_header {
    const char *name;
    enum outgoing_header_kind kind;
    int64_t integer; /* also the bool */
    struct text text;
};

enum outgoing_kind { OUTGOING_REPLY, OUTGOING_DEAD_LETTER };

/* Published persistent, with a confirm that is reported under `sequence`. */
struct outgoing {
    enum outgoing_kind kind; /* each kind has a channel of its own */
    uint64_t sequence;       /* unique for the connection's life and beyond */
    struct text exchange;    /* "" for replies */
    struct text routing_key;
    bool mandatory;
    struct properties properties;
    struct text raw_headers; /* of the original, or absent; `headers` overwrite those of one name */
    const struct outgoing_header *headers;
    size_t header_count;
    struct text body;
};

#endif
