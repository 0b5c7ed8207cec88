/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer's connection. It publishes with confirms, and handles confirms and replies as they
 * arrive, so it never waits for one message. It does not read the content of messages. The program
 * ends if the connection is lost or if the broker nacks a message.
 */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include "bench/bench_base.h"

struct link;
/* Connects, and declares the exclusive reply queue. Owned by the caller, freed by link_close(). */
struct link *link_open(const char *uri, const char *reply_queue);
void link_close(struct link *link);

/* All pointers are borrowed during link_publish(). */
struct link_message {
    const char *queue; /* the commands queue, used as the routing key */
    const char *key;   /* message_id */
    size_t number;     /* correlation_id; the reply returns it */
    const struct buffer *body;
};
void link_publish(struct link *link, const struct link_message *message);
/* While corked, the kernel sends full TCP segments only. Uncork before waiting. */
void link_cork(struct link *link, bool corked);

/* `body` is borrowed until the handler returns. */
struct link_reply {
    size_t number;
    const char *body;
    size_t length;
    bool replayed;
};
typedef void (*link_handler)(void *context, const struct link_reply *reply);
/* Waits up to `seconds` for a frame, then handles all that have arrived. Returns false if none
   has. */
bool link_wait(struct link *link, double seconds, link_handler handler, void *context);
/* Returns how many messages the broker has confirmed. */
size_t link_confirmed(const struct link *link);

#endif
