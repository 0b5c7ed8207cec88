/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on RabbitMQ what an open transport does about its topology: what is missing is declared
 * again where that is allowed, and otherwise named once; a check disturbs nothing. The list of the
 * tests is RABBITMQ_TESTS in transport_rabbitmq.h.
 */
#include "tests/contract/transport_rabbitmq.h"

#include <string.h>

enum { CHECK_MS = 20, POLLS_MAX = 400, POLL_MS = 50, COMMANDS = 20 };

/* What the observer was told since observe(). */
static struct {
    unsigned incomplete, declared, complete;
    struct error problems, objects;
} told;

static void notify(void *context, enum amqp_notice notice, const char *text)
{
    (void)context;
    told.incomplete += notice == AMQP_TOPOLOGY_INCOMPLETE;
    told.declared += notice == AMQP_TOPOLOGY_DECLARED;
    told.complete += notice == AMQP_TOPOLOGY_COMPLETE;
    if (notice == AMQP_TOPOLOGY_INCOMPLETE)
        error_set(&told.problems, "%s", text);
    if (notice == AMQP_TOPOLOGY_DECLARED)
        error_set(&told.objects, "%s", text);
}

static void observe(struct fixture *fixture, bool declare, int64_t check_ms)
{
    memset(&told, 0, sizeof told);
    rabbitmq_observe(fixture, declare, check_ms, notify);
}

static void poll_until(struct fixture *fixture, const unsigned *count, unsigned wanted)
{
    for (int i = 0; *count < wanted && i < POLLS_MAX; i++)
        assert_int_equal(fixture_poll(fixture, POLL_MS), TRANSPORT_OK);
    assert_int_equal(*count, wanted);
}

static void delete_exchange(struct fixture *fixture, const char *name)
{
    amqp_connection_state_t admin = rabbitmq_of(fixture)->admin;
    (void)amqp_exchange_delete(admin, 1, amqp_cstring_bytes(name), 0);
    assert_int_equal(amqp_get_rpc_reply(admin).reply_type, AMQP_RESPONSE_NORMAL);
}

static void unbind(struct fixture *fixture, const char *queue, const char *exchange)
{
    amqp_connection_state_t admin = rabbitmq_of(fixture)->admin;
    (void)amqp_queue_unbind(admin, 1, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                            amqp_cstring_bytes(queue), amqp_empty_table);
    assert_int_equal(amqp_get_rpc_reply(admin).reply_type, AMQP_RESPONSE_NORMAL);
}

/* Publishes one dead letter, as the settler does again and again, until the queue has it. */
static void publish_until_taken(struct fixture *fixture)
{
    struct fixture_message message;
    for (int i = 0; i < POLLS_MAX; i++) {
        struct outgoing letter = fixture_dead_letter(fixture, "garbage");
        fixture_publish(fixture, &letter);
        assert_int_equal(fixture_poll(fixture, POLL_MS), TRANSPORT_OK);
        if (fixture->backend->take(fixture, fixture->names.dead_letter_queue, &message)) {
            arena_free(message.arena);
            return;
        }
    }
    fail_msg("no dead letter: %s", told.problems.text);
}

/* The sign of it is the dead letter itself: the next regular check is a minute away. */
void test_a_deleted_dead_letter_exchange_and_queue_are_declared_again_at_once(void **state)
{
    struct fixture *fixture = *state;
    observe(fixture, true, 0);
    delete_exchange(fixture, fixture->names.dead_letter_exchange);
    fixture->backend->delete_queue(fixture, fixture->names.dead_letter_queue);
    struct outgoing letter = fixture_dead_letter(fixture, "garbage");
    fixture_publish(fixture, &letter);
    fixture_await(fixture, TRANSPORT_ROUTE_CLOSED, 1);
    poll_until(fixture, &told.declared, 1);
    assert_non_null(strstr(told.objects.text, fixture->names.dead_letter_exchange));
    assert_non_null(strstr(told.objects.text, "queue"));
    assert_int_equal(told.incomplete, 0);
    letter = fixture_dead_letter(fixture, "garbage");
    fixture_publish(fixture, &letter);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 1);
    assert_text(fixture_take(fixture, fixture->names.dead_letter_queue).body, "garbage");
}

void test_a_returned_dead_letter_gets_its_queue_and_binding_again(void **state)
{
    struct fixture *fixture = *state;
    observe(fixture, true, 0);
    fixture->backend->delete_queue(fixture, fixture->names.dead_letter_queue);
    fixture->backend->delete_queue(fixture, fixture->names.desk_queue); /* it would take it */
    struct outgoing letter = fixture_dead_letter(fixture, "garbage");
    fixture_publish(fixture, &letter);
    fixture_await(fixture, TRANSPORT_RETURNED, 1);
    poll_until(fixture, &told.declared, 1);
    unbind(fixture, fixture->names.dead_letter_queue, fixture->names.dead_letter_exchange);
    unbind(fixture, fixture->names.desk_queue, fixture->names.dead_letter_exchange);
    /* To bind tells nothing, so only the letter shows it. */
    for (int i = 0; i < POLLS_MAX; i++) {
        fixture_clear_events(fixture);
        letter = fixture_dead_letter(fixture, "again");
        fixture_publish(fixture, &letter);
        fixture_await(fixture, TRANSPORT_CONFIRMED, 1);
        if (fixture_count(fixture, TRANSPORT_RETURNED) == 0)
            break;
        assert_int_equal(fixture_poll(fixture, POLL_MS), TRANSPORT_OK);
    }
    assert_text(fixture_take(fixture, fixture->names.dead_letter_queue).body, "again");
}

void test_every_exchange_and_binding_comes_back_within_an_interval(void **state)
{
    struct fixture *fixture = *state;
    observe(fixture, true, CHECK_MS);
    delete_exchange(fixture, fixture->names.exchange);
    poll_until(fixture, &told.declared, 1); /* told at the end of the check: after the bindings */
    fixture_consume(fixture, 10);
    fixture_send(fixture, "a", text_of("x"));
    fixture_ack(fixture, fixture_delivery(fixture, 0)->tag);
    delete_exchange(fixture, fixture->names.dead_letter_exchange);
    poll_until(fixture, &told.declared, 2);
    publish_until_taken(fixture);
}

void test_what_may_not_be_declared_is_named_once_and_its_return_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_options options = rabbitmq_options(fixture);
    struct error warning = {""};
    observe(fixture, false, CHECK_MS);
    delete_exchange(fixture, fixture->names.dead_letter_exchange);
    poll_until(fixture, &told.incomplete, 1);
    assert_non_null(strstr(told.problems.text, fixture->names.dead_letter_exchange));
    fixture_poll_a_while(fixture);
    assert_int_equal(told.incomplete, 1);
    fixture->backend->delete_queue(fixture, fixture->names.dead_letter_queue);
    poll_until(fixture, &told.incomplete, 2);
    assert_non_null(strstr(told.problems.text, "queue"));
    assert_int_equal(told.declared, 0);
    assert_int_equal(
        topology_declare(options.uri, &options.tls, &options.topology, &warning, &fixture->error),
        TRANSPORT_OK);
    for (int i = 0; told.complete == 0 && i < POLLS_MAX; i++)
        assert_int_equal(fixture_poll(fixture, POLL_MS), TRANSPORT_OK);
    assert_int_equal(told.complete, 1);
    publish_until_taken(fixture);
}

void test_another_type_is_named_and_nothing_is_changed(void **state)
{
    struct fixture *fixture = *state;
    amqp_connection_state_t admin = rabbitmq_of(fixture)->admin;
    amqp_bytes_t name = amqp_cstring_bytes(fixture->names.dead_letter_exchange);
    observe(fixture, true, 0);
    delete_exchange(fixture, fixture->names.dead_letter_exchange);
    (void)amqp_exchange_declare(admin, 1, name, amqp_cstring_bytes("topic"), 0, 1, 0, 0,
                                amqp_empty_table);
    assert_int_equal(amqp_get_rpc_reply(admin).reply_type, AMQP_RESPONSE_NORMAL);
    struct outgoing letter = fixture_dead_letter(fixture, "x");
    fixture_publish(fixture, &letter); /* it is returned: no queue is bound */
    poll_until(fixture, &told.incomplete, 1);
    assert_non_null(strstr(told.problems.text, "'topic'"));
}

/* Checks run all the time, half of them over a missing object, whose channel the broker closes. */
void test_checks_amid_deliveries_disturb_none_of_them(void **state)
{
    struct fixture *fixture = *state;
    observe(fixture, false, 1);
    delete_exchange(fixture, fixture->names.dead_letter_exchange);
    fixture_consume(fixture, COMMANDS / 2);
    fixture_send_some(fixture, COMMANDS);
    for (size_t i = 0; i < COMMANDS; i++) {
        fixture_ack(fixture, fixture_delivery(fixture, i)->tag);
        struct outgoing reply = fixture_reply(fixture, "reply");
        fixture_publish(fixture, &reply);
        fixture_await(fixture, TRANSPORT_CONFIRMED, i + 1);
    }
    poll_until(fixture, &told.incomplete, 1);
    assert_int_equal(fixture_count(fixture, TRANSPORT_DELIVERY), COMMANDS);
}
