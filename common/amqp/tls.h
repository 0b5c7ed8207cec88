/* SPDX-License-Identifier: Apache-2.0 */
/* TLS settings of amqps:// connections. */
#ifndef ALLOT_AMQP_TLS_H
#define ALLOT_AMQP_TLS_H

#include "common/base/text.h"

/* Names of PEM files. Absent or empty: not set. */
struct amqp_tls {
    struct text ca_file; /* verifies the broker; not set: the system's trust store is used */
    struct text certificate_file; /* client certificate chain; used for login (SASL EXTERNAL) if
                                     the URI has no password */
    struct text key_file;         /* not set: the key is in certificate_file */
};

#endif
