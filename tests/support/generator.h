/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generates random commands for few providers and consumers, so that they conflict often. It reads
 * the current generation from the database, and uses a wrong one now and then.
 */
#ifndef ALLOT_GENERATOR_H
#define ALLOT_GENERATOR_H

#include "tests/support/world.h"

enum { GENERATOR_PROVIDERS = 5, GENERATOR_CONSUMERS = 6 };

/* Returns the UUID with this index, as text in the arena; the same index gives the same UUID. */
const char *generator_provider(struct arena *arena, size_t index);
const char *generator_consumer(struct arena *arena, size_t index);

/* Creates the providers and their inventories, and runs the world until it is idle. */
void generator_seed_data(struct world *world);
/* Sends one random command, or repeats an earlier one. */
void generator_send(struct world *world);
/* Returns the body of one random command that may change something, in the world's arena; with
   `of_providers` one that creates, updates or deletes a provider. */
struct text generator_write(struct world *world, bool of_providers);

#endif
