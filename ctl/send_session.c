/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. send_all publishes the commands one after another and waits for the confirm of each. In
 * between it takes the replies that have already arrived, so that the reply queue stays short.
 * receive_all then waits for the rest. Every command has one slot in `lines` for its result, which
 * is set once: by its confirm, by its reply, or by the timeout. print_results prints the slots in
 * the order of the input and stops at the first empty one.
 *
 * A reply is matched to its command by the correlation id, UUID/INDEX: the UUID is that of this
 * run, INDEX the place of the command in the input. The message id would not do, since two lines
 * may have the same one.
 *
 * There are no retries and no reconnection: `allotctl send` reports what happened, and the same
 * input with the same message ids may be sent again.
 */
#include "ctl/send_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/host/random.h"
#include "common/host/system_clock.h"
#include "ctl/output.h"
#include "ctl/request/reply_queue.h"

struct send_session {
    struct client *client;
    const struct send_options *options;
    const struct send_input *input;
    struct arena *arena;
    const char *reply_queue; /* NULL: this run waits for confirms only */
    bool no_ack;
    struct text correlation; /* the prefix of all correlation ids of this run */
    json_t **lines;          /* the result of each command, owned; NULL: not known yet */
    size_t sent;
    size_t printed;
    size_t unknown; /* commands that are sent and have no result yet */
    bool all_succeeded;
};

/* --- results -------------------------------------------------------------------------------- */

static json_t *text_json(struct text text)
{
    return json_stringn(text.bytes, text.length);
}

/* Sets the result of a command. Takes ownership of `line`. A second result is ignored. */
static void set_result(struct send_session *session, size_t index, json_t *line, bool succeeded)
{
    if (session->lines[index] != NULL) {
        json_decref(line);
        return;
    }
    session->lines[index] = line;
    session->all_succeeded = session->all_succeeded && succeeded;
    session->unknown--;
}

/* Returns a new line with the command's message id. */
static json_t *new_line(const struct send_session *session, size_t index)
{
    json_t *line = json_object();
    (void)json_object_set_new(line, "message_id",
                              text_json(session->input->commands[index].message_id));
    return line;
}

static void set_status(struct send_session *session, size_t index, const char *status,
                       bool succeeded)
{
    json_t *line = new_line(session, index);
    (void)json_object_set_new(line, "status", json_string(status));
    set_result(session, index, line, succeeded);
}

static void print_results(struct send_session *session)
{
    while (session->printed < session->sent && session->lines[session->printed] != NULL) {
        json_t **line = &session->lines[session->printed++];
        char *text = json_dumps(*line, JSON_COMPACT);
        print_json_line(stdout, text_of(text != NULL ? text : ""));
        free(text);
        json_decref(*line);
        *line = NULL;
    }
}

/* --- replies -------------------------------------------------------------------------------- */

/* Finds the command of a correlation id. Returns false for an id that is not of this run. */
static bool find_command(const struct send_session *session, struct text correlation_id,
                         size_t *ret_index)
{
    struct text prefix = session->correlation;
    if (correlation_id.length <= prefix.length ||
        memcmp(correlation_id.bytes, prefix.bytes, prefix.length) != 0)
        return false;
    size_t index = 0;
    for (size_t i = prefix.length; i < correlation_id.length; i++) {
        char digit = correlation_id.bytes[i];
        if (digit < '0' || digit > '9' || index > session->sent)
            return false;
        index = 10 * index + (size_t)(digit - '0');
    }
    if (index >= session->sent)
        return false;
    *ret_index = index;
    return true;
}

static void handle_reply(struct send_session *session, size_t index,
                         const struct client_message *message)
{
    json_t *body = reply_read(message);
    if (body == NULL) {
        set_status(session, index, "unreadable reply", false);
        return;
    }
    const char *status = json_string_value(json_object_get(body, "status"));
    bool succeeded = strcmp(status, "success") == 0;
    json_t *line = new_line(session, index);
    (void)json_object_set_new(line, "replayed", json_boolean(reply_is_replayed(message)));
    (void)json_object_set(line, "status", json_object_get(body, "status"));
    (void)json_object_update_missing(line, body);
    json_decref(body);
    set_result(session, index, line, succeeded);
}

/*
 * Receives one message and handles it if it is a reply of this run. In a shared queue (--reply-to)
 * there may be messages of others: they are not acknowledged, so the broker requeues them when the
 * connection is closed.
 */
static enum client_answer receive(struct send_session *session, int timeout_ms, struct error *error)
{
    struct client_message message = {0};
    size_t index = 0;
    enum client_answer answer = client_receive(session->client, timeout_ms, &message, error);
    if (answer != CLIENT_MESSAGE)
        return answer;
    if (find_command(session, message.properties.correlation_id, &index)) {
        /* A reply for a printed line is a duplicate. */
        if (index >= session->printed)
            handle_reply(session, index, &message);
        if (!session->no_ack && !client_ack(session->client, message.tag, error))
            answer = CLIENT_FAILED;
    }
    arena_free(message.arena);
    return answer;
}

static bool receive_all(struct send_session *session, struct error *error)
{
    int64_t deadline_ms = system_monotonic_ms() + session->options->timeout_ms;
    while (session->unknown > 0) {
        int64_t remaining_ms = deadline_ms - system_monotonic_ms();
        if (remaining_ms <= 0)
            break;
        if (receive(session, (int)remaining_ms, error) == CLIENT_FAILED)
            return false;
        print_results(session);
    }
    for (size_t i = session->printed; i < session->sent; i++) {
        if (session->lines[i] == NULL)
            set_status(session, i, "timeout", false);
    }
    print_results(session);
    return true;
}

/* --- commands ------------------------------------------------------------------------------- */

static void print_failure(struct text message_id, const char *what)
{
    (void)fputs("allotctl: message '", stderr);
    print_printable(stderr, message_id);
    (void)fprintf(stderr, "' %s\n", what);
}

static void handle_confirm(struct send_session *session, size_t index, enum client_outcome outcome)
{
    struct text message_id = session->input->commands[index].message_id;
    switch (outcome) {
    case CLIENT_CONFIRMED:
        if (session->reply_queue == NULL)
            set_status(session, index, "published", true);
        return;
    case CLIENT_RETURNED:
        print_failure(message_id,
                      "is unroutable: no queue is bound to the exchange with this routing key");
        set_status(session, index, "unroutable", false);
        return;
    case CLIENT_NACKED:
        print_failure(message_id, "was nacked by the broker");
        set_status(session, index, "nacked", false);
        return;
    }
}

static bool send_one(struct send_session *session, size_t index, struct error *error)
{
    const struct send_input_command *command = &session->input->commands[index];
    struct outgoing outgoing = {
        .exchange = session->options->exchange,
        .routing_key = session->options->routing_key,
        .mandatory = true,
        .properties = {.content_type = text_of("application/json"),
                       .message_id = command->message_id},
        .headers = command->headers,
        .header_count = command->header_count,
        .body = command->body,
    };
    if (session->reply_queue != NULL) {
        outgoing.properties.reply_to = text_of(session->reply_queue);
        outgoing.properties.correlation_id =
            text_format(session->arena, "%.*s%zu", TEXT_ARGS(session->correlation), index);
    }
    enum client_outcome outcome = CLIENT_CONFIRMED;
    session->sent++;
    session->unknown++;
    if (!client_publish(session->client, &outgoing, COMMAND_CONFIRM_MS, &outcome, error))
        return false;
    handle_confirm(session, index, outcome);
    return true;
}

static bool send_all(struct send_session *session, struct error *error)
{
    for (size_t i = 0; i < session->input->count; i++) {
        if (!send_one(session, i, error))
            return false;
        enum client_answer answer = CLIENT_NOTHING;
        while (session->reply_queue != NULL &&
               (answer = receive(session, 0, error)) == CLIENT_MESSAGE)
            continue;
        if (answer == CLIENT_FAILED)
            return false;
        print_results(session);
    }
    return true;
}

static bool consume_replies(struct send_session *session, struct error *error)
{
    const char *queue = session->options->reply_to;
    struct uuid_text run = uuid_format(random_uuid());
    session->correlation = text_format(session->arena, "%s/", run.chars);
    if (queue == NULL) {
        session->no_ack = true;
        return reply_queue_open(session->client, run.chars, session->arena, &session->reply_queue,
                                error);
    }
    session->no_ack = strcmp(queue, CLIENT_DIRECT_REPLY_QUEUE) == 0;
    session->reply_queue = queue;
    return client_consume(session->client, queue, session->no_ack, error);
}

bool send_session_run(struct client *client, const struct send_options *options,
                      const struct send_input *input, struct arena *arena, bool *ret_all_succeeded,
                      struct error *error)
{
    struct send_session session = {
        .client = client,
        .options = options,
        .input = input,
        .arena = arena,
        .lines = ARENA_ARRAY(arena, json_t *, input->count),
        .all_succeeded = true,
    };
    bool done = (!options->wait || consume_replies(&session, error)) && send_all(&session, error) &&
                receive_all(&session, error);
    for (size_t i = session.printed; i < input->count; i++)
        json_decref(session.lines[i]);
    if (done)
        *ret_all_succeeded = session.all_succeeded;
    return done;
}
