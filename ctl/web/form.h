/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a form, as browsers encode them in a URL or in the body of a request
   (application/x-www-form-urlencoded). Pure. */
#ifndef ALLOT_CTL_WEB_FORM_H
#define ALLOT_CTL_WEB_FORM_H

#include <stdint.h>

#include "common/base/text.h"

enum { FORM_FIELDS_MAX = 4096 };

struct form_field {
    struct text name;
    struct text value;
};

struct form {
    struct form_field *fields;
    size_t count;
};

/* Decodes the fields; they are in `arena`. Returns false if there are more than FORM_FIELDS_MAX. A
   percent sign that begins no escape stays as it is. */
ALLOT_CHECK bool form_parse(struct text encoded, struct arena *arena, struct form *ret_form);

/* Returns the value of the first field of this name; absent: there is none. */
struct text form_value(const struct form *form, const char *name);
/* Returns whether there is a field of this name with a value that is not empty. */
bool form_given(const struct form *form, const char *name);
/* Returns the number that a field has in decimal digits; `otherwise` if it has none, or it is not
   between 0 and `most`. */
int64_t form_number(const struct form *form, const char *name, int64_t most, int64_t otherwise);

/* Returns the text with its escapes decoded, in `arena`; '+' is a blank. */
struct text form_decode(struct text encoded, struct arena *arena);

#endif
