/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a delivery whose command has its verdict: who hears of it, before it is
 * acknowledged. Source: docs/protocol.md, section 5. Knows no broker.
 */
#ifndef ALLOT_CORE_DISPOSITION_H
#define ALLOT_CORE_DISPOSITION_H

#include "common/core/verdict.h"

struct disposition {
    bool reply;       /* publish the reply first */
    bool dead_letter; /* publish a dead letter then */
};

/* `reply_allowed`: there is a reply_to, and the policy allows it. */
struct disposition disposition_of(enum verdict_code code, bool reply_allowed);

/* Nobody took the reply (unroutable, or refused as often as we try): does it end as a dead letter?
 */
bool disposition_dead_letter_if_unroutable(enum verdict_code code);

#endif
