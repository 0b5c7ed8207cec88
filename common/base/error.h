/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error text for people. The function that detects an error fills it, with the values at hand;
 * its callers may put a context before it. Programs decide by the status beside it and never parse
 * the text. It owns no memory and does not log.
 */
#ifndef ALLOT_BASE_ERROR_H
#define ALLOT_BASE_ERROR_H

#include "allot/attributes.h"

enum { ERROR_TEXT_MAX = 512 };

struct error {
    char text[ERROR_TEXT_MAX]; /* NUL-terminated; a longer text is truncated */
};

/* Replaces the text. Does nothing if `error` is NULL. */
void error_set(struct error *error, const char *format, ...) ALLOT_PRINTF(2, 3);

/* Puts "context: " before the text. Does nothing if `error` is NULL. */
void error_prefix(struct error *error, const char *format, ...) ALLOT_PRINTF(2, 3);

#endif
