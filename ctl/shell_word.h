/* SPDX-License-Identifier: Apache-2.0 */
/* A word of a shell command that a user is told to run. */
#ifndef ALLOT_CTL_SHELL_WORD_H
#define ALLOT_CTL_SHELL_WORD_H

#include "common/base/arena.h"
#include "common/base/text.h"

/* Returns the text in single quotes, so that a POSIX shell takes it as one word as it is, whatever
   bytes it has. In `arena`; a NUL follows. */
struct text shell_word(struct arena *arena, struct text text);

#endif
