/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool file_read(const char *path, struct arena *arena, struct text *ret_content, struct error *error)
{
    bool done = false;
    struct stat about;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &about) != 0) {
        error_set(error, "%s: %s", path, strerror(errno));
        goto done;
    }
    if (!S_ISREG(about.st_mode) && !S_ISFIFO(about.st_mode)) {
        error_set(error, "%s: not a regular file", path);
        goto done;
    }
    /* The size is 0 for a pipe, and for the files in /proc; then at most 64 KiB are read. */
    size_t room = about.st_size > 0 ? (size_t)about.st_size : 65536;
    if (room > FILE_BYTES_MAX) {
        error_set(error, "%s: file too large: %zu bytes (limit %d)", path, room, FILE_BYTES_MAX);
        goto done;
    }
    char *bytes = arena_alloc(arena, room + 1);
    size_t length = fread(bytes, 1, room, file);
    if (ferror(file)) {
        error_set(error, "%s: %s", path, strerror(errno));
        goto done;
    }
    *ret_content = text_view(bytes, length);
    done = true;
done:
    if (file != NULL)
        (void)fclose(file);
    return done;
}
