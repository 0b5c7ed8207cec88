/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/tree.h"

#include <assert.h>
#include <string.h>

#include "common/base/array.h"

static int compare_id(const void *key, const void *node)
{
    return uuid_compare(*(const struct uuid *)key, ((const struct tree_node *)node)->id);
}

static struct tree_node *find_node(const struct snapshot *snapshot, struct uuid id)
{
    return array_find(&id, snapshot->nodes, snapshot->node_count, sizeof *snapshot->nodes,
                      compare_id);
}

static const struct tree_node *parent_of(const struct snapshot *snapshot,
                                         const struct tree_node *node)
{
    return node->has_parent ? find_node(snapshot, node->parent) : NULL;
}

int64_t tree_size(const struct snapshot *snapshot, struct uuid root)
{
    int64_t size = 0;
    for (size_t i = 0; i < snapshot->node_count; i++)
        size += uuid_equal(snapshot->nodes[i].root, root);
    return size;
}

/* The steps are bounded, so that a cycle in the stored data cannot loop forever. */
bool tree_is_below(const struct snapshot *snapshot, struct uuid id, struct uuid top)
{
    const struct tree_node *node = find_node(snapshot, id);
    for (size_t steps = 0; node != NULL && steps <= snapshot->node_count; steps++) {
        if (uuid_equal(node->id, top))
            return true;
        node = parent_of(snapshot, node);
    }
    return false;
}

bool tree_has_children(const struct snapshot *snapshot, struct uuid id)
{
    for (size_t i = 0; i < snapshot->node_count; i++) {
        if (snapshot->nodes[i].has_parent && uuid_equal(snapshot->nodes[i].parent, id))
            return true;
    }
    return false;
}

/* Where a node lies, seen from a subtree. */
enum place { UNKNOWN, BELOW, ELSEWHERE };

/*
 * Walks up from `node` to the first node whose place is known, and gives the same place to all
 * nodes on the way. The steps are bounded, as above.
 */
static void place_path(const struct snapshot *snapshot, const struct tree_node *node,
                       unsigned char *places)
{
    const struct tree_node *end = node;
    size_t steps = 0;
    while (end != NULL && places[end - snapshot->nodes] == UNKNOWN &&
           steps++ < snapshot->node_count)
        end = parent_of(snapshot, end);
    unsigned char place = end != NULL && places[end - snapshot->nodes] == BELOW ? BELOW : ELSEWHERE;
    for (; node != NULL && places[node - snapshot->nodes] == UNKNOWN;
         node = parent_of(snapshot, node))
        places[node - snapshot->nodes] = place;
}

/*
 * Returns the place of each node: BELOW for `top` and its subtree. Each node is placed once, so the
 * time grows with the nodes and not with their depth. Owned by the snapshot's arena.
 */
static const unsigned char *place_nodes(const struct snapshot *snapshot, struct uuid top)
{
    unsigned char *places = ARENA_ARRAY(snapshot->arena, unsigned char, snapshot->node_count);
    const struct tree_node *node = find_node(snapshot, top);
    if (node != NULL)
        places[node - snapshot->nodes] = BELOW;
    for (size_t i = 0; i < snapshot->node_count; i++)
        place_path(snapshot, &snapshot->nodes[i], places);
    return places;
}

int64_t tree_subtree_size(const struct snapshot *snapshot, struct uuid top)
{
    const unsigned char *places = place_nodes(snapshot, top);
    int64_t size = 0;
    for (size_t i = 0; i < snapshot->node_count; i++)
        size += places[i] == BELOW;
    return size;
}

/* --- changes -------------------------------------------------------------------------------- */

static struct tree_node node_of(const struct provider *provider)
{
    return (struct tree_node){.id = provider->id,
                              .has_parent = provider->has_parent,
                              .parent = provider->parent,
                              .root = provider->root};
}

/* Makes room for one more node. The store's list has no room. */
static void grow(struct snapshot *snapshot)
{
    if (snapshot->node_capacity < snapshot->node_count)
        snapshot->node_capacity = snapshot->node_count;
    snapshot->nodes = arena_grown(snapshot->arena, snapshot->nodes, snapshot->node_count,
                                  &snapshot->node_capacity, sizeof *snapshot->nodes);
}

void tree_insert(struct snapshot *snapshot, const struct provider *provider)
{
    assert(find_node(snapshot, provider->id) == NULL);
    grow(snapshot);
    size_t place = snapshot->node_count++;
    for (; place > 0 && uuid_compare(snapshot->nodes[place - 1].id, provider->id) > 0; place--)
        snapshot->nodes[place] = snapshot->nodes[place - 1];
    snapshot->nodes[place] = node_of(provider);
}

void tree_remove(struct snapshot *snapshot, struct uuid id)
{
    struct tree_node *node = find_node(snapshot, id);
    if (node == NULL)
        return;
    size_t behind = snapshot->node_count - (size_t)(node - snapshot->nodes) - 1;
    memmove(node, node + 1, behind * sizeof *node);
    snapshot->node_count--;
}

void tree_move(struct snapshot *snapshot, const struct provider *provider)
{
    struct tree_node *node = find_node(snapshot, provider->id);
    if (node != NULL)
        *node = node_of(provider);
}

static void set_root(struct snapshot *snapshot, struct tree_node *node, struct uuid root)
{
    struct provider *slot = snapshot_find_provider(snapshot, node->id);
    node->root = root;
    node->dirty = slot == NULL;
    if (slot == NULL)
        return;
    slot->root = root;
    slot->place_dirty = true;
    slot->state.dirty = true;
}

void tree_set_root_below(struct snapshot *snapshot, struct uuid top, struct uuid root)
{
    const unsigned char *places = place_nodes(snapshot, top);
    for (size_t i = 0; i < snapshot->node_count; i++) {
        if (places[i] == BELOW && !uuid_equal(snapshot->nodes[i].id, top))
            set_root(snapshot, &snapshot->nodes[i], root);
    }
}
