/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers that a lane keeps about itself, declared once. Each lane has one `struct counters`.
 * Its two threads add to it and any thread may read it, all without a lock: one number is exact,
 * but two that are read one after the other may be of different moments.
 */
#ifndef ALLOT_SERVICE_COUNTERS_H
#define ALLOT_SERVICE_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * X(id, name, kind, unit, help)
 *
 * A COUNTER only grows, from 0 at the start of the lane. A GAUGE is a present amount.
 */
#define COUNTERS(X)                                                                                \
    X(DELIVERIES_RECEIVED, "deliveries_received", COUNTER, "deliveries",                           \
      "Deliveries taken from the broker, redeliveries included.")                                  \
    X(DELIVERIES_OVER_LIMIT, "deliveries_over_limit", COUNTER, "deliveries",                       \
      "Deliveries that were not kept because amqp.max_bytes_in_flight was reached; they go back "  \
      "to the queue.")                                                                             \
    X(DELIVERIES_HELD, "deliveries_held", COUNTER, "deliveries",                                   \
      "Deliveries that are requeued later: they have to be dead-lettered without a stored "        \
      "letter, and too many such dead letters wait for the broker, or it refuses this one.")       \
    X(DELIVERIES_ACKNOWLEDGED, "deliveries_acknowledged", COUNTER, "deliveries",                   \
      "Deliveries acknowledged to the broker: commands that are answered or dead-lettered, and "   \
      "messages of the desk queue that are done.")                                                 \
    X(COMMANDS_SUCCEEDED, "commands_succeeded", COUNTER, "commands",                               \
      "Settled commands with a success, replays included.")                                        \
    X(COMMANDS_FAILED, "commands_failed", COUNTER, "commands",                                     \
      "Settled commands with a failure code, replays included.")                                   \
    X(COMMANDS_REPLAYED, "commands_replayed", COUNTER, "commands",                                 \
      "Settled commands that were answered from a stored outcome, without a new effect.")          \
    X(REPLIES_PUBLISHED, "replies_published", COUNTER, "messages",                                 \
      "Replies that the broker routed to a queue and confirmed.")                                  \
    X(REPLIES_UNROUTABLE, "replies_unroutable", COUNTER, "messages",                               \
      "Replies given up: returned by the broker, or not confirmed in reply.max_attempts "          \
      "attempts.")                                                                                 \
    X(DEAD_LETTERS_PUBLISHED, "dead_letters_published", COUNTER, "messages",                       \
      "Dead letters that the broker routed to a queue and confirmed.")                             \
    X(PUBLISHES_FAILED, "publishes_failed", COUNTER, "messages",                                   \
      "Attempts to publish a reply or a dead letter that were nacked or not confirmed in time, "   \
      "and dead letters that were returned.")                                                      \
    X(ROUTES_CLOSED, "routes_closed", COUNTER, "connections",                                      \
      "Ends of a connection for publishing, or of its channel. Deliveries are not affected.")      \
    X(TRANSACTIONS_COMMITTED, "transactions_committed", COUNTER, "transactions",                   \
      "Batches of commands committed to the database; batches of letters alone do not count.")     \
    X(COMMANDS_COMMITTED, "commands_committed", COUNTER, "commands",                               \
      "Commands in committed batches; divided by transactions_committed it is the mean batch "     \
      "size.")                                                                                     \
    X(LETTERS_STORED, "letters_stored", COUNTER, "letters",                                        \
      "Letters written to the database, or counted once more, in committed batches.")              \
    X(LETTERS_DELETED, "letters_deleted", COUNTER, "letters",                                      \
      "Letters deleted because letters held more than letters.max_bytes.")                         \
    X(LETTER_BODIES_DELETED, "letter_bodies_deleted", COUNTER, "letters",                          \
      "Letters whose body was deleted because letters held more than letters.max_bytes.")          \
    X(RETRIES_CONFLICT, "retries_conflict", COUNTER, "batches",                                    \
      "Failed batches: another transaction wrote the same document.")                              \
    X(RETRIES_LOCK_HELD, "retries_lock_held", COUNTER, "batches",                                  \
      "Failed batches: another worker held the advisory lock.")                                    \
    X(RETRIES_OUTAGE, "retries_outage", COUNTER, "batches",                                        \
      "Failed batches: the database was unavailable or misconfigured, or the commit's result was " \
      "unknown.")                                                                                  \
    X(RETRIES_SUSPECTED, "retries_suspected", COUNTER, "batches",                                  \
      "Failed batches: a call timed out or failed without a cause, although the database works.")  \
    X(COMMANDS_SET_ASIDE, "commands_set_aside", COUNTER, "commands",                               \
      "Commands that were taken out of a batch that failed, to be tried alone, beside the "        \
      "others.")                                                                                   \
    X(RETRIES_REFUSED, "retries_refused", COUNTER, "batches",                                      \
      "Failed batches: the database permanently rejected their writes.")                           \
    X(BROKER_CONNECTIONS, "broker_connections", COUNTER, "connections",                            \
      "Connections to the broker that were opened; all but the first are reconnects.")             \
    X(FLOW_PAUSES, "flow_pauses", COUNTER, "pauses",                                               \
      "Times that the subscription was cancelled because amqp.max_bytes_in_flight was reached.")   \
    X(WATCHDOG_STALLS, "watchdog_stalls", COUNTER, "stalls",                                       \
      "Times that the watchdog found the apply thread without progress.")                          \
    X(IN_FLIGHT, "in_flight", GAUGE, "deliveries",                                                 \
      "Deliveries held: taken from the broker and not yet released.")                              \
    X(BYTES_IN_FLIGHT, "bytes_in_flight", GAUGE, "bytes",                                          \
      "Memory of the deliveries held; amqp.max_bytes_in_flight bounds it.")

enum counter {
#define X(id, name, kind, unit, help) COUNTER_##id,
    COUNTERS(X)
#undef X
        COUNTER_COUNT
};

struct counters {
    _Atomic uint64_t values[COUNTER_COUNT];
};

/* Adds `amount`. NULL counts nothing, for tests that read no counter. */
static inline void counter_add(struct counters *counters, enum counter counter, uint64_t amount)
{
    if (counters != NULL)
        atomic_fetch_add_explicit(&counters->values[counter], amount, memory_order_relaxed);
}

/* Sets a gauge; NULL as above. */
static inline void counter_set(struct counters *counters, enum counter counter, uint64_t value)
{
    if (counters != NULL)
        atomic_store_explicit(&counters->values[counter], value, memory_order_relaxed);
}

/* Returns the present value. */
static inline uint64_t counter_read(const struct counters *counters, enum counter counter)
{
    return atomic_load_explicit(&counters->values[counter], memory_order_relaxed);
}

#endif
