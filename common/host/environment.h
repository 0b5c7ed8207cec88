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

#endif
