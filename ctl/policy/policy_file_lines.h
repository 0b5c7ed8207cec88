/* SPDX-License-Identifier: Apache-2.0 */
/* Where the principals and rules of a policy stand in its file. */
#ifndef ALLOT_CTL_POLICY_FILE_LINES_H
#define ALLOT_CTL_POLICY_FILE_LINES_H

#include "common/codec/yaml_reader.h"

struct policy_lines {
    const char *file;
    const struct yaml_node *root; /* NULL: the lines are unknown */
};

/* Reads the file of a policy that has been loaded; its tree is in `arena`. */
struct policy_lines policy_lines_read(const char *file, struct arena *arena);

/* Each returns "FILE:LINE", in `arena`; "FILE" if the line is unknown. */
struct text policy_principal_place(const struct policy_lines *lines, size_t principal,
                                   struct arena *arena);
struct text policy_rule_place(const struct policy_lines *lines, size_t principal, size_t rule,
                              struct arena *arena);

#endif
