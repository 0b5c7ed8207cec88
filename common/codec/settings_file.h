/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings from YAML text and variables. Pure: takes bytes and a look-up function, returns a struct
 * or an error. It opens no file and does not look at the environment.
 */
#ifndef ALLOT_CODEC_SETTINGS_FILE_H
#define ALLOT_CODEC_SETTINGS_FILE_H

#include "allot/settings.h"
#include "common/base/error.h"

/*
 * Returns the value of a variable, borrowed until settings_read returns, or NULL: the environment
 * in the programs, a table in tests.
 */
typedef const char *(*settings_variable)(void *context, const char *name);

/*
 * Reads `yaml` (may be empty: all defaults), then lets the variable ALLOT_A_B_C override the
 * setting a.b_c. A variable that is set but empty is an empty value. Other variables are ignored,
 * except those of renamed settings. Texts are copied to `arena`.
 *
 * Returns false, with an error "FILE:LINE: what" or "ALLOT_X: what", for unknown, renamed and
 * duplicate keys, keys without a value, invalid numbers, units and words, values out of range, and
 * anything that yaml_read does not accept. `ret_settings` is then unchanged. An error never
 * contains the value of a setting that may hold a secret (the URIs).
 */
ALLOT_CHECK bool settings_read(struct text yaml, const char *file_name, settings_variable variable,
                               void *context, struct arena *arena, struct settings *ret_settings,
                               struct error *error);

/*
 * Returns a copy in `arena` of a URI, or of several separated by commas, with each password
 * replaced by "***": for logs and errors. A text that is no URI is masked by the same rules; in
 * doubt they hide too much. The absent text stays absent.
 */
struct text settings_mask_uri(struct arena *arena, struct text uri);
/* Returns whether settings_mask_uri() hides a part of `uri`. Scratch memory is from `arena`. */
bool settings_uri_has_secret(struct arena *arena, struct text uri);

#endif
