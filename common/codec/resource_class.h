/* SPDX-License-Identifier: Apache-2.0 */
/* Which names of resource classes and consumer types are valid (docs/protocol.md, section 2). */
#ifndef ALLOT_CODEC_RESOURCE_CLASS_H
#define ALLOT_CODEC_RESOURCE_CLASS_H

#include "common/base/text.h"

/*
 * Returns whether `name` is a standard class (os-resource-classes 1.1.0), or CUSTOM_[A-Z0-9_]+ with
 * at most RESOURCE_CLASS_MAX characters.
 */
bool resource_class_valid(struct text name);
/* Returns whether `name` is [A-Z0-9_]+ with at most CONSUMER_TYPE_MAX characters. */
bool consumer_type_valid(struct text name);

#endif
