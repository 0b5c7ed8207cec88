/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the topology again while a connection is open: once a minute, and soon after a sign that
 * something is missing. It declares what is missing, where that is allowed, and tells the observer
 * what it found.
 */
#ifndef ALLOT_AMQP_TOPOLOGY_WATCH_H
#define ALLOT_AMQP_TOPOLOGY_WATCH_H

#include "common/amqp/incoming.h"
#include "common/amqp/notice.h"
#include "common/amqp/topology_objects.h"

enum { TOPOLOGY_WATCH_INTERVAL_MS = 60000 };

struct connection;

/* What was sent last on CHANNEL_TOPOLOGY, and is not answered yet. */
enum topology_step {
    WATCH_IDLE, /* nothing; the channel is closed */
    WATCH_OPENING,
    WATCH_LOOKING,   /* for an object, passively */
    WATCH_COMPARING, /* a full declaration of an object that exists */
    WATCH_DECLARING, /* of one that is missing */
    WATCH_BINDING,
    WATCH_CLOSING
};

struct topology_watch {
    const struct topology *topology; /* borrowed */
    bool declare;                    /* declares and binds what is missing */
    int64_t interval_ms;
    struct amqp_observer observer;
    enum topology_step step;
    enum topology_step next; /* to be sent when the channel is open */
    size_t index;            /* of the object or binding */
    bool adopted;            /* `object` is the one at `index`, with the broker's limit */
    struct topology_object object;
    int64_t started_ms;    /* monotonic, as is due_ms: when the last check began */
    int64_t due_ms;        /* when the next one begins */
    struct error problems; /* of this check; empty: none */
    struct error declared; /* what this check has declared */
    struct error reported; /* the problems that the observer knows of */
};

/* Begins to watch. `interval_ms` is the time between two checks; 0: one minute. */
void topology_watch_init(struct topology_watch *watch, const struct topology *topology,
                         bool declare, int64_t interval_ms, struct amqp_observer observer);
/* Says that a new connection is open, and its topology is as it should be. */
void topology_watch_opened(struct topology_watch *watch, int64_t now_ms);
/* Lets the next check begin now, but at most one each second: call it when the broker has no
   exchange for a message, or no queue behind it. */
void topology_watch_soon(struct topology_watch *watch, int64_t now_ms);
/* Begins a check if one is due. Never waits for the broker. */
enum transport_status topology_watch_tick(struct topology_watch *watch,
                                          struct connection *connection, int64_t now_ms,
                                          struct error *error);
/* Takes a method that arrived on CHANNEL_TOPOLOGY, and sends the next one of the check. Returns
   LOST only if the connection is lost. */
enum transport_status topology_watch_take(struct topology_watch *watch,
                                          struct connection *connection,
                                          const struct incoming *incoming, struct error *error);

#endif
