/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends messages on one channel with confirms, and tells which sequence a confirm is about. A
 * message's sequence travels with it in a header (common/codec/outgoing_headers.h), since a
 * returned message has no other mark of its own.
 */
#ifndef ALLOT_AMQP_PUBLISHER_H
#define ALLOT_AMQP_PUBLISHER_H

#include "common/amqp/confirms.h"
#include "common/amqp/connection.h"

struct publisher {
    amqp_channel_t channel;
    struct confirms confirms;
    struct arena *scratch; /* of one message */
    amqp_pool_t pool;      /* of its decoded headers */
};

void publisher_init(struct publisher *publisher, amqp_channel_t channel);
void publisher_clear(struct publisher *publisher);

/* Opens the channel, first or again; forgets what was unconfirmed. */
enum transport_status publisher_open(struct publisher *publisher, struct connection *connection,
                                     struct error *error);
enum transport_status publisher_send(struct publisher *publisher, struct connection *connection,
                                     const struct outgoing *outgoing, struct error *error);
/* The next sequence that an ack or nack on this channel is about; false when there is no more. */
ALLOT_CHECK bool publisher_resolve(struct publisher *publisher, const struct incoming *incoming,
                                   uint64_t *ret_sequence);

#endif
