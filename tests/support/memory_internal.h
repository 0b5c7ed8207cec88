/* SPDX-License-Identifier: Apache-2.0 */
/* Between memory_broker.c and memory_transport.c; nobody else's. */
#ifndef ALLOT_MEMORY_INTERNAL_H
#define ALLOT_MEMORY_INTERNAL_H

#include "tests/support/memory_transport.h"

enum { MEMORY_KINDS = 2 };

enum memory_routing { ROUTED, UNROUTABLE, NO_EXCHANGE };

struct memory_queue {
    struct memory_queue *next;
    char *name;
    uint64_t epoch;
    struct memory_message *first;
};

struct memory_broker {
    struct arena *arena; /* of the names */
    struct memory_names names;
    struct memory_queue *queues;
    struct memory_transport *transports;
    uint64_t last_position;
    uint64_t last_epoch;
    bool dead_bound;
    bool down;
    const char *blocked; /* the reason, or NULL */
};

/* A delivery that is not settled. */
struct memory_unacked {
    struct memory_unacked *next;
    uint64_t tag;
    struct memory_message *message;
};

/* Published while the broker was blocked. */
struct memory_held {
    struct memory_held *next;
    struct memory_message *message;
    enum outgoing_kind kind;
    uint64_t sequence;
    bool mandatory;
};

/* Something to tell at the next poll. */
struct memory_event {
    struct memory_event *next;
    struct transport_event event; /* never a DELIVERY */
};

struct memory_transport {
    struct transport base;
    struct memory_transport *next; /* of the broker's */
    struct memory_broker *broker;
    struct memory_faults faults;
    uint64_t calls;
    bool connected;
    bool consuming;
    bool closed[MEMORY_KINDS]; /* a kind's channel, until the next poll opens it again */
    uint16_t prefetch;
    uint64_t last_tag;
    size_t unacked_count;
    struct memory_unacked *unacked;
    struct memory_event *events;
    struct memory_event **events_end;
    struct memory_held *held;
};

/* A copy with headers as they are given. */
struct memory_message *memory_message_new(const struct outgoing *outgoing, struct text headers);
struct memory_message *memory_message_copy(const struct memory_message *message);
struct properties memory_properties_copy(struct arena *arena, const struct properties *properties);
void memory_message_free(struct memory_message *message);

struct memory_queue *memory_broker_find(const struct memory_broker *broker, const char *queue);
/* Takes the message in any case. */
enum memory_routing memory_broker_route(struct memory_broker *broker,
                                        struct memory_message *message);
/* Puts a delivered command back to its place, delivered once more; or away, if its queue is. */
void memory_broker_requeue(struct memory_broker *broker, struct memory_message *message);

void memory_transport_tell(struct memory_transport *transport, struct transport_event event);

#endif
