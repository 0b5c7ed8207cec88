/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of a notification, as docs/operations.md describes it. Pure. */
#ifndef ALLOT_SERVICE_NOTIFICATION_ENCODE_H
#define ALLOT_SERVICE_NOTIFICATION_ENCODE_H

#include "allot/notification.h"

/* Returns one line of JSON without a line end, valid UTF-8, in the arena. `worker` is the name of
   the worker that sends it, `limit` is letters.notify_rate. */
struct text notification_encode(struct arena *arena, const struct notification *notification,
                                struct text worker, int64_t limit);

#endif
