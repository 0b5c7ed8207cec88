/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files into an arena. */
#ifndef ALLOT_HOST_FILE_H
#define ALLOT_HOST_FILE_H

#include "common/base/error.h"
#include "common/base/text.h"

enum { FILE_BYTES_MAX = 16 * 1024 * 1024 };

/* False, with an error that names the file, where it cannot be read or is too large. */
ALLOT_CHECK bool file_read(const char *path, struct arena *arena, struct text *ret_content,
                           struct error *error);

#endif
