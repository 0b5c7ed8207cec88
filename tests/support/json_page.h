/* SPDX-License-Identifier: Apache-2.0 */
/* Compares JSON objects that allotctl prints with docs/allotctl-json.md. */
#ifndef ALLOT_JSON_PAGE_H
#define ALLOT_JSON_PAGE_H

#include <jansson.h>

/* Fails the test unless the members of the object are those that the tables below the headings have
   in their first columns. `object` has to have all optional members. NULL ends the headings. Runs
   in the root folder of the repository, as ctest does it. */
void json_page_check(const json_t *object, const char *const *headings);

#endif
