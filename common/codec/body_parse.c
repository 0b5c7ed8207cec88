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

/* Returns the part before the first `separator`; without one, the rest is absent. */
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

/* Returns the index behind the string that starts at `start`; the length if it does not end. */
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
 * Returns whether containers nest deeper than the limit. Called before parsing, because jansson's
 * own limit is 2048, compiled in. The count is exact for valid JSON; the parser rejects the rest.
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

/* RabbitMQ 4 gives a message of an AMQP 1.0 producer this type if its body is no data section; the
   body is then in the encoding of AMQP 1.0. */
static bool is_amqp_value(const struct properties *properties)
{
    return text_is(properties->type, "amqp-1.0");
}

static json_t *parse_object(const struct delivery *delivery, struct arena *arena,
                            struct text *ret_reason)
{
    struct text body = delivery->body;
    json_error_t error;
    json_t *root =
        json_loadb(body.length > 0 ? body.bytes : "", body.length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL && json_error_code(&error) == json_error_out_of_memory)
        memory_exhausted();
    if (root == NULL && is_amqp_value(&delivery->properties)) {
        *ret_reason = text_of("the body is a value or a sequence of AMQP 1.0: send a data section");
        return NULL;
    }
    if (root == NULL) {
        *ret_reason = text_format(arena, "invalid JSON at byte %d: %s", error.position, error.text);
        return NULL;
    }
    if (!json_is_object(root)) {
        *ret_reason = text_of("the body must be a JSON object");
        json_decref(root);
        return NULL;
    }
    return root;
}

/* A property that is set to the empty text is set: it is not a valid type or encoding. */
json_t *body_parse(const struct delivery *delivery, struct arena *arena, struct text *ret_reason)
{
    const struct properties *properties = &delivery->properties;
    if (text_present(properties->content_type) && !content_type_is_json(properties->content_type)) {
        *ret_reason = text_of("content_type must be application/json, in UTF-8");
        return NULL;
    }
    if (text_present(properties->content_encoding)) {
        *ret_reason = text_of("content_encoding must not be set: no encoding is supported");
        return NULL;
    }
    if (is_too_deep(delivery->body)) {
        *ret_reason = text_format(arena, "nesting too deep (limit: a depth of %d)", BODY_DEPTH_MAX);
        return NULL;
    }
    return parse_object(delivery, arena, ret_reason);
}
