/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the transport suite needs of an implementation: a transport with fresh queues, and a
 * producer's and an operator's hands on the broker behind it. And what the suite's tests share:
 * a record of all events, and ways to wait for them.
 */
#ifndef ALLOT_TRANSPORT_LAB_H
#define ALLOT_TRANSPORT_LAB_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "allot/transport.h"

enum {
    LAB_RECORDS_MAX = 8192,
    LAB_TAKEN_MAX = 64,
    LAB_PATIENCE_MS = 10000,
    LAB_HEARTBEAT_MS = 1000
};

#define LAB_TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

struct fixture;

struct fixture_names {
    const char *exchange;
    const char *queue;
    const char *dead_letter_exchange;
    const char *dead_letter_queue;
    const char *reply_queue;
    const char *missing; /* neither queue nor exchange */
};

/* A message that was taken from a queue. */
struct fixture_message {
    struct arena *arena;
    struct properties properties;
    struct text raw_headers;
    struct text body;
};

struct fixture_backend {
    const char *name;
    void (*start)(struct fixture *fixture); /* names, backend data, transport (not open yet) */
    void (*finish)(struct fixture *fixture);
    /* A command, published as it is to where commands go. */
    void (*send)(struct fixture *fixture, const struct outgoing *command);
    /* The first message of a queue, for good; false: none there. */
    bool (*take)(struct fixture *fixture, const char *queue, struct fixture_message *ret_message);
    void (*delete_queue)(struct fixture *fixture, const char *queue);
    void (*cut)(struct fixture *fixture); /* the transport's connection */
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
    struct transport_event *records; /* every event, in order; deliveries stay until the end */
    size_t record_count;
    /* Called for each delivery where it is set. */
    void (*on_delivery)(struct fixture *fixture, const struct delivery *delivery);
    uint64_t last_sequence;
    struct arena *taken[LAB_TAKEN_MAX]; /* of the messages that fixture_take gave */
    size_t taken_count;
};

/* For cmocka: the state is the backend at first, then a fixture with an open transport. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_open(struct fixture *fixture);
void fixture_consume(struct fixture *fixture, uint16_t prefetch);
enum transport_status fixture_poll(struct fixture *fixture, int timeout_ms);
/* Polls until `count` events of that kind are on record; fails the test when they do not come. */
void fixture_await(struct fixture *fixture, enum transport_event_kind kind, size_t count);
/* Polls for long enough that what is under way has come. */
void fixture_rest(struct fixture *fixture);
/* Polls until the connection is lost. */
void fixture_await_lost(struct fixture *fixture);
size_t fixture_count(const struct fixture *fixture, enum transport_event_kind kind);
/* The index-th event of that kind; fails the test where there is none. */
const struct transport_event *fixture_event(const struct fixture *fixture,
                                            enum transport_event_kind kind, size_t index);
/* Its place among all records. */
size_t fixture_place(const struct fixture *fixture, enum transport_event_kind kind, size_t index);
void fixture_forget(struct fixture *fixture); /* the record so far */

/* A command with this message id and body, the rest empty. */
void fixture_send(struct fixture *fixture, const char *message_id, struct text body);
/* A reply to reply_queue, or a dead letter to dead_letter_exchange, with a new sequence. */
struct outgoing fixture_reply(struct fixture *fixture, const char *body);
struct outgoing fixture_dead_letter(struct fixture *fixture, const char *body);
void fixture_publish(struct fixture *fixture, const struct outgoing *outgoing);
void fixture_ack(struct fixture *fixture, uint64_t tag);
/* Waits for a message; fails the test where none comes. Gone with the fixture. */
struct fixture_message fixture_take(struct fixture *fixture, const char *queue);

/* Commands with message ids "a", "b", ... */
void fixture_send_some(struct fixture *fixture, size_t count);
/* Waits for the index-th delivery. */
const struct delivery *fixture_delivery(struct fixture *fixture, size_t index);
struct text fixture_pattern(struct fixture *fixture, size_t length);
/* A header that has to be there, and a text. */
struct text fixture_text_header(struct text raw_headers, const char *name);

/* Every property that there is, but user_id. */
struct properties fixture_properties(void);
void assert_lab_properties(const struct properties *properties);
void assert_text(struct text text, const char *expected);
void assert_same_text(struct text text, struct text expected);

/* In transport_publishing.c. */
#define PUBLISHING_CLAIMS(X)                                                                       \
    X(test_a_routable_reply_is_confirmed_and_arrives_whole)                                        \
    X(test_an_unroutable_mandatory_reply_is_returned_then_confirmed)                               \
    X(test_an_unroutable_reply_that_is_not_mandatory_is_only_confirmed)                            \
    X(test_each_of_a_burst_is_confirmed_once)                                                      \
    X(test_the_handler_may_publish_and_acknowledge)                                                \
    X(test_a_missing_exchange_unsettles_its_kind_alone)                                            \
    X(test_a_dead_letter_carries_the_original_headers_and_ours_over_them)                          \
    X(test_headers_that_do_not_fit_are_left_out_and_the_detail_says_so)

#define X(claim) void claim(void **state);
PUBLISHING_CLAIMS(X)
#undef X

/* Two entries of a test list: the same claim of both. */
#define BOTH(test)                                                                                 \
    {"memory: " #test, test, fixture_setup, fixture_teardown, (void *)(uintptr_t)&memory_backend}, \
    {                                                                                              \
        "rabbitmq: " #test, test, fixture_setup, fixture_teardown,                                 \
            (void *)(uintptr_t)&rabbitmq_backend                                                   \
    }
#define RABBITMQ(test)                                                                             \
    {                                                                                              \
        "rabbitmq: " #test, test, fixture_setup, fixture_teardown,                                 \
            (void *)(uintptr_t)&rabbitmq_backend                                                   \
    }

#endif
