/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/json_pretty.h"

#include <string.h>

#include <jansson.h>

enum { INDENT = 2, DEPTH_MAX = 40, FACTOR_MAX = 4, EXTRA_BYTES = 4096 };

struct layout {
    char *bytes;
    size_t length;
    size_t capacity;
    size_t depth;
    bool full;
};

static void add(struct layout *layout, char c)
{
    if (layout->length < layout->capacity)
        layout->bytes[layout->length++] = c;
    else
        layout->full = true;
}

/* A line of what is nested very deeply does not move further to the right. */
static void new_line(struct layout *layout)
{
    size_t depth = layout->depth < DEPTH_MAX ? layout->depth : DEPTH_MAX;
    add(layout, '\n');
    for (size_t i = 0; i < depth * INDENT; i++)
        add(layout, ' ');
}

static size_t skip_space(struct text json, size_t at)
{
    while (at < json.length && strchr(" \t\r\n", json.bytes[at]) != NULL && json.bytes[at] != '\0')
        at++;
    return at;
}

/* Copies a string, up to its end. Returns the place behind it. */
static size_t copy_string(struct layout *layout, struct text json, size_t at)
{
    add(layout, json.bytes[at++]);
    while (at < json.length && json.bytes[at] != '"') {
        if (json.bytes[at] == '\\')
            add(layout, json.bytes[at++]);
        add(layout, json.bytes[at++]);
    }
    add(layout, '"');
    return at + 1;
}

/* Copies a bracket that begins an object or an array; an empty one stays in its line. */
static size_t copy_opening(struct layout *layout, struct text json, size_t at)
{
    size_t next = skip_space(json, at + 1);
    add(layout, json.bytes[at]);
    if (json.bytes[next] == '}' || json.bytes[next] == ']') {
        add(layout, json.bytes[next]);
        return next + 1;
    }
    layout->depth++;
    new_line(layout);
    return at + 1;
}

static size_t copy_token(struct layout *layout, struct text json, size_t at)
{
    char c = json.bytes[at];
    switch (c) {
    case '"': return copy_string(layout, json, at);
    case '{':
    case '[': return copy_opening(layout, json, at);
    case '}':
    case ']':
        layout->depth--;
        new_line(layout);
        add(layout, c);
        break;
    case ',':
        add(layout, c);
        new_line(layout);
        break;
    case ':':
        add(layout, c);
        add(layout, ' ');
        break;
    default: add(layout, c);
    }
    return at + 1;
}

static bool is_json(struct text json)
{
    json_t *parsed = json_loadb(json.bytes, json.length,
                                JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    json_decref(parsed);
    return parsed != NULL;
}

bool json_pretty(struct text json, struct arena *arena, struct text *ret_pretty)
{
    if (json.length == 0 || !is_json(json))
        return false;
    struct layout layout = {.capacity = json.length * FACTOR_MAX + EXTRA_BYTES};
    layout.bytes = arena_alloc(arena, layout.capacity);
    for (size_t at = skip_space(json, 0); at < json.length && !layout.full;)
        at = skip_space(json, copy_token(&layout, json, at));
    *ret_pretty = text_view(layout.bytes, layout.length);
    return !layout.full;
}
