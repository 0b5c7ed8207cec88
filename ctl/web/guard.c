/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/guard.h"

#include <stdio.h>
#include <string.h>

#include "common/codec/digest.h"

unsigned guard_status(enum guard_answer answer)
{
    switch (answer) {
#define X(id, status, text)                                                                        \
    case GUARD_##id: return status;
        GUARD_ANSWERS(X)
#undef X
    }
    return 500;
}

const char *guard_text(enum guard_answer answer)
{
    switch (answer) {
#define X(id, status, text)                                                                        \
    case GUARD_##id: return text;
        GUARD_ANSWERS(X)
#undef X
    }
    return "";
}

/* --- secrets -------------------------------------------------------------------------------- */

static void write_hex(const unsigned char *bytes, char *ret_digits)
{
    for (size_t i = 0; i < GUARD_SECRET_BYTES; i++)
        (void)snprintf(ret_digits + 2 * i, 3, "%02x", bytes[i]);
}

/* The digest cannot be turned back: who sees the cookie does not know the token. */
static void derive(const char *purpose, const char *from, char *ret_digits)
{
    struct fingerprint digest = fingerprint_of_pair(text_of(purpose), text_of(from));
    _Static_assert(sizeof digest.bytes == GUARD_SECRET_BYTES, "a digest is as long as a secret");
    write_hex(digest.bytes, ret_digits);
}

struct guard guard_new(const struct address *address,
                       const unsigned char secret[GUARD_SECRET_BYTES], bool read_only)
{
    struct guard guard = {.host_count = 1, .read_only = read_only};
    address_format(address, guard.hosts[0]);
    if (address->loopback)
        address_format_local(address, guard.hosts[guard.host_count++]);
    (void)snprintf(guard.cookie, sizeof guard.cookie, "allot_web_%u", address_port(address));
    write_hex(secret, guard.token);
    derive("session", guard.token, guard.session);
    derive("csrf", guard.session, guard.csrf);
    return guard;
}

bool guard_equal(struct text given, const char *secret)
{
    size_t length = strlen(secret);
    volatile unsigned char differs = given.length != length;
    for (size_t i = 0; i < length; i++) {
        char other = i < given.length ? given.bytes[i] : '\0';
        differs |= (unsigned char)(other ^ secret[i]);
    }
    return differs == 0;
}

struct text guard_cookie(struct text header, const char *name)
{
    size_t name_length = strlen(name);
    while (header.length > 0) {
        const char *end = memchr(header.bytes, ';', header.length);
        size_t length = end != NULL ? (size_t)(end - header.bytes) : header.length;
        struct text pair = text_view(header.bytes, length);
        while (pair.length > 0 && pair.bytes[0] == ' ')
            pair = text_view(pair.bytes + 1, pair.length - 1);
        if (pair.length > name_length && pair.bytes[name_length] == '=' &&
            memcmp(pair.bytes, name, name_length) == 0)
            return text_view(pair.bytes + name_length + 1, pair.length - name_length - 1);
        size_t skipped = length + (end != NULL);
        header = text_view(header.bytes + skipped, header.length - skipped);
    }
    return TEXT_NONE;
}

/* --- decisions ------------------------------------------------------------------------------ */

/* `Origin` must be of the same name as `Host`: the other name of the page is another site. */
static bool is_own_origin(const struct web_request *request)
{
    static const char scheme[] = "http://";
    const size_t length = sizeof scheme - 1;
    struct text origin = request->origin;
    return text_starts_with(origin, scheme) &&
           text_equal(text_view(origin.bytes + length, origin.length - length), request->host);
}

/* Browsers send `Origin` with a POST, or at least Sec-Fetch-Site. */
static bool origin_fits(const struct web_request *request)
{
    if (text_present(request->origin))
        return is_own_origin(request);
    return request->method != WEB_POST || text_is(request->fetch_site, "same-origin");
}

static bool host_fits(const struct guard *guard, struct text host)
{
    for (size_t i = 0; i < guard->host_count; i++)
        if (text_is(host, guard->hosts[i]))
            return true;
    return false;
}

static bool is_read(enum web_method method)
{
    return method == WEB_GET || method == WEB_HEAD;
}

static enum guard_answer check_token(const struct guard *guard, const struct web_request *request)
{
    struct text token = form_value(&request->query, "token");
    if (text_present(token) && is_read(request->method))
        return guard_equal(token, guard->token) ? GUARD_LOGIN : GUARD_BAD_TOKEN;
    return guard_equal(guard_cookie(request->cookie, guard->cookie), guard->session)
               ? GUARD_ALLOWED
               : GUARD_NO_TOKEN;
}

enum guard_answer guard_check(const struct guard *guard, const struct web_request *request)
{
    if (!host_fits(guard, request->host))
        return GUARD_BAD_HOST;
    if (!origin_fits(request))
        return GUARD_BAD_ORIGIN;
    enum guard_answer answer = check_token(guard, request);
    if (answer != GUARD_ALLOWED || is_read(request->method))
        return answer;
    if (request->method != WEB_POST)
        return GUARD_BAD_METHOD;
    return guard->read_only ? GUARD_READ_ONLY : GUARD_ALLOWED;
}

enum guard_answer guard_check_form(const struct guard *guard, const struct form *form)
{
    return guard_equal(form_value(form, "csrf"), guard->csrf) ? GUARD_ALLOWED : GUARD_BAD_CSRF;
}
