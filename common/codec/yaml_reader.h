/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML for configuration files: one document of mappings, lists and scalars, as a tree with line
 * numbers. Stricter than YAML: anchors, aliases, tags and duplicate keys are errors, and a key must
 * be a scalar. It knows nothing of settings or policies. The only module that includes libfyaml.
 */
#ifndef ALLOT_CODEC_YAML_READER_H
#define ALLOT_CODEC_YAML_READER_H

#include "common/base/error.h"
#include "common/base/text.h"

enum {
    YAML_BYTES_MAX = 4 * 1024 * 1024,
    YAML_DEPTH_MAX = 16,
    YAML_MEMBERS_MAX = 256, /* of one mapping */
};

enum yaml_kind { YAML_SCALAR, YAML_MAPPING, YAML_LIST };

struct yaml_node {
    enum yaml_kind kind;
    int line;           /* from 1; for the member of a mapping, the line of its key */
    struct text key;    /* for the member of a mapping; otherwise absent */
    struct text scalar; /* for a scalar: its text, without quotes and escapes */
    bool is_null;       /* a scalar without quotes that is empty, ~ or null: no value */
    size_t child_count;
    struct yaml_node *children; /* members or items, in the order of the file */
    struct yaml_node *next;     /* the next child of the same parent */
};

/*
 * Reads `yaml` into a tree in `arena`; all texts are copied. The root is NULL if there is no
 * document, or an empty one. Returns false, with an error "FILE:LINE: what", for anything else that
 * is not one such document in UTF-8.
 */
ALLOT_CHECK bool yaml_read(struct text yaml, const char *file_name, struct arena *arena,
                           const struct yaml_node **ret_root, struct error *error);

/* Returns the member with that name, or NULL. `node` may be NULL, or not a mapping. */
const struct yaml_node *yaml_member(const struct yaml_node *node, const char *name);

/* Names what a node is, for errors: "a mapping", "a list", "a value" or "nothing". Static. */
const char *yaml_kind_name(const struct yaml_node *node);

/*
 * Returns text from a file in the form that an error may show: short and on one line. A text that
 * contains a URI becomes "(a URI)", since it may hold a password.
 */
struct yaml_shown {
    char chars[96]; /* NUL-terminated */
};
struct yaml_shown yaml_show(struct text text);

#endif
