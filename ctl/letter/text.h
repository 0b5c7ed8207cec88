/* SPDX-License-Identifier: Apache-2.0 */
/* Stored letters as text for people, on stdout. No control character is printed. */
#ifndef ALLOT_CTL_LETTER_TEXT_H
#define ALLOT_CTL_LETTER_TEXT_H

#include "allot/letter.h"

/* Digits of an id that a list shows. */
enum { LETTER_SHORT_ID_DIGITS = 12 };

/* Prints all of a letter, one value a line. The body is indented; if it is not valid UTF-8, it is
   printed in base64. `arena` is for the time of the call. */
void letter_text_print(const struct letter_record *record, int64_t now_ms, struct arena *arena);

#endif
