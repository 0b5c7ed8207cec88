/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as far as configuration needs it: one document of mappings, lists and scalars, as a tree
 * with line numbers. Stricter than YAML: anchors, aliases, tags and repeated keys are errors, and a
 * key is a scalar. It knows nothing of settings or policies. The only module that includes
 * libfyaml.
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
    int line;           /* from 1; of the key where it has one */
    struct text key;    /* of a mapping's member; else absent */
    struct text scalar; /* as written, without quotes and escapes */
    bool is_null;       /* a plain scalar that is empty, ~ or null: nobody wrote a value */
    size_t child_count;
    struct yaml_node *children; /* members or items, in order of the file */
    struct yaml_node *next;     /* the next child of the same parent */
};

/*
 * The tree, in `arena`; NULL where the text holds no document or an empty one. False with an error
 * "FILE:LINE: what" for anything that is not such a document, UTF-8 included.
 */
ALLOT_CHECK bool yaml_read(struct text yaml, const char *file_name, struct arena *arena,
                           const struct yaml_node **ret_root, struct error *error);

/* The member of that name, or NULL; of anything but a mapping NULL. */
const struct yaml_node *yaml_member(const struct yaml_node *node, const char *name);

/* "a mapping", "a list", "a value", "nothing": what a node is, for errors. Static. */
const char *yaml_kind_name(const struct yaml_node *node);

/*
 * Text from a file as an error may show it: short, on one line, and nothing of what looks like a
 * URI, which may hold a password.
 */
struct yaml_shown {
    char chars[96]; /* NUL-terminated */
};
struct yaml_shown yaml_show(struct text text);

#endif
