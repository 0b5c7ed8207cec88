/* SPDX-License-Identifier: Apache-2.0 */
/* The part of `letter import` that stores exported letters. */
#ifndef ALLOT_CTL_LETTER_IMPORT_LINES_H
#define ALLOT_CTL_LETTER_IMPORT_LINES_H

#include "ctl/options.h"

/* Stores the letters of the file that the operand names; "-" is standard input. Returns the exit
   status. */
int letter_import_lines(const struct options *options, struct arena *arena);

#endif
