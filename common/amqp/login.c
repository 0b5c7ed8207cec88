/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. connection_open() calls the three steps in this order, for one host:
 *   login_connect       TCP socket, TLS handshake, socket options
 *   login_authenticate  timeouts, client properties, SASL PLAIN or EXTERNAL, virtual host
 *   login_identify      product and version of the broker
 *
 * Guarantees. TLS is 1.2 or later, and the broker's certificate and host name are verified. With
 * librabbitmq 0.11 the host name is compared with DNS names only: an IP address in a certificate
 * never matches, so the URI has to name the host. Each step has a timeout, but the host name is
 * resolved by getaddrinfo(), which has its own. After the login each RPC ends within 10 s; a
 * publish has no timeout in librabbitmq, so the kernel limits it (TCP_USER_TIMEOUT).
 *
 * Not here: the URI's syntax (common/codec/amqp_uri.c), trying several hosts (connection.c), and
 * retrying (the worker's lane).
 */
#include "common/amqp/login.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "common/amqp/properties.h"
#include "common/amqp/status.h"
#include "common/base/version.h"
#include "common/host/file.h"

enum {
    CONNECT_TIMEOUT_S = 5,
    HANDSHAKE_TIMEOUT_S = 5,
    RPC_TIMEOUT_S = 10,
    SEND_TIMEOUT_MS_MIN = 5000,
    SEND_BUFFER_BYTES = 512 * 1024,
    /* RabbitMQ's default. librabbitmq makes 4096 of a 0. Larger frames are read (connection.c), but
       what a producer can send in one header is limited by the broker's own frame_max, and by
       TRANSPORT_STACK_BYTES what it can nest. */
    FRAME_BYTES_MAX = 131072,
    VERSION_MAJOR = 3,
    VERSION_MINOR_MIN = 10,
    MS_PER_S = 1000,
    CLIENT_PROPERTIES_MAX = 4
};

/* What the client announces, and the broker has to. librabbitmq announces none of these by itself.
   Without consumer_cancel_notify the broker does not report that a queue was deleted, and the
   consumer waits forever. Without connection.blocked a publish blocks, unannounced, while the
   broker has a memory or disk alarm. */
static const char *const features[] = {"publisher_confirms", "basic.nack", "consumer_cancel_notify",
                                       "connection.blocked"};
enum { FEATURES = sizeof features / sizeof features[0] };

/* --- options -------------------------------------------------------------------------------- */

static bool is_set(struct text text)
{
    return text.length > 0;
}

static bool uses_certificate(const struct amqp_host *host, const struct amqp_tls *tls)
{
    return host->tls && !text_present(host->password) && is_set(tls->certificate_file);
}

struct text login_user(const struct amqp_host *host)
{
    return text_present(host->user) ? host->user : text_of("guest");
}

bool login_options_read(struct text uri, const struct amqp_tls *tls, struct arena *arena,
                        struct login_options *ret_options, struct error *error)
{
    struct login_options options = {.tls = {text_copy(arena, tls->ca_file),
                                            text_copy(arena, tls->certificate_file),
                                            text_copy(arena, tls->key_file)}};
    if (!amqp_uri_parse(uri, arena, &options.hosts, error))
        return false;
    for (size_t i = 0; i < options.hosts.count; i++) {
        const struct amqp_host *host = &options.hosts.hosts[i];
        bool no_password = text_present(host->user) && !text_present(host->password);
        if (no_password && !uses_certificate(host, &options.tls)) {
            error_set(error, "AMQP URI: user without a password, and no TLS client certificate");
            return false;
        }
    }
    *ret_options = options;
    return true;
}

/* --- socket --------------------------------------------------------------------------------- */

static enum transport_status reject_file(const char *what, struct text file, struct error *error)
{
    error_set(error, "TLS: cannot use the %s %.*s", what, TEXT_ARGS(file));
    return TRANSPORT_REFUSED;
}

/* OpenSSL opens the files by their names, and would wait for ever for a FIFO. */
static enum transport_status check_file(struct text file, struct error *error)
{
    if (file_check(file.bytes, FILE_PEM_BYTES_MAX, error))
        return TRANSPORT_OK;
    error_prefix(error, "TLS");
    return TRANSPORT_REFUSED;
}

static enum transport_status set_trust(amqp_socket_t *socket, const struct amqp_tls *tls,
                                       struct error *error)
{
    if (is_set(tls->ca_file)) {
        enum transport_status status = check_file(tls->ca_file, error);
        if (status != TRANSPORT_OK)
            return status;
        if (amqp_ssl_socket_set_cacert(socket, tls->ca_file.bytes) != AMQP_STATUS_OK)
            return reject_file("CA file", tls->ca_file, error);
        return TRANSPORT_OK;
    }
    /* librabbitmq 0.11 loads no trust store by default: every certificate would be rejected. */
    if (SSL_CTX_set_default_verify_paths(amqp_ssl_socket_get_context(socket)) != 1) {
        error_set(error, "TLS: cannot load the system's trust store");
        return TRANSPORT_REFUSED;
    }
    return TRANSPORT_OK;
}

static enum transport_status set_tls(amqp_socket_t *socket, const struct amqp_tls *tls,
                                     struct error *error)
{
    enum transport_status status = set_trust(socket, tls, error);
    if (status != TRANSPORT_OK)
        return status;
    if (amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST) != AMQP_STATUS_OK) {
        error_set(error, "TLS: cannot require version 1.2 or later");
        return TRANSPORT_REFUSED;
    }
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, 1);
    if (!is_set(tls->certificate_file))
        return TRANSPORT_OK;
    struct text key = is_set(tls->key_file) ? tls->key_file : tls->certificate_file;
    status = check_file(tls->certificate_file, error);
    if (status == TRANSPORT_OK)
        status = check_file(key, error);
    if (status != TRANSPORT_OK)
        return status;
    if (amqp_ssl_socket_set_key(socket, tls->certificate_file.bytes, key.bytes) != AMQP_STATUS_OK)
        return reject_file("client certificate (or its key)", tls->certificate_file, error);
    return TRANSPORT_OK;
}

/*
 * Turns off Nagle's algorithm, which would delay replies. Limits the time for which sent bytes may
 * stay unacknowledged: amqp_basic_publish() has no timeout, so without this limit it would wait
 * forever for a peer that stopped reading. The send buffer is large enough for all that the settler
 * leaves unconfirmed (worker/service/window.h), so that it does not wait at all; the kernel's own
 * choice begins at 85 KiB.
 */
static void set_socket_options(int fd, int64_t heartbeat_ms)
{
    int on = 1;
    unsigned int send_timeout_ms = SEND_TIMEOUT_MS_MIN;
    if (2 * heartbeat_ms > SEND_TIMEOUT_MS_MIN)
        send_timeout_ms = (unsigned int)(2 * heartbeat_ms);
    int buffer_bytes = SEND_BUFFER_BYTES;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &send_timeout_ms, sizeof send_timeout_ms);
}

enum transport_status login_connect(amqp_connection_state_t state,
                                    const struct login_options *options,
                                    const struct amqp_host *host, struct error *error)
{
    amqp_socket_t *socket = host->tls ? amqp_ssl_socket_new(state) : amqp_tcp_socket_new(state);
    if (socket == NULL) {
        error_set(error, "cannot create a socket");
        return TRANSPORT_LOST;
    }
    if (host->tls) {
        enum transport_status status = set_tls(socket, &options->tls, error);
        if (status != TRANSPORT_OK)
            return status;
    }
    struct timeval timeout = {CONNECT_TIMEOUT_S, 0};
    int opened = amqp_socket_open_noblock(socket, host->name.bytes, host->port, &timeout);
    if (opened != AMQP_STATUS_OK)
        return status_of_library(opened, "cannot connect", error);
    set_socket_options(amqp_get_sockfd(state), options->heartbeat_ms);
    return TRANSPORT_OK;
}

/* --- login ---------------------------------------------------------------------------------- */

static amqp_table_entry_t boolean_entry(const char *name)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(name)};
    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = 1;
    return entry;
}

static amqp_table_entry_t text_entry(const char *name, struct text text)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(name)};
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = bytes_of(text);
    return entry;
}

static amqp_table_entry_t table_entry(const char *name, amqp_table_t table)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(name)};
    entry.value.kind = AMQP_FIELD_KIND_TABLE;
    entry.value.value.table = table;
    return entry;
}

static int heartbeat_seconds(int64_t heartbeat_ms)
{
    return heartbeat_ms > MS_PER_S ? (int)((heartbeat_ms + MS_PER_S - 1) / MS_PER_S) : 1;
}

static amqp_rpc_reply_t log_in(amqp_connection_state_t state, const struct login_options *options,
                               const struct amqp_host *host, const amqp_table_t *properties)
{
    int heartbeat_s = heartbeat_seconds(options->heartbeat_ms);
    const char *user = login_user(host).bytes;
    /* The broker takes the user from the certificate. librabbitmq 0.11 fails on an empty identity
       (AMQP_STATUS_NO_MEMORY), so the URI's user is passed. */
    if (uses_certificate(host, &options->tls))
        return amqp_login_with_properties(state, host->vhost.bytes, 0, FRAME_BYTES_MAX, heartbeat_s,
                                          properties, AMQP_SASL_METHOD_EXTERNAL, user);
    return amqp_login_with_properties(state, host->vhost.bytes, 0, FRAME_BYTES_MAX, heartbeat_s,
                                      properties, AMQP_SASL_METHOD_PLAIN, user,
                                      text_present(host->password) ? host->password.bytes
                                                                   : "guest");
}

enum transport_status login_authenticate(amqp_connection_state_t state,
                                         const struct login_options *options,
                                         const struct amqp_host *host, struct error *error)
{
    struct timeval handshake = {HANDSHAKE_TIMEOUT_S, 0};
    struct timeval rpc = {RPC_TIMEOUT_S, 0};
    if (amqp_set_handshake_timeout(state, &handshake) != AMQP_STATUS_OK ||
        amqp_set_rpc_timeout(state, &rpc) != AMQP_STATUS_OK) {
        error_set(error, "cannot set the timeouts");
        return TRANSPORT_LOST;
    }
    amqp_table_entry_t capabilities[FEATURES];
    for (size_t i = 0; i < FEATURES; i++)
        capabilities[i] = boolean_entry(features[i]);
    int count = 0;
    amqp_table_entry_t entries[CLIENT_PROPERTIES_MAX];
    entries[count++] = table_entry("capabilities", (amqp_table_t){FEATURES, capabilities});
    entries[count++] = text_entry("product", text_of("allot"));
    entries[count++] = text_entry("version", text_of(version_text()));
    if (is_set(options->name))
        entries[count++] = text_entry("connection_name", options->name);
    amqp_table_t properties = {count, entries};
    return status_of_reply(log_in(state, options, host, &properties), "cannot log in", error);
}

/* --- broker --------------------------------------------------------------------------------- */

static struct text server_property(const amqp_table_t *properties, const char *name)
{
    for (int i = 0; i < properties->num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->entries[i];
        if (entry->value.kind == AMQP_FIELD_KIND_UTF8 && text_is(text_of_bytes(entry->key), name))
            return text_of_bytes(entry->value.value.bytes);
    }
    return TEXT_NONE;
}

struct text login_broker_version(amqp_connection_state_t state)
{
    return server_property(amqp_get_server_properties(state), "version");
}

static bool announces(const amqp_table_t *capabilities, const char *name)
{
    for (int i = 0; i < capabilities->num_entries; i++) {
        const amqp_table_entry_t *entry = &capabilities->entries[i];
        if (entry->value.kind == AMQP_FIELD_KIND_BOOLEAN &&
            text_is(text_of_bytes(entry->key), name))
            return entry->value.value.boolean != 0;
    }
    return false;
}

const char *login_missing_feature(const amqp_table_t *server_properties)
{
    amqp_table_t capabilities = {0, NULL};
    for (int i = 0; i < server_properties->num_entries; i++) {
        const amqp_table_entry_t *entry = &server_properties->entries[i];
        if (entry->value.kind == AMQP_FIELD_KIND_TABLE &&
            text_is(text_of_bytes(entry->key), "capabilities"))
            capabilities = entry->value.value.table;
    }
    for (size_t i = 0; i < FEATURES; i++) {
        if (!announces(&capabilities, features[i]))
            return features[i];
    }
    return NULL;
}

enum transport_status login_identify(amqp_connection_state_t state,
                                     struct broker_version *ret_version, struct error *error)
{
    const amqp_table_t *properties = amqp_get_server_properties(state);
    struct text product = server_property(properties, "product");
    struct text version = login_broker_version(state);
    *ret_version = broker_version_read(version);
    if (!text_is(product, "RabbitMQ") ||
        !broker_version_from(*ret_version, VERSION_MAJOR, VERSION_MINOR_MIN)) {
        error_set(error, "unsupported broker %.*s %.*s: expected RabbitMQ %d.%d or later",
                  TEXT_ARGS(product), TEXT_ARGS(version), VERSION_MAJOR, VERSION_MINOR_MIN);
        return TRANSPORT_REFUSED;
    }
    const char *missing = login_missing_feature(properties);
    if (missing != NULL) {
        error_set(error, "unsupported broker: RabbitMQ %.*s does not announce the feature %s",
                  TEXT_ARGS(version), missing);
        return TRANSPORT_REFUSED;
    }
    return TRANSPORT_OK;
}
