/* SPDX-License-Identifier: Apache-2.0 */
/* Which letters a page shows, as its URL and its forms say. */
#ifndef ALLOT_CTL_WEB_FILTER_H
#define ALLOT_CTL_WEB_FILTER_H

#include "common/mongo/letters_read.h"
#include "ctl/web/html.h"
#include "ctl/web/site.h"

/* Reads the filter from the fields state (a state, or "all"), group, reason, principal, command,
   project, provider and run. A provider that is no UUID matches nothing. Without `state` it is
   `all`. Texts are borrowed. */
struct letter_filter filter_read(const struct form *form, struct arena *arena);

/* Writes the filter as a query behind '?', with its state; for an attribute. */
void filter_add_query(struct html *html, const struct letter_filter *filter);
/* Writes it as hidden fields. */
void filter_add_hidden(struct html *html, const struct letter_filter *filter);
/* Writes links to the same letters in each state. `path` is a literal. */
void filter_add_tabs(struct html *html, const char *path, const struct letter_filter *filter);
/* Writes a form for people to change the filter. */
void filter_add_form(struct html *html, const struct letter_filter *filter);
/* Returns whether the filter asks for more than a state and a group. */
bool filter_is_detailed(const struct letter_filter *filter);

#endif
