/* SPDX-License-Identifier: Apache-2.0 */
/* Names that the contract spells out: resource classes and consumer types. */
#ifndef ALLOT_CODEC_RESOURCE_CLASS_H
#define ALLOT_CODEC_RESOURCE_CLASS_H

#include "common/base/text.h"

/* A standard class (os-resource-classes 1.1.0) or CUSTOM_[A-Z0-9_]+, at most RESOURCE_CLASS_MAX. */
bool resource_class_valid(struct text name);
/* [A-Z0-9_]+, at most CONSUMER_TYPE_MAX. */
bool consumer_type_valid(struct text name);

#endif
