/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMQP URIs: amqp[s]://[user[:password]@]host[:port][,host[:port]...][/vhost], several of them
 * separated by commas; user, password and vhost percent-encoded. Pure. Errors never hold any part
 * of the URI, which is a secret.
 */
#ifndef ALLOT_CODEC_AMQP_URI_H
#define ALLOT_CODEC_AMQP_URI_H

#include <stdint.h>

#include "common/base/error.h"
#include "common/base/text.h"

enum { AMQP_HOSTS_MAX = 32 };

/* One place to connect to; the texts have a NUL behind them, and none within. */
struct amqp_host {
    bool tls;
    struct text name;
    uint16_t port;        /* the scheme's, if the URI has none */
    struct text user;     /* absent: none given */
    struct text password; /* absent: none given */
    struct text vhost;    /* "/" where there is none, or an empty one */
};

struct amqp_hosts {
    const struct amqp_host *hosts;
    size_t count; /* at least 1 */
};

/* All goes to `arena`. */
ALLOT_CHECK bool amqp_uri_parse(struct text uri, struct arena *arena, struct amqp_hosts *ret_hosts,
                                struct error *error);

#endif
