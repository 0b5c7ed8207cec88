/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALLOT_CTL_FAILURE_ADVICE_H
#define ALLOT_CTL_FAILURE_ADVICE_H

#include "common/core/verdict.h"

/* Returns what an operator does on this failure, as docs/protocol.md says it for producers
   (section 7). Static; a text without full stop. */
const char *failure_advice(enum verdict_code code);

#endif
