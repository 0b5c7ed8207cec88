/* SPDX-License-Identifier: Apache-2.0 */
/* What an amqps:// connection verifies by, and shows of itself. */
#ifndef ALLOT_AMQP_TLS_H
#define ALLOT_AMQP_TLS_H

#include "common/base/text.h"

/* Names of PEM files; absent or empty: not set. */
struct amqp_tls {
    struct text ca_file;          /* else the system's trust store */
    struct text certificate_file; /* the chain; with it and no password in the URI: EXTERNAL */
    struct text key_file;         /* else the key is in certificate_file */
};

#endif
