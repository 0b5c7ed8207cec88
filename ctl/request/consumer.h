/* SPDX-License-Identifier: Apache-2.0 */
/* A consumer as allocation.get returns it. */
#ifndef ALLOT_CTL_CONSUMER_H
#define ALLOT_CTL_CONSUMER_H

#include "ctl/request/provider_name.h"

/* Asks for a consumer with allocation.get. Returns the result, borrowed; NULL after an error has
   been printed: also if the consumer does not exist. */
json_t *consumer_read(struct requests *requests, const char *uuid);

/* Prints a consumer with its allocations: `consumer` is the result of allocation.get, or the params
   of allocation.set. Names of providers are asked for with `names`. */
void consumer_print(const char *uuid, json_t *consumer, struct provider_names *names,
                    const struct options *options, struct arena *arena);

#endif
