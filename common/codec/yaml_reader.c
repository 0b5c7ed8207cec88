/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds a tree from the events of libfyaml's parser, which does all of the YAML syntax. next_item
 * fetches one event and rejects what configuration does not need (anchors, aliases, tags, NUL);
 * build_node and build_children turn items into nodes; build_document checks that there is one
 * document and nothing after it. Depth, keys per mapping and size are limited, so that time and
 * stack are too. Every error names the line.
 *
 * Why not libfyaml's own tree (fy_document), which would save build_*: in 0.7.12, the version of
 * Debian 12, no public function tells the line of a mapping or a list, and its check for duplicate
 * keys is quadratic and without a limit (4000 keys: 0.3 s; 100,000 keys, 1 MB: over 5 minutes).
 * Why not another library: libyaml is a parser of events as well; libcyaml 1.3.1 accepts "100abc"
 * as a number and ignores a second document.
 */
#include "common/codec/yaml_reader.h"

#include <libfyaml.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"

struct builder {
    struct fy_parser *parser;
    struct fy_diag *diag;
    struct text yaml;
    const char *file_name;
    struct arena *arena;
    struct error *error;
};

/* A copy of the parts of an event that the builder needs; the event itself is freed at once. */
struct item {
    enum fy_event_type type;
    int line; /* 0: a document that starts without "---" */
    struct text scalar;
    bool plain;     /* a scalar without quotes */
    bool decorated; /* has an anchor or a tag */
};

static bool fail_at(const struct builder *builder, int line, const char *what)
{
    error_set(builder->error, "%s:%d: %s", builder->file_name, line, what);
    return false;
}

/* Returns the line, from 1, of the byte at `place`. */
static int line_of(struct text text, size_t place)
{
    int line = 1;
    for (size_t i = 0; i < place; i++)
        line += text.bytes[i] == '\n';
    return line;
}

static bool fail_syntax(const struct builder *builder)
{
    void *iterator = NULL;
    const struct fy_diag_error *first = fy_diag_errors_iterate(builder->diag, &iterator);
    if (first == NULL || first->msg == NULL)
        return fail_at(builder, 1, "invalid YAML");
    /* libfyaml reports a bracket or quote that is missing at the end on a line after the last. */
    int last = line_of(builder->yaml, builder->yaml.length);
    error_set(builder->error, "%s:%d: invalid YAML: %s", builder->file_name,
              first->line < last ? first->line : last, yaml_show(text_of(first->msg)).chars);
    return false;
}

static struct text token_text(struct builder *builder, struct fy_token *token)
{
    size_t length = 0;
    const char *bytes = token != NULL ? fy_token_get_text(token, &length) : NULL;
    return text_copy(builder->arena, text_view(bytes != NULL ? bytes : "", length));
}

static void item_fill_scalar(struct builder *builder, const struct fy_event_scalar_data *scalar,
                             struct item *item)
{
    item->decorated = scalar->anchor != NULL || scalar->tag != NULL;
    item->scalar = token_text(builder, scalar->value);
    item->plain = scalar->value == NULL || fy_token_scalar_style(scalar->value) == FYSS_PLAIN;
}

static struct item item_of(struct builder *builder, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    struct item item = {.type = event->type, .line = mark != NULL ? mark->line + 1 : 1};
    if (event->type == FYET_DOCUMENT_START && event->document_start.implicit)
        item.line = 0;
    else if (event->type == FYET_SCALAR)
        item_fill_scalar(builder, &event->scalar, &item);
    else if (event->type == FYET_MAPPING_START)
        item.decorated = event->mapping_start.anchor != NULL || event->mapping_start.tag != NULL;
    else if (event->type == FYET_SEQUENCE_START)
        item.decorated = event->sequence_start.anchor != NULL || event->sequence_start.tag != NULL;
    return item;
}

static bool next_item(struct builder *builder, struct item *ret_item)
{
    struct fy_event *event = fy_parser_parse(builder->parser);
    if (event == NULL)
        return fail_syntax(builder);
    *ret_item = item_of(builder, event);
    fy_parser_event_free(builder->parser, event);

    if (ret_item->type == FYET_ALIAS)
        return fail_at(builder, ret_item->line, "aliases are not allowed");
    if (ret_item->decorated)
        return fail_at(builder, ret_item->line, "anchors and tags are not allowed");
    if (ret_item->scalar.length > 0 &&
        memchr(ret_item->scalar.bytes, '\0', ret_item->scalar.length) != NULL)
        return fail_at(builder, ret_item->line, "NUL characters are not allowed");
    return true;
}

static bool item_is_null(const struct item *item)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    if (item->type != FYET_SCALAR || !item->plain)
        return false;
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++) {
        if (text_is(item->scalar, nulls[i]))
            return true;
    }
    return false;
}

static const struct yaml_node *member_named(const struct yaml_node *mapping, struct text key)
{
    for (const struct yaml_node *child = mapping->children; child != NULL; child = child->next) {
        if (text_equal(child->key, key))
            return child;
    }
    return NULL;
}

static bool check_key(const struct builder *builder, const struct yaml_node *mapping,
                      const struct item *key)
{
    if (key->type != FYET_SCALAR || item_is_null(key))
        return fail_at(builder, key->line, "a key must be a string");
    if (mapping->child_count == YAML_MEMBERS_MAX) {
        error_set(builder->error, "%s:%d: too many keys in one mapping (limit %d)",
                  builder->file_name, key->line, YAML_MEMBERS_MAX);
        return false;
    }
    const struct yaml_node *first = member_named(mapping, key->scalar);
    if (first == NULL)
        return true;
    error_set(builder->error, "%s:%d: duplicate key '%s', first on line %d", builder->file_name,
              key->line, yaml_show(key->scalar).chars, first->line);
    return false;
}

static bool build_node(struct builder *builder, const struct item *start, int depth,
                       struct yaml_node **ret_node);

/* `start` is the key of a mapping's member, or the item of a list itself. */
static bool build_child(struct builder *builder, struct yaml_node *parent, const struct item *start,
                        int depth, struct yaml_node **ret_child)
{
    struct item value = *start;
    if (parent->kind == YAML_MAPPING &&
        (!check_key(builder, parent, start) || !next_item(builder, &value)))
        return false;
    struct yaml_node *child = NULL;
    if (!build_node(builder, &value, depth, &child))
        return false;
    if (parent->kind == YAML_MAPPING) {
        child->key = start->scalar;
        child->line = start->line;
    }
    *ret_child = child;
    return true;
}

static bool build_children(struct builder *builder, struct yaml_node *parent, int depth)
{
    enum fy_event_type end = parent->kind == YAML_MAPPING ? FYET_MAPPING_END : FYET_SEQUENCE_END;
    struct yaml_node **place = &parent->children;
    struct item item = {0};
    while (next_item(builder, &item)) {
        if (item.type == end)
            return true;
        if (!build_child(builder, parent, &item, depth + 1, place))
            return false;
        place = &(*place)->next;
        parent->child_count++;
    }
    return false;
}

static bool build_node(struct builder *builder, const struct item *start, int depth,
                       struct yaml_node **ret_node)
{
    if (depth > YAML_DEPTH_MAX) {
        error_set(builder->error, "%s:%d: nesting too deep (limit %d)", builder->file_name,
                  start->line, YAML_DEPTH_MAX);
        return false;
    }
    struct yaml_node *node = ARENA_NEW(builder->arena, struct yaml_node);
    node->line = start->line;
    node->kind = YAML_SCALAR;
    node->scalar = start->scalar;
    node->is_null = item_is_null(start);
    if (start->type != FYET_SCALAR) {
        node->kind = start->type == FYET_MAPPING_START ? YAML_MAPPING : YAML_LIST;
        if (!build_children(builder, node, depth))
            return false;
    }
    *ret_node = node;
    return true;
}

static bool fail_second_document(struct builder *builder, const struct item *start)
{
    struct item content;
    if (!next_item(builder, &content))
        return false;
    return fail_at(builder, start->line > 0 ? start->line : content.line,
                   "more than one YAML document");
}

static bool build_document(struct builder *builder, const struct yaml_node **ret_root)
{
    struct item item;
    struct yaml_node *root = NULL;
    if (!next_item(builder, &item) || !next_item(builder, &item))
        return false;
    if (item.type == FYET_STREAM_END) {
        *ret_root = NULL;
        return true;
    }
    if (!next_item(builder, &item) || !build_node(builder, &item, 1, &root) ||
        !next_item(builder, &item) || !next_item(builder, &item))
        return false;
    if (item.type != FYET_STREAM_END)
        return fail_second_document(builder, &item);
    *ret_root = root->is_null && root->scalar.length == 0 ? NULL : root;
    return true;
}

static bool is_forbidden_control(char byte)
{
    return (byte >= 0 && byte < ' ' && byte != '\t' && byte != '\n' && byte != '\r') ||
           byte == 0x7f;
}

/*
 * Checks what libfyaml 0.7.12 would accept: it guesses other encodings, such as UTF-16, from the
 * first bytes, and lets control characters pass.
 */
static bool check_bytes(const struct builder *builder)
{
    struct text yaml = builder->yaml;
    if (yaml.length > YAML_BYTES_MAX) {
        error_set(builder->error, "%s:1: file too large: %zu bytes (limit %d)", builder->file_name,
                  yaml.length, YAML_BYTES_MAX);
        return false;
    }
    for (size_t place = 0; place < yaml.length;) {
        size_t length = utf8_sequence(text_view(yaml.bytes + place, yaml.length - place));
        if (length == 0)
            return fail_at(builder, line_of(yaml, place), "invalid UTF-8");
        if (is_forbidden_control(yaml.bytes[place]))
            return fail_at(builder, line_of(yaml, place), "control characters are not allowed");
        place += length;
    }
    return true;
}

static struct fy_diag *diag_new(void)
{
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    struct fy_diag *diag = fy_diag_create(&config);
    if (diag != NULL)
        fy_diag_set_collect_errors(diag, true);
    return diag;
}

bool yaml_read(struct text yaml, const char *file_name, struct arena *arena,
               const struct yaml_node **ret_root, struct error *error)
{
    struct builder builder = {.yaml = yaml, .file_name = file_name, .arena = arena, .error = error};
    bool ok = false;
    if (!check_bytes(&builder))
        return false;
    if (yaml.length == 0) { /* for libfyaml, length 0 means a NUL-terminated string */
        *ret_root = NULL;
        return true;
    }

    builder.diag = diag_new();
    const struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE,
                                        .diag = builder.diag};
    builder.parser = builder.diag != NULL ? fy_parser_create(&config) : NULL;
    if (builder.parser == NULL ||
        fy_parser_set_string(builder.parser, yaml.bytes, yaml.length) != 0) {
        (void)fail_at(&builder, 1, "cannot set up the YAML parser");
        goto done;
    }
    ok = build_document(&builder, ret_root);
done:
    fy_parser_destroy(builder.parser);
    fy_diag_destroy(builder.diag);
    return ok;
}

const struct yaml_node *yaml_member(const struct yaml_node *node, const char *name)
{
    if (node == NULL || node->kind != YAML_MAPPING)
        return NULL;
    return member_named(node, text_of(name));
}

const char *yaml_kind_name(const struct yaml_node *node)
{
    switch (node->kind) {
    case YAML_SCALAR: return node->is_null ? "nothing" : "a value";
    case YAML_MAPPING: return "a mapping";
    case YAML_LIST: return "a list";
    }
    return "";
}

struct yaml_shown yaml_show(struct text text)
{
    struct yaml_shown shown = {{0}};
    if (text.length > 0 && memmem(text.bytes, text.length, "://", 3) != NULL) {
        (void)snprintf(shown.chars, sizeof shown.chars, "(a URI)");
        return shown;
    }
    size_t length = 0;
    while (text.length > 0) {
        size_t step = utf8_sequence(text);
        bool printable = step > 1 || (step == 1 && text.bytes[0] >= ' ' && text.bytes[0] != 0x7f);
        step = printable ? step : 1;
        if (length + step > sizeof shown.chars - sizeof "...") {
            memcpy(shown.chars + length, "...", sizeof "...");
            break;
        }
        memcpy(shown.chars + length, printable ? text.bytes : "?", step);
        length += step;
        text = text_view(text.bytes + step, text.length - step);
    }
    return shown;
}
