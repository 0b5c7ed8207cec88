/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/relay.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLICE_MS = 10, CHUNK = 65536, BACKLOG = 8 };

static void end_connection(struct relay_connection *connection)
{
    if (connection->client < 0)
        return;
    (void)close(connection->client);
    (void)close(connection->broker);
    connection->client = connection->broker = -1;
}

/* Returns the place behind `text` in the bytes, or NULL. */
static char *behind(char *bytes, size_t count, const char *text)
{
    char *found = text != NULL ? memmem(bytes, count, text, strlen(text)) : NULL;
    return found != NULL ? found + strlen(text) : NULL;
}

/* Returns how many of the bytes to pass on. */
static size_t spoil(struct spoiling_relay *relay, char *bytes, size_t count)
{
    char *at = behind(bytes, count, relay->spoil);
    if (at != NULL) {
        at[-1] = '?';
        relay->spoilt++;
    }
    at = behind(bytes, count, relay->cut);
    relay->spoilt += at != NULL;
    return at != NULL ? (size_t)(at - bytes) : count;
}

static void replace(struct spoiling_relay *relay, char *bytes, size_t count)
{
    char *at =
        relay->sent_length > 0 ? memmem(bytes, count, relay->sent, relay->sent_length) : NULL;
    if (at == NULL)
        return;
    memcpy(at, relay->instead, relay->sent_length);
    relay->spoilt++;
}

/* Ends the connection when one side has closed it, or when the text to cut at went by. */
static void pass_on(struct spoiling_relay *relay, struct relay_connection *connection,
                    bool from_broker)
{
    char bytes[CHUNK];
    int from = from_broker ? connection->broker : connection->client;
    int to = from_broker ? connection->client : connection->broker;
    ssize_t received = recv(from, bytes, sizeof bytes, 0);
    size_t count = received > 0 ? (size_t)received : 0;
    size_t passed = from_broker ? spoil(relay, bytes, count) : count;
    if (!from_broker)
        replace(relay, bytes, count);
    bool sent = send(to, bytes, passed, MSG_NOSIGNAL) == (ssize_t)passed;
    if (count == 0 || passed < count || !sent)
        end_connection(connection);
}

static void accept_connection(struct spoiling_relay *relay)
{
    struct relay_connection *connection = &relay->connections[relay->count];
    if (relay->count == RELAY_CONNECTIONS)
        return;
    connection->client = accept(relay->listener, NULL, NULL);
    connection->broker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    relay->count++;
    if (connect(connection->broker, (struct sockaddr *)&relay->broker, sizeof relay->broker) != 0)
        end_connection(connection);
}

static void *run(void *argument)
{
    struct spoiling_relay *relay = argument;
    while (!relay->ended) {
        struct pollfd fds[1 + 2 * RELAY_CONNECTIONS] = {{.fd = relay->listener, .events = POLLIN}};
        size_t count = relay->count;
        for (size_t i = 0; i < count; i++) {
            fds[1 + 2 * i] = (struct pollfd){.fd = relay->connections[i].client, .events = POLLIN};
            fds[2 + 2 * i] = (struct pollfd){.fd = relay->connections[i].broker, .events = POLLIN};
        }
        (void)poll(fds, 1 + 2 * count, SLICE_MS);
        for (size_t i = 0; i < 2 * count; i++) {
            struct relay_connection *connection = &relay->connections[i / 2];
            if (fds[1 + i].revents != 0 && connection->client >= 0)
                pass_on(relay, connection, i % 2 == 1);
        }
        if (fds[0].revents != 0)
            accept_connection(relay);
    }
    return NULL;
}

void relay_start(struct spoiling_relay *relay)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ready = bind(relay->listener, (struct sockaddr *)&address, length) == 0 &&
                 listen(relay->listener, BACKLOG) == 0 &&
                 getsockname(relay->listener, (struct sockaddr *)&address, &length) == 0 &&
                 pthread_create(&relay->thread, NULL, run, relay) == 0;
    assert(ready);
    relay->port = ntohs(address.sin_port);
}

void relay_end(struct spoiling_relay *relay)
{
    relay->ended = true;
    (void)pthread_join(relay->thread, NULL);
    for (size_t i = 0; i < relay->count; i++)
        end_connection(&relay->connections[i]);
    (void)close(relay->listener);
}
