/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the policy top-down: policy_read, then read_principals, read_principal, read_rules and
 * read_rule. For each mapping, check_members first compares its members with a table (root_members,
 * principal_members, rule_members): which there are, of which kind, and which are required. The
 * readers can then rely on every required member.
 *
 * Every error names file and line. Texts are not copied: they stay in the tree, which is in the
 * same arena. Nothing is written to `ret_policy` unless the whole file is valid.
 *
 * Not here: what a policy allows (common/core/policy.h).
 */
#include "common/codec/policy_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/codec/yaml_reader.h"

struct reader {
    const char *file_name;
    struct arena *arena;
    struct error *error;
};

/* A member that a mapping may have. */
struct member {
    const char *name;
    enum yaml_kind kind;
    bool optional;
};

static const struct member root_members[] = {
    {"version", YAML_SCALAR, false},
    {"principals", YAML_LIST, false},
    {NULL, YAML_SCALAR, false},
};
static const struct member principal_members[] = {
    {"name", YAML_SCALAR, false},
    {"allow", YAML_LIST, false},
    {"reply_to", YAML_LIST, true},
    {NULL, YAML_SCALAR, false},
};
static const struct member rule_members[] = {
    {"commands", YAML_LIST, false},
    {"projects", YAML_LIST, false},
    {"providers", YAML_LIST, false},
    {NULL, YAML_SCALAR, false},
};

/* Puts file and line before the error; always false. */
static bool fail_at(struct reader *reader, const struct yaml_node *node)
{
    error_prefix(reader->error, "%s:%d", reader->file_name, node->line);
    return false;
}

static bool check_kind(struct reader *reader, const struct yaml_node *node, const char *what,
                       enum yaml_kind kind)
{
    if (node->kind == kind && !node->is_null)
        return true;
    error_set(reader->error, "%s: expected %s, found %s", what,
              yaml_kind_name(&(struct yaml_node){.kind = kind}), yaml_kind_name(node));
    return fail_at(reader, node);
}

static const struct member *member_named(const struct member *members, struct text name)
{
    const struct member *member = members;
    while (member->name != NULL && !text_is(name, member->name))
        member++;
    return member->name != NULL ? member : NULL;
}

/* Checks that `node` is a mapping with these members and no others, each of its kind. */
static bool check_members(struct reader *reader, const struct yaml_node *node, const char *what,
                          const struct member *members)
{
    if (!check_kind(reader, node, what, YAML_MAPPING))
        return false;
    for (const struct yaml_node *child = node->children; child != NULL; child = child->next) {
        const struct member *member = member_named(members, child->key);
        if (member == NULL) {
            error_set(reader->error, "unknown key '%s'", yaml_show(child->key).chars);
            return fail_at(reader, child);
        }
        if (!check_kind(reader, child, member->name, member->kind))
            return false;
    }
    for (const struct member *member = members; member->name != NULL; member++) {
        if (!member->optional && yaml_member(node, member->name) == NULL) {
            error_set(reader->error, "%s: missing key '%s'", what, member->name);
            return fail_at(reader, node);
        }
    }
    return true;
}

static bool read_string(struct reader *reader, const struct yaml_node *node, const char *what,
                        struct text *ret_string)
{
    if (!check_kind(reader, node, what, YAML_SCALAR))
        return false;
    if (node->scalar.length == 0) {
        error_set(reader->error, "%s: must not be empty", what);
        return fail_at(reader, node);
    }
    *ret_string = node->scalar;
    return true;
}

/* Reads a list of texts that are not empty. `list` may be NULL, which means an empty list. */
static bool read_patterns(struct reader *reader, const struct yaml_node *list, const char *what,
                          struct patterns *ret_patterns)
{
    if (list == NULL) {
        *ret_patterns = (struct patterns){0};
        return true;
    }
    struct text *items = ARENA_ARRAY(reader->arena, struct text, list->child_count);
    size_t count = 0;
    for (const struct yaml_node *item = list->children; item != NULL; item = item->next) {
        if (!read_string(reader, item, what, &items[count]))
            return false;
        count++;
    }
    *ret_patterns = (struct patterns){items, count};
    return true;
}

static bool read_rule_list(struct reader *reader, const struct yaml_node *rule, const char *name,
                           struct patterns *ret_patterns)
{
    const struct yaml_node *list = yaml_member(rule, name);
    if (list->child_count == 0) {
        error_set(reader->error, "%s: the list is empty, so the rule allows nothing", name);
        return fail_at(reader, list);
    }
    return read_patterns(reader, list, name, ret_patterns);
}

static bool matches_a_command(struct text pattern)
{
    static const char *const names[] = {
#define X(id, name, mode, summary) name,
        COMMANDS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (pattern_matches(pattern, text_of(names[i])))
            return true;
    }
    return false;
}

static bool check_commands(struct reader *reader, const struct yaml_node *list)
{
    for (const struct yaml_node *item = list->children; item != NULL; item = item->next) {
        if (matches_a_command(item->scalar))
            continue;
        error_set(reader->error, "commands: pattern '%s' matches no command",
                  yaml_show(item->scalar).chars);
        return fail_at(reader, item);
    }
    return true;
}

static bool read_rule(struct reader *reader, const struct yaml_node *node,
                      struct policy_rule *ret_rule)
{
    return check_members(reader, node, "rule", rule_members) &&
           read_rule_list(reader, node, "commands", &ret_rule->commands) &&
           check_commands(reader, yaml_member(node, "commands")) &&
           read_rule_list(reader, node, "projects", &ret_rule->projects) &&
           read_rule_list(reader, node, "providers", &ret_rule->providers);
}

static bool read_rules(struct reader *reader, const struct yaml_node *list,
                       struct policy_principal *principal)
{
    if (list->child_count > POLICY_RULES_MAX) {
        error_set(reader->error, "allow: too many rules: %zu (limit %d)", list->child_count,
                  POLICY_RULES_MAX);
        return fail_at(reader, list);
    }
    struct policy_rule *rules = ARENA_ARRAY(reader->arena, struct policy_rule, list->child_count);
    size_t count = 0;
    for (const struct yaml_node *item = list->children; item != NULL; item = item->next) {
        if (!read_rule(reader, item, &rules[count]))
            return false;
        count++;
    }
    principal->rules = rules;
    principal->rule_count = count;
    return true;
}

static bool read_principal(struct reader *reader, const struct yaml_node *node,
                           struct policy_principal *ret_principal)
{
    return check_members(reader, node, "principal", principal_members) &&
           read_string(reader, yaml_member(node, "name"), "name", &ret_principal->name) &&
           read_rules(reader, yaml_member(node, "allow"), ret_principal) &&
           read_patterns(reader, yaml_member(node, "reply_to"), "reply_to",
                         &ret_principal->reply_to);
}

/* For qsort. Equal names are in order of line, so that the second one is reported. */
static int by_name_then_line(const void *a, const void *b)
{
    const struct yaml_node *x = *(const struct yaml_node *const *)a;
    const struct yaml_node *y = *(const struct yaml_node *const *)b;
    int order = text_compare(x->scalar, y->scalar);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static bool check_names_differ(struct reader *reader, const struct yaml_node *list)
{
    size_t count = 0;
    const struct yaml_node **names =
        ARENA_ARRAY(reader->arena, const struct yaml_node *, list->child_count);
    for (const struct yaml_node *item = list->children; item != NULL; item = item->next)
        names[count++] = yaml_member(item, "name");
    qsort(names, count, sizeof *names, by_name_then_line);
    for (size_t i = 1; i < count; i++) {
        if (!text_equal(names[i - 1]->scalar, names[i]->scalar))
            continue;
        error_set(reader->error, "duplicate principal '%s', first on line %d",
                  yaml_show(names[i]->scalar).chars, names[i - 1]->line);
        return fail_at(reader, names[i]);
    }
    return true;
}

static bool read_principals(struct reader *reader, const struct yaml_node *list,
                            struct policy *ret_policy)
{
    struct policy_principal *principals =
        ARENA_ARRAY(reader->arena, struct policy_principal, list->child_count);
    size_t count = 0;
    for (const struct yaml_node *item = list->children; item != NULL; item = item->next) {
        if (!read_principal(reader, item, &principals[count]))
            return false;
        count++;
    }
    if (!check_names_differ(reader, list))
        return false;
    *ret_policy = (struct policy){.principals = principals, .count = count};
    return true;
}

bool policy_read(struct text yaml, const char *file_name, struct arena *arena,
                 struct policy *ret_policy, struct error *error)
{
    struct reader reader = {.file_name = file_name, .arena = arena, .error = error};
    const struct yaml_node *root = NULL;
    if (!yaml_read(yaml, file_name, arena, &root, error))
        return false;
    if (root == NULL) {
        error_set(error, "%s:1: the policy file is empty", file_name);
        return false;
    }
    if (!check_members(&reader, root, "policy", root_members))
        return false;
    const struct yaml_node *version = yaml_member(root, "version");
    if (!text_is(version->scalar, "1")) {
        error_set(error, "version: invalid value '%s': expected 1",
                  yaml_show(version->scalar).chars);
        return fail_at(&reader, version);
    }
    return read_principals(&reader, yaml_member(root, "principals"), ret_policy);
}
