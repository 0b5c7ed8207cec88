/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishes messages on one channel with confirms, and tells which sequence a confirm concerns. The
 * sequence is also in a header of the message (common/codec/outgoing_headers.h): a basic.return has
 * no delivery tag, so the header alone tells which message came back.
 */
#ifndef ALLOT_AMQP_PUBLISHER_H
#define ALLOT_AMQP_PUBLISHER_H

#include "common/amqp/confirms.h"
#include "common/amqp/connection.h"

struct publisher {
    amqp_channel_t channel;
    struct confirms confirms;
    struct arena *scratch; /* encoded headers of one message */
    amqp_pool_t pool;      /* decoded headers of one message */
};

/* Prepares a publisher whose channel is not open yet. Freed by publisher_clear(). */
void publisher_init(struct publisher *publisher, amqp_channel_t channel);
/* Frees what the publisher owns. May be called again, and on a zeroed publisher. */
void publisher_clear(struct publisher *publisher);

/* Opens the channel, also after the broker closed it; forgets unconfirmed messages. */
enum transport_status publisher_open(struct publisher *publisher, struct connection *connection,
                                     struct error *error);
/* Publishes a message. It may stay in the socket until connection_uncork. */
enum transport_status publisher_send(struct publisher *publisher, struct connection *connection,
                                     const struct outgoing *outgoing, struct error *error);
/*
 * Resolves the oldest message that an ack or nack on this channel concerns, and sets `ret_sequence`
 * to its sequence. Returns false if there is none; call it until then.
 */
ALLOT_CHECK bool publisher_resolve(struct publisher *publisher, const struct incoming *incoming,
                                   uint64_t *ret_sequence);

#endif
