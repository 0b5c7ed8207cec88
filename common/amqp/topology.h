/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exchanges, queues and bindings of docs/protocol.md, section 1: declared (created if missing)
 * or checked. Nothing here deletes or changes an existing one.
 */
#ifndef ALLOT_AMQP_TOPOLOGY_H
#define ALLOT_AMQP_TOPOLOGY_H

#include "allot/transport.h"
#include "common/amqp/tls.h"

/* `queue` is bound to `exchange` with its own name as routing key, and both queues of dead letters
   to `dead_letter_exchange`. */
struct topology {
    struct text exchange;
    struct text queue;
    struct text dead_letter_exchange;
    struct text dead_letter_queue;
    struct text desk_queue; /* topology_desk_queue() */
};

/* Returns the name of the desk queue, in `arena`: that of the dead-letter queue and a suffix. */
struct text topology_desk_queue(struct arena *arena, struct text dead_letter_queue);

/*
 * Connects, and creates what is missing. Returns REFUSED if an exchange or queue exists with other
 * arguments, or if a permission is missing. The error then has the broker's text, which names the
 * exchange or queue and the difference. `ret_warning` gets a sentence about a difference that does
 * no harm, with its remedy; it is empty if there is none.
 */
enum transport_status topology_declare(struct text uri, const struct amqp_tls *tls,
                                       const struct topology *topology, struct error *ret_warning,
                                       struct error *error);

enum topology_state {
    TOPOLOGY_SAME,
    TOPOLOGY_TOLERATED, /* different, which does no harm */
    TOPOLOGY_MISSING,
    TOPOLOGY_DIFFERENT,
    TOPOLOGY_UNSEEN /* it exists, but the user may not see its arguments */
};

enum topology_kind { TOPOLOGY_EXCHANGE, TOPOLOGY_QUEUE, TOPOLOGY_FLAG };

/* What the check found of one exchange or queue, or of the feature flag stream_queue. */
struct topology_result {
    enum topology_kind kind;
    struct text name;
    struct text subject; /* kind and name: "queue allot.dead" */
    enum topology_state state;
    bool optional;      /* a worker serves commands without it */
    struct text reason; /* the broker's words, or a sentence with the remedy; empty if SAME */
};

enum { TOPOLOGY_RESULTS = 6 };

struct topology_report {
    struct text broker_version; /* such as 3.10.8 */
    struct topology_result results[TOPOLOGY_RESULTS];
    size_t count;
};

/*
 * Connects, and fills the report; its texts are copied to `arena`. Bindings are not checked,
 * because AMQP cannot read them.
 */
enum transport_status topology_check(struct text uri, const struct amqp_tls *tls,
                                     const struct topology *topology, struct arena *arena,
                                     struct topology_report *ret_report, struct error *error);

/* --- for this folder only --- */

struct connection;

/* Differences that do not stop a worker from serving commands; an empty text stands for none. */
struct topology_findings {
    struct error warning; /* as in topology_declare() */
    struct error lacking; /* why the desk queue cannot be used */
};

/*
 * Works on an open connection: declares if `declare_missing`, else checks. Returns REFUSED as
 * topology_declare() does, or if the check found a difference, which the error names. But it
 * returns OK if only the desk queue or its binding cannot be declared, is missing or different.
 */
enum transport_status topology_declare_or_check(struct connection *connection,
                                                const struct topology *topology,
                                                bool declare_missing,
                                                struct topology_findings *ret_findings,
                                                struct error *error);
/*
 * Checks that the broker's feature flag stream_queue is enabled; returns REFUSED if it is not.
 * Without the flag the broker accepts the dead-letter strategy at-least-once, but dead-letters at
 * most once. Sets `ret_seen` to false, and returns OK, if the user lacks the permission that the
 * probe needs.
 */
enum transport_status topology_check_feature_flag(struct connection *connection,
                                                  const struct topology *topology, bool *ret_seen,
                                                  struct error *error);

#endif
