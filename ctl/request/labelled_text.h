/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALLOT_CTL_LABELLED_TEXT_H
#define ALLOT_CTL_LABELLED_TEXT_H

#include <stdint.h>

#include "common/base/text.h"

/* Each prints a line of stdout: a label, and a value in a column of its own. An absent text is
   shown as "-". */
void print_labelled(const char *label, struct text text);
void print_labelled_number(const char *label, int64_t number);

#endif
