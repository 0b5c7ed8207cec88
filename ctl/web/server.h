/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves a site over HTTP/1.1, with libmicrohttpd: one thread for all connections, and the desk
 * thread, which makes the pages that use the database, one after the other. A client that sends or
 * reads slowly keeps nobody waiting.
 */
#ifndef ALLOT_CTL_WEB_SERVER_H
#define ALLOT_CTL_WEB_SERVER_H

#include "ctl/web/site.h"

/* Limits. The largest form is an edit: a body of 1 MiB, of which each byte may take three. */
enum {
    SERVER_CONNECTIONS_MAX = 512,
    SERVER_TIMEOUT_S = 30, /* for a connection on which nothing comes or goes */
    SERVER_HEADERS_BYTES_MAX = 32 * 1024,
    SERVER_FORM_BYTES_MAX = 4 * 1024 * 1024,
    SERVER_WAITING_MAX = 64 /* pages that wait for the desk thread */
};

struct server;

/*
 * Starts to listen on the address, and sets the port in it if it was 0. Only server_run() answers
 * requests. Returns NULL, with an error, if the system refuses.
 */
struct server *server_listen(struct address *address, struct error *error);
/* Starts to answer requests. `site` is borrowed. Returns false, with an error, if a thread cannot
   be started. */
ALLOT_CHECK bool server_run(struct server *server, const struct site *site, struct error *error);
/* Ends: what waits for the desk thread gets UNAVAILABLE, the page that is being made is sent. Frees
   the server. NULL is allowed. */
void server_free(struct server *server);

#endif
