/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads whole files that an operator names. A path may lead to anything: so only regular files are
 * read, never a FIFO, a device or a socket, which could block or have no end; and each kind of file
 * has a limit.
 */
#ifndef ALLOT_HOST_FILE_H
#define ALLOT_HOST_FILE_H

#include "common/base/error.h"
#include "common/base/text.h"

/* Limits in bytes. The largest policy is a program's output with a rule for each of many users. */
enum {
    FILE_VALUE_BYTES_MAX = 64 * 1024, /* the value of one setting, such as a URI */
    FILE_SETTINGS_BYTES_MAX = 1024 * 1024,
    FILE_POLICY_BYTES_MAX = 16 * 1024 * 1024,
    FILE_PEM_BYTES_MAX = 16 * 1024 * 1024, /* certificates and keys */
};

/*
 * Reads a regular file of at most `limit` bytes. The content is copied to `arena`, with a NUL
 * behind it. Returns false, with an error that names the file, if it cannot be read, is not a
 * regular file, or is larger. Never blocks on a FIFO or a device.
 */
ALLOT_CHECK bool file_read(const char *path, size_t limit, struct arena *arena,
                           struct text *ret_content, struct error *error);
/* Checks, as file_read() does, a file that a library reads by its name. Returns false, with an
   error, if file_read() would not read it. */
ALLOT_CHECK bool file_check(const char *path, size_t limit, struct error *error);

#endif
