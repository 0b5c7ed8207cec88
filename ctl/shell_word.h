/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes a text for a shell command that allotctl prints. */
#ifndef ALLOT_CTL_SHELL_WORD_H
#define ALLOT_CTL_SHELL_WORD_H

#include "common/base/arena.h"
#include "common/base/text.h"

/* Returns the text in single quotes, so that a POSIX shell takes it as one word as it is, whatever
   bytes it has. In `arena`; a NUL follows. */
struct text shell_word(struct arena *arena, struct text text);

#endif
