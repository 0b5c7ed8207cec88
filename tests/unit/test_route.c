/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests how a route ends when a write fails, with a peer that says something, or nothing, and then
 * resets the connection.
 *
 * Design: the peer is a socket of the test, which writes the frames of a broker byte by byte and
 * resets the connection when the test says so. No thread is needed, because what a peer of this
 * kind sends fits into the buffers of the socket, and a route reads what is left there after its
 * write has failed.
 */
#include "tests/support/cmocka.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/amqp/route.h"
#include "common/base/memory.h"

enum { EVENTS_MAX = 8, RESET_MS = 60000, FRAME_BYTES = 4096, CLOSE_CODE_AT = 11 };

/* basic.ack of the first publish, on the channel that publishes */
static const unsigned char ack[] = {
    1, 0, CHANNEL_PUBLISH, 0, 0, 0, 13, 0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0xce};
/* connection.close: 541 */
static const unsigned char close_541[] = {1, 0,  0, 0,   0,   0,   14, 0, 10, 0, 50,
                                          2, 29, 3, 'W', 'H', 'Y', 0,  0, 0,  0, 0xce};

struct fixture {
    struct amqp_route route;
    int peer;
    struct transport_event events[EVENTS_MAX];
    struct error reason; /* of the last ROUTE_CLOSED */
    size_t event_count;
};

static void keep(void *context, const struct transport_event *event)
{
    struct fixture *fixture = context;
    assert_in_range(fixture->event_count, 0, EVENTS_MAX - 1);
    fixture->events[fixture->event_count++] = *event;
    if (event->reason != NULL)
        error_set(&fixture->reason, "%s", event->reason);
}

/* Connects two sockets by TCP: only TCP knows a reset. */
static void connect_pair(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&address, length), 0);
    fds[1] = accept(listener, NULL, NULL);
    assert_true(fds[1] >= 0);
    assert_int_equal(close(listener), 0);
}

static struct connection *connection_over(int fd)
{
    struct connection *connection = MEMORY_NEW(struct connection);
    connection->state = amqp_new_connection();
    connection->frame_bytes = FRAME_BYTES;
    amqp_socket_t *tcp = amqp_tcp_socket_new(connection->state);
    assert_non_null(tcp);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0); /* as amqp_socket_open() does */
    amqp_tcp_socket_set_sockfd(tcp, fd);
    return connection;
}

static int setup(void **state)
{
    int fds[2];
    struct fixture *fixture = MEMORY_NEW(struct fixture);
    connect_pair(fds);
    fixture->peer = fds[1];
    amqp_route_init(&fixture->route, ROUTE_REPLIES);
    fixture->route.connection = connection_over(fds[0]);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    amqp_route_drop(&fixture->route);
    amqp_route_clear(&fixture->route);
    free(fixture);
    return 0;
}

static void publish(struct fixture *fixture, uint64_t sequence)
{
    struct outgoing reply = {.sequence = sequence,
                             .exchange = text_of(""),
                             .routing_key = text_of("replies"),
                             .body = text_of("{}")};
    amqp_route_publish(&fixture->route, &reply);
}

static void say(struct fixture *fixture, const unsigned char *bytes, size_t count)
{
    assert_int_equal(send(fixture->peer, bytes, count, MSG_NOSIGNAL), (ssize_t)count);
}

/* Resets the connection, and waits until the route's socket has noticed. */
static void reset(struct fixture *fixture)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct pollfd fd = {.fd = connection_descriptor(fixture->route.connection)};
    assert_int_equal(setsockopt(fixture->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    assert_int_equal(close(fixture->peer), 0);
    assert_int_equal(poll(&fd, 1, RESET_MS), 1); /* POLLERR and POLLHUP, which need no request */
}

static void dispatch(struct fixture *fixture)
{
    struct transport_handler handler = {fixture, keep};
    while (amqp_route_dispatch(&fixture->route, &handler)) {
    }
}

static void assert_closed(const struct fixture *fixture, size_t index, enum close_cause cause)
{
    assert_int_equal(fixture->event_count, index + 1);
    assert_int_equal(fixture->events[index].kind, TRANSPORT_ROUTE_CLOSED);
    assert_int_equal(fixture->events[index].close_cause, cause);
}

static void test_a_failed_publish_is_explained_by_the_close_that_came_before(void **state)
{
    struct fixture *fixture = *state;
    publish(fixture, 1);
    say(fixture, close_541, sizeof close_541);
    reset(fixture);
    publish(fixture, 2);
    dispatch(fixture);
    assert_closed(fixture, 0, CLOSE_MESSAGE);
    assert_string_equal(fixture->reason.text, "the broker closed the connection: 541 WHY");
}

/* An operator, or the end of the broker, closes connections with 320; 541 is for other reasons. */
static void test_a_forced_close_blames_no_message(void **state)
{
    struct fixture *fixture = *state;
    unsigned char close_320[sizeof close_541];
    memcpy(close_320, close_541, sizeof close_541);
    close_320[CLOSE_CODE_AT] = AMQP_CONNECTION_FORCED >> 8;
    close_320[CLOSE_CODE_AT + 1] = AMQP_CONNECTION_FORCED & 0xff;
    publish(fixture, 1);
    say(fixture, close_320, sizeof close_320);
    reset(fixture);
    publish(fixture, 2);
    dispatch(fixture);
    assert_closed(fixture, 0, CLOSE_OUTSIDE);
}

static void test_what_was_confirmed_before_a_failed_publish_stays_confirmed(void **state)
{
    struct fixture *fixture = *state;
    publish(fixture, 1);
    publish(fixture, 2);
    say(fixture, ack, sizeof ack);
    say(fixture, close_541, sizeof close_541);
    reset(fixture);
    publish(fixture, 3);
    publish(fixture, 4);
    dispatch(fixture);
    assert_closed(fixture, 1, CLOSE_MESSAGE);
    assert_int_equal(fixture->events[0].kind, TRANSPORT_CONFIRMED);
    assert_int_equal(fixture->events[0].sequence, 1);
}

static void test_a_reset_without_a_close_blames_no_message(void **state)
{
    struct fixture *fixture = *state;
    publish(fixture, 1);
    reset(fixture);
    publish(fixture, 2);
    assert_false(amqp_route_ready(&fixture->route, &(struct login_options){0}));
    dispatch(fixture);
    assert_closed(fixture, 0, CLOSE_OUTSIDE);
    assert_non_null(strstr(fixture->reason.text, "cannot publish"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_failed_publish_is_explained_by_the_close_that_came_before, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_what_was_confirmed_before_a_failed_publish_stays_confirmed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_forced_close_blames_no_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reset_without_a_close_blames_no_message, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
