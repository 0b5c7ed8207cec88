/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environment variables, and the files that variables name: if NAME is not set, NAME_FILE may name
 * a file with the value, so that secrets need not be in the environment.
 */
#ifndef ALLOT_HOST_ENVIRONMENT_H
#define ALLOT_HOST_ENVIRONMENT_H

#include <stdbool.h>

#include "common/base/error.h"
#include "common/base/text.h"

struct environment {
    struct arena *arena; /* borrowed; values from files are copied to it */
    bool failed;         /* a file could not be read; `error` says which */
    struct error error;
};

/*
 * Returns the value of NAME (borrowed from the environment), else the content of the file that
 * NAME_FILE names, without line ends at its end (in the arena), else NULL. A file that cannot be
 * read gives NULL and sets `failed`.
 */
const char *environment_get(struct environment *environment, const char *name);
/* Returns the file that environment_get() reads for NAME, borrowed from the environment; NULL if
   NAME is set itself, or neither is. */
const char *environment_file_of(const char *name);
/* Reads such a file: sets `ret_value` to its content, without line ends at its end, in `arena`.
   Returns false, with an error that names the file, if it cannot be read, is not a regular file, or
   is larger than FILE_VALUE_BYTES_MAX. */
ALLOT_CHECK bool environment_file_read(const char *path, struct arena *arena,
                                       struct text *ret_value, struct error *error);

#endif
