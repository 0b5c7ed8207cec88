/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of section 1 of the contract, a row a test: what topology_declare makes is what another
 * client declares by the letter of the contract, and nothing else. The broker compares.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>

#include "common/amqp/topology.h"

enum { NAME_MAX_BYTES = 64, ARGUMENTS_MAX = 5, DURABLE = 1, WAIT_S = 10 };

struct place {
    amqp_connection_state_t admin;
    amqp_channel_t channel; /* the broker closes one for every refusal */
    char commands[NAME_MAX_BYTES];
    char dead[NAME_MAX_BYTES];
};

static void open_channel(struct place *place)
{
    (void)amqp_channel_open(place->admin, ++place->channel);
    assert_int_equal(amqp_get_rpc_reply(place->admin).reply_type, AMQP_RESPONSE_NORMAL);
}

static const char *broker_uri(void)
{
    const char *uri = getenv("ALLOT_AMQP_URI");
    if (uri == NULL || uri[0] == '\0')
        fail_msg("ALLOT_AMQP_URI is not set: this suite needs a RabbitMQ (script/stack up)");
    return uri;
}

static void log_in(struct place *place)
{
    char *copy = strdup(broker_uri());
    struct amqp_connection_info info;
    assert_int_equal(amqp_parse_url(copy, &info), AMQP_STATUS_OK);
    place->admin = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(place->admin);
    assert_int_equal(amqp_socket_open(socket, info.host, info.port), AMQP_STATUS_OK);
    assert_int_equal(amqp_login(place->admin, info.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN,
                                info.user, info.password)
                         .reply_type,
                     AMQP_RESPONSE_NORMAL);
    free(copy);
    open_channel(place);
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    uint64_t number = 0;
    assert_int_equal(getrandom(&number, sizeof number, 0), (ssize_t)sizeof number);
    (void)snprintf(place->commands, sizeof place->commands, "allot.topology-%016llx.commands",
                   (unsigned long long)number);
    (void)snprintf(place->dead, sizeof place->dead, "allot.topology-%016llx.dead",
                   (unsigned long long)number);
    log_in(place);
    struct topology topology = {text_of(place->commands), text_of(place->commands),
                                text_of(place->dead), text_of(place->dead)};
    struct error error = {""};
    if (topology_declare(text_of(broker_uri()), &(struct amqp_tls){0}, &topology, &error) !=
        TRANSPORT_OK)
        fail_msg("%s", error.text);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    const char *const names[] = {place->commands, place->dead};
    for (size_t i = 0; i < 2; i++) {
        (void)amqp_queue_delete(place->admin, place->channel, amqp_cstring_bytes(names[i]), 0, 0);
        (void)amqp_exchange_delete(place->admin, place->channel, amqp_cstring_bytes(names[i]), 0);
    }
    (void)amqp_connection_close(place->admin, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(place->admin);
    free(place);
    return 0;
}

/* Whether the broker found what was just declared to be the same. */
static bool agrees(struct place *place)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(place->admin);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    assert_int_equal(reply.reply_type, AMQP_RESPONSE_SERVER_EXCEPTION);
    const amqp_channel_close_t *closed = reply.reply.decoded;
    assert_int_equal(closed->reply_code, AMQP_PRECONDITION_FAILED);
    open_channel(place);
    return false;
}

static bool is_exchange(struct place *place, const char *name, const char *type, int durable)
{
    (void)amqp_exchange_declare(place->admin, place->channel, amqp_cstring_bytes(name),
                                amqp_cstring_bytes(type), 0, durable, 0, 0, amqp_empty_table);
    return agrees(place);
}

static bool is_queue(struct place *place, const char *name, amqp_table_entry_t *arguments,
                     int count)
{
    (void)amqp_queue_declare(place->admin, place->channel, amqp_cstring_bytes(name), 0, DURABLE, 0,
                             0, (amqp_table_t){count, arguments});
    return agrees(place);
}

static amqp_table_entry_t text_argument(const char *key, const char *value)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key)};
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(value);
    return entry;
}

static amqp_table_entry_t number_argument(const char *key, int64_t value)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key)};
    entry.value.kind = AMQP_FIELD_KIND_I64;
    entry.value.value.i64 = value;
    return entry;
}

/* What is published there, under that key, has to come out of that queue. */
static void assert_routed(struct place *place, const char *exchange, const char *key,
                          const char *queue)
{
    assert_int_equal(amqp_basic_publish(place->admin, place->channel, amqp_cstring_bytes(exchange),
                                        amqp_cstring_bytes(key), 0, 0, NULL,
                                        amqp_cstring_bytes("body")),
                     AMQP_STATUS_OK);
    (void)amqp_basic_consume(place->admin, place->channel, amqp_cstring_bytes(queue),
                             amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
    assert_int_equal(amqp_get_rpc_reply(place->admin).reply_type, AMQP_RESPONSE_NORMAL);
    struct timeval patience = {.tv_sec = WAIT_S};
    amqp_envelope_t envelope;
    amqp_rpc_reply_t reply = amqp_consume_message(place->admin, &envelope, &patience, 0);
    assert_int_equal(reply.reply_type, AMQP_RESPONSE_NORMAL);
    assert_int_equal(envelope.message.body.len, 4);
    amqp_destroy_envelope(&envelope);
}

static void test_the_exchange_of_commands_is_direct_and_durable(void **state)
{
    struct place *place = *state;
    assert_true(is_exchange(place, place->commands, "direct", DURABLE));
    assert_false(is_exchange(place, place->commands, "fanout", DURABLE));
    assert_false(is_exchange(place, place->commands, "direct", 0));
}

static void test_the_queue_of_commands_has_the_arguments_of_the_contract(void **state)
{
    struct place *place = *state;
    amqp_table_entry_t arguments[ARGUMENTS_MAX] = {
        text_argument("x-queue-type", "quorum"),
        number_argument("x-delivery-limit", 1000000),
        text_argument("x-dead-letter-exchange", place->dead),
        text_argument("x-dead-letter-strategy", "at-least-once"),
        text_argument("x-overflow", "reject-publish"),
    };
    assert_true(is_queue(place, place->commands, arguments, ARGUMENTS_MAX));
    for (int left_out = 1; left_out < ARGUMENTS_MAX; left_out++) {
        amqp_table_entry_t others[ARGUMENTS_MAX];
        memcpy(others, arguments, sizeof others);
        others[left_out] = others[ARGUMENTS_MAX - 1];
        assert_false(is_queue(place, place->commands, others, ARGUMENTS_MAX - 1));
    }
}

static void test_the_queue_of_commands_is_bound_with_its_own_name(void **state)
{
    struct place *place = *state;
    assert_routed(place, place->commands, place->commands, place->commands);
}

static void test_the_exchange_of_dead_letters_is_fanout_and_durable(void **state)
{
    struct place *place = *state;
    assert_true(is_exchange(place, place->dead, "fanout", DURABLE));
    assert_false(is_exchange(place, place->dead, "direct", DURABLE));
    assert_false(is_exchange(place, place->dead, "fanout", 0));
}

static void test_the_queue_of_dead_letters_is_a_quorum_queue_and_bound(void **state)
{
    struct place *place = *state;
    amqp_table_entry_t quorum = text_argument("x-queue-type", "quorum");
    amqp_table_entry_t classic = text_argument("x-queue-type", "classic");
    assert_true(is_queue(place, place->dead, &quorum, 1));
    assert_false(is_queue(place, place->dead, &classic, 1));
    assert_routed(place, place->dead, "any key", place->dead);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_exchange_of_commands_is_direct_and_durable),
        TEST(test_the_queue_of_commands_has_the_arguments_of_the_contract),
        TEST(test_the_queue_of_commands_is_bound_with_its_own_name),
        TEST(test_the_exchange_of_dead_letters_is_fanout_and_durable),
        TEST(test_the_queue_of_dead_letters_is_a_quorum_queue_and_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
