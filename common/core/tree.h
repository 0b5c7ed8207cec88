/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider trees of a snapshot (`nodes`, `roots`): queries, and moving a subtree. The functions
 * read and change the nodes only; the caller changes the slots of providers.
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

/* Sets the root of all nodes below `top`, and marks them dirty. `top` itself stays unchanged. */
void tree_set_root_below(struct snapshot *snapshot, struct uuid top, struct uuid root);

#endif
