/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMQP URIs: amqp[s]://[user[:password]@]host[:port][,host[:port]...][/vhost], or several of them,
 * separated by commas. User, password, host and vhost may be percent-encoded. Pure. An error names
 * at most a host, and no other part of the URI, since it may be a secret.
 */
#ifndef ALLOT_CODEC_AMQP_URI_H
#define ALLOT_CODEC_AMQP_URI_H

#include <stdint.h>

#include "common/base/error.h"
#include "common/base/text.h"

enum { AMQP_HOSTS_MAX = 32 };

/* One host to connect to. The texts are NUL-terminated, and contain no NUL. */
struct amqp_host {
    bool tls;
    struct text name;
    uint16_t port;        /* default: 5672, with TLS 5671 */
    struct text user;     /* absent: none given */
    struct text password; /* absent: none given */
    struct text vhost;    /* "/" if the URI has none, or an empty one */
};

struct amqp_hosts {
    const struct amqp_host *hosts;
    size_t count; /* at least 1 */
};

/*
 * Parses a list of URIs into the hosts to try, in their order; everything is copied to `arena`.
 * Returns false, with an error, if any of them is invalid, or if some are amqps:// and some
 * amqp://: a list with TLS never falls back to plain text.
 */
ALLOT_CHECK bool amqp_uri_parse(struct text uri, struct arena *arena, struct amqp_hosts *ret_hosts,
                                struct error *error);

#endif
