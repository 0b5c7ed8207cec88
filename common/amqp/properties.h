/* SPDX-License-Identifier: Apache-2.0 */
/* Between librabbitmq's basic properties and ours. Headers stay encoded. */
#ifndef ALLOT_AMQP_PROPERTIES_H
#define ALLOT_AMQP_PROPERTIES_H

#include <amqp.h>

#include "allot/message.h"

amqp_bytes_t bytes_of(struct text text);
struct text text_of_bytes(amqp_bytes_t bytes);

/* The bytes that a copy of the texts takes in an arena, at most. */
size_t properties_bytes(const amqp_basic_properties_t *properties);
struct properties properties_copy(struct arena *arena, const amqp_basic_properties_t *properties);

/* Borrows the texts; persistent; without headers. */
amqp_basic_properties_t properties_encode(const struct properties *properties);
/* The headers in properties as they came over the wire; absent where there are none. Borrowed. */
struct text properties_raw_headers(amqp_bytes_t raw);

#endif
