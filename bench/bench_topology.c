/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_topology.h"

#include "bench/bench_producer.h"
#include "common/amqp/client.h"
#include "common/amqp/topology.h"

static const struct amqp_tls no_tls; /* the private broker has no TLS */

static void declare_queue(uint32_t partition)
{
    struct error error = {""}, warning = {""};
    struct queue_name queue = producer_queue(partition);
    struct topology topology = {text_of("allot.commands"), text_of(queue.text),
                                text_of("allot.dead"), text_of("allot.dead"),
                                text_of("allot.dead.desk")};
    if (topology_declare(text_of(bench_environment("ALLOT_AMQP_URI")), &no_tls, &topology, &warning,
                         &error) != TRANSPORT_OK)
        bench_die("cannot declare queue %s: %s", queue.text, error.text);
}

size_t topology_drain(uint32_t partition)
{
    struct error error = {""};
    struct client_message message;
    struct queue_name queue = producer_queue(partition);
    size_t count = 0;
    struct client *client =
        client_open(text_of(bench_environment("ALLOT_AMQP_URI")), &no_tls, &error);
    if (client == NULL)
        bench_die("cannot connect to the broker: %s", error.text);
    for (; client_get(client, queue.text, &message, &error) == CLIENT_MESSAGE; count++) {
        if (!client_ack(client, message.tag, &error))
            bench_die("cannot acknowledge a message of queue %s: %s", queue.text, error.text);
        arena_free(message.arena);
    }
    client_close(client);
    return count;
}

void topology_prepare(uint32_t partition)
{
    declare_queue(partition);
    (void)topology_drain(partition);
}
