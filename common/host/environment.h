/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environment variables, and the files that variables name: where NAME is not set, NAME_FILE may
 * name a file with the value, so that secrets need not stand in the environment.
 */
#ifndef ALLOT_HOST_ENVIRONMENT_H
#define ALLOT_HOST_ENVIRONMENT_H

#include <stdbool.h>

#include "common/base/error.h"
#include "common/base/text.h"

struct environment {
    struct arena *arena; /* owns the values read from files; not owned */
    bool failed;         /* a file could not be read; `error` says which */
    struct error error;
};

/*
 * Returns the value of NAME, else the content of the file that NAME_FILE names (without line ends
 * at its end), else NULL. A file that cannot be read gives NULL and sets `failed`.
 */
const char *environment_get(struct environment *environment, const char *name);

#endif
