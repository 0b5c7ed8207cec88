/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header `traceparent` of W3C Trace Context (Recommendation, section 3.2). Only its form is
 * checked. Why not a library: OpenTelemetry has none for C; regexec of
 * POSIX stops at a NUL, so that it would accept whatever follows one.
 */
#ifndef ALLOT_CODEC_TRACEPARENT_H
#define ALLOT_CODEC_TRACEPARENT_H

#include "common/base/text.h"

/*
 * Returns whether `text` may be passed on as a traceparent: 2-32-16-2 lower-case hex digits with
 * hyphens between them, a version other than ff, and neither the trace id nor the parent id all
 * zero. Version 00 ends there; in a later version, more may follow after a hyphen.
 */
bool traceparent_well_formed(struct text text);

#endif
