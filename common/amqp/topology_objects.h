/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of docs/protocol.md, section 1: the exchanges, queues and bindings with their
 * arguments. Other files declare and check them.
 */
#ifndef ALLOT_AMQP_TOPOLOGY_OBJECTS_H
#define ALLOT_AMQP_TOPOLOGY_OBJECTS_H

#include "common/amqp/librabbitmq.h"
#include "common/amqp/topology.h"

/* A check has a result for each object, and one for the feature flag. */
enum { TOPOLOGY_OBJECTS = TOPOLOGY_RESULTS - 1, TOPOLOGY_BINDINGS = 3, TOPOLOGY_ARGUMENTS_MAX = 5 };

struct topology_object {
    enum topology_kind kind; /* no TOPOLOGY_FLAG */
    struct text name;
    const char *exchange_type; /* of an exchange */
    bool optional;             /* the worker serves commands without it */
    bool any_limit;            /* a queue with another x-delivery-limit is as good */
    amqp_table_entry_t arguments[TOPOLOGY_ARGUMENTS_MAX];
    int argument_count;
};

/* The routing key is the queue's name. */
struct topology_binding {
    struct text queue;
    struct text exchange;
    bool optional;
};

/* A phrase about an object or a binding. */
struct topology_phrase {
    char text[640]; /* two names of 255 bytes, and words */
};

/* Fills the list in the order in which the objects have to be declared. All texts are borrowed from
   `topology`. */
void topology_list_objects(const struct topology *topology,
                           struct topology_object ret_objects[TOPOLOGY_OBJECTS]);
void topology_list_bindings(const struct topology *topology,
                            struct topology_binding ret_bindings[TOPOLOGY_BINDINGS]);
/* Adds an argument; both texts are borrowed. There may be TOPOLOGY_ARGUMENTS_MAX of them. */
void topology_add_text(struct topology_object *object, const char *name, struct text value);

/*
 * If the broker refused to declare a queue because its x-delivery-limit differs, and that does not
 * matter, gives the object the limit of the broker's queue. Returns whether it did: then the object
 * has to be declared again, since other arguments may differ as well. `refusal` is the broker's
 * text.
 */
ALLOT_CHECK bool topology_adopt_limit(struct topology_object *object, const char *refusal);

/* Returns `verb`, and then the kind and the name of the object. */
struct topology_phrase topology_describe(const char *verb, const struct topology_object *object);
/* Returns "cannot bind queue ... to exchange ...". */
struct topology_phrase topology_describe_binding(const struct topology_binding *binding);

#endif
