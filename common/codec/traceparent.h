/* SPDX-License-Identifier: Apache-2.0 */
/* The header `traceparent` of W3C Trace Context (Recommendation, section 3.2): its form alone. */
#ifndef ALLOT_CODEC_TRACEPARENT_H
#define ALLOT_CODEC_TRACEPARENT_H

#include "common/base/text.h"

/*
 * Whether `text` may be passed on as a traceparent: 2-32-16-2 lower-case hex digits with hyphens
 * between, a version other than ff, a trace id and a parent id that are not all zero. Version 00
 * ends there; of a later one, more may follow after a hyphen.
 */
bool traceparent_well_formed(struct text text);

#endif
