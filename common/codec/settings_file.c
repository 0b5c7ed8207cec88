/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads settings in four steps, each of which may fail: the defaults, the YAML file, the variables,
 * and the checks that concern several settings.
 *
 * The file is read by walking its tree: read_group takes a mapping, read_member one of its members,
 * read_node the value of a setting. A member's path ("amqp.tls.ca_file") says what it is: a
 * setting, a group of settings, a renamed setting, or unknown. A value is parsed by parse_value,
 * which knows its text and its type, but not where it comes from; the callers put the place (file
 * and line, or variable) before its error.
 *
 * A value that a variable overrides is still checked in the file. An error never shows what may be
 * a URI, since URIs hold passwords: yaml_show sees to that. Nothing is written to `ret_settings`
 * unless all of it is valid.
 *
 * Not here: the list of settings (allot/settings.h), files and the environment (common/host).
 */
#include "common/codec/settings_file.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/codec/settings_table.h"
#include "common/codec/yaml_reader.h"
#include "common/core/policy.h"

/* Where the value of a setting comes from; with line 0 and no variable, it is the default. */
struct origin {
    int line;
    bool variable;
};

struct reader {
    const char *file_name;
    struct arena *arena;
    struct settings *settings;
    struct origin origins[SETTINGS_LENGTH];
    struct error *error;
};

struct rename {
    const char *old_key;
    const char *new_key;
};

static const struct rename renames[] = {
#define X(old_key, new_key) {old_key, new_key},
    SETTINGS_RENAMED(X)
#undef X
};

static void *member_of(struct settings *settings, const struct setting *setting)
{
    return (char *)settings + setting->offset;
}

/* --- values ---------------------------------------------------------------------------------- */

static bool parse_text(struct text value, struct arena *arena, struct text *ret_text,
                       struct error *error)
{
    if (!utf8_valid(value)) {
        error_set(error, "invalid UTF-8");
        return false;
    }
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.bytes[i];
        if (byte < ' ' || byte == 0x7f) {
            error_set(error, "contains a control character, such as a line end");
            return false;
        }
    }
    *ret_text = text_copy(arena, value);
    return true;
}

static void store_word(enum setting_type type, size_t index, void *member)
{
    if (type == SETTING_BOOLEAN)
        *(bool *)member = index == 1;
    else if (type == SETTING_LEVEL)
        *(enum log_level *)member = (enum log_level)index;
    else
        *(enum log_format *)member = (enum log_format)index;
}

static bool parse_word(enum setting_type type, struct text value, void *member, struct error *error)
{
    const char *const *words = setting_words(type);
    for (size_t i = 0; words[i] != NULL; i++) {
        if (text_is(value, words[i])) {
            store_word(type, i, member);
            return true;
        }
    }
    error_set(error, "invalid value '%s': expected one of %s", yaml_show(value).chars,
              setting_word_list(type).chars);
    return false;
}

static bool parse_number(enum unit_kind kind, const struct setting *setting, struct text value,
                         int64_t *ret_number, struct error *error)
{
    int64_t number = 0;
    if (!units_parse(kind, value, &number)) {
        error_set(error, "invalid value '%s': expected %s", yaml_show(value).chars,
                  units_wanted(kind));
        return false;
    }
    if (number < setting->minimum || number > setting->maximum) {
        error_set(error, "out of range: %s (allowed: %s to %s)", yaml_show(value).chars,
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
    enum unit_kind kind;
    if (setting_is_number(setting->type, &kind))
        return parse_number(kind, setting, value, member, error);
    if (setting_words(setting->type) != NULL)
        return parse_word(setting->type, value, member, error);
    return parse_text(value, arena, member, error);
}

static void read_defaults(struct reader *reader)
{
    for (size_t i = 0; i < SETTINGS_LENGTH; i++) {
        const struct setting *setting = &settings_table[i];
        bool ok = parse_value(setting, text_of(setting->value), reader->arena,
                              member_of(reader->settings, setting), NULL);
        assert(ok);
    }
}

/* --- the file -------------------------------------------------------------------------------- */

/* Puts file and line before the error; always false. */
static bool fail_at(struct reader *reader, int line)
{
    error_prefix(reader->error, "%s:%d", reader->file_name, line);
    return false;
}

static bool fail_kind(struct reader *reader, const struct yaml_node *node, const char *key,
                      const char *expected)
{
    error_set(reader->error, "%s: expected %s, found %s", key, expected, yaml_kind_name(node));
    return fail_at(reader, node->line);
}

static bool read_node(struct reader *reader, size_t index, const struct yaml_node *node)
{
    const struct setting *setting = &settings_table[index];
    if (node->kind != YAML_SCALAR)
        return fail_kind(reader, node, setting->key, "a value");
    if (node->is_null) {
        error_set(reader->error,
                  "%s: missing value: leave the key out for the default, or write \"\" for an "
                  "empty text",
                  setting->key);
        return fail_at(reader, node->line);
    }
    if (!parse_value(setting, node->scalar, reader->arena, member_of(reader->settings, setting),
                     reader->error)) {
        error_prefix(reader->error, "%s", setting->key);
        return fail_at(reader, node->line);
    }
    reader->origins[index].line = node->line;
    return true;
}

/* Returns the index of the setting with that key, or SETTINGS_LENGTH. */
static size_t setting_at(const char *path)
{
    size_t i = 0;
    while (i < SETTINGS_LENGTH && strcmp(settings_table[i].key, path) != 0)
        i++;
    return i;
}

/* Returns whether the key of some setting begins with `path` and a dot: a mapping in the file. */
static bool is_group(const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < SETTINGS_LENGTH; i++) {
        const char *key = settings_table[i].key;
        if (strncmp(key, path, length) == 0 && key[length] == '.')
            return true;
    }
    return false;
}

/* `dotted`: the last part of the path contains a dot itself. */
static bool fail_unknown(struct reader *reader, int line, const char *path, bool dotted)
{
    error_set(reader->error, "unknown key '%s'%s", path,
              dotted ? ": use nested keys, not a dot" : "");
    for (size_t i = 0; i < sizeof renames / sizeof renames[0]; i++) {
        if (strcmp(renames[i].old_key, path) == 0)
            error_set(reader->error, "unknown key '%s': it is now '%s'", path, renames[i].new_key);
    }
    return fail_at(reader, line);
}

static bool read_group(struct reader *reader, const struct yaml_node *group, const char *prefix);

static bool read_member(struct reader *reader, const struct yaml_node *member, const char *prefix)
{
    char path[2 * SETTING_NAME_BYTES];
    (void)snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "",
                   yaml_show(member->key).chars);
    /* YAML takes "amqp.uri: x" for one key that contains a dot, not for two levels. */
    bool dotted = memchr(member->key.bytes, '.', member->key.length) != NULL;
    size_t index = setting_at(path);
    if (!dotted && index < SETTINGS_LENGTH)
        return read_node(reader, index, member);
    if (!dotted && is_group(path))
        return read_group(reader, member, path);
    return fail_unknown(reader, member->line, path, dotted);
}

/* The recursion is as deep as the longest key has parts: a longer path is no group. */
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

/* --- variables ------------------------------------------------------------------------------- */

/*
 * Fails if a variable of a renamed setting is set. NAME_FILE is asked for by itself, and first:
 * when asked for NAME, the caller's function may open that file, and fail.
 */
static bool check_renamed(struct reader *reader, settings_variable variable, void *context)
{
    static const char *const suffixes[] = {"_FILE", ""};
    for (size_t i = 0; i < sizeof renames / sizeof renames[0]; i++) {
        struct setting_name old_name = setting_variable(renames[i].old_key);
        struct setting_name new_name = setting_variable(renames[i].new_key);
        for (size_t k = 0; k < 2; k++) {
            struct text name = text_format(reader->arena, "%s%s", old_name.chars, suffixes[k]);
            if (variable(context, name.bytes) == NULL)
                continue;
            error_set(reader->error, "%s is now %s%s", name.bytes, new_name.chars, suffixes[k]);
            return false;
        }
    }
    return true;
}

static bool read_variables(struct reader *reader, settings_variable variable, void *context)
{
    for (size_t i = 0; i < SETTINGS_LENGTH; i++) {
        const struct setting *setting = &settings_table[i];
        struct setting_name name = setting_variable(setting->key);
        const char *value = variable(context, name.chars);
        if (value == NULL)
            continue;
        if (!parse_value(setting, text_of(value), reader->arena,
                         member_of(reader->settings, setting), reader->error)) {
            error_prefix(reader->error, "%s", name.chars);
            return false;
        }
        reader->origins[i].variable = true;
    }
    return true;
}

/* --- checks across settings ------------------------------------------------------------------ */

static bool check_not_empty(struct reader *reader)
{
    for (size_t i = 0; i < SETTINGS_LENGTH; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting->type != SETTING_TEXT || setting->minimum == 0)
            continue;
        const struct text *text = member_of(reader->settings, setting);
        if (text->length > 0)
            continue;
        error_set(reader->error, "%s is required: set it in the settings file or in %s",
                  setting->key, setting_variable(setting->key).chars);
        return false;
    }
    return true;
}

/* Fails with an error about the setting `key`, at the place where it was set. */
static bool fail_setting(struct reader *reader, const char *key, const char *what)
{
    size_t index = setting_at(key);
    assert(index < SETTINGS_LENGTH);
    const struct origin *origin = &reader->origins[index];
    if (origin->variable) {
        error_set(reader->error, "%s: %s", setting_variable(key).chars, what);
        return false;
    }
    error_set(reader->error, "%s: %s", key, what);
    return fail_at(reader, origin->line);
}

static bool is_given(const struct reader *reader, const char *key)
{
    const struct origin *origin = &reader->origins[setting_at(key)];
    return origin->variable || origin->line > 0;
}

/* Dead letters that come back as commands would be dead-lettered again, for ever. The broker sees
   that names clash only where the worker may declare. */
static bool check_names(struct reader *reader)
{
    const struct settings *settings = reader->settings;
    struct service_queues queues = {.dead_letters = settings->amqp_dead_letter_queue};
    if (service_queues_have(&queues, settings->amqp_queue))
        return fail_setting(reader,
                            is_given(reader, "amqp.dead_letter_queue") ? "amqp.dead_letter_queue"
                                                                       : "amqp.queue",
                            "amqp.queue is a queue of dead letters");
    if (!text_equal(settings->amqp_exchange, settings->amqp_dead_letter_exchange))
        return true;
    if (is_given(reader, "amqp.dead_letter_exchange"))
        return fail_setting(reader, "amqp.dead_letter_exchange", "must differ from amqp.exchange");
    return fail_setting(reader, "amqp.exchange", "must differ from amqp.dead_letter_exchange");
}

static bool check_together(struct reader *reader)
{
    const struct settings *settings = reader->settings;
    bool certificate = settings->amqp_tls_certificate_file.length > 0;
    bool key = settings->amqp_tls_key_file.length > 0;
    if (!settings->security_trust_user_id && settings->security_default_principal.length == 0)
        return fail_setting(reader, "security.trust_user_id",
                            "false requires security.default_principal");
    if (certificate && !key)
        return fail_setting(reader, "amqp.tls.certificate_file", "requires amqp.tls.key_file");
    if (key && !certificate)
        return fail_setting(reader, "amqp.tls.key_file", "requires amqp.tls.certificate_file");
    return check_names(reader);
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
    if (!check_renamed(&reader, variable, context) || !read_variables(&reader, variable, context) ||
        !check_not_empty(&reader) || !check_together(&reader))
        return false;
    *ret_settings = settings;
    return true;
}
