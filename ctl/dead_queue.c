/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/dead_queue.h"

#include "ctl/settings.h"

struct dead_queue dead_queue_of(const struct options *options, const struct settings *settings,
                                struct arena *arena)
{
    struct dead_queue queue = {
        .uri = settings->amqp_uri,
        .tls = broker_settings_tls(settings),
        .name = options->queue,
    };
    if (queue.name == NULL)
        queue.name = text_copy(arena, settings->amqp_dead_letter_queue).bytes;
    return queue;
}

bool dead_queue_open(struct dead_queue *queue, struct error *error)
{
    queue->client = client_open(queue->uri, &queue->tls, error);
    if (queue->client != NULL && queue->body_bytes_max > 0)
        client_limit_body(queue->client, queue->body_bytes_max);
    return queue->client != NULL;
}

void dead_queue_close(struct dead_queue *queue)
{
    client_close(queue->client);
    for (size_t i = 0; i < queue->kept_count; i++)
        client_close(queue->kept[i]);
}

/* Keeps the connection of the unreadable message, and connects again. */
static bool pass(struct dead_queue *queue, struct error *error)
{
    struct error cause;
    if (queue->kept_count == UNREADABLE_MAX) {
        error_prefix(error, "more than %d unreadable messages", UNREADABLE_MAX);
        return false;
    }
    queue->kept[queue->kept_count++] = queue->client;
    if (dead_queue_open(queue, &cause))
        return true;
    *error = cause;
    return false;
}

enum client_answer dead_queue_take(struct dead_queue *queue, struct client_message *ret_message,
                                   struct error *error)
{
    enum client_answer answer = client_get(queue->client, queue->name, ret_message, error);
    if (answer == CLIENT_UNREADABLE && !pass(queue, error))
        return CLIENT_FAILED;
    return answer;
}
