/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALLOT_CTL_CLAIM_H
#define ALLOT_CTL_CLAIM_H

#include "ctl/request/request.h"

/* Sends allocation.set and prints what the consumer has then, or the failure. Takes the ownership
   of `params`; `repeat` as for request_send(). Returns the exit status. */
int claim_send(struct requests *requests, json_t *params, const char *repeat,
               const struct options *options, struct arena *arena);

#endif
