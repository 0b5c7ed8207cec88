/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_set(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
}

/* Appends as much of `more` as there is room for. */
static void append(struct error *error, const char *more)
{
    size_t length = strlen(error->text);
    size_t count = strnlen(more, sizeof error->text - 1 - length);
    memcpy(error->text + length, more, count);
    error->text[length + count] = '\0';
}

void error_prefix(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return;
    char before[ERROR_TEXT_MAX];
    memcpy(before, error->text, sizeof before);
    before[sizeof before - 1] = '\0';

    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof error->text)
        return;
    append(error, ": ");
    append(error, before);
}
