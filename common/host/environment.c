/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/environment.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/host/file.h"

enum { NAME_BYTES_MAX = 128 }; /* of a variable; longer than the name of any setting */

static struct text without_line_end(struct text content)
{
    while (content.length > 0 &&
           (content.bytes[content.length - 1] == '\n' || content.bytes[content.length - 1] == '\r'))
        content.length--;
    return content;
}

bool environment_file_read(const char *path, struct arena *arena, struct text *ret_value,
                           struct error *error)
{
    struct text content;
    if (!file_read(path, FILE_VALUE_BYTES_MAX, arena, &content, error))
        return false;
    *ret_value = text_copy(arena, without_line_end(content)); /* with a NUL behind it */
    return true;
}

const char *environment_file_of(const char *name)
{
    char variable[NAME_BYTES_MAX];
    if (getenv(name) != NULL)
        return NULL;
    (void)snprintf(variable, sizeof variable, "%s_FILE", name);
    return getenv(variable);
}

const char *environment_get(struct environment *environment, const char *name)
{
    const char *value = getenv(name);
    if (value != NULL)
        return value;
    const char *path = getenv(text_format(environment->arena, "%s_FILE", name).bytes);
    struct text content;
    if (path == NULL)
        return NULL;
    if (environment_file_read(path, environment->arena, &content, &environment->error))
        return content.bytes;
    error_prefix(&environment->error, "%s_FILE", name);
    environment->failed = true;
    return NULL;
}
