/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider trees of a snapshot (`nodes`): queries, and what commands change. Each provider of a
 * tree that is loaded, or that a command has created, has a node. Beside the nodes only
 * tree_set_root_below changes slots of providers; the caller changes all others, and they are what
 * is written: a node is dirty only if its provider has no slot.
 */
#ifndef ALLOT_CORE_TREE_H
#define ALLOT_CORE_TREE_H

#include "common/core/snapshot.h"

/* Returns the number of providers whose root is `root`. */
int64_t tree_size(const struct snapshot *snapshot, struct uuid root);
/* Returns the number of providers in the subtree of `top`, itself included. */
int64_t tree_subtree_size(const struct snapshot *snapshot, struct uuid top);
/* Returns whether `id` is in the subtree of `top`; true if they are the same provider. */
bool tree_is_below(const struct snapshot *snapshot, struct uuid id, struct uuid top);
bool tree_has_children(const struct snapshot *snapshot, struct uuid id);

/* Adds the node of a provider that a command has created. It must not have one. */
void tree_insert(struct snapshot *snapshot, const struct provider *provider);
/* Removes the node, if there is one. */
void tree_remove(struct snapshot *snapshot, struct uuid id);
/* Sets parent and root of the provider's node, if it has one, to those of its slot. */
void tree_move(struct snapshot *snapshot, const struct provider *provider);
/* Sets the root of all nodes below `top`. Of those that have a slot, the slot gets the root too and
   is to be written; the others become dirty. `top` itself stays unchanged. */
void tree_set_root_below(struct snapshot *snapshot, struct uuid top, struct uuid root);

#endif
