/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of HTTP on the loopback address, in a thread, for tests. It answers each request with
 * the next of its answers, and the last one again and again.
 */
#ifndef ALLOT_HTTP_SERVER_H
#define ALLOT_HTTP_SERVER_H

#include <stddef.h>

enum { HTTP_SERVER_REQUESTS_MAX = 64, HTTP_SERVER_REQUEST_ROOM = 4096 };

struct http_server;

/* Starts the server. Each answer is a whole HTTP answer; an empty one: none is ever sent, and the
   connection stays open. The texts are borrowed. */
struct http_server *http_server_start(const char *const *answers, size_t count);
/* Returns the port. */
int http_server_port(const struct http_server *server);
/* Returns how many requests have arrived. */
size_t http_server_requests(struct http_server *server);
/* Returns a request as it came, borrowed. */
const char *http_server_request(struct http_server *server, size_t index);
/* Ends the thread, and frees the server. */
void http_server_stop(struct http_server *server);

#endif
