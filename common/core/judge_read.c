/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that only read: answered from the snapshot of a transaction of their own. */
#include "common/core/judge.h"

#include <assert.h>

static void list_generation(struct judge *judge, const struct provider *provider)
{
    struct provider_generation *list =
        ARENA_ARRAY(judge->snapshot->arena, struct provider_generation, 1);
    list[0] = (struct provider_generation){provider->id, provider->generation};
    judge->verdict->result.providers = list;
    judge->verdict->result.provider_count = 1;
}

static void get_provider(struct judge *judge, const struct uuid *id)
{
    const struct provider *provider = snapshot_provider(judge->snapshot, *id);
    if (!provider->state.exists) {
        refuse_providers_missing(judge, id, 1);
        return;
    }
    judge->verdict->result.provider = provider;
    list_generation(judge, provider);
}

static void get_page(struct judge *judge)
{
    get_provider(judge, &judge->request->command.params.page.provider);
    if (judge->verdict->code == VERDICT_SUCCESS)
        judge->verdict->result.page = &snapshot_page(judge->snapshot, judge->index)->page;
}

static void get_consumer(struct judge *judge)
{
    const struct consumer *consumer =
        snapshot_consumer(judge->snapshot, judge->request->command.params.consumer);
    if (!consumer->state.exists)
        return;
    struct result *result = &judge->verdict->result;
    result->consumer = consumer;
    struct provider_generation *list =
        ARENA_ARRAY(judge->snapshot->arena, struct provider_generation, consumer->holding_count);
    for (size_t i = 0; i < consumer->holding_count; i++) {
        struct uuid id = consumer->holdings[i].provider;
        if (i > 0 && uuid_equal(id, consumer->holdings[i - 1].provider))
            continue;
        list[result->provider_count++] =
            (struct provider_generation){id, snapshot_provider(judge->snapshot, id)->generation};
    }
    result->providers = list;
}

static void get_usage(struct judge *judge)
{
    const struct usage_slot *slot = snapshot_usage(judge->snapshot, judge->index);
    judge->verdict->result.groups = slot->groups;
    judge->verdict->result.group_count = slot->group_count;
}

void judge_read(struct judge *judge)
{
    switch (judge->request->command.kind) {
    case COMMAND_PROVIDER_GET:
        get_provider(judge, &judge->request->command.params.provider.uuid);
        return;
    case COMMAND_PROVIDER_ALLOCATIONS: get_page(judge); return;
    case COMMAND_ALLOCATION_GET: get_consumer(judge); return;
    case COMMAND_USAGE_GET: get_usage(judge); return;
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
