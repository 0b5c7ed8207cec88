/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the broker says of a message that it has dead-lettered: the first event of the header
 * x-death. Pure. RabbitMQ moves its newest event to the front, so reason and queue are its own;
 * what else the event has may come from a header that the producer sent.
 */
#ifndef ALLOT_CODEC_DEATH_H
#define ALLOT_CODEC_DEATH_H

#include <stdbool.h>
#include <stdint.h>

#include "allot/attributes.h"
#include "common/base/text.h"

/* Texts are borrowed from the headers; a member that is missing is absent, or 0. */
struct death {
    struct text reason; /* "expired", "rejected", "delivery_limit", "maxlen" */
    struct text queue;
    struct text exchange; /* that it was published to */
    struct text routing_key;
    int64_t count; /* how often this queue has dead-lettered it for this reason */
    int64_t at_s;  /* since the Unix epoch: the first time */
};

/* Returns whether the headers have an x-death. If it is malformed, all members are absent. */
ALLOT_CHECK bool death_read(struct text raw_headers, struct death *ret_death);

#endif
