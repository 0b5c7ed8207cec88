/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/transport_lab.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/codec/field_table.h"

enum { SLICE_MS = 50, REST_SLICES = 6, TRIES_MAX = LAB_PATIENCE_MS / SLICE_MS };

static void record(void *context, const struct transport_event *event)
{
    struct lab *lab = context;
    assert_true(lab->record_count < LAB_RECORDS_MAX);
    struct transport_event *kept = &lab->records[lab->record_count++];
    *kept = *event;
    if (event->reason != NULL)
        kept->reason = text_copy(lab->arena, text_of(event->reason)).bytes;
    if (event->kind == TRANSPORT_DELIVERY && lab->on_delivery != NULL)
        lab->on_delivery(lab, &kept->delivery);
}

int lab_setup(void **state)
{
    const struct lab_backend *backend = *state;
    struct lab *lab = calloc(1, sizeof *lab);
    lab->backend = backend;
    lab->arena = arena_new(0);
    lab->records = calloc(LAB_RECORDS_MAX, sizeof lab->records[0]);
    *state = lab;
    backend->start(lab);
    lab_open(lab);
    return 0;
}

void lab_forget(struct lab *lab)
{
    for (size_t i = 0; i < lab->record_count; i++)
        arena_free(lab->records[i].arena);
    lab->record_count = 0;
}

int lab_teardown(void **state)
{
    struct lab *lab = *state;
    lab->transport->ops->free(lab->transport);
    lab->backend->finish(lab);
    lab_forget(lab);
    for (size_t i = 0; i < lab->taken_count; i++)
        arena_free(lab->taken[i]);
    free(lab->records);
    arena_free(lab->arena);
    free(lab);
    return 0;
}

void lab_open(struct lab *lab)
{
    if (lab->transport->ops->open(lab->transport, &lab->error) != TRANSPORT_OK)
        fail_msg("open: %s", lab->error.text);
}

void lab_consume(struct lab *lab, uint16_t prefetch)
{
    if (lab->transport->ops->consume(lab->transport, prefetch, &lab->error) != TRANSPORT_OK)
        fail_msg("consume: %s", lab->error.text);
}

enum transport_status lab_poll(struct lab *lab, int timeout_ms)
{
    const struct transport_handler handler = {lab, record};
    return lab->transport->ops->poll(lab->transport, timeout_ms, -1, &handler, &lab->error);
}

void lab_await(struct lab *lab, enum transport_event_kind kind, size_t count)
{
    for (int i = 0; i < TRIES_MAX && lab_count(lab, kind) < count; i++) {
        if (lab_poll(lab, SLICE_MS) != TRANSPORT_OK)
            fail_msg("poll: %s", lab->error.text);
    }
    if (lab_count(lab, kind) < count)
        fail_msg("%zu events of kind %d came, not %zu", lab_count(lab, kind), (int)kind, count);
}

void lab_rest(struct lab *lab)
{
    for (int i = 0; i < REST_SLICES; i++)
        assert_int_equal(lab_poll(lab, SLICE_MS), TRANSPORT_OK);
}

void lab_await_lost(struct lab *lab)
{
    enum transport_status status = TRANSPORT_OK;
    for (int i = 0; i < TRIES_MAX && status == TRANSPORT_OK; i++)
        status = lab_poll(lab, SLICE_MS);
    assert_int_equal(status, TRANSPORT_LOST);
}

size_t lab_count(const struct lab *lab, enum transport_event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < lab->record_count; i++)
        count += lab->records[i].kind == kind;
    return count;
}

size_t lab_place(const struct lab *lab, enum transport_event_kind kind, size_t index)
{
    for (size_t i = 0; i < lab->record_count; i++) {
        if (lab->records[i].kind == kind && index-- == 0)
            return i;
    }
    fail_msg("no such event of kind %d", (int)kind);
    return 0;
}

const struct transport_event *lab_event(const struct lab *lab, enum transport_event_kind kind,
                                        size_t index)
{
    return &lab->records[lab_place(lab, kind, index)];
}

void lab_send(struct lab *lab, const char *message_id, struct text body)
{
    struct outgoing command = {.body = body};
    command.properties.message_id = text_of(message_id);
    lab->backend->send(lab, &command);
}

struct outgoing lab_reply(struct lab *lab, const char *body)
{
    return (struct outgoing){.kind = OUTGOING_REPLY,
                             .sequence = ++lab->last_sequence,
                             .exchange = text_of(""),
                             .routing_key = text_of(lab->names.reply_queue),
                             .mandatory = true,
                             .body = text_of(body)};
}

struct outgoing lab_dead_letter(struct lab *lab, const char *body)
{
    return (struct outgoing){.kind = OUTGOING_DEAD_LETTER,
                             .sequence = ++lab->last_sequence,
                             .exchange = text_of(lab->names.dead_exchange),
                             .routing_key = text_of(lab->names.queue),
                             .mandatory = true,
                             .body = text_of(body)};
}

void lab_publish(struct lab *lab, const struct outgoing *outgoing)
{
    if (lab->transport->ops->publish(lab->transport, outgoing, &lab->error) != TRANSPORT_OK)
        fail_msg("publish: %s", lab->error.text);
}

void lab_ack(struct lab *lab, uint64_t tag)
{
    if (lab->transport->ops->ack(lab->transport, tag, &lab->error) != TRANSPORT_OK)
        fail_msg("ack: %s", lab->error.text);
}

struct lab_message lab_take(struct lab *lab, const char *queue)
{
    const struct timespec pause = {0, SLICE_MS * 1000000L};
    struct lab_message message;
    for (int i = 0; i < TRIES_MAX; i++) {
        if (lab->backend->take(lab, queue, &message)) {
            assert_true(lab->taken_count < LAB_TAKEN_MAX);
            lab->taken[lab->taken_count++] = message.arena;
            return message;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("no message in %s", queue);
    return message;
}

struct text lab_pattern(struct lab *lab, size_t length)
{
    char *bytes = arena_alloc(lab->arena, length + 1);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 31 + i / 4096);
    return text_view(bytes, length);
}

struct text lab_text_header(struct text raw_headers, const char *name)
{
    struct field field;
    assert_true(field_table_find(raw_headers, name, &field));
    assert_int_equal(field.kind, FIELD_TEXT);
    return field.text;
}

void lab_send_some(struct lab *lab, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char id[2] = {(char)('a' + i), '\0'};
        lab_send(lab, id, text_of("{}"));
    }
}

const struct delivery *lab_delivery(struct lab *lab, size_t index)
{
    lab_await(lab, TRANSPORT_DELIVERY, index + 1);
    return &lab_event(lab, TRANSPORT_DELIVERY, index)->delivery;
}

struct properties lab_properties(void)
{
    return (struct properties){.content_type = text_of("application/json"),
                               .content_encoding = text_of(""),
                               .correlation_id = text_of("correlation"),
                               .reply_to = text_of("somewhere"),
                               .expiration = text_of("3600000"),
                               .message_id = text_of("key"),
                               .type = text_of("a type"),
                               .app_id = text_of("an app"),
                               .has_priority = true,
                               .priority = 3,
                               .has_timestamp = true,
                               .timestamp = 1700000000};
}

void assert_lab_properties(const struct properties *properties)
{
    assert_text(properties->content_type, "application/json");
    assert_text(properties->content_encoding, "");
    assert_text(properties->correlation_id, "correlation");
    assert_text(properties->reply_to, "somewhere");
    assert_text(properties->expiration, "3600000");
    assert_text(properties->message_id, "key");
    assert_text(properties->type, "a type");
    assert_text(properties->app_id, "an app");
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
