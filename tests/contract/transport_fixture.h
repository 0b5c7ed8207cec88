/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixture of the transport suite. A backend (memory or RabbitMQ) makes a transport with new,
 * empty queues. It also acts as a producer and as an operator of the same broker. The fixture keeps
 * all events of the transport, and the functions below wait for them.
 *
 * A function that does not succeed fails the test, unless its comment says otherwise.
 */
#ifndef ALLOT_TRANSPORT_FIXTURE_H
#define ALLOT_TRANSPORT_FIXTURE_H

#include "tests/support/cmocka.h"

#include "allot/transport.h"

enum {
    FIXTURE_EVENTS_MAX = 8192,
    FIXTURE_TAKEN_MAX = 64,
    FIXTURE_TIMEOUT_MS = 60000,
    FIXTURE_HEARTBEAT_MS = 1000
};

#define FIXTURE_TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* A malformed address of direct reply-to: RabbitMQ closes the connection with 541. */
#define FIXTURE_DEADLY_ADDRESS "amq.rabbitmq.reply-to.AAAA.key"

struct fixture;

struct fixture_names {
    const char *exchange;
    const char *queue;
    const char *dead_letter_exchange;
    const char *dead_letter_queue;
    const char *desk_queue;
    const char *reply_queue;
    const char *missing; /* a name that no queue and no exchange has */
};

/* A message that was taken from a queue. `arena` may be NULL; the fixture owns the texts. */
struct fixture_message {
    struct arena *arena;
    struct properties properties;
    struct text raw_headers;
    struct text body;
};

struct fixture_backend {
    const char *name;
    /* Sets `names`, `data` and `transport`, which is not yet open. */
    void (*start)(struct fixture *fixture);
    /* Frees `data`, and deletes what `start` created. */
    void (*finish)(struct fixture *fixture);
    /* Publishes `command` to the commands queue, whatever exchange it names. */
    void (*send)(struct fixture *fixture, const struct outgoing *command);
    /* Removes the first message of a queue. Returns false if the queue is empty. */
    bool (*take)(struct fixture *fixture, const char *queue, struct fixture_message *ret_message);
    void (*delete_queue)(struct fixture *fixture, const char *queue);
    /* Cuts the transport's connection. */
    void (*cut)(struct fixture *fixture);
    /* Says whether a reply to a malformed address of direct reply-to closes no channel. */
    bool (*drops_bad_address)(struct fixture *fixture);
};

extern const struct fixture_backend memory_backend;
extern const struct fixture_backend rabbitmq_backend;

struct fixture {
    const struct fixture_backend *backend;
    void *data;
    struct arena *arena;
    struct fixture_names names;
    struct transport *transport;
    struct error error;
    struct transport_event *events; /* all events, in order; owned, as are their arenas */
    size_t event_count;
    /* NULL, or called for each delivery, inside fixture_poll. */
    void (*on_delivery)(struct fixture *fixture, const struct delivery *delivery);
    uint64_t last_sequence;
    struct arena *taken[FIXTURE_TAKEN_MAX]; /* arenas of the messages that fixture_take returned */
    size_t taken_count;
};

/* For cmocka. The setup replaces `*state`, a backend, with a fixture with an open transport. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_open(struct fixture *fixture);
void fixture_consume(struct fixture *fixture, uint16_t prefetch);
enum transport_status fixture_poll(struct fixture *fixture, int timeout_ms);
/* Polls until the fixture has `count` events of that kind. */
void fixture_await(struct fixture *fixture, enum transport_event_kind kind, size_t count);
/* Polls for 300 ms, long enough for all events that are under way to arrive. */
void fixture_poll_a_while(struct fixture *fixture);
/* Polls until the connection is lost. */
void fixture_await_lost(struct fixture *fixture);
size_t fixture_count(const struct fixture *fixture, enum transport_event_kind kind);
/* Returns the event of that kind at `index`; borrowed. */
const struct transport_event *fixture_event(const struct fixture *fixture,
                                            enum transport_event_kind kind, size_t index);
/* Returns the position of that event among all events. */
size_t fixture_position(const struct fixture *fixture, enum transport_event_kind kind,
                        size_t index);
/* Frees and forgets the events so far. */
void fixture_clear_events(struct fixture *fixture);

/* Sends a command with this message id and body, and nothing else. */
void fixture_send(struct fixture *fixture, const char *message_id, struct text body);
/* Make a reply to reply_queue, or a dead letter to dead_letter_exchange, with a new sequence. */
struct outgoing fixture_reply(struct fixture *fixture, const char *body);
struct outgoing fixture_dead_letter(struct fixture *fixture, const char *body);
/* Polls until a message may be published on the route. */
void fixture_await_ready(struct fixture *fixture, enum route route);
void fixture_publish(struct fixture *fixture, const struct outgoing *outgoing);
void fixture_ack(struct fixture *fixture, uint64_t tag);
/* Waits for a message in a queue and removes it; the fixture owns it. */
struct fixture_message fixture_take(struct fixture *fixture, const char *queue);

/* Sends `count` commands, with message ids "a", "b", ... */
void fixture_send_some(struct fixture *fixture, size_t count);
/* Waits for the delivery at `index` and returns it; borrowed. */
const struct delivery *fixture_delivery(struct fixture *fixture, size_t index);
/* Returns `length` bytes of a fixed pattern. */
struct text fixture_pattern(struct fixture *fixture, size_t length);
/* Returns the value of a header, which has to exist and to be a text. */
struct text fixture_text_header(struct text raw_headers, const char *name);

/* Returns a value for each property but user_id, which the broker checks. */
struct properties fixture_properties(void);
void assert_fixture_properties(const struct properties *properties);
void assert_text(struct text text, const char *expected);
void assert_same_text(struct text text, struct text expected);

/* The tests in transport_publishing.c. */
#define PUBLISHING_TESTS(X)                                                                        \
    X(test_a_routable_reply_is_confirmed_and_arrives_whole)                                        \
    X(test_an_unroutable_mandatory_reply_is_returned_then_confirmed)                               \
    X(test_an_unroutable_reply_that_is_not_mandatory_is_only_confirmed)                            \
    X(test_each_of_a_burst_is_confirmed_once)                                                      \
    X(test_the_handler_may_publish_and_acknowledge)                                                \
    X(test_a_missing_exchange_closes_its_own_route_only)                                           \
    X(test_a_malformed_direct_address_closes_its_own_route_only)                                   \
    X(test_a_restarted_route_forgets_its_messages_and_publishes_again)                             \
    X(test_a_dead_letter_carries_the_original_headers_and_ours_over_them)                          \
    X(test_headers_that_do_not_fit_are_left_out_and_the_detail_says_so)

/* The tests in transport_desk.c, against both backends. */
#define DESK_TESTS(X)                                                                              \
    X(test_a_delivery_says_from_which_queue_it_is)                                                 \
    X(test_an_acknowledged_message_of_the_desk_is_gone)                                            \
    X(test_the_desk_queue_has_a_prefetch_of_its_own)                                               \
    X(test_a_message_of_the_desk_is_redelivered_after_a_lost_connection)                           \
    X(test_a_requeued_message_of_the_desk_comes_again)                                             \
    X(test_a_cancel_ends_both_consumers_and_a_consume_starts_both)

#define X(test) void test(void **state);
PUBLISHING_TESTS(X)
DESK_TESTS(X)
#undef X

/* Entries of a test list: the test against both backends, or against RabbitMQ only. */
#define BOTH(test)                                                                                 \
    {"memory: " #test, test, fixture_setup, fixture_teardown, (void *)(uintptr_t)&memory_backend}, \
    {                                                                                              \
        "rabbitmq: " #test, test, fixture_setup, fixture_teardown,                                 \
            (void *)(uintptr_t)&rabbitmq_backend                                                   \
    }
#define RABBITMQ(test)                                                                             \
    {"rabbitmq: " #test, test, fixture_setup, fixture_teardown,                                    \
     (void *)(uintptr_t)&rabbitmq_backend}

#endif
