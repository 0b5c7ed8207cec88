/* SPDX-License-Identifier: Apache-2.0 */
/* Stored letters as text for people, on stdout. No control character is printed. */
#ifndef ALLOT_CTL_LETTER_TEXT_H
#define ALLOT_CTL_LETTER_TEXT_H

#include "allot/letter.h"

/*
 * Prints a letter as one line with tabs: age of its latest dead letter, the first digits of its id,
 * state, reason, principal, command, count, whether its dead letter is published, and the first
 * part of the detail. `now_ms` counts from the Unix epoch.
 */
void letter_text_print_line(const struct letter_record *record, int64_t now_ms);
/* Prints all of a letter, one value a line. The body is indented; if it is not valid UTF-8, it is
   printed in base64. `arena` is for the time of the call. */
void letter_text_print(const struct letter_record *record, int64_t now_ms, struct arena *arena);

#endif
