/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The active policy, shared by all threads and replaced as a whole. A reference keeps its policy
 * unchanged until it is released, so a reload never changes the policy within a batch.
 */
#ifndef ALLOT_SERVICE_POLICY_SOURCE_H
#define ALLOT_SERVICE_POLICY_SOURCE_H

#include "common/base/error.h"
#include "common/core/policy.h"

struct policy_source;
struct policy_ref;

/*
 * Loads the policy file; `path` is copied. Each policy that is loaded gets `queues`, whose texts
 * are borrowed until the source is freed. Returns NULL, with an error, if the file does not load.
 */
struct policy_source *policy_source_new(const char *path, const struct service_queues *queues,
                                        struct error *error);
/* Frees the source; every reference has to be released before. NULL is allowed. */
void policy_source_free(struct policy_source *source);
/* Loads the same file again. Returns false, with an error, if that fails; the old policy then stays
   active. Any thread may call it. */
ALLOT_CHECK bool policy_source_reload(struct policy_source *source, struct error *error);

/* Returns a reference to the active policy, to be released; never NULL. Any thread may call it. */
struct policy_ref *policy_acquire(struct policy_source *source);
/* NULL is allowed. */
void policy_release(struct policy_ref *ref);
/* Returns the policy; borrowed until the reference is released. */
const struct policy *policy_of(const struct policy_ref *ref);

#endif
