/* SPDX-License-Identifier: Apache-2.0 */
/* The read set: exactly the documents that a batch needs, in two rounds. */
#include <assert.h>
#include <stdlib.h>

#include "common/core/plan.h"

static void want_change(struct snapshot *snapshot, const struct change_params *change)
{
    for (size_t i = 0; i < change->inventory_count; i++)
        snapshot_want_provider(snapshot, change->inventories[i].provider);
    for (size_t i = 0; i < change->claim_count; i++) {
        const struct claim *claim = &change->claims[i];
        snapshot_want_consumer(snapshot, claim->consumer);
        for (size_t j = 0; j < claim->provider_count; j++)
            snapshot_want_provider(snapshot, claim->providers[j].provider);
    }
}

static void want_provider_change(struct snapshot *snapshot, const struct request *request)
{
    const struct provider_params *params = &request->command.params.provider;
    snapshot_want_provider(snapshot, params->uuid);
    if (params->has_parent)
        snapshot_want_provider(snapshot, params->parent);
    if (request->command.kind != COMMAND_PROVIDER_DELETE)
        snapshot_want_name(snapshot, params->name);
}

static void want_request(struct snapshot *snapshot, const struct request *request, size_t index)
{
    if (command_mode(request->command.kind) != MODE_READ)
        snapshot_want_outcome(snapshot, request->principal, request->key);
    switch (request->command.kind) {
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE:
    case COMMAND_PROVIDER_DELETE: want_provider_change(snapshot, request); return;
    case COMMAND_PROVIDER_GET:
        snapshot_want_provider(snapshot, request->command.params.provider.uuid);
        return;
    case COMMAND_PROVIDER_ALLOCATIONS:
        snapshot_want_provider(snapshot, request->command.params.page.provider);
        snapshot_want_page(snapshot, index, request->command.params.page);
        return;
    case COMMAND_INVENTORY_SET:
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE:
    case COMMAND_RESHAPE: want_change(snapshot, &request->command.params.change); return;
    case COMMAND_ALLOCATION_GET:
        snapshot_want_consumer(snapshot, request->command.params.consumer);
        return;
    case COMMAND_USAGE_GET:
        snapshot_want_usage(snapshot, index, request->command.params.usage);
        return;
    }
    assert(!"a command");
}

void plan_want_first(struct snapshot *snapshot, const struct request *const *requests, size_t count)
{
    for (size_t i = 0; i < count; i++)
        want_request(snapshot, requests[i], i);
    snapshot_seal(snapshot);
}

static void want_allocated_providers(struct snapshot *snapshot, const struct consumer *consumer)
{
    for (size_t i = 0; i < consumer->allocation_count; i++) {
        if (i == 0 ||
            !uuid_equal(consumer->allocations[i].provider, consumer->allocations[i - 1].provider))
            snapshot_want_provider(snapshot, consumer->allocations[i].provider);
    }
}

/* The root of a provider that exists. */
static bool find_root(struct snapshot *snapshot, struct uuid id, struct uuid *ret_root)
{
    const struct provider *provider = snapshot_provider(snapshot, id);
    if (provider->state.exists)
        *ret_root = provider->root;
    return provider->state.exists;
}

/* Wanting moves the slots, so both ends are looked up before the first is wanted. */
static void want_trees(struct snapshot *snapshot, const struct provider_params *params)
{
    struct uuid roots[2];
    size_t count = find_root(snapshot, params->uuid, &roots[0]) ? 1 : 0;
    if (params->has_parent && find_root(snapshot, params->parent, &roots[count]))
        count++;
    for (size_t i = 0; i < count; i++) {
        snapshot_want_tree(snapshot, roots[i]);
        snapshot_want_provider(snapshot, roots[i]);
    }
}

static void want_held(struct snapshot *snapshot, struct uuid consumer)
{
    const struct consumer *stored = snapshot_consumer(snapshot, consumer);
    if (stored->state.exists)
        want_allocated_providers(snapshot, stored);
}

static void want_relieved(struct snapshot *snapshot, const struct change_params *change)
{
    for (size_t i = 0; i < change->claim_count; i++)
        want_held(snapshot, change->claims[i].consumer);
}

static void want_more(struct snapshot *snapshot, const struct command *command)
{
    switch (command->kind) {
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE:
    case COMMAND_PROVIDER_DELETE: want_trees(snapshot, &command->params.provider); return;
    case COMMAND_INVENTORY_SET:
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE:
    case COMMAND_RESHAPE: want_relieved(snapshot, &command->params.change); return;
    case COMMAND_ALLOCATION_GET: want_held(snapshot, command->params.consumer); return;
    case COMMAND_PROVIDER_GET:
    case COMMAND_PROVIDER_ALLOCATIONS:
    case COMMAND_USAGE_GET: return;
    }
}

bool plan_want_second(struct snapshot *snapshot, const struct request *const *requests,
                      size_t count)
{
    size_t loaded = snapshot->provider_count;
    for (size_t i = 0; i < count; i++)
        want_more(snapshot, &requests[i]->command);
    snapshot_seal(snapshot);
    return snapshot->provider_count > loaded || snapshot->root_count > 0;
}

/* --- how many of the requests fit ----------------------------------------------------------- */

/* A document that a request touches; doubles are told apart by collection. */
struct touch {
    struct uuid id;
    bool is_provider;
    size_t request;
};

static int compare_touches(const void *a, const void *b)
{
    const struct touch *x = a, *y = b;
    int order = uuid_compare(x->id, y->id);
    if (order == 0)
        order = (int)x->is_provider - (int)y->is_provider;
    return order != 0 ? order : (x->request > y->request) - (x->request < y->request);
}

struct touches {
    struct touch *items; /* NULL: only count */
    size_t count;
};

static void touch(struct touches *touches, struct uuid id, bool is_provider, size_t request)
{
    if (touches->items != NULL)
        touches->items[touches->count] = (struct touch){id, is_provider, request};
    touches->count++;
}

static void touch_claim(struct touches *touches, struct snapshot *snapshot,
                        const struct claim *claim, size_t request)
{
    const struct consumer *stored = snapshot_consumer(snapshot, claim->consumer);
    touch(touches, claim->consumer, false, request);
    for (size_t i = 0; i < claim->provider_count; i++)
        touch(touches, claim->providers[i].provider, true, request);
    for (size_t i = 0; stored->state.exists && i < stored->allocation_count; i++)
        touch(touches, stored->allocations[i].provider, true, request);
}

static void touch_all(struct touches *touches, struct snapshot *snapshot,
                      const struct request *const *requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (command_mode(requests[i]->command.kind) != MODE_BATCHED)
            continue;
        const struct change_params *change = &requests[i]->command.params.change;
        for (size_t j = 0; j < change->inventory_count; j++)
            touch(touches, change->inventories[j].provider, true, i);
        for (size_t j = 0; j < change->claim_count; j++)
            touch_claim(touches, snapshot, &change->claims[j], i);
    }
}

static bool same_document(const struct touch *a, const struct touch *b)
{
    return uuid_equal(a->id, b->id) && a->is_provider == b->is_provider;
}

size_t plan_prefix(struct snapshot *snapshot, const struct request *const *requests, size_t count,
                   size_t documents_max)
{
    struct touches touches = {NULL, 0};
    touch_all(&touches, snapshot, requests, count);
    if (touches.count + count <= documents_max)
        return count; /* even with doubles and outcomes counted */

    touches.items = ARENA_ARRAY(snapshot->arena, struct touch, touches.count);
    touches.count = 0;
    touch_all(&touches, snapshot, requests, count);
    if (touches.count > 0)
        qsort(touches.items, touches.count, sizeof *touches.items, compare_touches);

    size_t *new_documents = ARENA_ARRAY(snapshot->arena, size_t, count);
    for (size_t i = 0; i < touches.count; i++) {
        if (i == 0 || !same_document(&touches.items[i], &touches.items[i - 1]))
            new_documents[touches.items[i].request]++;
    }
    size_t documents = 0, prefix = 0;
    while (prefix < count) {
        documents += new_documents[prefix] + 1; /* and its outcome */
        if (documents > documents_max && prefix > 0)
            break;
        prefix++;
    }
    return prefix;
}
