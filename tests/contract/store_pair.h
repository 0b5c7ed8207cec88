/* SPDX-License-Identifier: Apache-2.0 */
/* Two sessions that meet. */
#ifndef ALLOT_STORE_PAIR_H
#define ALLOT_STORE_PAIR_H

#include "tests/contract/store_world.h"

struct pair {
    struct session first;
    struct session second;
};

struct pair pair_open(struct store_world *world);
void pair_close(struct pair *pair);

/* Opens the provider in the session, and makes it dirty with that generation. */
void touch_provider(struct session *session, struct uuid id, int64_t generation);

#endif
