/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of this process: from the file, the environment, and, for a variable ALLOT_X that is
 * not set, the file that ALLOT_X_FILE names (so that secrets need not stand in the environment).
 */
#ifndef ALLOT_HOST_CONFIGURATION_H
#define ALLOT_HOST_CONFIGURATION_H

#include "allot/settings.h"
#include "common/base/error.h"

/* `path` may be NULL: variables and defaults alone. Texts go to `arena`. */
ALLOT_CHECK bool configuration_load(const char *path, struct arena *arena,
                                    struct settings *ret_settings, struct error *error);

#endif
