/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a transport tells its program beside the events of its port: things that an operator has to
 * know, but that nothing in the worker has to react to. The libraries do not log.
 */
#ifndef ALLOT_AMQP_NOTICE_H
#define ALLOT_AMQP_NOTICE_H

#include <stddef.h>

enum amqp_notice {
    AMQP_URI_FILE_FAILED,     /* the file cannot be used; the last good URI is. `text`: why */
    AMQP_TOPOLOGY_INCOMPLETE, /* `text`: what is missing or different, and why it stays so */
    AMQP_TOPOLOGY_DECLARED,   /* `text`: what was missing, and was declared again */
    AMQP_TOPOLOGY_COMPLETE,   /* nothing is missing or different any more; `text` is empty */
    AMQP_TOPOLOGY_TOLERATED,  /* `text`: what differs, but does no harm, and the remedy */
    AMQP_DESK_UNAVAILABLE,    /* the desk queue cannot be consumed from. `text`: why */
    AMQP_DESK_AVAILABLE,      /* it can be consumed from again; `text` is empty */
    AMQP_URI_FILE_READ,       /* the file has another URI, or can be used again. `text`: its name */
};

/* Called in the thread of the transport. `text` is borrowed for the call, and holds no secret.
   `notify` may be NULL. */
struct amqp_observer {
    void (*notify)(void *context, enum amqp_notice notice, const char *text);
    void *context;
};

static inline void amqp_notify(const struct amqp_observer *observer, enum amqp_notice notice,
                               const char *text)
{
    if (observer->notify != NULL)
        observer->notify(observer->context, notice, text);
}

#endif
