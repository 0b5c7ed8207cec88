/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disposition: what is published for a decided command. The reply is confirmed before the delivery
 * is acknowledged; the dead letter of a stored letter is published after that. Source:
 * docs/protocol.md, section 5. It knows the rules only, not the broker.
 */
#ifndef ALLOT_CORE_DISPOSITION_H
#define ALLOT_CORE_DISPOSITION_H

#include "common/core/verdict.h"

/* If both are true, the reply is published first. */
struct disposition {
    bool reply;
    bool dead_letter;
};

/* `reply_allowed`: the command has a reply_to, and the policy allows it. */
struct disposition disposition_of(enum verdict_code code, bool reply_allowed);

/*
 * Returns whether a command is dead-lettered because its reply was unroutable, or was nacked as
 * often as it is tried.
 */
bool disposition_dead_letter_if_unroutable(enum verdict_code code);

#endif
