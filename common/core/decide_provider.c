/* SPDX-License-Identifier: Apache-2.0 */
/* Providers and their trees: create, update, delete. They go alone in their batch. */
#include "common/core/decision.h"

#include <assert.h>
#include <stdlib.h>

#include "allot/limits.h"

void refuse_providers_missing(struct decision *decision, const struct uuid *missing, size_t count)
{
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_PROVIDER_NOT_FOUND,
                   count == 1 ? "there is no provider %s" : "there is no provider %s, nor others",
                   uuid_format(missing[0]).chars);
    verdict_add_uuids(decision->verdict, "providers", missing, count);
}

static const struct tree_node *find_node(const struct snapshot *snapshot, struct uuid id)
{
    size_t low = 0, high = snapshot->node_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = uuid_compare(snapshot->nodes[middle].id, id);
        if (order == 0)
            return &snapshot->nodes[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Bounded by the size of a tree, so that a circle in the data could not hold us. */
static bool lies_below(const struct snapshot *snapshot, struct uuid id, struct uuid ancestor)
{
    const struct tree_node *node = find_node(snapshot, id);
    for (size_t steps = 0; node != NULL && steps <= snapshot->node_count; steps++) {
        if (uuid_equal(node->id, ancestor))
            return true;
        node = node->has_parent ? find_node(snapshot, node->parent) : NULL;
    }
    return false;
}

static int64_t tree_size(const struct snapshot *snapshot, struct uuid root)
{
    int64_t size = 0;
    for (size_t i = 0; i < snapshot->node_count; i++)
        size += uuid_equal(snapshot->nodes[i].root, root);
    return size;
}

enum mark { UNKNOWN, BELOW, ELSEWHERE };

/* Walks up from `node` to the first mark that is known, and marks the whole way. */
static void mark_way(const struct snapshot *snapshot, const struct tree_node *node,
                     unsigned char *marks)
{
    const struct tree_node *end = node;
    size_t steps = 0;
    while (end != NULL && marks[end - snapshot->nodes] == UNKNOWN && steps++ < snapshot->node_count)
        end = end->has_parent ? find_node(snapshot, end->parent) : NULL;
    unsigned char mark = end != NULL && marks[end - snapshot->nodes] == BELOW ? BELOW : ELSEWHERE;
    for (; node != NULL && marks[node - snapshot->nodes] == UNKNOWN;
         node = node->has_parent ? find_node(snapshot, node->parent) : NULL)
        marks[node - snapshot->nodes] = mark;
}

/* For each node, whether it is `top` or lies below it; linear in the nodes. */
static const unsigned char *mark_subtree(const struct snapshot *snapshot, struct uuid top)
{
    unsigned char *marks = ARENA_ARRAY(snapshot->arena, unsigned char, snapshot->node_count);
    const struct tree_node *node = find_node(snapshot, top);
    if (node != NULL)
        marks[node - snapshot->nodes] = BELOW;
    for (size_t i = 0; i < snapshot->node_count; i++)
        mark_way(snapshot, &snapshot->nodes[i], marks);
    return marks;
}

static int64_t subtree_size(const struct snapshot *snapshot, struct uuid top)
{
    const unsigned char *marks = mark_subtree(snapshot, top);
    int64_t size = 0;
    for (size_t i = 0; i < snapshot->node_count; i++)
        size += marks[i] == BELOW;
    return size;
}

/* The parent that is asked for, where it exists. */
static struct provider *asked_parent(struct decision *decision)
{
    const struct provider_params *params = &decision->request->command.params.provider;
    if (!params->has_parent)
        return NULL;
    struct provider *parent = snapshot_provider(decision->snapshot, params->parent);
    return parent->state.exists ? parent : NULL;
}

static bool refuse_tree_size(struct decision *decision, int64_t size)
{
    if (size <= TREE_PROVIDERS_MAX)
        return false;
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_LIMIT_EXCEEDED,
                   "the provider tree would have %lld members, of %d at most", (long long)size,
                   TREE_PROVIDERS_MAX);
    verdict_add_integer(decision->verdict, "limit", TREE_PROVIDERS_MAX);
    verdict_add_integer(decision->verdict, "given", size);
    return true;
}

static bool refuse_name_taken(struct decision *decision)
{
    const struct provider_params *params = &decision->request->command.params.provider;
    const struct name_slot *name = snapshot_name(decision->snapshot, params->name);
    if (!name->taken || uuid_equal(name->holder, params->uuid))
        return false;
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_PROVIDER_NAME_TAKEN,
                   "another provider is named %.*s", TEXT_ARGS(params->name));
    verdict_add_text(decision->verdict, "name", params->name);
    return true;
}

static bool refuse_parent(struct decision *decision, bool below_itself)
{
    const struct provider_params *params = &decision->request->command.params.provider;
    if (!params->has_parent || (asked_parent(decision) != NULL && !below_itself))
        return false;
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_INVALID_PARENT,
                   below_itself ? "the parent %s is in the provider's own subtree"
                                : "there is no parent %s",
                   uuid_format(params->parent).chars);
    verdict_add_uuid(decision->verdict, "parent_provider_uuid", params->parent);
    return true;
}

/* A tree that changes is written at its root: two changes of one tree conflict. */
static void mark_root(struct decision *decision, struct uuid root)
{
    snapshot_provider(decision->snapshot, root)->state.dirty = true;
}

static void create(struct decision *decision)
{
    const struct provider_params *params = &decision->request->command.params.provider;
    struct provider *provider = snapshot_provider(decision->snapshot, params->uuid);
    const struct provider *parent = asked_parent(decision);

    if (parent != NULL &&
        refuse_tree_size(decision, tree_size(decision->snapshot, parent->root) + 1))
        return;
    if (provider->state.exists) {
        verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_PROVIDER_EXISTS,
                       "provider %s exists", uuid_format(params->uuid).chars);
        verdict_add_uuid(decision->verdict, "provider", params->uuid);
        return;
    }
    if (refuse_name_taken(decision) || refuse_parent(decision, false))
        return;

    struct slot_state state = provider->state;
    state.exists = true;
    state.dirty = true;
    *provider = (struct provider){
        .id = params->uuid,
        .state = state,
        .name = params->name,
        .has_parent = params->has_parent,
        .parent = params->parent,
        .root = parent != NULL ? parent->root : params->uuid,
        .place_dirty = true,
        .records_dirty = true,
    };
    if (parent != NULL)
        mark_root(decision, parent->root);
    decision->verdict->result.provider = provider;
}

/* Gives the whole subtree of `top` that root. */
static void move_subtree(struct decision *decision, struct uuid top, struct uuid root)
{
    struct snapshot *snapshot = decision->snapshot;
    const unsigned char *marks = mark_subtree(snapshot, top);
    for (size_t i = 0; i < snapshot->node_count; i++) {
        struct tree_node *node = &snapshot->nodes[i];
        if (marks[i] != BELOW || uuid_equal(node->id, top))
            continue;
        node->root = root;
        node->dirty = true;
    }
}

static void place_below(struct decision *decision, struct provider *provider)
{
    const struct provider *parent = asked_parent(decision);
    struct uuid old_root = provider->root;
    struct uuid new_root = parent != NULL ? parent->root : provider->id;

    provider->has_parent = parent != NULL;
    provider->parent = decision->request->command.params.provider.parent;
    provider->root = new_root;
    mark_root(decision, old_root);
    mark_root(decision, new_root);
    if (!uuid_equal(old_root, new_root))
        move_subtree(decision, provider->id, new_root);
}

static bool refuse_grown_tree(struct decision *decision, const struct provider *provider)
{
    const struct provider *parent = asked_parent(decision);
    if (parent == NULL || uuid_equal(parent->root, provider->root))
        return false;
    return refuse_tree_size(decision, tree_size(decision->snapshot, parent->root) +
                                          subtree_size(decision->snapshot, provider->id));
}

static void update(struct decision *decision)
{
    const struct provider_params *params = &decision->request->command.params.provider;
    struct provider *provider = snapshot_provider(decision->snapshot, params->uuid);
    if (!provider->state.exists) {
        refuse_providers_missing(decision, &params->uuid, 1);
        return;
    }
    bool below_itself =
        params->has_parent && lies_below(decision->snapshot, params->parent, params->uuid);
    if (refuse_grown_tree(decision, provider) || refuse_name_taken(decision) ||
        refuse_parent(decision, below_itself))
        return;

    provider->name = params->name;
    if (params->parent_given)
        place_below(decision, provider);
    provider->place_dirty = true;
    provider->state.dirty = true;
    decision->verdict->result.provider = provider;
}

static bool has_children(const struct snapshot *snapshot, struct uuid id)
{
    for (size_t i = 0; i < snapshot->node_count; i++) {
        if (snapshot->nodes[i].has_parent && uuid_equal(snapshot->nodes[i].parent, id))
            return true;
    }
    return false;
}

static bool is_used(const struct provider *provider)
{
    for (size_t i = 0; i < provider->record_count; i++) {
        if (provider->records[i].used > 0)
            return true;
    }
    return false;
}

static void refuse_delete(struct decision *decision, enum verdict_code code, const char *why)
{
    struct uuid id = decision->request->command.params.provider.uuid;
    verdict_refuse(decision->verdict, decision->snapshot->arena, code, "provider %s %s",
                   uuid_format(id).chars, why);
    verdict_add_uuid(decision->verdict, "provider", id);
}

static void delete_provider(struct decision *decision)
{
    struct uuid id = decision->request->command.params.provider.uuid;
    struct provider *provider = snapshot_provider(decision->snapshot, id);
    if (!provider->state.exists) {
        refuse_providers_missing(decision, &decision->request->command.params.provider.uuid, 1);
        return;
    }
    if (has_children(decision->snapshot, id)) {
        refuse_delete(decision, VERDICT_PROVIDER_HAS_CHILDREN, "has children");
        return;
    }
    if (is_used(provider)) {
        refuse_delete(decision, VERDICT_PROVIDER_IN_USE, "has allocations");
        return;
    }
    mark_root(decision, provider->root);
    provider->state.exists = false;
    provider->state.dirty = true;
}

void decide_provider(struct decision *decision)
{
    switch (decision->request->command.kind) {
    case COMMAND_PROVIDER_CREATE: create(decision); return;
    case COMMAND_PROVIDER_UPDATE: update(decision); return;
    case COMMAND_PROVIDER_DELETE: delete_provider(decision); return;
    case COMMAND_PROVIDER_GET:
    case COMMAND_PROVIDER_ALLOCATIONS:
    case COMMAND_INVENTORY_SET:
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE:
    case COMMAND_ALLOCATION_GET:
    case COMMAND_USAGE_GET:
    case COMMAND_RESHAPE: break;
    }
    assert(!"a command that changes providers");
}
