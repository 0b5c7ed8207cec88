/* SPDX-License-Identifier: Apache-2.0 */
/* Reads whole files into an arena. */
#ifndef ALLOT_HOST_FILE_H
#define ALLOT_HOST_FILE_H

#include "common/base/error.h"
#include "common/base/text.h"

enum { FILE_BYTES_MAX = 16 * 1024 * 1024 };

/*
 * Reads a regular file, or the first 64 KiB of a pipe. The content is copied to `arena`, with a NUL
 * behind it. Returns false, with an error that names the file, if it cannot be read, is neither
 * file nor pipe, or is larger than FILE_BYTES_MAX.
 */
ALLOT_CHECK bool file_read(const char *path, struct arena *arena, struct text *ret_content,
                           struct error *error);

#endif
