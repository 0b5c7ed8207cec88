/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/configuration.h"

#include <stdlib.h>

#include "common/codec/settings_file.h"
#include "common/host/file.h"

struct lookup {
    struct arena *arena;
    struct error *error;
    bool failed;
};

static const char *trimmed(struct arena *arena, struct text content)
{
    while (content.length > 0 &&
           (content.bytes[content.length - 1] == '\n' || content.bytes[content.length - 1] == '\r'))
        content.length--;
    return text_copy(arena, content).bytes;
}

static const char *variable(void *context, const char *name)
{
    struct lookup *lookup = context;
    const char *value = getenv(name);
    if (value != NULL)
        return value;
    const char *path = getenv(text_format(lookup->arena, "%s_FILE", name).bytes);
    if (path == NULL)
        return NULL;
    struct text content;
    if (file_read(path, lookup->arena, &content, lookup->error))
        return trimmed(lookup->arena, content);
    error_prefix(lookup->error, "%s_FILE", name);
    lookup->failed = true;
    return NULL;
}

bool configuration_load(const char *path, struct arena *arena, struct settings *ret_settings,
                        struct error *error)
{
    struct error unreadable = {""};
    struct lookup lookup = {arena, &unreadable, false};
    struct text yaml = text_of("");
    if (path != NULL && !file_read(path, arena, &yaml, error))
        return false;
    bool read = settings_read(yaml, path != NULL ? path : "(no file)", variable, &lookup, arena,
                              ret_settings, error);
    if (!lookup.failed)
        return read;
    if (error != NULL)
        *error = unreadable;
    return false;
}
