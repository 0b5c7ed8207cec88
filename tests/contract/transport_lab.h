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

struct lab;

struct lab_names {
    const char *exchange;
    const char *queue;
    const char *dead_exchange;
    const char *dead_queue;
    const char *reply_queue;
    const char *missing; /* neither queue nor exchange */
};

/* A message that was taken from a queue. */
struct lab_message {
    struct arena *arena;
    struct properties properties;
    struct text raw_headers;
    struct text body;
};

struct lab_backend {
    const char *name;
    void (*start)(struct lab *lab); /* names, backend data, transport (not open yet) */
    void (*finish)(struct lab *lab);
    /* A command, published as it is to where commands go. */
    void (*send)(struct lab *lab, const struct outgoing *command);
    /* The first message of a queue, for good; false: none there. */
    bool (*take)(struct lab *lab, const char *queue, struct lab_message *ret_message);
    void (*delete_queue)(struct lab *lab, const char *queue);
    void (*cut)(struct lab *lab); /* the transport's connection */
};

extern const struct lab_backend memory_backend;
extern const struct lab_backend rabbitmq_backend;

struct lab {
    const struct lab_backend *backend;
    void *data;
    struct arena *arena;
    struct lab_names names;
    struct transport *transport;
    struct error error;
    struct transport_event *records; /* every event, in order; deliveries stay until the end */
    size_t record_count;
    /* Called for each delivery where it is set. */
    void (*on_delivery)(struct lab *lab, const struct delivery *delivery);
    uint64_t last_sequence;
    struct arena *taken[LAB_TAKEN_MAX]; /* of the messages that lab_take gave */
    size_t taken_count;
};

/* For cmocka: the state is the backend at first, then a lab with an open transport. */
int lab_setup(void **state);
int lab_teardown(void **state);

void lab_open(struct lab *lab);
void lab_consume(struct lab *lab, uint16_t prefetch);
enum transport_status lab_poll(struct lab *lab, int timeout_ms);
/* Polls until `count` events of that kind are on record; fails the test when they do not come. */
void lab_await(struct lab *lab, enum transport_event_kind kind, size_t count);
/* Polls for long enough that what is under way has come. */
void lab_rest(struct lab *lab);
/* Polls until the connection is lost. */
void lab_await_lost(struct lab *lab);
size_t lab_count(const struct lab *lab, enum transport_event_kind kind);
/* The index-th event of that kind; fails the test where there is none. */
const struct transport_event *lab_event(const struct lab *lab, enum transport_event_kind kind,
                                        size_t index);
/* Its place among all records. */
size_t lab_place(const struct lab *lab, enum transport_event_kind kind, size_t index);
void lab_forget(struct lab *lab); /* the record so far */

/* A command with this message id and body, the rest empty. */
void lab_send(struct lab *lab, const char *message_id, struct text body);
/* A reply to reply_queue, or a dead letter to dead_exchange, with a new sequence. */
struct outgoing lab_reply(struct lab *lab, const char *body);
struct outgoing lab_dead_letter(struct lab *lab, const char *body);
void lab_publish(struct lab *lab, const struct outgoing *outgoing);
void lab_ack(struct lab *lab, uint64_t tag);
/* Waits for a message; fails the test where none comes. Gone with the lab. */
struct lab_message lab_take(struct lab *lab, const char *queue);

/* Commands with message ids "a", "b", ... */
void lab_send_some(struct lab *lab, size_t count);
/* Waits for the index-th delivery. */
const struct delivery *lab_delivery(struct lab *lab, size_t index);
struct text lab_pattern(struct lab *lab, size_t length);
/* A header that has to be there, and a text. */
struct text lab_text_header(struct text raw_headers, const char *name);

/* Every property that there is, but user_id. */
struct properties lab_properties(void);
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
    {"memory: " #test, test, lab_setup, lab_teardown, (void *)(uintptr_t)&memory_backend},         \
    {                                                                                              \
        "rabbitmq: " #test, test, lab_setup, lab_teardown, (void *)(uintptr_t)&rabbitmq_backend    \
    }
#define RABBITMQ(test)                                                                             \
    {                                                                                              \
        "rabbitmq: " #test, test, lab_setup, lab_teardown, (void *)(uintptr_t)&rabbitmq_backend    \
    }

#endif
