/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/policy/policy_file_lines.h"

#include "common/host/file.h"

struct policy_lines policy_lines_read(const char *file, struct arena *arena)
{
    struct policy_lines lines = {file, NULL};
    struct error error;
    struct text yaml;
    if (!file_read(file, FILE_POLICY_BYTES_MAX, arena, &yaml, &error) ||
        !yaml_read(yaml, file, arena, &lines.root, &error))
        lines.root = NULL;
    return lines;
}

static const struct yaml_node *item_at(const struct yaml_node *list, size_t index)
{
    const struct yaml_node *item = list != NULL ? list->children : NULL;
    while (item != NULL && index-- > 0)
        item = item->next;
    return item;
}

static struct text place_of(const struct policy_lines *lines, const struct yaml_node *node,
                            struct arena *arena)
{
    if (node == NULL)
        return text_copy(arena, text_of(lines->file));
    return text_format(arena, "%s:%d", lines->file, node->line);
}

static const struct yaml_node *principal_at(const struct policy_lines *lines, size_t principal)
{
    return item_at(yaml_member(lines->root, "principals"), principal);
}

struct text policy_principal_place(const struct policy_lines *lines, size_t principal,
                                   struct arena *arena)
{
    return place_of(lines, principal_at(lines, principal), arena);
}

struct text policy_rule_place(const struct policy_lines *lines, size_t principal, size_t rule,
                              struct arena *arena)
{
    const struct yaml_node *node = principal_at(lines, principal);
    return place_of(lines, item_at(yaml_member(node, "allow"), rule), arena);
}
