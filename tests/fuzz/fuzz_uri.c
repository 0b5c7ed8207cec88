/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMQP URIs, parsed and masked. The input is a URI, and also the part around a secret in other
 * URIs. A mask hides a secret if the masked URI is the same for another secret.
 */
#include <string.h>

#include "common/codec/amqp_uri.h"
#include "common/codec/settings_file.h"
#include "tests/fuzz/fuzz_target.h"

static const char secret[] = "Zq7%2F0x", other_secret[] = "k";

static bool is_filled(struct text text)
{
    return text_present(text) && memchr(text.bytes, '\0', text.length) == NULL &&
           text.bytes[text.length] == '\0';
}

static void check_host(const struct amqp_host *host)
{
    REQUIRE(host->port != 0);
    REQUIRE(is_filled(host->name) && host->name.length > 0);
    REQUIRE(is_filled(host->vhost) && host->vhost.length > 0);
    REQUIRE(!text_present(host->user) || (is_filled(host->user) && host->user.length > 0));
    REQUIRE(!text_present(host->password) || is_filled(host->password));
    REQUIRE(!text_present(host->password) || text_present(host->user));
}

static void append(struct arena *arena, struct text *text, struct text more)
{
    *text = text_format(arena, "%.*s%.*s", TEXT_ARGS(*text), TEXT_ARGS(more));
}

static bool same_mask(struct arena *arena, struct text uri, struct text other)
{
    struct text masked = settings_mask_uri(arena, uri);
    REQUIRE(masked.bytes[masked.length] == '\0' && masked.length <= 4 * uri.length);
    return text_equal(masked, settings_mask_uri(arena, other));
}

/* Builds a URI from the parsed hosts. Parsing it must give the same hosts. */
static struct text put_encoded(struct arena *arena, struct text text)
{
    char *bytes = arena_alloc(arena, 3 * text.length + 1);
    for (size_t i = 0; i < text.length; i++)
        (void)snprintf(bytes + 3 * i, 4, "%%%02x", (unsigned)(uint8_t)text.bytes[i]);
    return text_view(bytes, 3 * text.length);
}

static struct text rebuild(struct arena *arena, const struct amqp_hosts *hosts, const char *hidden)
{
    struct text uri = text_of("");
    for (size_t i = 0; i < hosts->count; i++) {
        const struct amqp_host *host = &hosts->hosts[i];
        append(arena, &uri, text_of(i > 0 ? "," : ""));
        append(arena, &uri, text_of(host->tls ? "amqps://" : "amqp://"));
        append(arena, &uri, put_encoded(arena, host->user));
        if (text_present(host->password))
            append(arena, &uri,
                   text_format(arena, ":%s",
                               hidden != NULL ? hidden : put_encoded(arena, host->password).bytes));
        append(arena, &uri, text_of(text_present(host->user) ? "@" : ""));
        append(arena, &uri, put_encoded(arena, host->name));
        append(arena, &uri, text_format(arena, ":%d/", host->port));
        append(arena, &uri, put_encoded(arena, host->vhost));
    }
    return uri;
}

static bool same_optional(struct text a, struct text b)
{
    return text_present(a) == text_present(b) && text_equal(a, b);
}

static bool same_host(const struct amqp_host *a, const struct amqp_host *b)
{
    return a->tls == b->tls && a->port == b->port && text_equal(a->name, b->name) &&
           text_equal(a->vhost, b->vhost) && same_optional(a->user, b->user) &&
           same_optional(a->password, b->password);
}

static void check_parsed(struct arena *arena, struct text uri)
{
    struct amqp_hosts hosts = {0};
    struct error error = {""};
    if (!amqp_uri_parse(uri, arena, &hosts, &error)) {
        REQUIRE(strncmp(error.text, "AMQP URI: ", 10) == 0);
        return;
    }
    REQUIRE(hosts.count >= 1 && hosts.count <= AMQP_HOSTS_MAX);
    for (size_t i = 0; i < hosts.count; i++)
        check_host(&hosts.hosts[i]);

    struct amqp_hosts again = {0};
    REQUIRE(amqp_uri_parse(rebuild(arena, &hosts, NULL), arena, &again, &error));
    REQUIRE(again.count == hosts.count);
    for (size_t i = 0; i < hosts.count; i++)
        REQUIRE(same_host(&hosts.hosts[i], &again.hosts[i]));
    REQUIRE(same_mask(arena, rebuild(arena, &hosts, secret), rebuild(arena, &hosts, other_secret)));
}

struct around {
    struct text user; /* percent-encoded */
    struct text rest; /* as it is in the input */
};

static struct text uri_with(struct arena *arena, size_t form, const char *hidden,
                            struct around around)
{
    struct text user = around.user, rest = around.rest;
    switch (form) {
    case 0:
        return text_format(arena, "mongodb://%.*s:%s@%.*s", TEXT_ARGS(user), hidden,
                           TEXT_ARGS(rest));
    case 1:
        return text_format(arena, "mongodb://%.*s/?tlsCertificateKeyFilePassword=%s&%.*s",
                           TEXT_ARGS(user), hidden, TEXT_ARGS(rest));
    case 2: return text_format(arena, "mongodb://h:1/?%.*s&password=%s", TEXT_ARGS(rest), hidden);
    case 3:
        return text_format(arena, "amqp://h,amqp://%.*s:p/%s@h/%.*s", TEXT_ARGS(user), hidden,
                           TEXT_ARGS(rest));
    case 4: return text_format(arena, "amqp://u:,%s@h/%.*s", hidden, TEXT_ARGS(rest));
    case 5: return text_format(arena, "amqp://u:?%s@h/%.*s", hidden, TEXT_ARGS(rest));
    default: return TEXT_NONE;
    }
}

/* The input before its first NUL is the user, what follows is the rest. */
static void check_masks(struct arena *arena, struct text input)
{
    size_t half = strnlen(input.bytes, input.length);
    struct around around = {put_encoded(arena, text_view(input.bytes, half)), TEXT_NONE};
    if (half < input.length)
        around.rest = text_view(input.bytes + half + 1, input.length - half - 1);
    for (size_t form = 0;; form++) {
        struct text uri = uri_with(arena, form, secret, around);
        if (!text_present(uri))
            return;
        REQUIRE(same_mask(arena, uri, uri_with(arena, form, other_secret, around)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    struct text input = text_view((const char *)data, size);
    check_parsed(arena, input);
    check_masks(arena, input);
    struct text masked = settings_mask_uri(arena, input);
    REQUIRE(masked.length <= 4 * size);
    arena_free(arena);
    return 0;
}
