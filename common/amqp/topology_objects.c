/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/topology_objects.h"

#include <stdio.h>

#include "common/amqp/properties.h"

enum {
    /* The broker counts every requeue and every lost connection, so an outage must not reach this.
       The worker counts the attempts itself (delivery.max_attempts). */
    DELIVERY_LIMIT = 1000000
};

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
    return (struct topology_object){.kind = OBJECT_EXCHANGE, .name = name, .exchange_type = type};
}

static struct topology_object quorum_queue(struct text name)
{
    struct topology_object queue = {.kind = OBJECT_QUEUE, .name = name};
    topology_add_text(&queue, "x-queue-type", text_of("quorum"));
    return queue;
}

void topology_list_objects(const struct topology *topology,
                           struct topology_object ret_objects[TOPOLOGY_OBJECTS])
{
    struct topology_object commands = quorum_queue(topology->queue);
    add_number(&commands, "x-delivery-limit", DELIVERY_LIMIT);
    topology_add_text(&commands, "x-dead-letter-exchange", topology->dead_letter_exchange);
    topology_add_text(&commands, "x-dead-letter-strategy", text_of("at-least-once"));
    topology_add_text(&commands, "x-overflow", text_of("reject-publish"));
    ret_objects[0] = exchange(topology->exchange, "direct");
    ret_objects[1] = exchange(topology->dead_letter_exchange, "fanout");
    ret_objects[2] = commands;
    ret_objects[3] = quorum_queue(topology->dead_letter_queue);
}

void topology_list_bindings(const struct topology *topology,
                            struct topology_binding ret_bindings[TOPOLOGY_BINDINGS])
{
    ret_bindings[0] = (struct topology_binding){topology->queue, topology->exchange};
    ret_bindings[1] =
        (struct topology_binding){topology->dead_letter_queue, topology->dead_letter_exchange};
}

struct topology_phrase topology_describe(const char *verb, const struct topology_object *object)
{
    struct topology_phrase phrase;
    (void)snprintf(phrase.text, sizeof phrase.text, "%s%s %.*s", verb,
                   object->kind == OBJECT_EXCHANGE ? "exchange" : "queue", TEXT_ARGS(object->name));
    return phrase;
}

struct topology_phrase topology_describe_binding(const struct topology_binding *binding)
{
    struct topology_phrase phrase;
    (void)snprintf(phrase.text, sizeof phrase.text, "cannot bind queue %.*s to exchange %.*s",
                   TEXT_ARGS(binding->queue), TEXT_ARGS(binding->exchange));
    return phrase;
}
