/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a letter, for people. */
#ifndef ALLOT_CTL_WEB_BODY_H
#define ALLOT_CTL_WEB_BODY_H

#include "allot/letter.h"
#include "ctl/web/html.h"

enum { BODY_SHOWN_BYTES = 16 * 1024 };

/* Writes what the letter has of the body: JSON laid out in lines, all else as it came. Unless
   `all`, only the first BODY_SHOWN_BYTES, and a link to all of it. */
void body_add(struct html *html, const struct letter *letter, bool all);

#endif
