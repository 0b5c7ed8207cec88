/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exchanges, queues and bindings of docs/protocol.md, section 1: declared (created if missing)
 * or checked. Nothing here deletes or changes an existing one.
 */
#ifndef ALLOT_AMQP_TOPOLOGY_H
#define ALLOT_AMQP_TOPOLOGY_H

#include "allot/transport.h"
#include "common/amqp/tls.h"

/* `queue` is bound to `exchange` with its own name as routing key. */
struct topology {
    struct text exchange;
    struct text queue;
    struct text dead_letter_exchange;
    struct text dead_letter_queue;
};

/*
 * Connects, and creates what is missing. REFUSED: an exchange or queue exists with other arguments
 * (the error has the broker's text, with its name and the difference), or a permission is missing.
 */
enum transport_status topology_declare(struct text uri, const struct amqp_tls *tls,
                                       const struct topology *topology, struct error *error);
/*
 * Connects, and gives one line for each exchange or queue that is missing or different, copied to
 * `arena`; no line if all is as it should be. Bindings are not checked, because AMQP cannot read
 * them. The arguments of an object that the user may not configure are not checked either.
 */
enum transport_status topology_check(struct text uri, const struct amqp_tls *tls,
                                     const struct topology *topology, struct arena *arena,
                                     struct text *ret_differences, struct error *error);

/* --- for this folder only --- */

struct connection;

/*
 * Does the same on an open connection: declares if `declare_missing`, else checks. REFUSED: as in
 * topology_declare, or the check found a difference, which the error names.
 */
enum transport_status topology_declare_or_check(struct connection *connection,
                                                const struct topology *topology,
                                                bool declare_missing, struct error *error);
/*
 * Checks that the broker's feature flag stream_queue is enabled, else REFUSED. Without the flag the
 * broker accepts the dead-letter strategy at-least-once, but dead-letters at most once.
 */
enum transport_status topology_check_feature_flag(struct connection *connection,
                                                  const struct topology *topology,
                                                  struct error *error);

#endif
