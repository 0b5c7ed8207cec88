/* SPDX-License-Identifier: Apache-2.0 */
/* The structs and functions that memory_broker.c and memory_transport.c share. For these files
 * only. */
#ifndef ALLOT_MEMORY_INTERNAL_H
#define ALLOT_MEMORY_INTERNAL_H

#include "tests/support/memory_transport.h"

enum memory_routing { ROUTED, UNROUTABLE, NO_EXCHANGE };

struct memory_queue {
    struct memory_queue *next;
    char *name;
    uint64_t epoch;
    bool silent;         /* takes messages, but confirms none */
    unsigned slow_polls; /* a message is confirmed so many polls late */
    struct memory_message *first;
};

struct memory_broker {
    struct arena *arena; /* owned; has the names */
    struct memory_names names;
    struct memory_queue *queues;
    struct memory_transport *transports;
    uint64_t last_position;
    uint64_t last_epoch;
    bool dead_bound;
    bool down;
    const char *blocked; /* the reason, or NULL */
    const char *deadly;  /* a publish to an address that begins so closes its route; or NULL */
    bool forbidden;      /* no write permission on the default exchange */
};

/* A message in a silent queue, which is confirmed when the queue is not silent any more. */
struct memory_pending {
    struct memory_pending *next;
    const struct memory_queue *queue;
    enum route route;
    uint64_t sequence;
};

/* An unacknowledged delivery. */
struct memory_unacked {
    struct memory_unacked *next;
    uint64_t tag;
    unsigned consumer; /* number of the AMQP consumer that it was delivered to */
    struct memory_message *message;
};

/* A message that was published while the broker was blocked. */
struct memory_held {
    struct memory_held *next;
    struct memory_message *message;
    enum route route;
    uint64_t sequence;
    bool mandatory;
};

/* An event for the next poll. */
struct memory_event {
    struct memory_event *next;
    struct transport_event event; /* never a DELIVERY */
    unsigned polls_left;          /* until it is due */
};

struct memory_transport {
    struct transport base;
    struct memory_transport *next; /* in the broker's list */
    struct memory_broker *broker;
    struct memory_faults faults;
    uint64_t calls;
    bool connected;
    bool consuming;
    bool closed[ROUTE_COUNT]; /* a route that ended, until the next poll reports it */
    uint16_t prefetch;
    uint64_t last_tag;
    size_t unacked_count;
    unsigned consumer;    /* number of the present AMQP consumer */
    size_t unacked_of[2]; /* those of the present consumer, by enum delivery_source */
    struct memory_unacked *unacked;
    struct memory_event *events;
    struct memory_event **events_end;
    struct memory_held *held;
    struct memory_pending *pending;
    size_t pending_count[ROUTE_COUNT];
};

/* Creates a message from `outgoing` and these encoded headers, which are copied. The caller owns
   it. */
struct memory_message *memory_message_new(const struct outgoing *outgoing, struct text headers);
/* Returns a copy, owned by the caller. */
struct memory_message *memory_message_copy(const struct memory_message *message);
/* Frees the message. */
void memory_message_free(struct memory_message *message);

/* Returns the queue, borrowed; NULL if there is none with this name. */
struct memory_queue *memory_broker_find(const struct memory_broker *broker, const char *queue);
/* Puts a message into its queue, which owns it from now on. Frees it if no queue matches. */
/* `ret_queue` is NULL unless the message is routed. */
enum memory_routing memory_broker_route(struct memory_broker *broker,
                                        struct memory_message *message,
                                        const struct memory_queue **ret_queue);
/* Requeues a delivered message at its old place, with a higher delivery count. The queue owns it
   from now on. Frees it if its queue was deleted. */
void memory_broker_requeue(struct memory_broker *broker, struct memory_message *message);

/* Confirms what is pending in this queue. */
void memory_transport_confirm_pending(struct memory_transport *transport,
                                      const struct memory_queue *queue);
/* Appends an event for the next poll. */
void memory_transport_report(struct memory_transport *transport, struct transport_event event);

#endif
