/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/settings_file.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/codec/units.h"
#include "common/codec/yaml_reader.h"

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
    size_t offset; /* of its member */
};

static const struct setting table[] = {
#define X(type, member, key, value, minimum, maximum)                                              \
    {SETTING_##type, key, value, minimum, maximum, offsetof(struct settings, member)},
    SETTINGS(X)
#undef X
};

enum { TABLE_COUNT = sizeof table / sizeof table[0], KEY_BYTES = 96 };

/* Where a setting got its value from; neither: it has its default. */
struct origin {
    int line;
    bool variable;
};

struct reader {
    const char *file_name;
    struct arena *arena;
    struct settings *settings;
    struct origin origins[TABLE_COUNT];
    struct error *error;
};

struct variable_name {
    char chars[KEY_BYTES]; /* NUL-terminated */
};

static struct variable_name variable_of(const struct setting *setting)
{
    struct variable_name name;
    int length = snprintf(name.chars, sizeof name.chars, "ALLOT_%s", setting->key);
    assert(length > 0 && (size_t)length < sizeof name.chars);
    for (char *c = name.chars; *c != '\0'; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    return name;
}

static void *member_of(struct settings *settings, const struct setting *setting)
{
    return (char *)settings + setting->offset;
}

/* The parsers of values: they say what is wrong, and leave the place to who knows it. */

static bool parse_text(struct text value, struct arena *arena, struct text *ret_text,
                       struct error *error)
{
    if (!utf8_valid(value)) {
        error_set(error, "not UTF-8");
        return false;
    }
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.bytes[i];
        if (byte < ' ' || byte == 0x7f) {
            error_set(error, "holds a control character, such as the end of a line");
            return false;
        }
    }
    *ret_text = text_copy(arena, value);
    return true;
}

static bool parse_word(const char *const *words, size_t count, struct text value, size_t *ret_index,
                       struct error *error)
{
    char wanted[KEY_BYTES] = "";
    for (size_t i = 0; i < count; i++) {
        if (text_is(value, words[i])) {
            *ret_index = i;
            return true;
        }
        size_t length = strlen(wanted);
        (void)snprintf(wanted + length, sizeof wanted - length, "%s%s", i == 0 ? "" : ", ",
                       words[i]);
    }
    error_set(error, "\"%s\" is none of %s", yaml_show(value).chars, wanted);
    return false;
}

static bool parse_boolean(struct text value, bool *ret_boolean, struct error *error)
{
    static const char *const words[] = {"false", "true"};
    size_t index = 0;
    if (!parse_word(words, 2, value, &index, error))
        return false;
    *ret_boolean = index == 1;
    return true;
}

static bool parse_level(struct text value, enum log_level *ret_level, struct error *error)
{
    static const char *const words[] = {[LOG_LEVEL_ERROR] = "error",
                                        [LOG_LEVEL_WARNING] = "warning",
                                        [LOG_LEVEL_INFO] = "info",
                                        [LOG_LEVEL_DEBUG] = "debug"};
    size_t index = 0;
    if (!parse_word(words, sizeof words / sizeof words[0], value, &index, error))
        return false;
    *ret_level = (enum log_level)index;
    return true;
}

static bool parse_format(struct text value, enum log_format *ret_format, struct error *error)
{
    static const char *const words[] = {
        [LOG_FORMAT_AUTO] = "auto", [LOG_FORMAT_JSON] = "json", [LOG_FORMAT_TEXT] = "text"};
    size_t index = 0;
    if (!parse_word(words, sizeof words / sizeof words[0], value, &index, error))
        return false;
    *ret_format = (enum log_format)index;
    return true;
}

static bool parse_number(enum unit_kind kind, const struct setting *setting, struct text value,
                         int64_t *ret_number, struct error *error)
{
    int64_t number = 0;
    if (!units_parse(kind, value, &number)) {
        error_set(error, "\"%s\" is not %s", yaml_show(value).chars, units_wanted(kind));
        return false;
    }
    if (number < setting->minimum || number > setting->maximum) {
        error_set(error, "%s is out of range, %s to %s are allowed", yaml_show(value).chars,
                  units_format(kind, setting->minimum).chars,
                  units_format(kind, setting->maximum).chars);
        return false;
    }
    *ret_number = number;
    return true;
}

static bool parse_value(const struct setting *setting, struct text value, struct arena *arena,
                        void *member, struct error *error)
{
    switch (setting->type) {
    case SETTING_TEXT: return parse_text(value, arena, member, error);
    case SETTING_BOOLEAN: return parse_boolean(value, member, error);
    case SETTING_COUNT: return parse_number(UNIT_COUNT, setting, value, member, error);
    case SETTING_DURATION: return parse_number(UNIT_DURATION, setting, value, member, error);
    case SETTING_BYTES: return parse_number(UNIT_BYTES, setting, value, member, error);
    case SETTING_LEVEL: return parse_level(value, member, error);
    case SETTING_FORMAT: return parse_format(value, member, error);
    }
    return false;
}

static void read_defaults(struct reader *reader)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        bool ok = parse_value(&table[i], text_of(table[i].value), reader->arena,
                              member_of(reader->settings, &table[i]), NULL);
        assert(ok);
    }
}

/* The file. */

static bool fail_at(struct reader *reader, const struct yaml_node *node, const char *key,
                    const char *what)
{
    error_set(reader->error, "%s:%d: %s: %s", reader->file_name, node->line, key, what);
    return false;
}

static bool fail_kind(struct reader *reader, const struct yaml_node *node, const char *key,
                      const char *wanted)
{
    error_set(reader->error, "%s:%d: %s: %s is wanted here, not %s", reader->file_name, node->line,
              key, wanted, yaml_kind_name(node));
    return false;
}

static bool read_node(struct reader *reader, size_t index, const struct yaml_node *node)
{
    const struct setting *setting = &table[index];
    if (node->kind != YAML_SCALAR)
        return fail_kind(reader, node, setting->key, "a value");
    if (node->is_null)
        return fail_at(reader, node, setting->key,
                       "has no value; leave the key out for the default, or write \"\"");
    if (!parse_value(setting, node->scalar, reader->arena, member_of(reader->settings, setting),
                     reader->error)) {
        error_prefix(reader->error, "%s:%d: %s", reader->file_name, node->line, setting->key);
        return false;
    }
    reader->origins[index].line = node->line;
    return true;
}

/* The setting whose whole key is `path`; TABLE_COUNT: none. */
static size_t setting_at(const char *path)
{
    size_t i = 0;
    while (i < TABLE_COUNT && strcmp(table[i].key, path) != 0)
        i++;
    return i;
}

/* Are there settings below `path`? */
static bool is_group(const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (strncmp(table[i].key, path, length) == 0 && table[i].key[length] == '.')
            return true;
    }
    return false;
}

static bool read_group(struct reader *reader, const struct yaml_node *group, const char *prefix);

static bool read_member(struct reader *reader, const struct yaml_node *member, const char *prefix)
{
    char path[2 * KEY_BYTES];
    (void)snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "",
                   yaml_show(member->key).chars);
    /* "amqp.uri: x" is one key with a dot, which YAML does not take for two levels. */
    bool dotted = memchr(member->key.bytes, '.', member->key.length) != NULL;
    size_t index = setting_at(path);
    if (!dotted && index < TABLE_COUNT)
        return read_node(reader, index, member);
    if (!dotted && is_group(path))
        return read_group(reader, member, path);
    return fail_at(reader, member, path,
                   dotted ? "unknown key; a dot in a name is written as a nested key"
                          : "unknown key");
}

/* Recursion ends with the parts of the longest key: below that, no path is a group. */
static bool read_group(struct reader *reader, const struct yaml_node *group, const char *prefix)
{
    if (group->kind != YAML_MAPPING)
        return fail_kind(reader, group, prefix[0] != '\0' ? prefix : "settings", "a mapping");
    for (const struct yaml_node *member = group->children; member != NULL; member = member->next) {
        if (!read_member(reader, member, prefix))
            return false;
    }
    return true;
}

/* Variables, and what concerns several settings. */

static bool read_variables(struct reader *reader, settings_variable variable, void *context)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct variable_name name = variable_of(&table[i]);
        const char *value = variable(context, name.chars);
        if (value == NULL)
            continue;
        if (!parse_value(&table[i], text_of(value), reader->arena,
                         member_of(reader->settings, &table[i]), reader->error)) {
            error_prefix(reader->error, "%s", name.chars);
            return false;
        }
        reader->origins[i].variable = true;
    }
    return true;
}

static bool check_required(struct reader *reader)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (table[i].type != SETTING_TEXT || table[i].minimum == 0)
            continue;
        const struct text *text = member_of(reader->settings, &table[i]);
        if (text->length > 0)
            continue;
        error_set(reader->error, "%s is required: set it in %s or %s", table[i].key,
                  reader->file_name, variable_of(&table[i]).chars);
        return false;
    }
    return true;
}

/* An error about a setting, at the place that it was set at. */
static bool fail_setting(struct reader *reader, const char *key, const char *what)
{
    size_t index = setting_at(key);
    assert(index < TABLE_COUNT);
    const struct origin *origin = &reader->origins[index];
    if (origin->variable)
        error_set(reader->error, "%s: %s", variable_of(&table[index]).chars, what);
    else
        error_set(reader->error, "%s:%d: %s: %s", reader->file_name, origin->line, key, what);
    return false;
}

static bool check_together(struct reader *reader)
{
    const struct settings *settings = reader->settings;
    bool certificate = settings->amqp_tls_certificate_file.length > 0;
    bool key = settings->amqp_tls_key_file.length > 0;
    if (!settings->security_trust_user_id && settings->security_default_principal.length == 0)
        return fail_setting(reader, "security.trust_user_id",
                            "false needs security.default_principal");
    if (certificate && !key)
        return fail_setting(reader, "amqp.tls.certificate_file", "needs amqp.tls.key_file");
    if (key && !certificate)
        return fail_setting(reader, "amqp.tls.key_file", "needs amqp.tls.certificate_file");
    return true;
}

bool settings_read(struct text yaml, const char *file_name, settings_variable variable,
                   void *context, struct arena *arena, struct settings *ret_settings,
                   struct error *error)
{
    const struct yaml_node *root = NULL;
    if (!yaml_read(yaml, file_name, arena, &root, error))
        return false;
    struct settings settings = {0};
    struct reader reader = {
        .file_name = file_name, .arena = arena, .settings = &settings, .error = error};
    read_defaults(&reader);
    if (root != NULL && !read_group(&reader, root, ""))
        return false;
    if (!read_variables(&reader, variable, context) || !check_required(&reader) ||
        !check_together(&reader))
        return false;
    *ret_settings = settings;
    return true;
}
