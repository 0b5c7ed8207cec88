/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. context_choose() reads the file of contexts, checks all of it, and keeps the context that
 * is chosen. An error names file and line. A file that is missing is an error only if a context was
 * asked for by name.
 *
 * Guarantees. A mistake in a context that is not chosen is found too, before that context is
 * needed. A file that a key names is read when its value is asked for, and not before.
 *
 * Not here: which of a context and a variable comes first (settings.c).
 */
#include "ctl/context.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/codec/yaml_reader.h"
#include "common/host/environment.h"
#include "common/host/file.h"
#include "ctl/secret_file.h"

struct key_row {
    const char *key;
    const char *variable;
    bool is_file;
    bool is_path;
};

static const struct key_row keys[] = {
#define X(id, key, variable, is_file, help)                                                        \
    [CONTEXT_##id] = {key, variable, is_file,                                                      \
                      (is_file) || CONTEXT_##id == CONTEXT_POLICY_FILE ||                          \
                          CONTEXT_##id == CONTEXT_CONFIG},
    CONTEXT_KEYS(X)
#undef X
};

struct reader {
    const char *file;
    struct arena *arena;
    struct error *error;
};

/* What is looked for, and found. */
struct choice {
    struct text name; /* absent: none is looked for */
    struct context context;
    bool found;
};

/* --- the file ------------------------------------------------------------------------------- */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

/* Returns the name of the file of contexts; NULL if the user has no home. */
static const char *file_name(struct arena *arena)
{
    const char *folder = variable("XDG_CONFIG_HOME"), *home = variable("HOME");
    if (folder != NULL)
        return text_format(arena, "%s/allot/allotctl.yaml", folder).bytes;
    return home != NULL ? text_format(arena, "%s/.config/allot/allotctl.yaml", home).bytes : NULL;
}

static bool fail_at(const struct reader *reader, const struct yaml_node *node)
{
    error_prefix(reader->error, "%s:%d", reader->file, node->line);
    return false;
}

static bool check_scalar(const struct reader *reader, const struct yaml_node *node)
{
    if (node->kind == YAML_SCALAR && !node->is_null && node->scalar.length > 0)
        return true;
    error_set(reader->error, "%s: expected a value, found %s", yaml_show(node->key).chars,
              node->kind == YAML_SCALAR ? "nothing" : yaml_kind_name(node));
    return fail_at(reader, node);
}

/* Makes a path complete. */
static struct text full_path(const struct reader *reader, struct text path)
{
    const char *home = variable("HOME"), *slash = strrchr(reader->file, '/');
    if (path.bytes[0] == '/')
        return path;
    if (path.length > 1 && memcmp(path.bytes, "~/", 2) == 0 && home != NULL)
        return text_format(reader->arena, "%s%.*s", home, (int)path.length - 1, path.bytes + 1);
    return text_format(reader->arena, "%.*s/%.*s", (int)(slash - reader->file), reader->file,
                       TEXT_ARGS(path));
}

/* Reads one member of a context; `name` is read by its caller. */
static bool read_member(const struct reader *reader, const struct yaml_node *member,
                        struct context *context)
{
    if (!check_scalar(reader, member))
        return false;
    if (text_is(member->key, "name"))
        return true;
    for (size_t i = 0; i < CONTEXT_KEY_COUNT; i++) {
        if (!text_is(member->key, keys[i].key))
            continue;
        context->values[i] = keys[i].is_path ? full_path(reader, member->scalar) : member->scalar;
        secret_file_check(reader->file, member->scalar, reader->arena);
        return true;
    }
    error_set(reader->error, "unknown key '%s'", yaml_show(member->key).chars);
    return fail_at(reader, member);
}

/* Of two keys that say the same, one at most may be given. */
static bool check_pairs(const struct reader *reader, const struct yaml_node *node,
                        const struct context *context)
{
    for (size_t i = 1; i < CONTEXT_KEY_COUNT; i++) {
        if (strcmp(keys[i].variable, keys[i - 1].variable) != 0 ||
            !text_present(context->values[i]) || !text_present(context->values[i - 1]))
            continue;
        error_set(reader->error, "%s and %s say the same; give one of them", keys[i - 1].key,
                  keys[i].key);
        return fail_at(reader, node);
    }
    return true;
}

static bool read_context(const struct reader *reader, const struct yaml_node *node,
                         struct context *ret_context)
{
    const struct yaml_node *name = yaml_member(node, "name");
    if (name == NULL || name->kind != YAML_SCALAR || name->scalar.length == 0) {
        error_set(reader->error, "a context needs a name");
        return fail_at(reader, node);
    }
    *ret_context = (struct context){.name = text_copy(reader->arena, name->scalar).bytes,
                                    .file = reader->file};
    for (const struct yaml_node *child = node->children; child != NULL; child = child->next) {
        if (!read_member(reader, child, ret_context))
            return false;
    }
    return check_pairs(reader, node, ret_context);
}

static bool check_root(const struct reader *reader, const struct yaml_node *root)
{
    if (root->kind != YAML_MAPPING) {
        error_set(reader->error, "expected a mapping, found %s", yaml_kind_name(root));
        return fail_at(reader, root);
    }
    for (const struct yaml_node *child = root->children; child != NULL; child = child->next) {
        bool is_list = text_is(child->key, "contexts");
        if (!is_list && !text_is(child->key, "current")) {
            error_set(reader->error, "unknown key '%s'", yaml_show(child->key).chars);
            return fail_at(reader, child);
        }
        if (!is_list && !check_scalar(reader, child))
            return false;
        if (is_list && child->kind != YAML_LIST) {
            error_set(reader->error, "contexts: expected a list, found %s", yaml_kind_name(child));
            return fail_at(reader, child);
        }
    }
    return true;
}

/* Fails if a context before `node` has its name. */
static bool check_name(const struct reader *reader, const struct yaml_node *list,
                       const struct yaml_node *node)
{
    struct text name = yaml_member(node, "name")->scalar;
    for (const struct yaml_node *other = list->children; other != node; other = other->next) {
        if (!text_equal(yaml_member(other, "name")->scalar, name))
            continue;
        error_set(reader->error, "the context '%s' is already in line %d", yaml_show(name).chars,
                  other->line);
        return fail_at(reader, node);
    }
    return true;
}

/* Checks all contexts, and keeps the one of the name. */
static bool read_contexts(const struct reader *reader, const struct yaml_node *list,
                          struct choice *choice)
{
    for (const struct yaml_node *node = list != NULL ? list->children : NULL; node != NULL;
         node = node->next) {
        struct context context;
        if (!read_context(reader, node, &context) || !check_name(reader, list, node))
            return false;
        if (!text_is(choice->name, context.name))
            continue;
        choice->context = context;
        choice->found = true;
    }
    return true;
}

static bool read_file(const struct reader *reader, const char *asked, struct context *ret_context)
{
    const struct yaml_node *root = NULL;
    struct text yaml;
    if (!file_read(reader->file, FILE_SETTINGS_BYTES_MAX, reader->arena, &yaml, reader->error) ||
        !yaml_read(yaml, reader->file, reader->arena, &root, reader->error))
        return false;
    if (root != NULL && !check_root(reader, root))
        return false;
    const struct yaml_node *current = yaml_member(root, "current");
    struct choice choice = {.name = text_of(asked)};
    if (asked == NULL && current != NULL)
        choice.name = current->scalar;
    if (!read_contexts(reader, yaml_member(root, "contexts"), &choice))
        return false;
    *ret_context = choice.context;
    if (choice.found || !text_present(choice.name))
        return true;
    error_set(reader->error, "%s has no context '%s'", reader->file, yaml_show(choice.name).chars);
    return false;
}

bool context_choose(const char *option, struct arena *arena, struct context *ret_context,
                    struct error *error)
{
    const char *asked = option != NULL ? option : variable("ALLOT_CONTEXT");
    struct reader reader = {file_name(arena), arena, error};
    *ret_context = (struct context){0};
    if (reader.file == NULL || access(reader.file, F_OK) != 0) {
        if (asked == NULL)
            return true;
        error_set(error, "cannot use the context '%s': there is no file %s", asked,
                  reader.file != NULL ? reader.file : "~/.config/allot/allotctl.yaml");
        return false;
    }
    if (!read_file(&reader, asked, ret_context))
        return false;
    ret_context->is_option = option != NULL;
    return true;
}

/* --- values --------------------------------------------------------------------------------- */

bool context_variable(const struct context *context, const char *name, struct arena *arena,
                      const char **ret_value, struct error *error)
{
    *ret_value = NULL;
    for (size_t i = 0; i < CONTEXT_KEY_COUNT; i++) {
        struct text value = context->values[i];
        if (!text_present(value) || strcmp(keys[i].variable, name) != 0)
            continue;
        const char *copy = text_copy(arena, value).bytes;
        if (keys[i].is_file && !environment_file_read(copy, arena, &value, error)) {
            error_prefix(error, "context '%s': %s", context->name, keys[i].key);
            return false;
        }
        if (keys[i].is_file)
            secret_file_check(copy, value, arena);
        *ret_value = text_copy(arena, value).bytes;
        return true;
    }
    return true;
}
