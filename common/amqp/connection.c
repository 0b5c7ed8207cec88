/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. open_host() makes a connection in the steps of login.c, and then lets librabbitmq read
 * larger frames than it may send. The rest are small helpers around librabbitmq's calls: each
 * checks a result and sets `lost` when the connection is of no more use.
 *
 * Guarantees. After `lost` is set, connection_free() closes the socket and sends nothing. The one
 * exception comes before it: connection_reject_unreadable() sends its last frames on a connection
 * that can still write, and reads the socket past librabbitmq until the broker has closed it.
 *
 * Not here: what arrives (frames.c), publishing (publisher.c), which host is next
 * (amqp_transport.c).
 */
#include "common/amqp/connection.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "common/amqp/status.h"
#include "common/base/memory.h"
#include "common/host/system_clock.h"

enum {
    CLOSE_TIMEOUT_S = 2,
    MS_PER_S = 1000,
    QUIET_MS = 50, /* without another byte: the broker's answer was the last */
    /* The broker adds headers to a message (x-death, x-delivery-count), and its limit may have been
       lowered since the message was published, so a header may be larger than any frame that the
       peers agreed on. RabbitMQ does not split a header. */
    READ_FRAME_BYTES_MAX = 1024 * 1024
};

/* --- opening and closing -------------------------------------------------------------------- */

/* Makes librabbitmq read larger frames than negotiated. It would send such frames as well, which
   the broker refuses (501), so publisher.c splits bodies by itself, by `frame_bytes`. */
static enum transport_status allow_large_frames(struct connection *connection, struct error *error)
{
    amqp_connection_state_t state = connection->state;
    connection->frame_bytes = (size_t)amqp_get_frame_max(state);
    if (connection->frame_bytes >= READ_FRAME_BYTES_MAX)
        return TRANSPORT_OK;
    int result = amqp_tune_connection(state, amqp_get_channel_max(state), READ_FRAME_BYTES_MAX,
                                      amqp_get_heartbeat(state));
    if (result == AMQP_STATUS_OK)
        return TRANSPORT_OK;
    return status_of_library(result, "cannot allow larger frames", error);
}

static enum transport_status log_in(struct connection *connection,
                                    const struct login_options *options, struct error *error)
{
    enum transport_status status =
        login_connect(connection->state, options, connection->host, error);
    if (status == TRANSPORT_OK)
        status = login_authenticate(connection->state, options, connection->host, error);
    if (status == TRANSPORT_OK)
        status = login_identify(connection->state, &connection->version, error);
    if (status == TRANSPORT_OK)
        status = allow_large_frames(connection, error);
    return status;
}

static enum transport_status open_host(const struct login_options *options,
                                       const struct amqp_host *host,
                                       struct connection **ret_connection, struct error *error)
{
    struct connection *connection = MEMORY_NEW(struct connection);
    connection->host = host;
    connection->state = amqp_new_connection();
    if (connection->state == NULL)
        memory_exhausted();
    enum transport_status status = log_in(connection, options, error);
    if (status != TRANSPORT_OK) {
        error_prefix(error, "%.*s:%u", TEXT_ARGS(host->name), (unsigned int)host->port);
        connection->lost = true;
        connection_free(connection);
        return status;
    }
    connection->heartbeat_ms = (int64_t)amqp_get_heartbeat(connection->state) * MS_PER_S;
    connection->read_ms = system_monotonic_ms();
    amqp_maybe_release_buffers(connection->state);
    *ret_connection = connection;
    return TRANSPORT_OK;
}

enum transport_status connection_open(const struct login_options *options, size_t first,
                                      struct connection **ret_connection, struct error *error)
{
    enum transport_status status = TRANSPORT_LOST;
    for (size_t i = 0; i < options->hosts.count && status == TRANSPORT_LOST; i++) {
        const struct amqp_host *host = &options->hosts.hosts[(first + i) % options->hosts.count];
        status = open_host(options, host, ret_connection, error);
    }
    return status;
}

void connection_free(struct connection *connection)
{
    if (connection == NULL)
        return;
    connection_uncork(connection);
    struct timeval timeout = {CLOSE_TIMEOUT_S, 0};
    if (!connection->lost && amqp_set_rpc_timeout(connection->state, &timeout) == AMQP_STATUS_OK)
        (void)amqp_connection_close(connection->state, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(connection->state);
    frame_reader_clear(&connection->reader);
    free(connection);
}

/* --- calls ---------------------------------------------------------------------------------- */

enum transport_status connection_lose(struct connection *connection, const struct error *loss,
                                      struct error *error)
{
    if (!connection->lost)
        connection->loss = *loss;
    connection->lost = true;
    error_set(error, "%s", loss->text);
    return TRANSPORT_LOST;
}

/*
 * After a failed write, reads what has arrived: a broker that has closed the connection may have
 * said why, and may have confirmed messages before. Replaces `loss` by the broker's reason.
 *
 * Linux still gives what had arrived before a reset. Three limits: what had not arrived by then is
 * lost. librabbitmq writes a heartbeat that is due before it reads, and so fails again; then
 * nothing was written for a whole heartbeat. And OpenSSL promises nothing after a failed write.
 */
static void read_rest(struct connection *connection, struct error *loss)
{
    struct error found = {""};
    if (connection->lost)
        return; /* perhaps over bad data, after which nothing may be read */
    (void)frame_reader_read(&connection->reader, connection->state, &found);
    if (connection->reader.close_code != 0)
        *loss = found;
}

enum transport_status connection_check_send(struct connection *connection, int result,
                                            const char *what, struct error *error)
{
    if (result == AMQP_STATUS_OK)
        return TRANSPORT_OK;
    struct error loss = {""};
    (void)status_of_library(result, what, &loss);
    read_rest(connection, &loss);
    return connection_lose(connection, &loss, error);
}

enum transport_status connection_send_close_ok(struct connection *connection,
                                               amqp_channel_t channel, struct error *error)
{
    amqp_channel_close_ok_t close_ok = {0};
    int result =
        amqp_send_method(connection->state, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok);
    return connection_check_send(connection, result, "cannot close a channel", error);
}

enum transport_status connection_check_rpc(struct connection *connection, amqp_channel_t channel,
                                           const char *what, struct error *error)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection->state);
    enum transport_status status = status_of_reply(reply, what, error);
    if (status == TRANSPORT_OK)
        return TRANSPORT_OK;
    bool channel_closed = reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
                          reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD;
    if (!channel_closed) {
        connection->lost = true;
        return status;
    }
    /* librabbitmq does not send the close-ok. Without it the channel cannot be opened again, and
       the next RPC on it would wait for its whole timeout. */
    if (connection_send_close_ok(connection, channel, error) != TRANSPORT_OK)
        return TRANSPORT_LOST;
    return status;
}

enum transport_status connection_open_channel(struct connection *connection, amqp_channel_t channel,
                                              bool confirms, struct error *error)
{
    (void)amqp_channel_open(connection->state, channel);
    enum transport_status status =
        connection_check_rpc(connection, channel, "cannot open a channel", error);
    if (status != TRANSPORT_OK || !confirms)
        return status;
    (void)amqp_confirm_select(connection->state, channel);
    return connection_check_rpc(connection, channel, "cannot select publisher confirms", error);
}

enum transport_status connection_close_channel(struct connection *connection,
                                               amqp_channel_t channel, struct error *error)
{
    amqp_rpc_reply_t reply = amqp_channel_close(connection->state, channel, AMQP_REPLY_SUCCESS);
    enum transport_status status = status_of_reply(reply, "cannot close a channel", error);
    connection->lost = status != TRANSPORT_OK;
    return status;
}

/* --- reading -------------------------------------------------------------------------------- */

enum transport_status connection_read(struct connection *connection, struct error *error)
{
    if (connection->lost) {
        bool known = connection->loss.text[0] != '\0';
        error_set(error, "%s",
                  known ? connection->loss.text : "the connection to the broker is lost");
        return TRANSPORT_LOST;
    }
    struct error loss = {""};
    enum transport_status status = frame_reader_read(&connection->reader, connection->state, &loss);
    connection->read_ms = system_monotonic_ms();
    return status == TRANSPORT_OK ? status : connection_lose(connection, &loss, error);
}

enum transport_status connection_read_if_stale(struct connection *connection, struct error *error)
{
    /* librabbitmq 0.11 waits without a limit in amqp_basic_publish() when nothing was read for two
       heartbeats (rabbitmq-c #780, fixed in 0.14). A read notices before that the peer is gone. */
    int64_t unread_ms = system_monotonic_ms() - connection->read_ms;
    bool stale = connection->heartbeat_ms > 0 && unread_ms > connection->heartbeat_ms / 2;
    if (!connection->lost && !stale)
        return TRANSPORT_OK;
    return connection_read(connection, error);
}

int connection_descriptor(const struct connection *connection)
{
    return amqp_get_sockfd(connection->state);
}

static bool is_ready(const struct connection *connection, short events, int64_t timeout_ms)
{
    struct pollfd fd = {.fd = connection_descriptor(connection), .events = events};
    return fd.fd >= 0 && timeout_ms >= 0 && poll(&fd, 1, (int)timeout_ms) == 1;
}

bool connection_is_writable(const struct connection *connection)
{
    return is_ready(connection, POLLOUT, 0);
}

bool connection_wait(struct connection *connection, int64_t timeout_ms, int wake_fd)
{
    struct pollfd fds[] = {{.fd = connection_descriptor(connection), .events = POLLIN},
                           {.fd = wake_fd, .events = POLLIN}};
    if (fds[0].fd < 0)
        return false;
    (void)poll(fds, sizeof fds / sizeof fds[0], (int)timeout_ms);
    return fds[1].revents != 0;
}

/* --- messages that cannot be read ----------------------------------------------------------- */

/* The frame of a connection.close-ok, the last that the broker sends. */
static const unsigned char close_ok[] = {1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, 0xce};

/* The last bytes that were read. */
struct tail {
    unsigned char bytes[sizeof close_ok];
};

static void add_to_tail(struct tail *tail, const unsigned char *bytes, size_t count)
{
    size_t added = count < sizeof tail->bytes ? count : sizeof tail->bytes;
    memmove(tail->bytes, tail->bytes + added, sizeof tail->bytes - added);
    memcpy(tail->bytes + sizeof tail->bytes - added, bytes + count - added, added);
}

/*
 * Reads and drops bytes until the broker has answered, or closed the socket. Closing a socket with
 * unread bytes resets the connection, and what was sent last could be lost. RabbitMQ leaves it to
 * the client to close the socket, so without a look at the bytes each rejection took the whole
 * time. A body may end like the answer; so nothing may follow it for a moment. With TLS the answer
 * is not seen.
 */
static void drain(const struct connection *connection, int64_t deadline_ms)
{
    unsigned char bytes[4096];
    struct tail tail = {{0}};
    while (is_ready(connection, POLLIN, deadline_ms - system_monotonic_ms())) {
        ssize_t count = recv(amqp_get_sockfd(connection->state), bytes, sizeof bytes, 0);
        if (count <= 0)
            return;
        add_to_tail(&tail, bytes, (size_t)count);
        if (memcmp(tail.bytes, close_ok, sizeof close_ok) == 0 &&
            !is_ready(connection, POLLIN, QUIET_MS))
            return;
    }
}

/*
 * The socket must be writable: to a full one librabbitmq would write and read by turns, and after
 * bad data it must not read any more. The connection.close makes the broker finish the nack before
 * it ends the channel; after a mere end of the socket it may forget it.
 */
static bool send_reject(const struct connection *connection, int64_t timeout_ms)
{
    const struct unreadable *unreadable = &connection->reader.unreadable;
    amqp_connection_close_t close = {.reply_code = AMQP_REPLY_SUCCESS,
                                     .reply_text = amqp_cstring_bytes("unreadable message")};
    return is_ready(connection, POLLOUT, timeout_ms) &&
           amqp_basic_nack(connection->state, unreadable->channel, unreadable->tag, 0, 0) ==
               AMQP_STATUS_OK &&
           amqp_send_method(connection->state, CHANNEL_CONNECTION, AMQP_CONNECTION_CLOSE_METHOD,
                            &close) == AMQP_STATUS_OK;
}

static const char *outcome_of_reject(const struct connection *connection, bool sent)
{
    if (!sent)
        return "could not be rejected";
    return connection->reader.unreadable.channel == CHANNEL_DESK
               ? "was rejected, so the desk queue drops it"
               : "was rejected, so the broker dead-letters it";
}

void connection_reject_unreadable(struct connection *connection, struct error *error)
{
    int64_t timeout_ms = CLOSE_TIMEOUT_S * MS_PER_S;
    int64_t deadline_ms = system_monotonic_ms() + timeout_ms;
    bool sent = send_reject(connection, timeout_ms);
    error_prefix(error, "delivery %" PRIu64 " is unreadable and %s",
                 connection->reader.unreadable.tag, outcome_of_reject(connection, sent));
    connection_uncork(connection);
    if (sent)
        drain(connection, deadline_ms);
    connection->lost = true;
}

/* --- writing in full segments --------------------------------------------------------------- */

/* 200 publishes leave in 4 segments instead of 24 to 29, and are all confirmed after 2 to 4 ms
   instead of 7 to 10 (measured). */
static void set_cork(struct connection *connection, bool corked)
{
    int on = corked ? 1 : 0;
    int fd = amqp_get_sockfd(connection->state);
    if (connection->corked != corked && fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    connection->corked = corked;
}

void connection_cork(struct connection *connection)
{
    set_cork(connection, true);
}

void connection_uncork(struct connection *connection)
{
    set_cork(connection, false);
}
