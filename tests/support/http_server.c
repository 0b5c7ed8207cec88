/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. One thread accepts one connection after the other. It reads a request up to the length
 * that its header says, answers, and closes the connection. Connections without an answer stay open
 * until the end. The thread ends when the listening socket is shut down.
 */
#include "tests/support/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/memory.h"

struct http_server {
    pthread_t thread;
    pthread_mutex_t lock;
    int listener;
    int port;
    const char *const *answers;
    size_t answer_count;
    char requests[HTTP_SERVER_REQUESTS_MAX][HTTP_SERVER_REQUEST_ROOM];
    size_t request_count;
    int open[HTTP_SERVER_REQUESTS_MAX]; /* connections without an answer */
    size_t open_count;
};

static bool is_complete(const char *request, size_t length)
{
    const char *body = strstr(request, "\r\n\r\n");
    const char *field = strcasestr(request, "content-length:");
    if (body == NULL)
        return false;
    size_t wanted = field != NULL ? strtoul(field + strlen("content-length:"), NULL, 10) : 0;
    return length >= (size_t)(body + 4 - request) + wanted;
}

static void read_request(int connection, char *request)
{
    size_t length = 0;
    ssize_t got = 1;
    while (got > 0 && !is_complete(request, length) && length < HTTP_SERVER_REQUEST_ROOM - 1) {
        got = recv(connection, request + length, HTTP_SERVER_REQUEST_ROOM - 1 - length, 0);
        length += got > 0 ? (size_t)got : 0;
        request[length] = '\0';
    }
}

static void answer(struct http_server *server, int connection, size_t number)
{
    size_t last = server->answer_count - 1;
    const char *text = server->answers[number < last ? number : last];
    if (text[0] == '\0') {
        server->open[server->open_count++] = connection;
        return;
    }
    (void)send(connection, text, strlen(text), MSG_NOSIGNAL);
    (void)close(connection);
}

static void *serve(void *argument)
{
    struct http_server *server = argument;
    for (size_t number = 0; number < HTTP_SERVER_REQUESTS_MAX; number++) {
        int connection = accept(server->listener, NULL, NULL);
        if (connection < 0)
            break;
        read_request(connection, server->requests[number]);
        (void)pthread_mutex_lock(&server->lock);
        server->request_count = number + 1;
        (void)pthread_mutex_unlock(&server->lock);
        answer(server, connection, number);
    }
    return NULL;
}

struct http_server *http_server_start(const char *const *answers, size_t count)
{
    struct http_server *server = MEMORY_NEW(struct http_server);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    server->answers = answers;
    server->answer_count = count;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)pthread_mutex_init(&server->lock, NULL);
    if (server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, HTTP_SERVER_REQUESTS_MAX) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &length) != 0 ||
        pthread_create(&server->thread, NULL, serve, server) != 0)
        abort();
    server->port = ntohs(address.sin_port);
    return server;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

size_t http_server_requests(struct http_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    size_t count = server->request_count;
    (void)pthread_mutex_unlock(&server->lock);
    return count;
}

const char *http_server_request(struct http_server *server, size_t index)
{
    return index < http_server_requests(server) ? server->requests[index] : NULL;
}

void http_server_stop(struct http_server *server)
{
    (void)shutdown(server->listener, SHUT_RDWR);
    (void)pthread_join(server->thread, NULL);
    for (size_t i = 0; i < server->open_count; i++)
        (void)close(server->open[i]);
    (void)close(server->listener);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}
