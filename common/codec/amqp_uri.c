/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text is split in three steps: amqp_uri_parse splits it into groups (one scheme and what
 * follows it, up to the comma before the next scheme), parse_group splits a group into user, hosts
 * and virtual host, and add_host reads one host. All hosts of a group share its user and virtual
 * host: these two are parsed into a model, which is copied for each host.
 *
 * Every error begins with "AMQP URI: " and says which part is wrong. It quotes nothing of the URI
 * but the name of a host.
 *
 * A list with amqps:// and amqp:// is an error as a whole. To leave the amqp:// entries out would
 * also keep passwords off the wire, but an operator would count on brokers that are never tried.
 *
 * Why not amqp_parse_url of librabbitmq (0.11): it reads one URL with one host, fills in the user
 * "guest", overwrites its input, and does not say what is wrong.
 */
#include "common/codec/amqp_uri.h"

#include <string.h>

enum { PORT_PLAIN = 5672, PORT_TLS = 5671, PORT_MAX = 65535, PORT_DIGITS_MAX = 5 };

static const char scheme_plain[] = "amqp://";
static const char scheme_tls[] = "amqps://";

struct parser {
    struct arena *arena;
    struct amqp_host *hosts;
    size_t count;
    struct error *error;
};

static bool has_scheme(struct text text)
{
    return text_starts_with(text, scheme_plain) || text_starts_with(text, scheme_tls);
}

/* Returns the text from the byte `start` on. */
static struct text from(struct text text, size_t start)
{
    return text_view(text.bytes + start, text.length - start);
}

/* Returns the index of the first `sought`, or the length of the text if there is none. */
static size_t place_of(struct text text, char sought)
{
    const char *found = text.length > 0 ? memchr(text.bytes, sought, text.length) : NULL;
    return found != NULL ? (size_t)(found - text.bytes) : text.length;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* Returns the percent-encoded byte at the start of the text; -1 if it is invalid, or NUL. */
static int escaped_byte(struct text text)
{
    if (text.length < 3)
        return -1;
    int high = hex_value(text.bytes[1]);
    int low = hex_value(text.bytes[2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0))
        return -1;
    return high * 16 + low;
}

/* Removes the percent-encoding; the result is in the arena. `what` names the part, for errors. */
static bool decode(struct parser *parser, struct text text, const char *what, struct text *ret_text)
{
    char *bytes = arena_alloc(parser->arena, text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        bytes[length++] = text.bytes[i];
        if (text.bytes[i] != '%')
            continue;
        int byte = escaped_byte(from(text, i));
        if (byte < 0) {
            error_set(parser->error, "AMQP URI: invalid percent-encoding in the %s", what);
            return false;
        }
        bytes[length - 1] = (char)byte;
        i += 2;
    }
    *ret_text = text_view(bytes, length);
    return true;
}

static bool parse_port(struct parser *parser, struct text text, uint16_t *ret_port)
{
    unsigned int port = 0;
    bool valid = text.length > 0 && text.length <= PORT_DIGITS_MAX;
    for (size_t i = 0; valid && i < text.length; i++) {
        valid = text.bytes[i] >= '0' && text.bytes[i] <= '9';
        port = port * 10 + (unsigned int)(text.bytes[i] - '0');
    }
    if (!valid || port == 0 || port > PORT_MAX) {
        error_set(parser->error, "AMQP URI: invalid port: expected a number from 1 to %d",
                  PORT_MAX);
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

/* Returns the index behind the name of the host; an IPv6 address ends with its bracket. */
static size_t name_end(struct text text)
{
    if (!text_starts_with(text, "["))
        return place_of(text, ':');
    size_t bracket = place_of(text, ']');
    return bracket < text.length ? bracket + 1 : bracket;
}

static struct text without_brackets(struct text name)
{
    bool bracketed = text_starts_with(name, "[") && name.bytes[name.length - 1] == ']';
    return bracketed ? text_view(name.bytes + 1, name.length - 2) : name;
}

static bool add_host(struct parser *parser, struct text text, const struct amqp_host *model)
{
    if (parser->count == AMQP_HOSTS_MAX) {
        error_set(parser->error, "AMQP URI: too many hosts (limit %d)", AMQP_HOSTS_MAX);
        return false;
    }
    size_t end = name_end(text);
    struct text name = without_brackets(text_view(text.bytes, end));
    struct text rest = from(text, end);
    bool rest_valid = rest.length == 0 || rest.bytes[0] == ':';
    /* An "@" here means that the password contains one that is not percent-encoded: parse_group
       took it for the end of the password, and `name` begins with the rest. */
    bool name_valid = place_of(name, '[') == name.length && place_of(name, '@') == name.length;
    if (name.length == 0 || !name_valid || !rest_valid) {
        error_set(parser->error, "AMQP URI: missing or malformed host");
        return false;
    }
    struct amqp_host host = *model;
    if (rest.length > 0 && !parse_port(parser, from(rest, 1), &host.port))
        return false;
    if (!decode(parser, name, "host", &host.name))
        return false;
    parser->hosts[parser->count++] = host;
    return true;
}

static bool add_hosts(struct parser *parser, struct text hosts, const struct amqp_host *model)
{
    for (;;) {
        size_t comma = place_of(hosts, ',');
        if (!add_host(parser, text_view(hosts.bytes, comma), model))
            return false;
        if (comma == hosts.length)
            return true;
        hosts = from(hosts, comma + 1);
    }
}

static bool parse_user(struct parser *parser, struct text user_info, struct amqp_host *model)
{
    size_t colon = place_of(user_info, ':');
    if (!decode(parser, text_view(user_info.bytes, colon), "user", &model->user))
        return false;
    if (model->user.length == 0) {
        error_set(parser->error, "AMQP URI: missing user name");
        return false;
    }
    if (colon == user_info.length)
        return true;
    return decode(parser, from(user_info, colon + 1), "password", &model->password);
}

static bool parse_vhost(struct parser *parser, struct text path, struct amqp_host *model)
{
    model->vhost = text_of("/");
    if (path.length <= 1)
        return true; /* in RabbitMQ no virtual host has an empty name */
    if (place_of(path, ',') < path.length) {
        error_set(parser->error,
                  "AMQP URI: expected another URI after the comma behind the virtual host");
        return false;
    }
    return decode(parser, from(path, 1), "virtual host", &model->vhost);
}

/* Parses one scheme and what follows it, up to the next scheme. */
static bool parse_group(struct parser *parser, struct text group)
{
    struct amqp_host model = {.tls = text_starts_with(group, scheme_tls)};
    model.port = model.tls ? PORT_TLS : PORT_PLAIN;
    struct text text = from(group, model.tls ? sizeof scheme_tls - 1 : sizeof scheme_plain - 1);
    if (place_of(text, '?') < text.length || place_of(text, '#') < text.length) {
        error_set(parser->error, "AMQP URI: options ('?') and fragments ('#') are not supported");
        return false;
    }
    size_t slash = place_of(text, '/');
    struct text authority = text_view(text.bytes, slash);
    if (!parse_vhost(parser, from(text, slash), &model))
        return false;
    size_t at = place_of(authority, '@');
    if (at == authority.length)
        return add_hosts(parser, authority, &model);
    return parse_user(parser, text_view(authority.bytes, at), &model) &&
           add_hosts(parser, from(authority, at + 1), &model);
}

/* Returns the index of the comma before the next scheme, or the length if there is none. */
static size_t group_end(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] == ',' && has_scheme(from(text, i + 1)))
            return i;
    }
    return text.length;
}

/* The entries of a list: their number, and the first one that is in plain text. */
struct entries {
    size_t count;
    size_t plain; /* counted from 1; 0: none */
    struct text plain_host;
    bool any_tls;
};

static void count_entry(struct entries *entries, const struct amqp_host *first_host)
{
    entries->count++;
    entries->any_tls |= first_host->tls;
    if (first_host->tls || entries->plain > 0)
        return;
    entries->plain = entries->count;
    entries->plain_host = first_host->name;
}

/* With a fall-back, it would be enough to block the TLS port to get the password in plain text. */
static bool check_no_fallback(const struct entries *entries, struct error *error)
{
    if (!entries->any_tls || entries->plain == 0)
        return true;
    error_set(error,
              "AMQP URI: entry %zu (%.*s) is amqp://, and another one is amqps://: a list with TLS "
              "must not fall back to plain text",
              entries->plain, TEXT_ARGS(entries->plain_host));
    return false;
}

bool amqp_uri_parse(struct text uri, struct arena *arena, struct amqp_hosts *ret_hosts,
                    struct error *error)
{
    struct parser parser = {arena, ARENA_ARRAY(arena, struct amqp_host, AMQP_HOSTS_MAX), 0, error};
    struct entries entries = {0};
    if (!has_scheme(uri)) {
        error_set(error, "AMQP URI: must begin with amqp:// or amqps://");
        return false;
    }
    if (place_of(uri, '\0') < uri.length) {
        error_set(error, "AMQP URI: NUL characters are not allowed");
        return false;
    }
    for (;;) {
        size_t end = group_end(uri);
        size_t first = parser.count;
        if (!parse_group(&parser, text_view(uri.bytes, end)))
            return false;
        count_entry(&entries, &parser.hosts[first]);
        if (end == uri.length)
            break;
        uri = from(uri, end + 1);
    }
    if (!check_no_fallback(&entries, error))
        return false;
    *ret_hosts = (struct amqp_hosts){parser.hosts, parser.count};
    return true;
}
