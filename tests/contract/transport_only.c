/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the transport and the client where only RabbitMQ makes sense: opening, peers that fall
 * silent, the topology, extreme messages, and the client of allotctl (common/amqp/client.h).
 *
 * A relay between transport and broker (struct relay) makes a peer that falls silent. It runs in a
 * thread of its own, accepts one connection for the deliveries and one for a route, and passes all
 * bytes on until the test sets how many of them are silent. From these it reads nothing any more,
 * so the kernel's buffers fill up, as with a host that hangs.
 *
 * The list of the tests is RABBITMQ_TESTS in transport_rabbitmq.h; main() in test_transport.c runs
 * them.
 *
 * Not here: TLS and SASL EXTERNAL, for which the stack has no certificates.
 */
#include "tests/contract/transport_rabbitmq.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "allot/limits.h"
#include "common/codec/amqp_uri.h"
#include "common/codec/field_table.h"

enum {
    NESTED = LIBRABBITMQ_NESTED_MAX - 1, /* within the table of all headers */
    ARRAY_HEAD_BYTES = 5,
    BIG_BODY_BYTES = 15 * 1024 * 1024,
    RECEIVE_MS = 60000,
    HANG_S = 60 /* a call that has to return has failed after that: the program is killed */
};

/* Opens a transport with these options, frees it, and returns the status of `open`. */
static enum transport_status try_open(struct fixture *fixture, const struct amqp_options *options)
{
    struct transport *transport = amqp_transport_new(options, &fixture->error);
    assert_non_null(transport);
    enum transport_status status = transport->ops->open(transport, &fixture->error);
    transport->ops->free(transport);
    return status;
}

static struct amqp_host broker_of(struct fixture *fixture)
{
    struct amqp_hosts hosts;
    assert_true(amqp_uri_parse(rabbitmq_of(fixture)->uri, fixture->arena, &hosts, &fixture->error));
    return hosts.hosts[0];
}

static bool error_names(const struct fixture *fixture, const char *what)
{
    return strstr(fixture->error.text, what) != NULL;
}

/* Listens on a free port and gives a URI for it. A connection succeeds, but gets no answer. */
static int listen_somewhere(struct fixture *fixture, const char **ret_uri)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_uri = text_format(fixture->arena, "amqp://u:p@127.0.0.1:%u/%%2f",
                           (unsigned int)ntohs(address.sin_port))
                   .bytes;
    return fd;
}

/* --- opening -------------------------------------------------------------------------------- */

void test_a_wrong_password_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_host host = broker_of(fixture);
    struct amqp_options options = rabbitmq_options(fixture);
    options.uri = text_format(fixture->arena, "amqp://%.*s:not-the-password@%.*s:%u/%%2f",
                              TEXT_ARGS(host.user), TEXT_ARGS(host.name), (unsigned int)host.port);
    assert_int_equal(try_open(fixture, &options), TRANSPORT_REFUSED);
    assert_true(error_names(fixture, "ACCESS_REFUSED"));
    assert_false(error_names(fixture, "not-the-password"));
}

void test_an_unknown_virtual_host_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_host host = broker_of(fixture);
    struct amqp_options options = rabbitmq_options(fixture);
    options.uri =
        text_format(fixture->arena, "amqp://%.*s:%.*s@%.*s:%u/nowhere", TEXT_ARGS(host.user),
                    TEXT_ARGS(host.password), TEXT_ARGS(host.name), (unsigned int)host.port);
    assert_int_equal(try_open(fixture, &options), TRANSPORT_REFUSED);
    assert_true(error_names(fixture, "nowhere"));
}

void test_a_closed_port_is_lost_and_the_next_host_is_tried(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_options options = rabbitmq_options(fixture);
    const char *closed = NULL;
    (void)close(listen_somewhere(fixture, &closed));
    options.uri = text_of(closed);
    assert_int_equal(try_open(fixture, &options), TRANSPORT_LOST);
    options.uri =
        text_format(fixture->arena, "%s,%.*s", closed, TEXT_ARGS(rabbitmq_of(fixture)->uri));
    assert_int_equal(try_open(fixture, &options), TRANSPORT_OK);
}

void test_a_silent_peer_is_given_up_within_the_timeout(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_options options = rabbitmq_options(fixture);
    const char *silent = NULL;
    int fd = listen_somewhere(fixture, &silent);
    options.uri = text_of(silent);
    (void)alarm(HANG_S);
    assert_int_equal(try_open(fixture, &options), TRANSPORT_LOST);
    (void)alarm(0);
    (void)close(fd);
}

/* --- silent peers --------------------------------------------------------------------------- */

enum { LINKS = 2 }; /* for the deliveries and for one route */

struct link {
    int ends[2];
    bool over; /* one side has closed it */
};

struct relay {
    pthread_t thread;
    int listener;
    struct link links[LINKS];
    size_t link_count;
    struct sockaddr_in broker;
    atomic_size_t silent; /* nothing passes on so many links any more, beginning with the first */
    atomic_uint closes;   /* connection.close methods that went by */
    atomic_bool ended;
};

/* When one side has closed the link, the other one learns it. */
static void pass_on(struct relay *relay, struct link *link, size_t end)
{
    static const char connection_close[] = {0, 10, 0, 50};
    char bytes[4096];
    int to = link->ends[1 - end];
    ssize_t count = recv(link->ends[end], bytes, sizeof bytes, 0);
    if (count > 0 &&
        memmem(bytes, (size_t)count, connection_close, sizeof connection_close) != NULL)
        relay->closes++;
    if (count > 0 && send(to, bytes, (size_t)count, MSG_NOSIGNAL) == count)
        return;
    link->over = true;
    (void)shutdown(to, SHUT_RDWR);
}

static void accept_link(struct relay *relay)
{
    struct link *link = &relay->links[relay->link_count++];
    link->ends[0] = accept(relay->listener, NULL, NULL);
    link->ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)connect(link->ends[1], (struct sockaddr *)&relay->broker, sizeof relay->broker);
}

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void pass_on_all(struct relay *relay)
{
    for (size_t i = relay->silent; i < relay->link_count; i++) {
        struct link *link = &relay->links[i];
        for (size_t end = 0; end < 2; end++) {
            if (!link->over && is_readable(link->ends[end]))
                pass_on(relay, link, end);
        }
    }
}

static void *run_relay(void *argument)
{
    struct relay *relay = argument;
    while (!relay->ended) {
        if (relay->link_count < LINKS && is_readable(relay->listener))
            accept_link(relay);
        pass_on_all(relay);
        (void)poll(NULL, 0, 1);
    }
    return NULL;
}

/* Replaces the fixture's transport by one that is open through the relay. */
static void open_through_relay(struct fixture *fixture, struct relay *relay)
{
    struct amqp_host host = broker_of(fixture);
    const char *place = NULL;
    relay->listener = listen_somewhere(fixture, &place);
    relay->broker = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(host.port)};
    assert_int_equal(inet_pton(AF_INET, host.name.bytes, &relay->broker.sin_addr), 1);
    assert_int_equal(pthread_create(&relay->thread, NULL, run_relay, relay), 0);
    const char *port = strrchr(strrchr(place, '@'), ':');
    struct amqp_options options = rabbitmq_options(fixture);
    options.uri = text_format(fixture->arena, "amqp://%.*s:%.*s@127.0.0.1%s", TEXT_ARGS(host.user),
                              TEXT_ARGS(host.password), port);
    fixture->transport->ops->free(fixture->transport);
    fixture->transport = amqp_transport_new(&options, &fixture->error);
    assert_non_null(fixture->transport);
    fixture_open(fixture);
}

static void end_relay(struct relay *relay)
{
    relay->ended = true;
    (void)pthread_join(relay->thread, NULL);
    for (size_t i = 0; i < relay->link_count; i++) {
        (void)close(relay->links[i].ends[0]);
        (void)close(relay->links[i].ends[1]);
    }
    (void)close(relay->listener);
}

void test_a_peer_that_falls_silent_is_noticed_while_polling(void **state)
{
    struct fixture *fixture = *state;
    struct relay relay = {0};
    open_through_relay(fixture, &relay);
    relay.silent = LINKS;
    enum transport_status status = fixture_poll(fixture, 1000 * HANG_S); /* ends without LOST */
    end_relay(&relay);
    assert_int_equal(status, TRANSPORT_LOST);
}

void test_a_publish_to_a_peer_that_fell_silent_does_not_hang(void **state)
{
    struct fixture *fixture = *state;
    struct relay relay = {0};
    struct outgoing reply = fixture_reply(fixture, "x");
    open_through_relay(fixture, &relay);
    fixture_await_ready(fixture, ROUTE_REPLIES);
    relay.silent = LINKS;
    (void)poll(NULL, 0, 3 * FIXTURE_HEARTBEAT_MS); /* the transport is not polled meanwhile */
    alarm(HANG_S);
    enum transport_status status =
        fixture->transport->ops->publish(fixture->transport, &reply, &fixture->error);
    alarm(0);
    (void)fixture_poll(fixture, 0); /* LOST, as the deliveries come from the same peer */
    end_relay(&relay);
    assert_int_equal(status, TRANSPORT_OK);
    assert_int_equal(fixture_event(fixture, TRANSPORT_ROUTE_CLOSED, 0)->close_cause, CLOSE_OUTSIDE);
}

/* A graceful close waits for the peer, which may be gone for the routes as well. */
void test_a_lost_transport_drops_its_routes_without_a_close(void **state)
{
    struct fixture *fixture = *state;
    struct relay relay = {0};
    open_through_relay(fixture, &relay);
    fixture_await_ready(fixture, ROUTE_REPLIES);
    relay.silent = 1;
    fixture_await_lost(fixture);
    fixture->transport->ops->close(fixture->transport);
    end_relay(&relay);
    assert_int_equal(relay.closes, 0);
}

void test_a_transport_that_works_closes_its_routes_gracefully(void **state)
{
    struct fixture *fixture = *state;
    struct relay relay = {0};
    open_through_relay(fixture, &relay);
    fixture_await_ready(fixture, ROUTE_REPLIES);
    fixture->transport->ops->close(fixture->transport);
    end_relay(&relay);
    assert_int_equal(relay.closes, LINKS);
}

/* --- topology ------------------------------------------------------------------------------- */

static void assert_rpc_ok(struct fixture *fixture)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(rabbitmq_of(fixture)->admin);
    assert_int_equal(reply.reply_type, AMQP_RESPONSE_NORMAL);
}

void test_a_queue_with_other_arguments_is_refused_and_named(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_options options = rabbitmq_options(fixture);
    fixture->transport->ops->close(fixture->transport);
    fixture->backend->delete_queue(fixture, fixture->names.queue);
    (void)amqp_queue_declare(rabbitmq_of(fixture)->admin, 1,
                             amqp_cstring_bytes(fixture->names.queue), 0, 1, 0, 0,
                             amqp_empty_table);
    assert_rpc_ok(fixture);
    for (int declare = 0; declare < 2; declare++) {
        options.declare = declare != 0;
        assert_int_equal(try_open(fixture, &options), TRANSPORT_REFUSED);
        assert_true(error_names(fixture, fixture->names.queue));
        assert_true(error_names(fixture, "inequivalent arg 'x-"));
    }
}

void test_an_exchange_of_another_type_is_refused_and_named(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_options options = rabbitmq_options(fixture);
    amqp_connection_state_t admin = rabbitmq_of(fixture)->admin;
    fixture->transport->ops->close(fixture->transport);
    (void)amqp_exchange_delete(admin, 1, amqp_cstring_bytes(fixture->names.dead_letter_exchange),
                               0);
    assert_rpc_ok(fixture);
    (void)amqp_exchange_declare(admin, 1, amqp_cstring_bytes(fixture->names.dead_letter_exchange),
                                amqp_cstring_bytes("topic"), 0, 1, 0, 0, amqp_empty_table);
    assert_rpc_ok(fixture);
    assert_int_equal(try_open(fixture, &options), TRANSPORT_REFUSED);
    assert_true(error_names(fixture, fixture->names.dead_letter_exchange));
    assert_true(error_names(fixture, "'topic'"));
}

/* Checks the topology, and returns how many of its objects are in that state. */
static size_t count_checked(struct fixture *fixture, const struct amqp_options *options,
                            enum topology_state wanted)
{
    struct topology_report report;
    size_t found = 0;
    assert_int_equal(topology_check(options->uri, &options->tls, &options->topology, fixture->arena,
                                    &report, &fixture->error),
                     TRANSPORT_OK);
    assert_int_equal(report.count, TOPOLOGY_RESULTS);
    assert_true(report.broker_version.length > 0);
    for (size_t i = 0; i < report.count; i++) {
        found += report.results[i].state == wanted;
        assert_int_equal(report.results[i].reason.length > 0,
                         report.results[i].state != TOPOLOGY_SAME);
    }
    return found;
}

void test_a_check_names_what_is_missing_and_creates_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_options options = rabbitmq_options(fixture);
    fixture->transport->ops->close(fixture->transport);
    fixture->backend->delete_queue(fixture, fixture->names.dead_letter_queue);
    options.declare = false;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(try_open(fixture, &options), TRANSPORT_REFUSED);
        assert_true(error_names(fixture, fixture->names.dead_letter_queue));
        assert_true(error_names(fixture, "NOT_FOUND"));
        assert_int_equal(count_checked(fixture, &options, TOPOLOGY_MISSING), 1);
    }
    options.topology.exchange = text_of(fixture->names.missing);
    options.topology.queue = text_of(fixture->names.missing);
    assert_int_equal(count_checked(fixture, &options, TOPOLOGY_MISSING), 3);
}

void test_a_declared_topology_passes_the_check(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_options options = rabbitmq_options(fixture);
    struct error warning = {""};
    fixture->backend->delete_queue(fixture, fixture->names.dead_letter_queue);
    assert_int_equal(
        topology_declare(options.uri, &options.tls, &options.topology, &warning, &fixture->error),
        TRANSPORT_OK);
    assert_int_equal(count_checked(fixture, &options, TOPOLOGY_SAME), TOPOLOGY_RESULTS);
    options.declare = false;
    assert_int_equal(try_open(fixture, &options), TRANSPORT_OK);
}

/* Declares the dead-letter queue anew, with these arguments. */
static void declare_dead_letters(struct fixture *fixture, amqp_table_entry_t *arguments, int count)
{
    fixture->backend->delete_queue(fixture, fixture->names.dead_letter_queue);
    (void)amqp_queue_declare(rabbitmq_of(fixture)->admin, 1,
                             amqp_cstring_bytes(fixture->names.dead_letter_queue), 0, 1, 0, 0,
                             (amqp_table_t){count, arguments});
    assert_rpc_ok(fixture);
}

static struct {
    unsigned tolerated;
    struct error text;
} told;

static void notify(void *context, enum amqp_notice notice, const char *text)
{
    (void)context;
    told.tolerated += notice == AMQP_TOPOLOGY_TOLERATED;
    if (notice == AMQP_TOPOLOGY_TOLERATED)
        error_set(&told.text, "%s", text);
}

static amqp_table_entry_t argument(const char *key, uint8_t kind)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key), .value.kind = kind};
}

/* Declared by an older version, without a limit; or by an operator, with one of his own. */
void test_a_dead_letter_queue_with_another_limit_is_used_with_a_warning(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_options options = rabbitmq_options(fixture);
    amqp_table_entry_t arguments[2] = {argument("x-queue-type", AMQP_FIELD_KIND_UTF8),
                                       argument("x-delivery-limit", AMQP_FIELD_KIND_I32)};
    arguments[0].value.value.bytes = amqp_cstring_bytes("quorum");
    arguments[1].value.value.i32 = 7;
    options.observer.notify = notify;
    fixture->transport->ops->close(fixture->transport);
    for (int count = 1; count <= 2; count++) {
        declare_dead_letters(fixture, arguments, count);
        for (int declare = 0; declare < 2; declare++) {
            told.tolerated = 0;
            options.declare = declare != 0;
            assert_int_equal(try_open(fixture, &options), TRANSPORT_OK);
            assert_int_equal(told.tolerated, 1);
            assert_non_null(strstr(told.text.text, fixture->names.dead_letter_queue));
            assert_non_null(strstr(told.text.text, "delete it when it is empty"));
        }
        assert_int_equal(count_checked(fixture, &options, TOPOLOGY_TOLERATED), 1);
        assert_int_equal(count_checked(fixture, &options, TOPOLOGY_SAME), TOPOLOGY_RESULTS - 1);
    }
}

void test_a_dead_letter_queue_that_differs_in_more_than_the_limit_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_options options = rabbitmq_options(fixture);
    amqp_table_entry_t arguments[2] = {argument("x-queue-type", AMQP_FIELD_KIND_UTF8),
                                       argument("x-max-length", AMQP_FIELD_KIND_I32)};
    arguments[0].value.value.bytes = amqp_cstring_bytes("quorum");
    arguments[1].value.value.i32 = 7;
    fixture->transport->ops->close(fixture->transport);
    declare_dead_letters(fixture, arguments, 2);
    for (int declare = 0; declare < 2; declare++) {
        options.declare = declare != 0;
        assert_int_equal(try_open(fixture, &options), TRANSPORT_REFUSED);
        assert_true(error_names(fixture, fixture->names.dead_letter_queue));
    }
}

void test_a_worker_without_the_desk_queue_serves_commands(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_options options = rabbitmq_options(fixture);
    fixture->transport->ops->close(fixture->transport);
    fixture->backend->delete_queue(fixture, fixture->names.desk_queue);
    options.declare = false;
    assert_int_equal(try_open(fixture, &options), TRANSPORT_OK);
    assert_int_equal(count_checked(fixture, &options, TOPOLOGY_MISSING), 1);
}

/* --- extremes ------------------------------------------------------------------------------- */

/* Makes a field table with one entry "deep": NESTED arrays, each within the one before. */
static struct text nested_table(struct fixture *fixture)
{
    static const char name[] = "\4deep";
    size_t length = sizeof name - 1 + NESTED * ARRAY_HEAD_BYTES;
    char *bytes = arena_alloc(fixture->arena, 4 + length);
    char *at = bytes;
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (char)(length >> shift);
    memcpy(at, name, sizeof name - 1);
    at += sizeof name - 1;
    for (size_t left = (NESTED - 1) * ARRAY_HEAD_BYTES;; left -= ARRAY_HEAD_BYTES) {
        *at++ = 'A';
        for (int shift = 24; shift >= 0; shift -= 8)
            *at++ = (char)(left >> shift);
        if (left == 0)
            break;
    }
    assert_int_equal(at - bytes, 4 + length);
    return text_view(bytes, 4 + length);
}

/* Publishes the first command as a dead letter, and takes it from the queue. */
static struct fixture_message dead_letter_first(struct fixture *fixture)
{
    /* Sending a large message may take longer than the heartbeat, and nothing was polled. */
    fixture_open(fixture);
    fixture_consume(fixture, 1);
    fixture_await(fixture, TRANSPORT_DELIVERY, 1);
    const struct delivery *delivery = &fixture_event(fixture, TRANSPORT_DELIVERY, 0)->delivery;
    struct outgoing letter = fixture_dead_letter(fixture, "");
    letter.raw_headers = delivery->raw_headers;
    letter.body = delivery->body;
    fixture_publish(fixture, &letter);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 1);
    return fixture_take(fixture, fixture->names.dead_letter_queue);
}

void test_deeply_nested_headers_pass_to_the_dead_letter(void **state)
{
    struct fixture *fixture = *state;
    struct outgoing command = {.raw_headers = nested_table(fixture), .body = text_of("deep")};
    assert_true(field_table_well_formed(command.raw_headers));
    fixture->backend->send(fixture, &command);
    struct fixture_message letter = dead_letter_first(fixture);
    struct field sent;
    struct field arrived;
    assert_true(field_table_find(command.raw_headers, "deep", &sent));
    assert_true(field_table_find(letter.raw_headers, "deep", &arrived));
    assert_same_text(arrived.encoded, sent.encoded);
}

/* The size was announced before, but only what is kept takes memory. RabbitMQ 4 accepts 16 MiB. */
void test_a_body_of_fifteen_mebibytes_is_hashed_and_cut(void **state)
{
    struct fixture *fixture = *state;
    char *bytes = arena_alloc(fixture->arena, BIG_BODY_BYTES);
    for (size_t i = 0; i < BIG_BODY_BYTES; i++)
        bytes[i] = (char)(i * 7 + i / 65536);
    fixture_send(fixture, "big", text_view(bytes, BIG_BODY_BYTES));
    struct text letter = dead_letter_first(fixture).body;
    const struct transport_event *event = fixture_event(fixture, TRANSPORT_DELIVERY, 0);
    assert_same_text(letter, text_view(bytes, BODY_KEPT_BYTES));
    assert_int_equal(event->delivery.cut_size, BIG_BODY_BYTES);
    assert_in_range(arena_bytes(event->arena), BODY_KEPT_BYTES, 2 * BODY_KEPT_BYTES);
}

/* --- the client ----------------------------------------------------------------------------- */

static struct client *new_client(struct fixture *fixture)
{
    struct client *client =
        client_open(rabbitmq_of(fixture)->uri, &(struct amqp_tls){0}, &fixture->error);
    if (client == NULL)
        fail_msg("client: %s", fixture->error.text);
    return client;
}

void test_a_client_gets_answers_through_direct_reply_to(void **state)
{
    struct fixture *fixture = *state;
    struct client *client = new_client(fixture);
    struct outgoing command = {.exchange = text_of(fixture->names.exchange),
                               .routing_key = text_of(fixture->names.queue),
                               .mandatory = true,
                               .body = text_of("question")};
    command.properties.reply_to = text_of(CLIENT_DIRECT_REPLY_QUEUE);
    enum client_outcome outcome = CLIENT_NACKED;
    struct client_message answer = {0};
    assert_true(client_consume(client, CLIENT_DIRECT_REPLY_QUEUE, true, &fixture->error));
    assert_true(client_publish(client, &command, RECEIVE_MS, &outcome, &fixture->error));
    assert_int_equal(outcome, CLIENT_CONFIRMED);
    assert_int_equal(client_receive(client, 0, &answer, &fixture->error), CLIENT_NOTHING);
    fixture_consume(fixture, 1);
    fixture_await(fixture, TRANSPORT_DELIVERY, 1);
    const struct properties *asked =
        &fixture_event(fixture, TRANSPORT_DELIVERY, 0)->delivery.properties;
    assert_same_text(asked->user_id, client_user(client));
    assert_true(text_starts_with(asked->reply_to, CLIENT_DIRECT_REPLY_QUEUE));
    struct outgoing reply = fixture_reply(fixture, "answer");
    reply.routing_key = asked->reply_to;
    reply.mandatory = false;
    fixture_publish(fixture, &reply);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 1);
    assert_int_equal(client_receive(client, RECEIVE_MS, &answer, &fixture->error), CLIENT_MESSAGE);
    assert_text(answer.body, "answer");
    arena_free(answer.arena);
    client_close(client);
}

void test_a_client_looks_through_a_queue_and_leaves_it_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct client *client = new_client(fixture);
    struct client_message message;
    uint32_t count = 0;
    for (int i = 0; i < 3; i++)
        fixture_send(fixture, "a", text_of("x"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(client_get(client, fixture->names.queue, &message, &fixture->error),
                         CLIENT_MESSAGE);
        assert_int_equal(message.remaining, 2 - i);
        arena_free(message.arena);
    }
    assert_int_equal(client_get(client, fixture->names.queue, &message, &fixture->error),
                     CLIENT_NOTHING);
    assert_false(client_count(client, fixture->names.missing, &count, &fixture->error));
    assert_true(error_names(fixture, "NOT_FOUND"));
    assert_true(client_requeue_all(client, &fixture->error));
    for (int i = 0; i < 100 && count != 3; i++) {
        assert_true(client_count(client, fixture->names.queue, &count, &fixture->error));
        (void)poll(NULL, 0, 50);
    }
    assert_int_equal(count, 3);
    client_close(client);
}

void test_a_client_gets_a_reply_of_the_largest_size_whole(void **state)
{
    struct fixture *fixture = *state;
    struct client *client = new_client(fixture);
    struct client_message message = {0};
    const size_t sizes[] = {REPLY_BYTES_MAX, REPLY_BYTES_MAX + 1};
    const size_t kept[] = {REPLY_BYTES_MAX, BODY_KEPT_BYTES};
    for (size_t i = 0; i < 2; i++) {
        struct text body = fixture_pattern(fixture, sizes[i]);
        fixture_send(fixture, "a", body);
        assert_int_equal(client_get(client, fixture->names.queue, &message, &fixture->error),
                         CLIENT_MESSAGE);
        assert_same_text(message.body, text_view(body.bytes, kept[i]));
        arena_free(message.arena);
    }
    client_close(client);
}

void test_a_client_learns_of_a_return(void **state)
{
    struct fixture *fixture = *state;
    struct client *client = new_client(fixture);
    struct outgoing message = {.exchange = text_of(""),
                               .routing_key = text_of(fixture->names.missing),
                               .mandatory = true,
                               .body = text_of("x")};
    enum client_outcome outcome = CLIENT_NACKED;
    assert_true(client_publish(client, &message, RECEIVE_MS, &outcome, &fixture->error));
    assert_int_equal(outcome, CLIENT_RETURNED);
    message.routing_key = text_of(fixture->names.queue);
    assert_true(client_publish(client, &message, RECEIVE_MS, &outcome, &fixture->error));
    assert_int_equal(outcome, CLIENT_CONFIRMED);
    client_close(client);
}
