/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/blank_store.h"

enum store_status blank_call(struct store *store, struct error *error)
{
    (void)store;
    (void)error;
    return STORE_OK;
}

int64_t blank_now_ms(struct store *store)
{
    (void)store;
    return 1;
}

enum store_status blank_load(struct store *store, struct snapshot *snapshot, struct error *error)
{
    (void)store;
    (void)error;
    for (size_t i = 0; i < snapshot->provider_count; i++)
        snapshot->providers[i].state.loaded = true;
    for (size_t i = 0; i < snapshot->consumer_count; i++)
        snapshot->consumers[i].state.loaded = true;
    for (size_t i = 0; i < snapshot->outcome_count; i++)
        snapshot->outcomes[i].state.loaded = true;
    for (size_t i = 0; i < snapshot->usage_count; i++)
        snapshot->usages[i].loaded = true;
    for (size_t i = 0; i < snapshot->list_count; i++)
        snapshot->lists[i].loaded = true;
    return STORE_OK;
}

enum store_status blank_write(struct store *store, const struct snapshot *snapshot,
                              struct error *error)
{
    (void)store;
    (void)snapshot;
    (void)error;
    return STORE_OK;
}

enum store_status blank_claim_letters(struct store *store, size_t max, size_t bytes_max,
                                      struct arena *arena, struct letter **ret_letters,
                                      size_t *ret_count, struct error *error)
{
    (void)store;
    (void)max;
    (void)bytes_max;
    (void)arena;
    (void)error;
    *ret_letters = NULL;
    *ret_count = 0;
    return STORE_OK;
}

enum store_status blank_find_letters(struct store *store, const struct text *ids, size_t count,
                                     struct arena *arena, struct letter_sighting *ret_sightings,
                                     struct error *error)
{
    (void)store;
    (void)ids;
    (void)arena;
    (void)error;
    for (size_t i = 0; i < count; i++)
        ret_sightings[i] = (struct letter_sighting){0};
    return STORE_OK;
}

void blank_limit_calls(struct store *store, int64_t limit_ms)
{
    (void)store;
    (void)limit_ms;
}

enum store_status blank_prove_health(struct store *store, uint64_t *ret_primary,
                                     struct error *error)
{
    (void)store;
    (void)error;
    *ret_primary = 1;
    return STORE_OK;
}

void blank_end(struct store *store)
{
    (void)store;
}
