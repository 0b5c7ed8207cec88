/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker in memory that behaves towards the worker as RabbitMQ does. It has the command exchange
 * and queue, with delivery counts, the dead-letter exchange with its two queues, and reply queues
 * by name. A test dead-letters a command as the broker does, with memory_broker_dead_letter(). It
 * is deterministic: no thread, no clock, no random number. Tests send messages and look into queues
 * with the calls below; a worker connects through memory_transport.h.
 *
 * What it does not have: users, policies, other exchanges, delivery limits, expiration, durability.
 */
#ifndef ALLOT_MEMORY_BROKER_H
#define ALLOT_MEMORY_BROKER_H

#include "allot/message.h"

struct memory_broker;

struct memory_names {
    const char *exchange; /* direct; `queue` is bound with its own name as routing key */
    const char *queue;
    const char *dead_letter_exchange; /* fanout */
    const char *dead_letter_queue;
    const char *desk_queue; /* also bound to dead_letter_exchange */
};

#define MEMORY_NAMES_DEFAULT                                                                       \
    ((struct memory_names){"allot.commands", "allot.commands", "allot.dead", "allot.dead",         \
                           "allot.dead.desk"})

/* A message in a queue, or delivered and unacknowledged. */
struct memory_message {
    struct memory_message *next;
    struct arena *arena;
    uint64_t position;      /* counts all messages of the broker, in order of arrival */
    uint64_t epoch;         /* number of its queue; a queue that is declared again has a new one */
    int64_t delivery_count; /* deliveries that ended with a requeue */
    enum delivery_source source; /* DELIVERY_DESK: in the desk queue, or delivered from it */
    struct text exchange;
    struct text routing_key;
    struct properties properties;
    struct text raw_headers; /* an encoded field table: common/codec/field_table.h */
    struct text body;
};

/* Copies properties; their texts go to `arena`. */
struct properties memory_properties_copy(struct arena *arena, const struct properties *properties);

/* Creates a broker, owned by the caller, with the exchanges and queues of `names` (copied); no
 * reply queue exists yet. */
struct memory_broker *memory_broker_new(const struct memory_names *names);
/* Frees the broker; its transports have to be freed before. NULL is allowed. */
void memory_broker_free(struct memory_broker *broker);

/* Creates a queue if it is missing, such as a reply queue. */
void memory_broker_declare(struct memory_broker *broker, const char *queue);
/* Deletes a queue with its messages. If it is the command queue, its AMQP consumers are cancelled,
   and its unacknowledged messages cannot be requeued any more. */
void memory_broker_delete(struct memory_broker *broker, const char *queue);
/* Binds both queues of dead letters to their exchange, as at first, or unbinds them. */
void memory_broker_bind_dead(struct memory_broker *broker, bool bound);

/* Publishes a message as a producer does: without a sequence header. Returns false if the message
   is unroutable. */
bool memory_broker_send(struct memory_broker *broker, const struct outgoing *message);

/* Dead-letters the first ready command, as the broker does with one that has expired ("expired") or
   was delivered too often ("delivery_limit"). Returns false if there is none. */
bool memory_broker_dead_letter(struct memory_broker *broker, const char *reason);

/* Counts the ready messages of a queue; 0 if there is no such queue. */
size_t memory_broker_count(const struct memory_broker *broker, const char *queue);
/* Returns the ready message at `index`, borrowed until the queue changes; NULL if there is none. */
const struct memory_message *memory_broker_message(const struct memory_broker *broker,
                                                   const char *queue, size_t index);
/* Removes the first ready message. Returns false if there is none. */
bool memory_broker_drop_first(struct memory_broker *broker, const char *queue);
/* Counts the unacknowledged messages of all transports. */
size_t memory_broker_unacked(const struct memory_broker *broker);

/* Blocks publishing (connection.blocked) with this reason, borrowed; NULL unblocks it. Messages
   that are published meanwhile are accepted after the unblocking. */
void memory_broker_block(struct memory_broker *broker, const char *reason);
/* Lets a queue take messages without confirming them, as one that has lost its quorum; or lets it
   confirm them again, with those from before. */
void memory_broker_silence(struct memory_broker *broker, const char *queue, bool silent);
/* From now on a queue confirms each message so many polls late; 0 ends this. */
void memory_broker_slow_down(struct memory_broker *broker, const char *queue, unsigned polls);
/* From now on a reply to an address that begins with `prefix`, borrowed, closes its route, as a
   malformed address of direct reply-to does; so does a dead letter whose message_id begins with it.
   NULL ends this. */
void memory_broker_close_over(struct memory_broker *broker, const char *prefix);
/* Takes the permission to write to the default exchange away, or gives it back. */
void memory_broker_forbid_replies(struct memory_broker *broker, bool forbidden);
/* Down: cuts all connections, and no new one can be opened. */
void memory_broker_set_down(struct memory_broker *broker, bool down);

#endif
