/* SPDX-License-Identifier: Apache-2.0 */
/* Two sessions on one database, for tests of concurrent transactions. */
#ifndef ALLOT_STORE_PAIR_H
#define ALLOT_STORE_PAIR_H

#include "tests/contract/store_world.h"

struct pair {
    struct session first;
    struct session second;
};

/* Opens both sessions. Closed by pair_close(). */
struct pair pair_open(struct store_world *world);
void pair_close(struct pair *pair);

/* Begins, loads the provider, gives it this generation and makes it dirty. Not written yet. */
void touch_provider(struct session *session, struct uuid id, int64_t generation);

#endif
