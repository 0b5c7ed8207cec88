/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/secret_file.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/codec/settings_file.h"
#include "ctl/shell_word.h"

enum { WARNED_MAX = 8 }; /* more files than a command reads */

static bool is_readable(const char *path, struct arena *arena, struct stat *ret_file)
{
    const char *slash = strrchr(path, '/');
    struct text folder = slash == NULL   ? text_of(".")
                         : slash == path ? text_of("/")
                                         : text_view(path, (size_t)(slash - path));
    struct stat status;
    /* Who may not enter the folder reaches nothing in it. */
    return stat(path, ret_file) == 0 && S_ISREG(ret_file->st_mode) &&
           (ret_file->st_mode & S_IROTH) != 0 &&
           stat(text_copy(arena, folder).bytes, &status) == 0 && (status.st_mode & S_IXOTH) != 0;
}

/* The number of a deleted file may be given to another one, which then has another time. */
static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Returns whether this is the first call for the file. */
static bool is_new(const struct stat *file)
{
    static struct stat warned[WARNED_MAX];
    static size_t count;
    for (size_t i = 0; i < count; i++) {
        if (is_same(&warned[i], file))
            return false;
    }
    if (count < WARNED_MAX)
        warned[count++] = *file;
    return true;
}

void secret_file_check(const char *path, struct text uri, struct arena *arena)
{
    struct stat file;
    if (!settings_uri_has_secret(arena, uri) || !is_readable(path, arena, &file) || !is_new(&file))
        return;
    (void)fprintf(stderr,
                  "allotctl: warning: %s can be read by other users and has a password: run "
                  "chmod 600 %s\n",
                  path, shell_word(arena, text_of(path)).bytes);
}
