/* SPDX-License-Identifier: Apache-2.0 */
/* The transport suite's RabbitMQ backend, for the tests that run against RabbitMQ only. */
#ifndef ALLOT_TRANSPORT_RABBITMQ_H
#define ALLOT_TRANSPORT_RABBITMQ_H

#include "common/amqp/amqp_transport.h"
#include "common/amqp/client.h"
#include "common/amqp/librabbitmq.h"
#include "tests/contract/transport_fixture.h"

struct rabbitmq {
    struct text uri;
    struct client *client; /* publishes commands, takes messages, declares the reply queue */
    amqp_connection_state_t admin; /* deletes queues, and declares those that a test needs */
};

struct rabbitmq *rabbitmq_of(struct fixture *fixture);
/* Returns the options of the fixture's transport. */
struct amqp_options rabbitmq_options(struct fixture *fixture);

/* Replaces the fixture's transport by one that tells `notify`, and checks every `check_ms`. */
void rabbitmq_observe(struct fixture *fixture, bool declare, int64_t check_ms,
                      void (*notify)(void *context, enum amqp_notice notice, const char *text));

/* The tests in transport_only.c, transport_watch.c and transport_desk.c. */
#define RABBITMQ_TESTS(X)                                                                          \
    X(test_a_wrong_password_is_refused)                                                            \
    X(test_an_unknown_virtual_host_is_refused)                                                     \
    X(test_a_closed_port_is_lost_and_the_next_host_is_tried)                                       \
    X(test_a_silent_peer_is_given_up_within_the_timeout)                                           \
    X(test_a_peer_that_falls_silent_is_noticed_while_polling)                                      \
    X(test_a_publish_to_a_peer_that_fell_silent_does_not_hang)                                     \
    X(test_a_lost_transport_drops_its_routes_without_a_close)                                      \
    X(test_a_transport_that_works_closes_its_routes_gracefully)                                    \
    X(test_a_queue_with_other_arguments_is_refused_and_named)                                      \
    X(test_an_exchange_of_another_type_is_refused_and_named)                                       \
    X(test_a_check_names_what_is_missing_and_creates_nothing)                                      \
    X(test_a_declared_topology_passes_the_check)                                                   \
    X(test_a_dead_letter_queue_with_another_limit_is_used_with_a_warning)                          \
    X(test_a_dead_letter_queue_that_differs_in_more_than_the_limit_is_refused)                     \
    X(test_a_worker_without_the_desk_queue_serves_commands)                                        \
    X(test_a_deleted_dead_letter_exchange_and_queue_are_declared_again_at_once)                    \
    X(test_a_returned_dead_letter_gets_its_queue_and_binding_again)                                \
    X(test_every_exchange_and_binding_comes_back_within_an_interval)                               \
    X(test_what_may_not_be_declared_is_named_once_and_its_return_is_told)                          \
    X(test_another_type_is_named_and_nothing_is_changed)                                           \
    X(test_checks_amid_deliveries_disturb_none_of_them)                                            \
    X(test_commands_are_served_without_the_desk_queue_until_it_is_there)                           \
    X(test_a_desk_queue_that_is_deleted_comes_back)                                                \
    X(test_deeply_nested_headers_pass_to_the_dead_letter)                                          \
    X(test_a_body_of_fifteen_mebibytes_is_hashed_and_cut)                                          \
    X(test_a_client_gets_answers_through_direct_reply_to)                                          \
    X(test_a_client_looks_through_a_queue_and_leaves_it_as_it_was)                                 \
    X(test_a_client_gets_a_reply_of_the_largest_size_whole)                                        \
    X(test_a_client_learns_of_a_return)

#define X(test) void test(void **state);
RABBITMQ_TESTS(X)
#undef X

#endif
