/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"

static const char *kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR: return "a directory";
    case S_IFIFO: return "a pipe (FIFO)";
    case S_IFCHR: return "a character device";
    case S_IFBLK: return "a block device";
    default: return "of another kind";
    }
}

static bool fail_errno(const char *path, struct error *error)
{
    error_set(error, "%s: %s", path, strerror(errno));
    return false;
}

static bool fail_size(const char *path, size_t size, size_t limit, struct error *error)
{
    error_set(error, "%s: file too large: at least %zu bytes (limit %zu)", path, size, limit);
    return false;
}

static bool check_open(int fd, const char *path, size_t limit, struct error *error)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return fail_errno(path, error);
    if (!S_ISREG(about.st_mode)) {
        error_set(error, "%s: not a regular file, but %s", path, kind_of(about.st_mode));
        return false;
    }
    return (size_t)about.st_size <= limit || fail_size(path, (size_t)about.st_size, limit, error);
}

/* Returns the descriptor of a file that check_open() accepts, or -1. Without O_NONBLOCK, open()
   would wait for somebody who writes to a FIFO. */
static int open_checked(const char *path, size_t limit, struct error *error)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        (void)fail_errno(path, error);
        return -1;
    }
    if (check_open(fd, path, limit, error))
        return fd;
    (void)close(fd);
    return -1;
}

/* Reads to the end, or until the buffer is full. Returns the number of bytes, or -1 and errno. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, buffer + length, size - length);
        if (got == 0)
            break;
        if (got > 0)
            length += (size_t)got;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)length;
}

bool file_read(const char *path, size_t limit, struct arena *arena, struct text *ret_content,
               struct error *error)
{
    int fd = open_checked(path, limit, error);
    if (fd < 0)
        return false;
    /* One byte more than the limit shows a file that grows, or one of /proc, whose size is 0. */
    char *buffer = memory_array(limit + 1, 1);
    ssize_t length = read_all(fd, buffer, limit + 1);
    bool read = length >= 0 && (size_t)length <= limit;
    if (read)
        *ret_content = text_copy(arena, text_view(buffer, (size_t)length));
    else if (length < 0)
        (void)fail_errno(path, error);
    else
        (void)fail_size(path, (size_t)length, limit, error);
    free(buffer);
    (void)close(fd);
    return read;
}

bool file_check(const char *path, size_t limit, struct error *error)
{
    int fd = open_checked(path, limit, error);
    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}
