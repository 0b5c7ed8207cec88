/* SPDX-License-Identifier: Apache-2.0 */
/* plan_prefix: how many commands of a batch fit into one transaction. */
#include "common/base/array.h"
#include "common/core/plan.h"

/* A document that a request uses, to read or to write it. UUIDs are unique within a collection
 * only. */
struct use {
    struct uuid id;
    bool is_provider; /* false: a consumer */
    size_t request;
};

static int compare_uses(const void *a, const void *b)
{
    const struct use *x = a, *y = b;
    int order = uuid_compare(x->id, y->id);
    if (order == 0)
        order = (int)x->is_provider - (int)y->is_provider;
    return order != 0 ? order : (x->request > y->request) - (x->request < y->request);
}

static bool same_document(const struct use *a, const struct use *b)
{
    return uuid_equal(a->id, b->id) && a->is_provider == b->is_provider;
}

struct uses {
    struct use *items; /* NULL: only `count` is wanted */
    size_t count;
};

static void add_use(struct uses *uses, struct uuid id, bool is_provider, size_t request)
{
    if (uses->items != NULL)
        uses->items[uses->count] = (struct use){id, is_provider, request};
    uses->count++;
}

static void add_claim(struct uses *uses, struct snapshot *snapshot, const struct claim *claim,
                      size_t request)
{
    const struct consumer *stored = snapshot_consumer(snapshot, claim->consumer);
    add_use(uses, claim->consumer, false, request);
    for (size_t i = 0; i < claim->provider_count; i++)
        add_use(uses, claim->providers[i].provider, true, request);
    for (size_t i = 0; i < consumer_allocation_count(stored); i++)
        add_use(uses, stored->allocations[i].provider, true, request);
}

/* Only batched commands share a transaction, so only their documents are counted. */
static void add_all(struct uses *uses, struct snapshot *snapshot,
                    const struct request *const *requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (command_mode(requests[i]->command.kind) != MODE_BATCHED)
            continue;
        const struct change_params *change = &requests[i]->command.params.change;
        for (size_t j = 0; j < change->inventory_count; j++)
            add_use(uses, change->inventories[j].provider, true, i);
        for (size_t j = 0; j < change->claim_count; j++)
            add_claim(uses, snapshot, &change->claims[j], i);
    }
}

/* Returns for each request how many documents it uses that no earlier request uses. */
static const size_t *count_new_documents(struct snapshot *snapshot,
                                         const struct request *const *requests, size_t count,
                                         size_t use_count)
{
    struct uses uses = {ARENA_ARRAY(snapshot->arena, struct use, use_count), 0};
    add_all(&uses, snapshot, requests, count);
    array_sort(uses.items, uses.count, sizeof *uses.items, compare_uses);
    size_t *new_documents = ARENA_ARRAY(snapshot->arena, size_t, count);
    for (size_t i = 0; i < uses.count; i++) {
        if (i == 0 || !same_document(&uses.items[i], &uses.items[i - 1]))
            new_documents[uses.items[i].request]++;
    }
    return new_documents;
}

size_t plan_prefix(struct snapshot *snapshot, const struct request *const *requests, size_t count,
                   size_t documents_max)
{
    struct uses counted = {NULL, 0};
    add_all(&counted, snapshot, requests, count);
    if (counted.count + count <= documents_max)
        return count; /* they fit even if shared documents are counted each time */

    const size_t *new_documents = count_new_documents(snapshot, requests, count, counted.count);
    size_t documents = 0, prefix = 0;
    while (prefix < count) {
        documents += new_documents[prefix] + 1; /* and its outcome */
        if (documents > documents_max && prefix > 0)
            break;
        prefix++;
    }
    return prefix;
}
