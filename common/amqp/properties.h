/* SPDX-License-Identifier: Apache-2.0 */
/* Converts basic properties between librabbitmq's struct and allotd's (allot/message.h). Headers
 * stay encoded. */
#ifndef ALLOT_AMQP_PROPERTIES_H
#define ALLOT_AMQP_PROPERTIES_H

#include "allot/message.h"
#include "common/amqp/librabbitmq.h"

/* Convert texts; the bytes are borrowed. */
amqp_bytes_t bytes_of(struct text text);
struct text text_of_bytes(amqp_bytes_t bytes);

/* Returns how many bytes properties_copy() takes from an arena at most. */
size_t properties_bytes(const amqp_basic_properties_t *properties);
/* Returns the properties, with texts copied to `arena`. */
struct properties properties_copy(struct arena *arena, const amqp_basic_properties_t *properties);

/* Encodes properties of a persistent message, without headers. Texts are borrowed. */
amqp_basic_properties_t properties_encode(const struct properties *properties);
/*
 * Finds the headers in the properties as they arrived over the wire. Returns them as an encoded
 * field table, borrowed; absent if there are none, or if the bytes are malformed.
 */
struct text properties_raw_headers(amqp_bytes_t raw);

#endif
