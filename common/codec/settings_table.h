/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SETTINGS(X) as a table, for the modules that walk over all settings: the reader (settings_file.c)
 * and the writer of the documents (settings_document.c). Read-only.
 */
#ifndef ALLOT_CODEC_SETTINGS_TABLE_H
#define ALLOT_CODEC_SETTINGS_TABLE_H

#include "allot/settings.h"
#include "common/codec/units.h"

enum setting_type {
    SETTING_TEXT,
    SETTING_BOOLEAN,
    SETTING_COUNT,
    SETTING_DURATION,
    SETTING_BYTES,
    SETTING_LEVEL,
    SETTING_FORMAT
};

struct setting {
    enum setting_type type;
    const char *key;
    const char *value; /* the default */
    int64_t minimum;
    int64_t maximum;
    const char *help;
    size_t offset; /* of its member in struct settings */
};

enum {
#define X(type, member, key, value, minimum, maximum, help) +1
    SETTINGS_LENGTH = 0 SETTINGS(X),
#undef X
    SETTING_NAME_BYTES = 96
};

extern const struct setting settings_table[SETTINGS_LENGTH];

struct setting_name {
    char chars[SETTING_NAME_BYTES]; /* NUL-terminated */
};

/* Returns the environment variable of a setting: "a.b_c" gives ALLOT_A_B_C. */
struct setting_name setting_variable(const char *key);

/*
 * Returns the words that a setting of this type may have as its value, in the order of the type's
 * enum, with NULL at the end. Returns NULL if values of this type are not words. The list is
 * static.
 */
const char *const *setting_words(enum setting_type type);
/* Returns these words, separated by ", ". */
struct setting_name setting_word_list(enum setting_type type);

/* Returns whether values of this type are numbers; if so, also gives the kind of their unit. */
bool setting_is_number(enum setting_type type, enum unit_kind *ret_kind);
/* Returns whether the setting must be given: it has no default, and may not be empty. */
bool setting_is_required(const struct setting *setting);

#endif
