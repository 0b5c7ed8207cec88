/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/exchange.h"

#include <string.h>
#include <time.h>

#include <jansson.h>

#include "common/codec/field_table.h"

enum { CONFIRM_TIMEOUT_MS = 30000, MS_PER_S = 1000, NS_PER_MS = 1000000 };

struct exchange {
    struct client *client;
    const struct exchange_plan *plan;
    const struct input *input;
    struct arena *arena;
    const char *reply_queue; /* NULL: nobody waits */
    bool no_ack;
    struct text correlation; /* what all correlation ids of this run begin with */
    json_t **lines;          /* one a command; NULL: nothing is known of it yet */
    size_t sent;
    size_t printed;
    size_t unanswered; /* of those sent */
    bool all_succeeded;
};

/* --- what is printed ------------------------------------------------------------------------ */

static json_t *text_json(struct text text)
{
    return json_stringn(text.bytes, text.length);
}

/* The first of several outcomes of one command stands. */
static void settle(struct exchange *exchange, size_t index, json_t *line, bool succeeded)
{
    if (exchange->lines[index] != NULL) {
        json_decref(line);
        return;
    }
    exchange->lines[index] = line;
    exchange->all_succeeded = exchange->all_succeeded && succeeded;
    exchange->unanswered--;
}

static void settle_with(struct exchange *exchange, size_t index, const char *status, bool succeeded)
{
    json_t *line = json_object();
    (void)json_object_set_new(line, "message_id",
                              text_json(exchange->input->commands[index].message_id));
    (void)json_object_set_new(line, "status", json_string(status));
    settle(exchange, index, line, succeeded);
}

static void print_settled(struct exchange *exchange)
{
    while (exchange->printed < exchange->sent && exchange->lines[exchange->printed] != NULL) {
        json_t **line = &exchange->lines[exchange->printed++];
        (void)json_dumpf(*line, stdout, JSON_COMPACT);
        (void)putchar('\n');
        json_decref(*line);
        *line = NULL;
    }
}

/* --- replies -------------------------------------------------------------------------------- */

/* The command that a correlation id of ours belongs to. */
static bool index_of(const struct exchange *exchange, struct text correlation_id, size_t *ret_index)
{
    struct text prefix = exchange->correlation;
    if (correlation_id.length <= prefix.length ||
        memcmp(correlation_id.bytes, prefix.bytes, prefix.length) != 0)
        return false;
    size_t index = 0;
    for (size_t i = prefix.length; i < correlation_id.length; i++) {
        char digit = correlation_id.bytes[i];
        if (digit < '0' || digit > '9' || index > exchange->sent)
            return false;
        index = 10 * index + (size_t)(digit - '0');
    }
    if (index >= exchange->sent)
        return false;
    *ret_index = index;
    return true;
}

static bool is_replayed(struct text raw_headers)
{
    struct field field;
    return field_table_find(raw_headers, "x-allot-replayed", &field) &&
           field.kind == FIELD_BOOLEAN && field.integer != 0;
}

static void take_reply(struct exchange *exchange, size_t index,
                       const struct client_message *message)
{
    const char *bytes = message->body.bytes != NULL ? message->body.bytes : "";
    json_t *body = json_loadb(bytes, message->body.length, JSON_ALLOW_NUL, NULL);
    const char *status = json_string_value(json_object_get(body, "status"));
    if (status == NULL) {
        settle_with(exchange, index, "unreadable reply", false);
        json_decref(body);
        return;
    }
    bool succeeded = strcmp(status, "success") == 0;
    json_t *line = json_object();
    (void)json_object_set_new(line, "message_id",
                              text_json(exchange->input->commands[index].message_id));
    (void)json_object_set_new(line, "replayed", json_boolean(is_replayed(message->raw_headers)));
    (void)json_object_set(line, "status", json_object_get(body, "status"));
    (void)json_object_update_missing(line, body);
    json_decref(body);
    settle(exchange, index, line, succeeded);
}

/*
 * What is not ours, in a queue that others use as well, is not acknowledged: it goes back when the
 * connection ends.
 */
static enum client_answer receive(struct exchange *exchange, int timeout_ms, struct error *error)
{
    struct client_message message = {0};
    size_t index = 0;
    enum client_answer answer = client_receive(exchange->client, timeout_ms, &message, error);
    if (answer != CLIENT_MESSAGE)
        return answer;
    if (index_of(exchange, message.properties.correlation_id, &index)) {
        /* A printed command is settled: this is its reply once more. */
        if (index >= exchange->printed)
            take_reply(exchange, index, &message);
        if (!exchange->no_ack && !client_ack(exchange->client, message.tag, error))
            answer = CLIENT_FAILED;
    }
    arena_free(message.arena);
    return answer;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

static bool receive_all(struct exchange *exchange, struct error *error)
{
    int64_t deadline_ms = now_ms() + exchange->plan->timeout_ms;
    while (exchange->unanswered > 0) {
        int64_t remaining_ms = deadline_ms - now_ms();
        if (remaining_ms <= 0)
            break;
        if (receive(exchange, (int)remaining_ms, error) == CLIENT_FAILED)
            return false;
        print_settled(exchange);
    }
    for (size_t i = exchange->printed; i < exchange->sent; i++) {
        if (exchange->lines[i] == NULL)
            settle_with(exchange, i, "timeout", false);
    }
    print_settled(exchange);
    return true;
}

/* --- commands ------------------------------------------------------------------------------- */

static void note_outcome(struct exchange *exchange, size_t index, enum client_outcome outcome)
{
    struct text message_id = exchange->input->commands[index].message_id;
    switch (outcome) {
    case CLIENT_TAKEN:
        if (exchange->reply_queue == NULL)
            settle_with(exchange, index, "published", true);
        return;
    case CLIENT_RETURNED:
        (void)fprintf(stderr, "allotctl: %.*s came back: no queue takes it\n",
                      TEXT_ARGS(message_id));
        settle_with(exchange, index, "unroutable", false);
        return;
    case CLIENT_NACKED:
        (void)fprintf(stderr, "allotctl: the broker did not take %.*s\n", TEXT_ARGS(message_id));
        settle_with(exchange, index, "nacked", false);
        return;
    }
}

static bool send_one(struct exchange *exchange, size_t index, struct error *error)
{
    const struct input_command *command = &exchange->input->commands[index];
    struct outgoing outgoing = {
        .exchange = exchange->plan->exchange,
        .routing_key = exchange->plan->routing_key,
        .mandatory = true,
        .properties = {.content_type = text_of("application/json"),
                       .message_id = command->message_id},
        .headers = command->headers,
        .header_count = command->header_count,
        .body = command->body,
    };
    if (exchange->reply_queue != NULL) {
        outgoing.properties.reply_to = text_of(exchange->reply_queue);
        /* Not the message id: one key may stand on several lines. */
        outgoing.properties.correlation_id =
            text_format(exchange->arena, "%.*s%zu", TEXT_ARGS(exchange->correlation), index);
    }
    enum client_outcome outcome = CLIENT_TAKEN;
    exchange->sent++;
    exchange->unanswered++;
    if (!client_publish(exchange->client, &outgoing, CONFIRM_TIMEOUT_MS, &outcome, error))
        return false;
    note_outcome(exchange, index, outcome);
    return true;
}

static bool send_all(struct exchange *exchange, struct error *error)
{
    for (size_t i = 0; i < exchange->input->count; i++) {
        if (!send_one(exchange, i, error))
            return false;
        enum client_answer answer = CLIENT_NOTHING;
        while (exchange->reply_queue != NULL &&
               (answer = receive(exchange, 0, error)) == CLIENT_MESSAGE)
            continue;
        if (answer == CLIENT_FAILED)
            return false;
        print_settled(exchange);
    }
    return true;
}

static bool listen_for_replies(struct exchange *exchange, struct error *error)
{
    const char *queue = exchange->plan->reply_to;
    struct text random = input_random_key(exchange->arena);
    exchange->correlation = text_format(exchange->arena, "%.*s/", TEXT_ARGS(random));
    if (queue == NULL) {
        struct text user = client_user(exchange->client);
        queue =
            text_format(exchange->arena, "%.*s.allotctl.%.*s", TEXT_ARGS(user), TEXT_ARGS(random))
                .bytes;
        if (!client_declare_queue(exchange->client, queue, error))
            return false;
        exchange->no_ack = true;
    } else {
        exchange->no_ack = strcmp(queue, CLIENT_DIRECT_REPLY_QUEUE) == 0;
    }
    exchange->reply_queue = queue;
    return client_consume(exchange->client, queue, exchange->no_ack, error);
}

bool exchange_run(struct client *client, const struct exchange_plan *plan,
                  const struct input *input, struct arena *arena, bool *ret_all_succeeded,
                  struct error *error)
{
    struct exchange exchange = {
        .client = client,
        .plan = plan,
        .input = input,
        .arena = arena,
        .lines = ARENA_ARRAY(arena, json_t *, input->count),
        .all_succeeded = true,
    };
    bool good = (!plan->wait || listen_for_replies(&exchange, error)) &&
                send_all(&exchange, error) && receive_all(&exchange, error);
    for (size_t i = exchange.printed; i < input->count; i++)
        json_decref(exchange.lines[i]);
    if (good)
        *ret_all_succeeded = exchange.all_succeeded;
    return good;
}
