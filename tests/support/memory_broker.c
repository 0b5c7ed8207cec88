/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The broker owns a list of queues, and each queue a list of its ready messages. A
 * delivered message belongs to the transport that it was delivered to, until it is acknowledged
 * (then it is freed) or requeued (memory_broker_requeue). The broker knows its transports, to cut
 * them and to report events to them.
 *
 * Guarantees. A requeued message gets its old place, by its position, and a higher delivery count.
 * A message of a queue that was deleted meanwhile is dropped, even if a queue of that name exists
 * again: the epochs differ.
 *
 * Not here: deliveries, confirms and faults (memory_transport.c).
 */
#include "tests/support/memory_broker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/codec/field_table.h"
#include "tests/support/memory_internal.h"

/* --- messages ------------------------------------------------------------------------------- */

struct properties memory_properties_copy(struct arena *arena, const struct properties *properties)
{
    struct properties copy = *properties;
    struct text *const texts[] = {&copy.content_type, &copy.content_encoding, &copy.correlation_id,
                                  &copy.reply_to,     &copy.expiration,       &copy.message_id,
                                  &copy.type,         &copy.user_id,          &copy.app_id,
                                  &copy.cluster_id};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = text_copy(arena, *texts[i]);
    return copy;
}

struct memory_message *memory_message_new(const struct outgoing *outgoing, struct text headers)
{
    struct arena *arena = arena_new(outgoing->body.length + headers.length + 1024);
    struct memory_message *message = ARENA_NEW(arena, struct memory_message);
    message->arena = arena;
    message->exchange = text_copy(arena, outgoing->exchange);
    message->routing_key = text_copy(arena, outgoing->routing_key);
    message->properties = memory_properties_copy(arena, &outgoing->properties);
    message->raw_headers = text_copy(arena, headers);
    message->body = text_copy(arena, outgoing->body);
    if (!text_present(message->body))
        message->body = text_of("");
    return message;
}

void memory_message_free(struct memory_message *message)
{
    if (message != NULL)
        arena_free(message->arena);
}

struct memory_message *memory_message_copy(const struct memory_message *message)
{
    struct outgoing outgoing = {.exchange = message->exchange,
                                .routing_key = message->routing_key,
                                .properties = message->properties,
                                .body = message->body};
    struct memory_message *copy = memory_message_new(&outgoing, message->raw_headers);
    copy->position = message->position;
    copy->epoch = message->epoch;
    copy->delivery_count = message->delivery_count;
    copy->source = message->source;
    return copy;
}

static void free_messages(struct memory_message *message)
{
    while (message != NULL) {
        struct memory_message *next = message->next;
        memory_message_free(message);
        message = next;
    }
}

/* --- queues --------------------------------------------------------------------------------- */

struct memory_queue *memory_broker_find(const struct memory_broker *broker, const char *queue)
{
    struct memory_queue *at = broker->queues;
    while (at != NULL && strcmp(at->name, queue) != 0)
        at = at->next;
    return at;
}

static struct memory_queue *find_by_text(const struct memory_broker *broker, struct text queue)
{
    struct memory_queue *at = broker->queues;
    while (at != NULL && !text_is(queue, at->name))
        at = at->next;
    return at;
}

void memory_broker_declare(struct memory_broker *broker, const char *name)
{
    if (memory_broker_find(broker, name) != NULL)
        return;
    struct memory_queue *queue = MEMORY_NEW(struct memory_queue);
    queue->name = strdup(name);
    queue->epoch = ++broker->last_epoch;
    queue->next = broker->queues;
    broker->queues = queue;
}

static void free_queue(struct memory_queue *queue)
{
    free_messages(queue->first);
    free(queue->name);
    free(queue);
}

static void cancel_consumers(struct memory_broker *broker)
{
    for (struct memory_transport *at = broker->transports; at != NULL; at = at->next) {
        if (!at->consuming)
            continue;
        at->consuming = false;
        memory_transport_report(at, (struct transport_event){.kind = TRANSPORT_CANCELLED});
    }
}

void memory_broker_delete(struct memory_broker *broker, const char *name)
{
    struct memory_queue **at = &broker->queues;
    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    struct memory_queue *queue = *at;
    *at = queue->next;
    free_queue(queue);
    if (strcmp(name, broker->names.queue) == 0)
        cancel_consumers(broker);
}

void memory_broker_bind_dead(struct memory_broker *broker, bool bound)
{
    broker->dead_bound = bound;
}

/* Keeps the queue in order of position, so a requeued message gets its old place. */
static void insert(struct memory_queue *queue, struct memory_message *message)
{
    struct memory_message **at = &queue->first;
    while (*at != NULL && (*at)->position < message->position)
        at = &(*at)->next;
    message->next = *at;
    message->epoch = queue->epoch;
    *at = message;
}

void memory_broker_requeue(struct memory_broker *broker, struct memory_message *message)
{
    bool desk = message->source == DELIVERY_DESK;
    struct memory_queue *queue =
        memory_broker_find(broker, desk ? broker->names.desk_queue : broker->names.queue);
    message->delivery_count++;
    if (queue != NULL && queue->epoch == message->epoch)
        insert(queue, message);
    else
        memory_message_free(message);
}

/* --- routing -------------------------------------------------------------------------------- */

/* Sets `ret_queue` to the message's queue, or to NULL if the message is unroutable. Returns false
   if the exchange does not exist. */
static bool find_target(const struct memory_broker *broker, const struct memory_message *message,
                        struct memory_queue **ret_queue)
{
    struct text exchange = message->exchange;
    if (exchange.length == 0) {
        *ret_queue = find_by_text(broker, message->routing_key);
        return true;
    }
    if (text_is(exchange, broker->names.dead_letter_exchange)) {
        *ret_queue =
            broker->dead_bound ? memory_broker_find(broker, broker->names.dead_letter_queue) : NULL;
        return true;
    }
    if (text_is(exchange, broker->names.exchange)) {
        bool matches = text_is(message->routing_key, broker->names.queue);
        *ret_queue = matches ? memory_broker_find(broker, broker->names.queue) : NULL;
        return true;
    }
    return false;
}

/* Returns the second queue of the fanout exchange; NULL for other exchanges. */
static struct memory_queue *find_desk(const struct memory_broker *broker,
                                      const struct memory_message *message)
{
    bool dead = text_is(message->exchange, broker->names.dead_letter_exchange);
    return dead && broker->dead_bound ? memory_broker_find(broker, broker->names.desk_queue) : NULL;
}

static void append(struct memory_broker *broker, struct memory_queue *queue,
                   struct memory_message *message, enum delivery_source source)
{
    message->source = source;
    message->position = ++broker->last_position;
    insert(queue, message);
}

enum memory_routing memory_broker_route(struct memory_broker *broker,
                                        struct memory_message *message,
                                        const struct memory_queue **ret_queue)
{
    struct memory_queue *queue = NULL;
    bool exchange_exists = find_target(broker, message, &queue);
    struct memory_queue *desk = find_desk(broker, message);
    *ret_queue = queue != NULL ? queue : desk;
    if (desk != NULL)
        append(broker, desk, memory_message_copy(message), DELIVERY_DESK);
    if (queue != NULL)
        append(broker, queue, message, DELIVERY_COMMAND);
    else
        memory_message_free(message);
    if (*ret_queue != NULL)
        return ROUTED;
    return exchange_exists ? UNROUTABLE : NO_EXCHANGE;
}

bool memory_broker_send(struct memory_broker *broker, const struct outgoing *outgoing)
{
    struct arena *arena = arena_new(0);
    struct text headers =
        field_table_merge(arena, outgoing->raw_headers, outgoing->headers, outgoing->header_count);
    struct memory_message *message = memory_message_new(outgoing, headers);
    arena_free(arena);
    const struct memory_queue *queue = NULL;
    return memory_broker_route(broker, message, &queue) == ROUTED;
}

/* --- dead-lettering ------------------------------------------------------------------------- */

static char *write_length(char *at, size_t length)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (char)(length >> shift);
    return at;
}

/* Returns the headers with an x-death of one event before them. RabbitMQ would keep the events from
   before behind it. */
static struct text with_death(struct arena *arena, const struct memory_message *message,
                              const struct memory_broker *broker, const char *reason)
{
    static const char *const replaced[] = {"x-death"};
    static const char name[] = "\x07x-death"
                               "A";
    const struct outgoing_header event[] = {
        {.name = "count", .kind = OUTGOING_INTEGER, .integer = 1},
        {.name = "exchange", .kind = OUTGOING_TEXT, .text = message->exchange},
        {.name = "queue", .kind = OUTGOING_TEXT, .text = text_of(broker->names.queue)},
        {.name = "reason", .kind = OUTGOING_TEXT, .text = text_of(reason)}};
    struct text table = field_table_merge(arena, TEXT_NONE, event, sizeof event / sizeof event[0]);
    struct text rest = field_table_without(arena, message->raw_headers, replaced, 1);
    size_t entry = sizeof name - 1 + 4 + 1 + table.length;
    char *bytes = arena_alloc(arena, rest.length + entry);
    char *at = write_length(bytes, rest.length - 4 + entry);
    at = (char *)memcpy(at, name, sizeof name - 1) + sizeof name - 1;
    at = write_length(at, 1 + table.length);
    *at++ = 'F';
    at = (char *)memcpy(at, table.bytes, table.length) + table.length;
    memcpy(at, rest.bytes + 4, rest.length - 4);
    return text_view(bytes, rest.length + entry);
}

bool memory_broker_dead_letter(struct memory_broker *broker, const char *reason)
{
    struct memory_queue *queue = memory_broker_find(broker, broker->names.queue);
    if (queue == NULL || queue->first == NULL)
        return false;
    struct memory_message *dead = queue->first;
    queue->first = dead->next;
    struct outgoing outgoing = {.exchange = text_of(broker->names.dead_letter_exchange),
                                .routing_key = dead->routing_key,
                                .properties = dead->properties,
                                .body = dead->body};
    struct text headers = with_death(dead->arena, dead, broker, reason);
    const struct memory_queue *routed = NULL;
    outgoing.properties.expiration = TEXT_NONE;
    (void)memory_broker_route(broker, memory_message_new(&outgoing, headers), &routed);
    memory_message_free(dead);
    return true;
}

/* --- inspection ----------------------------------------------------------------------------- */

size_t memory_broker_count(const struct memory_broker *broker, const char *name)
{
    const struct memory_queue *queue = memory_broker_find(broker, name);
    size_t count = 0;
    if (queue == NULL)
        return 0;
    for (const struct memory_message *at = queue->first; at != NULL; at = at->next)
        count++;
    return count;
}

const struct memory_message *memory_broker_message(const struct memory_broker *broker,
                                                   const char *name, size_t index)
{
    const struct memory_queue *queue = memory_broker_find(broker, name);
    const struct memory_message *at = queue != NULL ? queue->first : NULL;
    while (at != NULL && index-- > 0)
        at = at->next;
    return at;
}

bool memory_broker_drop_first(struct memory_broker *broker, const char *name)
{
    struct memory_queue *queue = memory_broker_find(broker, name);
    if (queue == NULL || queue->first == NULL)
        return false;
    struct memory_message *first = queue->first;
    queue->first = first->next;
    memory_message_free(first);
    return true;
}

size_t memory_broker_unacked(const struct memory_broker *broker)
{
    size_t count = 0;
    for (const struct memory_transport *at = broker->transports; at != NULL; at = at->next)
        count += at->unacked_count;
    return count;
}

/* --- outages -------------------------------------------------------------------------------- */

void memory_broker_block(struct memory_broker *broker, const char *reason)
{
    bool changes = (broker->blocked != NULL) != (reason != NULL);
    broker->blocked = reason;
    for (struct memory_transport *at = broker->transports; changes && at != NULL; at = at->next) {
        if (!at->connected)
            continue;
        for (size_t i = 0; i < ROUTE_COUNT; i++)
            memory_transport_report(at, (struct transport_event){.kind = reason != NULL
                                                                             ? TRANSPORT_BLOCKED
                                                                             : TRANSPORT_UNBLOCKED,
                                                                 .route = (enum route)i,
                                                                 .reason = reason});
    }
}

void memory_broker_silence(struct memory_broker *broker, const char *name, bool silent)
{
    struct memory_queue *queue = memory_broker_find(broker, name);
    assert(queue != NULL);
    queue->silent = silent;
    for (struct memory_transport *at = broker->transports; !silent && at != NULL; at = at->next)
        memory_transport_confirm_pending(at, queue);
}

void memory_broker_slow_down(struct memory_broker *broker, const char *name, unsigned polls)
{
    struct memory_queue *queue = memory_broker_find(broker, name);
    assert(queue != NULL);
    queue->slow_polls = polls;
}

void memory_broker_close_over(struct memory_broker *broker, const char *prefix)
{
    broker->deadly = prefix;
}

void memory_broker_forbid_replies(struct memory_broker *broker, bool forbidden)
{
    broker->forbidden = forbidden;
}

void memory_broker_set_down(struct memory_broker *broker, bool down)
{
    broker->down = down;
    for (struct memory_transport *at = broker->transports; down && at != NULL; at = at->next)
        memory_transport_cut(&at->base);
}

/* --- life cycle ----------------------------------------------------------------------------- */

struct memory_broker *memory_broker_new(const struct memory_names *names)
{
    struct memory_broker *broker = MEMORY_NEW(struct memory_broker);
    broker->arena = arena_new(0);
    broker->names = (struct memory_names){
        .exchange = text_copy(broker->arena, text_of(names->exchange)).bytes,
        .queue = text_copy(broker->arena, text_of(names->queue)).bytes,
        .dead_letter_exchange =
            text_copy(broker->arena, text_of(names->dead_letter_exchange)).bytes,
        .dead_letter_queue = text_copy(broker->arena, text_of(names->dead_letter_queue)).bytes,
        .desk_queue = text_copy(broker->arena, text_of(names->desk_queue)).bytes};
    broker->dead_bound = true;
    memory_broker_declare(broker, broker->names.queue);
    memory_broker_declare(broker, broker->names.dead_letter_queue);
    memory_broker_declare(broker, broker->names.desk_queue);
    return broker;
}

void memory_broker_free(struct memory_broker *broker)
{
    if (broker == NULL)
        return;
    assert(broker->transports == NULL);
    while (broker->queues != NULL) {
        struct memory_queue *queue = broker->queues;
        broker->queues = queue->next;
        free_queue(queue);
    }
    arena_free(broker->arena);
    free(broker);
}
