/* SPDX-License-Identifier: Apache-2.0 */
/* Says in one line what a command that succeeds changes. Pure. */
#ifndef ALLOT_CTL_DESK_EFFECT_H
#define ALLOT_CTL_DESK_EFFECT_H

#include "common/core/command.h"
#include "common/core/verdict.h"

/*
 * Returns the effect, in `arena`: `consumer c0ffee00-...: VCPU=2 on 5a4f0e1c-...; generation 1`. Of
 * a command with many consumers or providers it names the first ones and counts the others. Texts
 * of the command are in it as they are. The verdict must be a success that is not a replay.
 */
struct text effect_text(struct arena *arena, const struct command *command,
                        const struct verdict *verdict);

#endif
