/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/configuration.h"

#include "common/codec/settings_file.h"
#include "common/host/environment.h"
#include "common/host/file.h"

static const char *variable(void *context, const char *name)
{
    return environment_get(context, name);
}

bool configuration_load(const char *path, struct arena *arena, struct settings *ret_settings,
                        struct error *error)
{
    struct environment environment = {.arena = arena};
    struct text yaml = text_of("");
    if (path != NULL && !file_read(path, FILE_SETTINGS_BYTES_MAX, arena, &yaml, error))
        return false;
    /* Without a file, the name is empty, and no error shows it. */
    bool read = settings_read(yaml, path != NULL ? path : "", variable, &environment, arena,
                              ret_settings, error);
    if (!environment.failed)
        return read;
    /* settings_read takes the variable as not set; the error of its file says more. */
    if (error != NULL)
        *error = environment.error;
    return false;
}
