/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error text for people. It is filled where the error is born, with the values at hand; a layer
 * on the way out may put a phrase before it. Nobody parses it: what a program decides on is the
 * status beside it. It owns no memory and never logs.
 */
#ifndef ALLOT_BASE_ERROR_H
#define ALLOT_BASE_ERROR_H

#include "allot/attributes.h"

enum { ERROR_TEXT_MAX = 512 };

struct error {
    char text[ERROR_TEXT_MAX]; /* NUL-terminated, cut where it does not fit */
};

/* Replaces the text. `error` may be NULL: then nothing happens. */
void error_set(struct error *error, const char *format, ...) ALLOT_PRINTF(2, 3);

/* Puts "phrase: " before the text. `error` may be NULL. */
void error_prefix(struct error *error, const char *format, ...) ALLOT_PRINTF(2, 3);

#endif
