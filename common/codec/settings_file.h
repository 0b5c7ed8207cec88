/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings from YAML text and variables. Pure: bytes and a look-up function in, a struct or an
 * error with file and line out. It reads no file and no environment itself.
 */
#ifndef ALLOT_CODEC_SETTINGS_FILE_H
#define ALLOT_CODEC_SETTINGS_FILE_H

#include "allot/settings.h"
#include "common/base/error.h"

/* The value of a variable, or NULL; getenv in the worker, a table in tests. */
typedef const char *(*settings_variable)(void *context, const char *name);

/*
 * Reads `yaml` (may be empty: all defaults), then lets the variable ALLOT_A_B_C override the
 * setting a.b_c (set but empty: an empty value). Unknown and repeated keys, keys without a value,
 * bad numbers, units, types and ranges, more than one document, aliases: false, and an error
 * "FILE:LINE: key: what" (or "ALLOT_X: what"). Variables that belong to no setting are not looked
 * at. Texts go to `arena`. An error never holds the value of a setting that may hold a secret (the
 * URIs).
 */
ALLOT_CHECK bool settings_read(struct text yaml, const char *file_name, settings_variable variable,
                               void *context, struct arena *arena, struct settings *ret_settings,
                               struct error *error);

/*
 * The URI, or several of them separated by commas, with each password replaced by "***": for logs
 * and errors. What is not a URI at all is masked by the same rule, rather too much than too little.
 */
struct text settings_mask_uri(struct arena *arena, struct text uri);

#endif
