/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/topology_objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/properties.h"

enum {
    /* The broker counts every requeue and every lost connection, so an outage must not reach this.
       The worker counts the attempts itself (delivery.max_attempts). */
    DELIVERY_LIMIT = 1000000
};

#define DELIVERY_LIMIT_ARGUMENT "x-delivery-limit"

void topology_add_text(struct topology_object *object, const char *name, struct text value)
{
    amqp_table_entry_t *entry = &object->arguments[object->argument_count++];
    entry->key = amqp_cstring_bytes(name);
    entry->value.kind = AMQP_FIELD_KIND_UTF8;
    entry->value.value.bytes = bytes_of(value);
}

static void add_number(struct topology_object *object, const char *name, int32_t value)
{
    amqp_table_entry_t *entry = &object->arguments[object->argument_count++];
    entry->key = amqp_cstring_bytes(name);
    entry->value.kind = AMQP_FIELD_KIND_I32;
    entry->value.value.i32 = value;
}

static struct topology_object exchange(struct text name, const char *type)
{
    return (struct topology_object){.kind = TOPOLOGY_EXCHANGE, .name = name, .exchange_type = type};
}

static struct topology_object quorum_queue(struct text name)
{
    struct topology_object queue = {.kind = TOPOLOGY_QUEUE, .name = name};
    topology_add_text(&queue, "x-queue-type", text_of("quorum"));
    return queue;
}

/* RabbitMQ 4 drops a message after 20 deliveries from a queue without a limit. */
static struct topology_object dead_letters(struct text name)
{
    struct topology_object queue = quorum_queue(name);
    add_number(&queue, DELIVERY_LIMIT_ARGUMENT, DELIVERY_LIMIT);
    return queue;
}

void topology_list_objects(const struct topology *topology,
                           struct topology_object ret_objects[TOPOLOGY_OBJECTS])
{
    struct topology_object commands = quorum_queue(topology->queue);
    add_number(&commands, DELIVERY_LIMIT_ARGUMENT, DELIVERY_LIMIT);
    topology_add_text(&commands, "x-dead-letter-exchange", topology->dead_letter_exchange);
    topology_add_text(&commands, "x-dead-letter-strategy", text_of("at-least-once"));
    topology_add_text(&commands, "x-overflow", text_of("reject-publish"));
    ret_objects[0] = exchange(topology->exchange, "direct");
    ret_objects[1] = exchange(topology->dead_letter_exchange, "fanout");
    ret_objects[2] = commands;
    ret_objects[3] = dead_letters(topology->dead_letter_queue);
    ret_objects[3].any_limit = true; /* older versions declared it without one */
    ret_objects[4] = dead_letters(topology->desk_queue);
    ret_objects[4].optional = true;
}

void topology_list_bindings(const struct topology *topology,
                            struct topology_binding ret_bindings[TOPOLOGY_BINDINGS])
{
    ret_bindings[0] =
        (struct topology_binding){.queue = topology->queue, .exchange = topology->exchange};
    ret_bindings[1] = (struct topology_binding){.queue = topology->dead_letter_queue,
                                                .exchange = topology->dead_letter_exchange};
    ret_bindings[2] = (struct topology_binding){.queue = topology->desk_queue,
                                                .exchange = topology->dead_letter_exchange,
                                                .optional = true};
}

/* Removes the limit, and adds `limit` unless it is NULL. */
static void replace_limit(struct topology_object *object, const char *limit)
{
    int kept = 0;
    for (int i = 0; i < object->argument_count; i++) {
        if (!text_is(text_of_bytes(object->arguments[i].key), DELIVERY_LIMIT_ARGUMENT))
            object->arguments[kept++] = object->arguments[i];
    }
    object->argument_count = kept;
    if (limit != NULL)
        add_number(object, DELIVERY_LIMIT_ARGUMENT, (int32_t)strtol(limit, NULL, 10));
}

/* RabbitMQ writes: "inequivalent arg 'x-delivery-limit' for queue ...: received the value '1000000'
   of type 'signedint' but current is none"; or: "... received '1000000' but current is '7'". */
bool topology_adopt_limit(struct topology_object *object, const char *refusal)
{
    static const char current[] = "but current is ";
    const char *found = strstr(refusal, current);
    if (!object->any_limit || found == NULL ||
        strstr(refusal, "inequivalent arg '" DELIVERY_LIMIT_ARGUMENT "'") == NULL)
        return false;
    const char *value = strchr(found, '\'');
    object->any_limit = false; /* once */
    replace_limit(object, value != NULL ? value + 1 : NULL);
    return true;
}

struct topology_phrase topology_describe(const char *verb, const struct topology_object *object)
{
    struct topology_phrase phrase;
    (void)snprintf(phrase.text, sizeof phrase.text, "%s%s %.*s", verb,
                   object->kind == TOPOLOGY_EXCHANGE ? "exchange" : "queue",
                   TEXT_ARGS(object->name));
    return phrase;
}

struct topology_phrase topology_describe_binding(const struct topology_binding *binding)
{
    struct topology_phrase phrase;
    (void)snprintf(phrase.text, sizeof phrase.text, "cannot bind queue %.*s to exchange %.*s",
                   TEXT_ARGS(binding->queue), TEXT_ARGS(binding->exchange));
    return phrase;
}
