/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unconfirmed messages of one route, oldest first, and how many more may be published. Bounds
 * what is lost with a route, and what lies in its socket: within WINDOW_BYTES a publish does not
 * wait for a broker that has stopped reading, because the send buffer takes it (login.c).
 */
#ifndef ALLOT_SERVICE_WINDOW_H
#define ALLOT_SERVICE_WINDOW_H

#include "worker/service/job.h"

enum { WINDOW_MESSAGES = 1024, WINDOW_DEAD_LETTERS = 64, WINDOW_BYTES = 384 * 1024 };

struct window {
    struct job *oldest; /* linked through job.newer */
    struct job *newest;
    size_t count;
    size_t bytes;
    size_t limit; /* of messages: 1 to `max` */
    size_t max;
};

/* Empties the window, which takes up to `max` messages. */
void window_init(struct window *window, size_t max);
/* Returns whether a message of this size may be published. A larger one than WINDOW_BYTES may, if
   the window is empty: then the broker has just read all that was sent. */
bool window_has_room(const struct window *window, size_t bytes);
/* Adds a job whose message is published; job.message_bytes is its size. */
void window_add(struct window *window, struct job *job);
void window_remove(struct window *window, struct job *job);
/* Lowers the limit to 1, after a failure: one message is tried at a time. */
void window_failed(struct window *window);
/* Doubles the limit, after a confirm. */
void window_confirmed(struct window *window);

#endif
