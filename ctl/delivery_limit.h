/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says whether messages may be looked at: taken from a queue and requeued. RabbitMQ 4.0 and later
 * counts that towards the delivery limit of a quorum queue, which is 20 if nobody has set it, and
 * removes a message that exceeds it.
 */
#ifndef ALLOT_CTL_DELIVERY_LIMIT_H
#define ALLOT_CTL_DELIVERY_LIMIT_H

#include "common/amqp/client.h"

enum {
    DELIVERY_LIMIT_UNKNOWN = 0,
    DELIVERY_LIMIT_NONE = -1, /* the argument's value for no limit */
    DELIVERY_LIMIT_HIGH = 1000000
};

/*
 * Returns whether looking does no harm on a broker of that version, in a queue with that limit.
 * A version that is not understood counts as 4.0 or later. Pure.
 */
bool delivery_limit_allows_looking(struct text broker_version, int64_t limit);

/*
 * Asks the broker for its version and, where the answer matters, for the limit of the queue. It
 * finds DELIVERY_LIMIT_HIGH and DELIVERY_LIMIT_NONE only, and only in an argument of the queue: a
 * policy cannot be seen over AMQP. Returns false, with an error, if looking might do harm, or if
 * the broker cannot be asked.
 */
ALLOT_CHECK bool delivery_limit_check(struct client *client, const char *queue,
                                      struct error *error);

#endif
