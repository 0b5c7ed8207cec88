/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker in memory, as RabbitMQ would behave towards the worker: the queue of commands with its
 * delivery counts, the dead-letter exchange and queue, reply queues by name. Deterministic: no
 * thread, no clock, nothing at random. Tests send and look with these calls; the worker comes in
 * through memory_transport.h.
 */
#ifndef ALLOT_MEMORY_BROKER_H
#define ALLOT_MEMORY_BROKER_H

#include "allot/message.h"

struct memory_broker;

struct memory_names {
    const char *exchange; /* direct; its queue's routing key is the queue's name */
    const char *queue;
    const char *dead_letter_exchange; /* fanout */
    const char *dead_letter_queue;
};

#define MEMORY_NAMES_DEFAULT                                                                       \
    ((struct memory_names){"allot.commands", "allot.commands", "allot.dead", "allot.dead"})

/* A message in a queue; lives until it leaves the queue for good. */
struct memory_message {
    struct memory_message *next;
    struct arena *arena;
    uint64_t position;       /* in order of arrival at the broker */
    uint64_t epoch;          /* of the queue: a deleted queue takes nothing back */
    int64_t delivery_count;  /* how often it was delivered, and came back */
    struct text exchange;    /* it came through */
    struct text routing_key; /* it came with */
    struct properties properties;
    struct text raw_headers; /* an encoded field table: common/codec/field_table.h */
    struct text body;
};

struct memory_broker *memory_broker_new(const struct memory_names *names);
/* After all of its transports. NULL is allowed. */
void memory_broker_free(struct memory_broker *broker);

/* Reply queues; there are none in the beginning. The four objects of the names are there. */
void memory_broker_declare(struct memory_broker *broker, const char *queue);
/* Any queue, with its messages; consumers of the queue of commands are cancelled. */
void memory_broker_delete(struct memory_broker *broker, const char *queue);
void memory_broker_bind_dead(struct memory_broker *broker, bool bound);

/* A producer's message, as it is: only the message's own raw_headers and headers. False: no queue
   took it. */
bool memory_broker_send(struct memory_broker *broker, const struct outgoing *message);

/* Ready messages, in order; 0 and NULL where there is no such queue, or no such message. */
size_t memory_broker_count(const struct memory_broker *broker, const char *queue);
const struct memory_message *memory_broker_message(const struct memory_broker *broker,
                                                   const char *queue, size_t index);
/* Takes the first one away for good; false: there is none. */
bool memory_broker_drop_first(struct memory_broker *broker, const char *queue);
/* Commands that transports hold unacknowledged. */
size_t memory_broker_unacked(const struct memory_broker *broker);

/* Asks not to publish (what is published waits), until `reason` is NULL. */
void memory_broker_block(struct memory_broker *broker, const char *reason);
/* Nobody can open a connection, while it is down; those that are open are cut. */
void memory_broker_set_down(struct memory_broker *broker, bool down);

#endif
