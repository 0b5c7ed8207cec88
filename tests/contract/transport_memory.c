/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/transport_lab.h"
#include "tests/support/memory_transport.h"

static void start(struct lab *lab)
{
    const struct memory_names names = MEMORY_NAMES_DEFAULT;
    struct memory_broker *broker = memory_broker_new(&names);
    lab->names = (struct lab_names){names.exchange,   names.queue, names.dead_exchange,
                                    names.dead_queue, "replies",   "missing"};
    memory_broker_declare(broker, lab->names.reply_queue);
    lab->data = broker;
    lab->transport = memory_transport_new(broker);
}

static void finish(struct lab *lab)
{
    memory_broker_free(lab->data);
}

static void send_command(struct lab *lab, const struct outgoing *command)
{
    struct outgoing message = *command;
    message.exchange = text_of(lab->names.exchange);
    message.routing_key = text_of(lab->names.queue);
    assert_true(memory_broker_send(lab->data, &message));
}

static bool take(struct lab *lab, const char *queue, struct lab_message *ret_message)
{
    const struct memory_message *message = memory_broker_message(lab->data, queue, 0);
    if (message == NULL)
        return false;
    struct properties properties = message->properties;
    struct text *const texts[] = {
        &properties.content_type, &properties.content_encoding, &properties.correlation_id,
        &properties.reply_to,     &properties.expiration,       &properties.message_id,
        &properties.type,         &properties.user_id,          &properties.app_id};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = text_copy(lab->arena, *texts[i]);
    *ret_message = (struct lab_message){.properties = properties,
                                        .raw_headers = text_copy(lab->arena, message->raw_headers),
                                        .body = text_copy(lab->arena, message->body)};
    return memory_broker_drop_first(lab->data, queue);
}

static void delete_queue(struct lab *lab, const char *queue)
{
    memory_broker_delete(lab->data, queue);
}

static void cut(struct lab *lab)
{
    memory_transport_cut(lab->transport);
}

const struct lab_backend memory_backend = {.name = "memory",
                                           .start = start,
                                           .finish = finish,
                                           .send = send_command,
                                           .take = take,
                                           .delete_queue = delete_queue,
                                           .cut = cut};
