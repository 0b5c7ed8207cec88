/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer's connection: publishes with confirms, and takes confirms and replies as they come, so
 * that it never waits for one message. It knows nothing of what is sent. Dies where the broker does
 * not take a message.
 */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include "bench/bench_base.h"

struct link;
struct link *link_open(const char *uri, const char *reply_queue);
void link_close(struct link *link);

struct link_message {
    const char *queue; /* of commands: the routing key */
    const char *key;
    size_t number; /* comes back with the reply */
    const struct buffer *body;
};
void link_publish(struct link *link, const struct link_message *message);
/* Held messages go out in full segments; to be released before waiting. */
void link_hold(struct link *link, bool held);

struct link_reply {
    size_t number;
    const char *body;
    size_t length;
    bool replayed;
};
typedef void (*link_handler)(void *context, const struct link_reply *reply);
/* Waits so long for the first frame, and takes all that are there; false: there was none. */
bool link_wait(struct link *link, double seconds, link_handler handler, void *context);
/* How many messages the broker has confirmed. */
size_t link_confirmed(const struct link *link);

#endif
