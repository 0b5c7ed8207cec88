/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy in force, shared by threads and replaced as a whole: who holds one keeps it until they
 * give it back, so a reload never changes a batch in its course.
 */
#ifndef ALLOT_SERVICE_POLICY_SOURCE_H
#define ALLOT_SERVICE_POLICY_SOURCE_H

#include "common/base/error.h"
#include "common/core/policy.h"

struct policy_source;
struct policy_ref;

/* NULL, with an error, where the file does not load. */
struct policy_source *policy_source_new(const char *path, struct error *error);
void policy_source_free(struct policy_source *source);
/* From the same file; false, with an error: the old one stays in force. */
ALLOT_CHECK bool policy_source_reload(struct policy_source *source, struct error *error);

struct policy_ref *policy_acquire(struct policy_source *source);
void policy_release(struct policy_ref *held);
const struct policy *policy_of(const struct policy_ref *held);

#endif
