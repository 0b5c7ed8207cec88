/* SPDX-License-Identifier: Apache-2.0 */
/* One call to the operator: runs a program, or posts to a URL. */
#ifndef ALLOT_SERVICE_NOTIFICATION_CALL_H
#define ALLOT_SERVICE_NOTIFICATION_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/text.h"

/* The settings letters.notify_...; a NUL is behind each text. */
struct notification_call {
    struct text command; /* empty: none */
    struct text url;     /* empty: none */
    int64_t timeout_ms;
};

/* Returns whether there is anybody to call. */
bool notification_call_wanted(const struct notification_call *call);
/* Returns false, with an error that does not contain the URL, if a setting is invalid, the program
   cannot be run, or both settings are given. */
ALLOT_CHECK bool notification_call_check(const struct notification_call *call, struct error *error);
/* Makes the call. Returns false, with an error, if it failed, or `stop_fd` became readable. */
ALLOT_CHECK bool notification_call_run(const struct notification_call *call, struct text json,
                                       int stop_fd, struct error *error);

#endif
