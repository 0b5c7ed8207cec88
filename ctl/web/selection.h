/* SPDX-License-Identifier: Apache-2.0 */
/* The letters that a form has selected. */
#ifndef ALLOT_CTL_WEB_SELECTION_H
#define ALLOT_CTL_WEB_SELECTION_H

#include "allot/letter.h"
#include "ctl/web/site.h"

enum { SELECTION_MAX = 2000, SELECTION_BYTES_MAX = 128 * 1024 * 1024 };

struct selection {
    struct text *ids;              /* in the order of a replay: the oldest letter first */
    struct letter_record *records; /* of the same letters, whole; NULL: not loaded */
    size_t count;
    bool cut; /* there are more letters than the selection may have */
};

/*
 * Reads the ids of a form: the fields `id`, or the field `ids` with commas; or, with the field
 * `all`, those of its filter. Letters that no longer exist are left out. Loads them; all is in the
 * request's arena. Returns false, with an error, if the database does not answer.
 */
ALLOT_CHECK bool selection_read(const struct site *site, const struct web_request *request,
                                struct selection *ret_selection, struct error *error);

/* Reads the ids only as the form has them, in its order. */
struct selection selection_of_form(const struct form *form, struct arena *arena);

#endif
