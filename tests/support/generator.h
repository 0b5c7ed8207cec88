/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random commands against few providers and consumers, so that they get into each other's way. It
 * looks at the database for the generation that is right just now, and gives a wrong one at times.
 */
#ifndef ALLOT_GENERATOR_H
#define ALLOT_GENERATOR_H

#include "tests/support/world.h"

enum { GENERATOR_PROVIDERS = 5, GENERATOR_CONSUMERS = 6 };

/* Valid for the arena's life; the same index gives the same UUID. */
const char *generator_provider(struct arena *arena, size_t index);
const char *generator_consumer(struct arena *arena, size_t index);

/* Providers with inventories, one after the other: the world settles after them. */
void generator_seed_data(struct world *world);
/* Sends one. */
void generator_send(struct world *world);

#endif
