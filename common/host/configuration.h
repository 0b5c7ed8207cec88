/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of this process, from its settings file and its environment. A variable ALLOT_X that
 * is not set may be in the file that ALLOT_X_FILE names, so that secrets need not be in the
 * environment.
 */
#ifndef ALLOT_HOST_CONFIGURATION_H
#define ALLOT_HOST_CONFIGURATION_H

#include "allot/settings.h"
#include "common/base/error.h"

/*
 * Reads the file `path` and the environment. Without a file (`path` is NULL), the settings come
 * from the environment and the defaults. Texts are copied to `arena`. Returns false, with an error
 * that names the file and line or the variable, if anything is invalid, missing or unreadable.
 */
ALLOT_CHECK bool configuration_load(const char *path, struct arena *arena,
                                    struct settings *ret_settings, struct error *error);

#endif
