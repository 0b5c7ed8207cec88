/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posts JSON to a URL with HTTP or HTTPS, and waits for the answer within a limit. It follows no
 * redirect, uses no proxy, and verifies the certificate of the server with the system's
 * authorities.
 */
#ifndef ALLOT_HOST_HTTP_POST_H
#define ALLOT_HOST_HTTP_POST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/text.h"

/* Initialize libcurl, before there are threads, and free what it has; once each in a process. */
ALLOT_CHECK bool http_library_init(void);
void http_library_cleanup(void);

/* What a URL says; the texts are in the arena that it was read with. */
struct http_url {
    struct text origin; /* scheme, host and port: what may be shown */
    struct text host;   /* an address of IPv6 without its brackets */
    bool tls;
    bool secret; /* there is more than the origin, which may be a secret */
};

/* Reads a URL. Returns false, with an error that does not contain it, if it is not a valid URL of
   HTTP or HTTPS. */
ALLOT_CHECK bool http_url_read(struct text url, struct arena *arena, struct http_url *ret_url,
                               struct error *error);

struct http_post {
    const char *url;
    struct text body;   /* JSON */
    int64_t timeout_ms; /* for all of it */
    int stop_fd;        /* readable: the transfer ends at once; -1: there is none */
};

/* Posts the body. Returns true after an answer with a status of 200 to 299. Otherwise it returns
   false with an error, which never contains the URL. */
ALLOT_CHECK bool http_post(const struct http_post *post, struct error *error);

#endif
