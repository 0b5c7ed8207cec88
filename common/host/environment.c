/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/environment.h"

#include <stdlib.h>

#include "common/host/file.h"

static struct text without_line_end(struct text content)
{
    while (content.length > 0 &&
           (content.bytes[content.length - 1] == '\n' || content.bytes[content.length - 1] == '\r'))
        content.length--;
    return content;
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
    if (file_read(path, environment->arena, &content, &environment->error))
        return text_copy(environment->arena, without_line_end(content)).bytes;
    error_prefix(&environment->error, "%s_FILE", name);
    environment->failed = true;
    return NULL;
}
