/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A destination of replies: a principal and the address that its commands name in `reply_to`. All
 * addresses of the broker's direct reply-to are one destination of their principal: each request
 * has another token.
 *
 * Another principal's replies to the same queue are another destination, so what one does there is
 * not charged to the other.
 */
#ifndef ALLOT_SERVICE_DESTINATION_H
#define ALLOT_SERVICE_DESTINATION_H

#include "worker/service/job.h"

/* What the address of a direct reply-to begins with; also in docs/protocol.md. */
#define DIRECT_REPLY_PREFIX "amq.rabbitmq.reply-to."

struct destination {
    struct destination *next; /* in its bucket */
    struct text principal;    /* owned, as `address` is */
    struct text address;      /* DIRECT_REPLY_PREFIX for direct reply-to */
    uint64_t owner;           /* a hash of the principal */
    size_t jobs;              /* replies that are not finished */
    size_t bytes;             /* that flow control counts for these jobs */

    /* --- for isolation.c --- */
    bool isolated;
    struct destination *next_isolated;
    int64_t isolated_until_ms; /* monotonic; 0: until its suspects are confirmed */
    bool silent;               /* its last message was not confirmed in time */
    bool slow;                 /* its last confirm did not come in time */
    bool charged;              /* the route was closed while only its messages were new on it */
    bool convicted;            /* one of its replies was found guilty of that */
    bool tainted;              /* another destination of its principal was silent */
    uint64_t owner_turn;       /* the last turn that a destination of its principal had */
    size_t limit;              /* of messages to publish at once */
    size_t unconfirmed;        /* on the isolated route */
    size_t suspects;           /* of its jobs */
    struct job_queue waiting;  /* to be published on the isolated route; owned */

    /* --- for unroutable_log.c --- */
    bool logged; /* it is in the list */
    struct destination *next_logged;
    int64_t log_again_ms; /* monotonic */
    uint64_t not_logged;  /* replies since the last line */
};

enum { DESTINATION_BUCKETS = 1024 };

/* All zero is empty. */
struct destinations {
    struct destination *buckets[DESTINATION_BUCKETS];
    size_t count;
};

/* Returns the destination, which the table owns; creates it if it is missing. */
struct destination *destinations_find(struct destinations *destinations, struct text principal,
                                      struct text reply_to);
/* Frees the destination, unless it has jobs, is isolated or is in a list of unroutable_log.c. */
void destinations_release(struct destinations *destinations, struct destination *destination);
/* Frees all destinations with their jobs. The table is empty then. */
void destinations_clear(struct destinations *destinations);

#endif
