/* SPDX-License-Identifier: Apache-2.0 */
/* A stored letter as one JSON object. Pure. */
#ifndef ALLOT_CTL_LETTER_JSON_H
#define ALLOT_CTL_LETTER_JSON_H

#include "allot/letter.h"

/*
 * Returns the object, in `arena`. With `whole` it has history, properties, headers and body too.
 * The body is the member `body` if it is valid UTF-8, and otherwise `body_base64`. What is absent
 * in the letter is null, or an empty list or object.
 */
struct text letter_json(struct arena *arena, const struct letter_record *record, bool whole);

/* Returns "published", "unpublished", or "refused", if the broker does not take the dead letter.
   Static. */
const char *letter_publication(const struct letter_record *record);

#endif
