/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What names a command in the attempt records. It is known without decoding the body, because
 * decoding may be what kills the worker.
 */
#ifndef ALLOT_SERVICE_ATTEMPT_H
#define ALLOT_SERVICE_ATTEMPT_H

#include "allot/message.h"
#include "allot/store.h"

/*
 * Returns the principal (user_id) and the key (message_id) of the delivery, as the publisher gave
 * them. In place of one that is missing or is not 1 to 255 bytes of printable ASCII it has a digest
 * of the message, so that every message has a key and every text is valid. Texts are copied to
 * `arena`, or borrowed from the delivery.
 */
struct attempt_key attempt_key_of(const struct delivery *delivery, struct arena *arena);

#endif
