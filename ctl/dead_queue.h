/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the messages of the dead-letter queue one by one, also past those that cannot be read. What
 * is not acknowledged when the queue is closed, or when the process ends, is requeued.
 */
#ifndef ALLOT_CTL_DEAD_QUEUE_H
#define ALLOT_CTL_DEAD_QUEUE_H

#include "allot/settings.h"
#include "common/amqp/client.h"
#include "ctl/options.h"

enum { UNREADABLE_MAX = 64 };

/*
 * The connection on which a message could not be read is of no more use, but it is kept until the
 * end: as long as it is open, the broker gives the next messages to the new connection. When it is
 * closed, the broker requeues the message.
 */
struct dead_queue {
    struct text uri; /* borrowed, as all texts */
    struct amqp_tls tls;
    const char *name;
    size_t body_bytes_max; /* larger bodies are cut; 0: the client's own limit */
    struct client *client; /* owned; NULL: not open */
    struct client *kept[UNREADABLE_MAX];
    size_t kept_count;
};

/* Returns the queue that the options or the settings name, not yet open. The name is copied to
   `arena`; all else is borrowed. */
struct dead_queue dead_queue_of(const struct options *options, const struct settings *settings,
                                struct arena *arena);

/* Connects. Call dead_queue_close() also if this fails. */
ALLOT_CHECK bool dead_queue_open(struct dead_queue *queue, struct error *error);
/* Closes all connections. */
void dead_queue_close(struct dead_queue *queue);

/*
 * Takes the first message, as client_get() does. After UNREADABLE, `error` says why, and the queue
 * is connected anew: the next call takes the next message, but what was taken before and is not
 * acknowledged cannot be acknowledged any more. FAILED: only dead_queue_close() may follow; it is
 * also returned for more than UNREADABLE_MAX unreadable messages.
 */
ALLOT_CHECK enum client_answer
dead_queue_take(struct dead_queue *queue, struct client_message *ret_message, struct error *error);

#endif
