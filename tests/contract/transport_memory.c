/* SPDX-License-Identifier: Apache-2.0 */
/* The transport suite's backend on the broker in memory. */
#include "tests/contract/transport_fixture.h"
#include "tests/support/memory_transport.h"

static void start(struct fixture *fixture)
{
    const struct memory_names names = MEMORY_NAMES_DEFAULT;
    struct memory_broker *broker = memory_broker_new(&names);
    fixture->names = (struct fixture_names){names.exchange,
                                            names.queue,
                                            names.dead_letter_exchange,
                                            names.dead_letter_queue,
                                            names.desk_queue,
                                            "replies",
                                            "missing"};
    memory_broker_declare(broker, fixture->names.reply_queue);
    fixture->data = broker;
    memory_broker_close_over(broker, FIXTURE_DEADLY_ADDRESS);
    fixture->transport = memory_transport_new(broker);
}

static void finish(struct fixture *fixture)
{
    memory_broker_free(fixture->data);
}

static void send_command(struct fixture *fixture, const struct outgoing *command)
{
    struct outgoing message = *command;
    message.exchange = text_of(fixture->names.exchange);
    message.routing_key = text_of(fixture->names.queue);
    assert_true(memory_broker_send(fixture->data, &message));
}

static bool take(struct fixture *fixture, const char *queue, struct fixture_message *ret_message)
{
    const struct memory_message *message = memory_broker_message(fixture->data, queue, 0);
    if (message == NULL)
        return false;
    *ret_message = (struct fixture_message){
        .properties = memory_properties_copy(fixture->arena, &message->properties),
        .raw_headers = text_copy(fixture->arena, message->raw_headers),
        .body = text_copy(fixture->arena, message->body)};
    return memory_broker_drop_first(fixture->data, queue);
}

static void delete_queue(struct fixture *fixture, const char *queue)
{
    memory_broker_delete(fixture->data, queue);
}

static void cut(struct fixture *fixture)
{
    memory_transport_cut(fixture->transport);
}

static bool drops_bad_address(struct fixture *fixture)
{
    (void)fixture;
    return false;
}

const struct fixture_backend memory_backend = {.name = "memory",
                                               .start = start,
                                               .finish = finish,
                                               .send = send_command,
                                               .take = take,
                                               .delete_queue = delete_queue,
                                               .cut = cut,
                                               .drops_bad_address = drops_bad_address};
