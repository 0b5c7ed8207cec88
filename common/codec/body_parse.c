/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/body_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "allot/limits.h"
#include "common/base/memory.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct text trim(struct text text)
{
    while (text.length > 0 && is_blank(text.bytes[0]))
        text = text_view(text.bytes + 1, text.length - 1);
    while (text.length > 0 && is_blank(text.bytes[text.length - 1]))
        text.length--;
    return text;
}

static bool is_in_any_case(struct text text, const char *expected)
{
    return text.length == strlen(expected) && strncasecmp(text.bytes, expected, text.length) == 0;
}

/* Splits at the first `separator`; without one, the second part is absent. */
static struct text split(struct text text, char separator, struct text *ret_rest)
{
    const char *at = text.length > 0 ? memchr(text.bytes, separator, text.length) : NULL;
    if (at == NULL) {
        *ret_rest = TEXT_NONE;
        return text;
    }
    size_t before = (size_t)(at - text.bytes);
    *ret_rest = text_view(at + 1, text.length - before - 1);
    return text_view(text.bytes, before);
}

bool content_type_is_json(struct text content_type)
{
    struct text parameter = TEXT_NONE;
    struct text type = split(content_type, ';', &parameter);
    if (!is_in_any_case(trim(type), "application/json"))
        return false;
    if (!text_present(parameter))
        return true;

    struct text value = TEXT_NONE;
    struct text name = split(trim(parameter), '=', &value);
    return is_in_any_case(name, "charset") &&
           (is_in_any_case(value, "utf-8") || is_in_any_case(value, "\"utf-8\""));
}

/* The index behind the string that starts at `start`, or the length where it does not end. */
static size_t skip_string(struct text body, size_t start)
{
    for (size_t i = start + 1; i < body.length; i++) {
        if (body.bytes[i] == '\\')
            i++;
        else if (body.bytes[i] == '"')
            return i + 1;
    }
    return body.length;
}

/*
 * Looked at before parsing, because the parser's own limit is far higher. It is exact for JSON; of
 * what is not JSON, the parser will say so.
 */
static bool is_too_deep(struct text body)
{
    size_t depth = 0;
    for (size_t i = 0; i < body.length;) {
        char c = body.bytes[i];
        if (c == '"') {
            i = skip_string(body, i);
            continue;
        }
        if ((c == '{' || c == '[') && ++depth > BODY_DEPTH_MAX)
            return true;
        if ((c == '}' || c == ']') && depth > 0)
            depth--;
        i++;
    }
    return false;
}

static json_t *parse_object(struct text body, struct arena *arena, struct text *ret_reason)
{
    json_error_t error;
    json_t *root =
        json_loadb(body.length > 0 ? body.bytes : "", body.length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL && json_error_code(&error) == json_error_out_of_memory)
        memory_exhausted();
    if (root == NULL) {
        *ret_reason =
            text_format(arena, "not well-formed JSON: %s (at byte %d)", error.text, error.position);
        return NULL;
    }
    if (!json_is_object(root)) {
        *ret_reason = text_of("the body is not a JSON object");
        json_decref(root);
        return NULL;
    }
    return root;
}

/* A property that was set counts, even if it is empty: only one that was not is "absent". */
json_t *body_parse(const struct delivery *delivery, struct arena *arena, struct text *ret_reason)
{
    const struct properties *properties = &delivery->properties;
    if (text_present(properties->content_type) && !content_type_is_json(properties->content_type)) {
        *ret_reason = text_of("content_type is not application/json in UTF-8");
        return NULL;
    }
    if (text_present(properties->content_encoding)) {
        *ret_reason = text_of("content_encoding is set, but no encoding is supported");
        return NULL;
    }
    if (is_too_deep(delivery->body)) {
        *ret_reason = text_format(arena, "nested deeper than the limit: a depth of %d containers",
                                  BODY_DEPTH_MAX);
        return NULL;
    }
    return parse_object(delivery->body, arena, ret_reason);
}
