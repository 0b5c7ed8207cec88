/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's objects of docs/protocol.md, section 1: declared, or checked. Deletes nothing. */
#ifndef ALLOT_AMQP_TOPOLOGY_H
#define ALLOT_AMQP_TOPOLOGY_H

#include "allot/transport.h"
#include "common/amqp/tls.h"

/* Routing key of the queue's binding is the queue's name. */
struct topology {
    struct text exchange;
    struct text queue;
    struct text dead_letter_exchange;
    struct text dead_letter_queue;
};

/*
 * Connects, and makes what is missing. REFUSED where an object is there with other arguments (the
 * error names it, and the difference as the broker words it), or a right is missing.
 */
enum transport_status topology_declare(struct text uri, const struct amqp_tls *tls,
                                       const struct topology *topology, struct error *error);
/*
 * Connects, and gives what is absent or other than it should be, a line each, in `arena`; empty
 * where all is well. AMQP has no way to look at bindings: they are not checked. Where the user may
 * not configure an object, its arguments are not compared, only its presence.
 */
enum transport_status topology_check(struct text uri, const struct amqp_tls *tls,
                                     const struct topology *topology, struct arena *arena,
                                     struct text *ret_differences, struct error *error);

/* --- inside this folder --- */

struct connection;

/* On an open connection: as topology_declare, or, without `declare_missing`, REFUSED with what
   topology_check finds. */
enum transport_status topology_declare_or_check(struct connection *connection,
                                                const struct topology *topology,
                                                bool declare_missing, struct error *error);
/*
 * REFUSED where the broker's feature flag stream_queue is off: it would take the strategy
 * at-least-once without a word, and dead-letter at most once.
 */
enum transport_status topology_probe(struct connection *connection, const struct topology *topology,
                                     struct error *error);

#endif
