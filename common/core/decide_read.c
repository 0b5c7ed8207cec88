/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that only read: answered from the snapshot of a transaction of their own. */
#include "common/core/decision.h"

#include <assert.h>

static void list_generation(struct decision *decision, const struct provider *provider)
{
    struct provider_generation *list =
        ARENA_ARRAY(decision->snapshot->arena, struct provider_generation, 1);
    list[0] = (struct provider_generation){provider->id, provider->generation};
    decision->verdict->result.providers = list;
    decision->verdict->result.provider_count = 1;
}

static void get_provider(struct decision *decision, const struct uuid *id)
{
    const struct provider *provider = snapshot_provider(decision->snapshot, *id);
    if (!provider->state.exists) {
        refuse_providers_missing(decision, id, 1);
        return;
    }
    decision->verdict->result.provider = provider;
    list_generation(decision, provider);
}

static void get_page(struct decision *decision)
{
    get_provider(decision, &decision->request->command.params.page.provider);
    if (decision->verdict->code == VERDICT_SUCCESS)
        decision->verdict->result.page = &snapshot_page(decision->snapshot, decision->index)->page;
}

static void get_consumer(struct decision *decision)
{
    const struct consumer *consumer =
        snapshot_consumer(decision->snapshot, decision->request->command.params.consumer);
    if (!consumer->state.exists)
        return;
    struct result *result = &decision->verdict->result;
    result->consumer = consumer;
    struct provider_generation *list = ARENA_ARRAY(
        decision->snapshot->arena, struct provider_generation, consumer->allocation_count);
    for (size_t i = 0; i < consumer->allocation_count; i++) {
        struct uuid id = consumer->allocations[i].provider;
        if (i > 0 && uuid_equal(id, consumer->allocations[i - 1].provider))
            continue;
        list[result->provider_count++] =
            (struct provider_generation){id, snapshot_provider(decision->snapshot, id)->generation};
    }
    result->providers = list;
}

static void get_usage(struct decision *decision)
{
    const struct usage_slot *slot = snapshot_usage(decision->snapshot, decision->index);
    decision->verdict->result.groups = slot->groups;
    decision->verdict->result.group_count = slot->group_count;
}

void decide_read(struct decision *decision)
{
    switch (decision->request->command.kind) {
    case COMMAND_PROVIDER_GET:
        get_provider(decision, &decision->request->command.params.provider.uuid);
        return;
    case COMMAND_PROVIDER_ALLOCATIONS: get_page(decision); return;
    case COMMAND_ALLOCATION_GET: get_consumer(decision); return;
    case COMMAND_USAGE_GET: get_usage(decision); return;
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE:
    case COMMAND_PROVIDER_DELETE:
    case COMMAND_INVENTORY_SET:
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE:
    case COMMAND_RESHAPE: break;
    }
    assert(!"a command that only reads");
}
