/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. fixture_setup() starts the backend and opens its transport. keep_event() is the handler
 * of every poll: it copies each event to fixture->events. fixture_await() polls until enough events
 * of a kind are there; the other functions are built on it.
 *
 * Guarantees. A test fails with a message after FIXTURE_TIMEOUT_MS without the expected event. All
 * memory is freed in fixture_teardown(), also of a test that failed.
 *
 * Not here: what is different between the backends (transport_memory.c, transport_rabbitmq.c), and
 * the tests.
 */
#include "tests/contract/transport_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/codec/field_table.h"

enum { SLICE_MS = 50, SLICES_A_WHILE = 6, SLICES_MAX = FIXTURE_TIMEOUT_MS / SLICE_MS };

static void keep_event(void *context, const struct transport_event *event)
{
    struct fixture *fixture = context;
    assert_true(fixture->event_count < FIXTURE_EVENTS_MAX);
    struct transport_event *kept = &fixture->events[fixture->event_count++];
    *kept = *event;
    if (event->reason != NULL)
        kept->reason = text_copy(fixture->arena, text_of(event->reason)).bytes;
    if (event->kind == TRANSPORT_DELIVERY && fixture->on_delivery != NULL)
        fixture->on_delivery(fixture, &kept->delivery);
}

int fixture_setup(void **state)
{
    const struct fixture_backend *backend = *state;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->backend = backend;
    fixture->arena = arena_new(0);
    fixture->events = calloc(FIXTURE_EVENTS_MAX, sizeof fixture->events[0]);
    *state = fixture;
    backend->start(fixture);
    fixture_open(fixture);
    return 0;
}

void fixture_clear_events(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->event_count; i++)
        arena_free(fixture->events[i].arena);
    fixture->event_count = 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    fixture->transport->ops->free(fixture->transport);
    fixture->backend->finish(fixture);
    fixture_clear_events(fixture);
    for (size_t i = 0; i < fixture->taken_count; i++)
        arena_free(fixture->taken[i]);
    free(fixture->events);
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

void fixture_open(struct fixture *fixture)
{
    if (fixture->transport->ops->open(fixture->transport, &fixture->error) != TRANSPORT_OK)
        fail_msg("open: %s", fixture->error.text);
}

void fixture_consume(struct fixture *fixture, uint16_t prefetch)
{
    if (fixture->transport->ops->consume(fixture->transport, prefetch, &fixture->error) !=
        TRANSPORT_OK)
        fail_msg("consume: %s", fixture->error.text);
}

enum transport_status fixture_poll(struct fixture *fixture, int timeout_ms)
{
    const struct transport_handler handler = {fixture, keep_event};
    return fixture->transport->ops->poll(fixture->transport, timeout_ms, -1, &handler,
                                         &fixture->error);
}

void fixture_await(struct fixture *fixture, enum transport_event_kind kind, size_t count)
{
    for (int i = 0; i < SLICES_MAX && fixture_count(fixture, kind) < count; i++) {
        if (fixture_poll(fixture, SLICE_MS) != TRANSPORT_OK)
            fail_msg("poll: %s", fixture->error.text);
    }
    if (fixture_count(fixture, kind) < count)
        fail_msg("%zu events of kind %d, expected %zu", fixture_count(fixture, kind), (int)kind,
                 count);
}

void fixture_poll_a_while(struct fixture *fixture)
{
    for (int i = 0; i < SLICES_A_WHILE; i++)
        assert_int_equal(fixture_poll(fixture, SLICE_MS), TRANSPORT_OK);
}

void fixture_await_lost(struct fixture *fixture)
{
    enum transport_status status = TRANSPORT_OK;
    for (int i = 0; i < SLICES_MAX && status == TRANSPORT_OK; i++)
        status = fixture_poll(fixture, SLICE_MS);
    assert_int_equal(status, TRANSPORT_LOST);
}

size_t fixture_count(const struct fixture *fixture, enum transport_event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < fixture->event_count; i++)
        count += fixture->events[i].kind == kind;
    return count;
}

size_t fixture_position(const struct fixture *fixture, enum transport_event_kind kind, size_t index)
{
    for (size_t i = 0; i < fixture->event_count; i++) {
        if (fixture->events[i].kind == kind && index-- == 0)
            return i;
    }
    fail_msg("no event of kind %d at this index", (int)kind);
    return 0;
}

const struct transport_event *fixture_event(const struct fixture *fixture,
                                            enum transport_event_kind kind, size_t index)
{
    return &fixture->events[fixture_position(fixture, kind, index)];
}

void fixture_send(struct fixture *fixture, const char *message_id, struct text body)
{
    struct outgoing command = {.body = body};
    command.properties.message_id = text_of(message_id);
    fixture->backend->send(fixture, &command);
}

struct outgoing fixture_reply(struct fixture *fixture, const char *body)
{
    return (struct outgoing){.route = ROUTE_REPLIES,
                             .sequence = ++fixture->last_sequence,
                             .exchange = text_of(""),
                             .routing_key = text_of(fixture->names.reply_queue),
                             .mandatory = true,
                             .body = text_of(body)};
}

struct outgoing fixture_dead_letter(struct fixture *fixture, const char *body)
{
    return (struct outgoing){.route = ROUTE_DEAD_LETTERS,
                             .sequence = ++fixture->last_sequence,
                             .exchange = text_of(fixture->names.dead_letter_exchange),
                             .routing_key = text_of(fixture->names.queue),
                             .mandatory = true,
                             .body = text_of(body)};
}

void fixture_await_ready(struct fixture *fixture, enum route route)
{
    for (int i = 0; i < SLICES_MAX; i++) {
        if (fixture->transport->ops->ready(fixture->transport, route))
            return;
        assert_int_equal(fixture_poll(fixture, SLICE_MS), TRANSPORT_OK);
    }
    fail_msg("route %s is not ready", route_name(route));
}

void fixture_publish(struct fixture *fixture, const struct outgoing *outgoing)
{
    fixture_await_ready(fixture, outgoing->route);
    if (fixture->transport->ops->publish(fixture->transport, outgoing, &fixture->error) !=
        TRANSPORT_OK)
        fail_msg("publish: %s", fixture->error.text);
}

void fixture_ack(struct fixture *fixture, uint64_t tag)
{
    if (fixture->transport->ops->ack(fixture->transport, tag, &fixture->error) != TRANSPORT_OK)
        fail_msg("ack: %s", fixture->error.text);
}

struct fixture_message fixture_take(struct fixture *fixture, const char *queue)
{
    const struct timespec pause = {0, SLICE_MS * 1000000L};
    struct fixture_message message;
    for (int i = 0; i < SLICES_MAX; i++) {
        if (fixture->backend->take(fixture, queue, &message)) {
            assert_true(fixture->taken_count < FIXTURE_TAKEN_MAX);
            fixture->taken[fixture->taken_count++] = message.arena;
            return message;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("no message in %s", queue);
    return message;
}

struct text fixture_pattern(struct fixture *fixture, size_t length)
{
    char *bytes = arena_alloc(fixture->arena, length + 1);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 31 + i / 4096);
    return text_view(bytes, length);
}

struct text fixture_text_header(struct text raw_headers, const char *name)
{
    struct field field;
    assert_true(field_table_find(raw_headers, name, &field));
    assert_int_equal(field.kind, FIELD_TEXT);
    return field.text;
}

void fixture_send_some(struct fixture *fixture, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char id[2] = {(char)('a' + i), '\0'};
        fixture_send(fixture, id, text_of("{}"));
    }
}

const struct delivery *fixture_delivery(struct fixture *fixture, size_t index)
{
    fixture_await(fixture, TRANSPORT_DELIVERY, index + 1);
    return &fixture_event(fixture, TRANSPORT_DELIVERY, index)->delivery;
}

struct properties fixture_properties(void)
{
    return (struct properties){.content_type = text_of("application/json"),
                               .content_encoding = text_of(""),
                               .correlation_id = text_of("correlation"),
                               .reply_to = text_of("somewhere"),
                               .expiration = text_of("3600000"),
                               .message_id = text_of("key"),
                               .type = text_of("a type"),
                               .app_id = text_of("an app"),
                               .cluster_id = text_of("a cluster"),
                               .has_priority = true,
                               .priority = 3,
                               .has_timestamp = true,
                               .timestamp = 1700000000};
}

void assert_fixture_properties(const struct properties *properties)
{
    assert_text(properties->content_type, "application/json");
    assert_text(properties->content_encoding, "");
    assert_text(properties->correlation_id, "correlation");
    assert_text(properties->reply_to, "somewhere");
    assert_text(properties->expiration, "3600000");
    assert_text(properties->message_id, "key");
    assert_text(properties->type, "a type");
    assert_text(properties->app_id, "an app");
    assert_text(properties->cluster_id, "a cluster");
    assert_true(properties->has_priority);
    assert_int_equal(properties->priority, 3);
    assert_true(properties->has_timestamp);
    assert_int_equal(properties->timestamp, 1700000000);
}

void assert_text(struct text text, const char *expected)
{
    assert_same_text(text, text_of(expected));
}

void assert_same_text(struct text text, struct text expected)
{
    assert_int_equal(text_present(text), text_present(expected));
    assert_int_equal(text.length, expected.length);
    if (text.length > 0)
        assert_memory_equal(text.bytes, expected.bytes, text.length);
}
