/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/uri_file.h"

#include <string.h>

#include "common/host/environment.h"

void uri_file_init(struct uri_file *file, struct text path, struct text uri, struct arena *arena,
                   struct amqp_observer observer)
{
    *file = (struct uri_file){.path = text_copy(arena, path),
                              .uri = text_copy(arena, uri),
                              .arena = arena,
                              .observer = observer};
}

/* Tells the observer, unless the last connect failed for the same reason: a worker that cannot
   connect tries again every few seconds. */
static void report_failure(struct uri_file *file, const struct error *error)
{
    if (strcmp(file->failure.text, error->text) == 0)
        return;
    file->failure = *error;
    amqp_notify(&file->observer, AMQP_URI_FILE_FAILED, error->text);
}

static bool use(struct uri_file *file, struct text uri, struct login_options *login,
                struct error *error)
{
    struct login_options fresh;
    if (!login_options_read(uri, &login->tls, file->arena, &fresh, error))
        return false;
    login->hosts = fresh.hosts;
    file->uri = text_copy(file->arena, uri);
    return true;
}

void uri_file_refresh(struct uri_file *file, struct login_options *login)
{
    if (file->path.length == 0)
        return;
    struct arena *arena = arena_new(0);
    struct text uri;
    struct error error = {""};
    bool read = environment_file_read(file->path.bytes, arena, &uri, &error);
    bool changed = read && !text_equal(uri, file->uri);
    if (!read || (changed && !use(file, uri, login, &error))) {
        report_failure(file, &error);
    } else if (changed || file->failure.text[0] != '\0') {
        file->failure.text[0] = '\0';
        amqp_notify(&file->observer, AMQP_URI_FILE_READ, file->path.bytes);
    }
    arena_free(arena);
}
