/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/settings_table.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

const struct setting settings_table[SETTINGS_LENGTH] = {
#define X(type, member, key, value, minimum, maximum, help)                                        \
    {SETTING_##type, key, value, minimum, maximum, help, offsetof(struct settings, member)},
    SETTINGS(X)
#undef X
};

struct setting_name setting_variable(const char *key)
{
    struct setting_name name;
    int length = snprintf(name.chars, sizeof name.chars, "ALLOT_%s", key);
    assert(length > 0 && (size_t)length < sizeof name.chars);
    for (char *c = name.chars; *c != '\0'; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    return name;
}

const char *const *setting_words(enum setting_type type)
{
    static const char *const booleans[] = {"false", "true", NULL};
    static const char *const levels[] = {[LOG_LEVEL_ERROR] = "error",
                                         [LOG_LEVEL_WARNING] = "warning",
                                         [LOG_LEVEL_INFO] = "info",
                                         [LOG_LEVEL_DEBUG] = "debug",
                                         NULL};
    static const char *const formats[] = {
        [LOG_FORMAT_AUTO] = "auto", [LOG_FORMAT_JSON] = "json", [LOG_FORMAT_TEXT] = "text", NULL};
    if (type == SETTING_BOOLEAN)
        return booleans;
    if (type == SETTING_LEVEL)
        return levels;
    return type == SETTING_FORMAT ? formats : NULL;
}

struct setting_name setting_word_list(enum setting_type type)
{
    struct setting_name list = {""};
    for (const char *const *word = setting_words(type); *word != NULL; word++) {
        size_t length = strlen(list.chars);
        (void)snprintf(list.chars + length, sizeof list.chars - length, "%s%s",
                       length > 0 ? ", " : "", *word);
    }
    return list;
}

bool setting_is_number(enum setting_type type, enum unit_kind *ret_kind)
{
    switch (type) {
    case SETTING_COUNT: *ret_kind = UNIT_COUNT; return true;
    case SETTING_DURATION: *ret_kind = UNIT_DURATION; return true;
    case SETTING_BYTES: *ret_kind = UNIT_BYTES; return true;
    case SETTING_TEXT:
    case SETTING_BOOLEAN:
    case SETTING_LEVEL:
    case SETTING_FORMAT: return false;
    }
    return false;
}

bool setting_is_required(const struct setting *setting)
{
    return setting->type == SETTING_TEXT && setting->minimum > 0 && setting->value[0] == '\0';
}
