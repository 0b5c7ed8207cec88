/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hides the passwords of URIs, valid or not: an operator may have forgotten to encode a character
 * of a password. Therefore it does not parse, but looks for places of secrets: from the ':' behind
 * the user to the last '@' before the host, and options whose names end with "password" or
 * "properties". Where it is unclear what an '@' belongs to, all from the first ':' or '?' on is
 * hidden.
 */
#include "common/codec/settings_file.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char mask[] = "***";

struct output {
    char *bytes;
    size_t length;
};

static void put(struct output *output, const char *bytes, size_t length)
{
    if (length > 0)
        memcpy(output->bytes + output->length, bytes, length);
    output->length += length;
}

static bool is_scheme_char(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '-' || c == '.';
}

/* Returns the length of "scheme://" if `bytes` begins with it, else 0. */
static size_t scheme_length(const char *bytes, const char *end)
{
    const char *place = bytes;
    while (place < end && is_scheme_char(*place))
        place++;
    if (place == bytes || end - place < 3 || memcmp(place, "://", 3) != 0)
        return 0;
    return (size_t)(place - bytes) + 3;
}

/* Returns the end of the first URI: a comma that another URI follows, or `end`. */
static const char *uri_end(const char *bytes, const char *end)
{
    for (const char *place = bytes; place < end; place++) {
        if (*place == ',' && scheme_length(place + 1, end) > 0)
            return place;
    }
    return end;
}

/* Returns the first byte that is in `set`, or `end`. */
static const char *first_of(const char *bytes, const char *end, const char *set)
{
    while (bytes < end && strchr(set, *bytes) == NULL)
        bytes++;
    return bytes;
}

/* Returns the '@' that ends user and password; NULL if there is none. */
static const char *user_end(const char *bytes, const char *end)
{
    const char *at = memrchr(bytes, '@', (size_t)(first_of(bytes, end, "/,") - bytes));
    /* A password with a plain slash or comma looks like a host with a path, so look further. */
    return at != NULL ? at : memrchr(bytes, '@', (size_t)(end - bytes));
}

/* Returns the length of the option's "name=" if its value is a secret, else 0. */
static size_t secret_option(const char *bytes, const char *end)
{
    const char *equals = first_of(bytes, end, "=&;");
    static const char password[] = "password", token[] = "properties";
    if (equals == end || *equals != '=')
        return 0;
    size_t length = (size_t)(equals - bytes);
    bool secret =
        (length >= strlen(password) &&
         strncasecmp(equals - strlen(password), password, strlen(password)) == 0) ||
        (length >= strlen(token) && strncasecmp(equals - strlen(token), token, strlen(token)) == 0);
    return secret ? length + 1 : 0;
}

/* Copies host, path and options, and hides the options that are secrets. */
static void put_rest(struct output *output, const char *bytes, const char *end)
{
    const char *option = first_of(bytes, end, "?&;");
    put(output, bytes, (size_t)(option - bytes));
    while (option < end) {
        const char *next = first_of(option + 1, end, "&;");
        size_t shown = secret_option(option + 1, next);
        if (shown > 0) {
            put(output, option, shown + 1);
            put(output, mask, strlen(mask));
        } else {
            put(output, option, (size_t)(next - option));
        }
        option = next;
    }
}

/*
 * Returns whether the "@" at `at` may belong to either of two: a password that contains a plain
 * "?", or the value of an option.
 */
static bool is_unclear(const char *bytes, const char *at)
{
    const char *option = first_of(bytes, at, "?");
    return option < at && (memchr(bytes, '/', (size_t)(option - bytes)) != NULL ||
                           memchr(bytes, ':', (size_t)(option - bytes)) == NULL);
}

static void put_masked(struct output *output, const char *bytes, const char *end)
{
    size_t scheme = scheme_length(bytes, end);
    put(output, bytes, scheme);
    bytes += scheme;
    const char *at = user_end(bytes, end);
    if (at != NULL && is_unclear(bytes, at)) {
        put(output, bytes, (size_t)(first_of(bytes, at, ":?") - bytes) + 1);
        put(output, mask, strlen(mask));
        return;
    }
    const char *colon = at != NULL ? memchr(bytes, ':', (size_t)(at - bytes)) : NULL;
    if (colon != NULL) {
        put(output, bytes, (size_t)(colon - bytes) + 1);
        put(output, mask, strlen(mask));
        bytes = at;
    }
    put_rest(output, bytes, end);
}

struct text settings_mask_uri(struct arena *arena, struct text uri)
{
    if (!text_present(uri))
        return TEXT_NONE;
    /* Each mask follows a ':' or '=', so there are at most `length` masks of three bytes. */
    struct output output = {arena_alloc(arena, uri.length * (1 + strlen(mask)) + 1), 0};
    const char *place = uri.bytes, *end = uri.bytes + uri.length;
    while (place < end) {
        const char *next = uri_end(place, end);
        put_masked(&output, place, next);
        if (next < end)
            put(&output, ",", 1);
        place = next < end ? next + 1 : next;
    }
    return text_view(output.bytes, output.length);
}

bool settings_uri_has_secret(struct arena *arena, struct text uri)
{
    return text_present(uri) && !text_equal(settings_mask_uri(arena, uri), uri);
}
