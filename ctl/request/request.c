/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. request_send() publishes a command and waits for its confirm, then for the reply whose
 * correlation id is that of this command. Every answer is kept in `answers` until the end, so that
 * callers need not release it.
 *
 * Guarantees. A command is published once. If its reply does not come, nothing is known of it, and
 * nothing is sent again: print_how_to_repeat() tells the user how the same bytes are sent under the
 * same key, which gives the answer whether the first one was applied or not.
 */
#include "ctl/request/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/units.h"
#include "common/host/random.h"
#include "common/host/system_clock.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/request/failure_advice.h"
#include "ctl/request/reply_member.h"
#include "ctl/request/reply_queue.h"
#include "ctl/settings.h"
#include "ctl/shell_word.h"

enum { REAL_DIGITS_SENT = 17, REAL_DIGITS_SHOWN = 15 };

struct requests {
    const struct options *options;
    struct arena *arena;
    struct settings settings;
    struct client *client;
    const char *reply_queue;
    json_t *answers; /* an array of the bodies of all replies */
};

/* A command on its way. */
struct sent {
    enum command_kind command;
    struct text key;
    struct text correlation;
    struct text body;
    const char *repeat;
};

/* --- the connection ------------------------------------------------------------------------- */

static bool connect_to_broker(struct requests *requests, struct error *error)
{
    struct uuid_text run = uuid_format(random_uuid());
    if (!broker_settings_load(requests->options, requests->arena, &requests->settings, error))
        return false;
    struct amqp_tls tls = broker_settings_tls(&requests->settings);
    requests->client = client_open(requests->settings.amqp_uri, &tls, error);
    return requests->client != NULL &&
           reply_queue_open(requests->client, run.chars, requests->arena, &requests->reply_queue,
                            error);
}

struct requests *requests_open(const struct options *options, struct arena *arena)
{
    struct error error = {""};
    struct requests *requests = ARENA_NEW(arena, struct requests);
    requests->options = options;
    requests->arena = arena;
    requests->answers = json_array();
    if (connect_to_broker(requests, &error))
        return requests;
    (void)fail_with(&error);
    requests_close(requests);
    return NULL;
}

void requests_close(struct requests *requests)
{
    if (requests == NULL)
        return;
    client_close(requests->client);
    json_decref(requests->answers);
}

struct text requests_principal(const struct requests *requests)
{
    return client_user(requests->client);
}

/* --- what is printed ------------------------------------------------------------------------ */

void print_json(const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS_SHOWN));
    print_json_line(stdout, text_of(text != NULL ? text : ""));
    free(text);
}

static void print_details(json_t *details)
{
    for (void *m = json_object_iter(details); m != NULL; m = json_object_iter_next(details, m)) {
        json_t *value = json_object_iter_value(m);
        (void)fputs("  ", stderr);
        print_printable(stderr, text_of(json_object_iter_key(m)));
        (void)fputs(": ", stderr);
        if (json_is_string(value)) {
            print_printable_line(stderr,
                                 text_view(json_string_value(value), json_string_length(value)));
            continue;
        }
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        print_json_line(stderr, text_of(text != NULL ? text : ""));
        free(text);
    }
}

int answer_fail(const struct requests *requests, const struct answer *answer)
{
    if (requests->options->json) {
        json_t *line = json_pack("{s:O}", "error", answer->error);
        print_json(line);
        json_decref(line);
    }
    (void)fflush(stdout);
    (void)fputs("allotctl: ", stderr);
    print_printable(stderr, reply_member_text(answer->error, "code"));
    (void)fputs(": ", stderr);
    print_printable_line(stderr, reply_member_text(answer->error, "message"));
    print_details(json_object_get(answer->error, "details"));
    if (answer->code != VERDICT_SUCCESS)
        (void)fprintf(stderr, "allotctl: what to do: %s\n", failure_advice(answer->code));
    if (answer->replayed)
        (void)fputs("allotctl: this is the recorded answer of an earlier command with this key; "
                    "nothing was tried again\n",
                    stderr);
    return EXIT_FAILED;
}

/* The envelope of `allotctl send` has the very bytes that were sent. */
static void print_envelope(const struct requests *requests, const struct sent *sent)
{
    struct text envelope = text_format(requests->arena, "{\"message_id\":\"%.*s\",\"body\":%.*s}",
                                       TEXT_ARGS(sent->key), TEXT_ARGS(sent->body));
    (void)fputs("allotctl: to learn the answer, send the same command under the same key:\n  echo ",
                stderr);
    print_printable(stderr, shell_word(requests->arena, envelope));
    (void)fputs(" | allotctl send\n", stderr);
}

static void print_how_to_repeat(const struct requests *requests, const struct sent *sent)
{
    if (command_mode(sent->command) == MODE_READ)
        return;
    (void)fprintf(
        stderr,
        "allotctl: nothing is known about the command with the key %.*s: it may have been "
        "applied, or may still be\n",
        TEXT_ARGS(sent->key));
    if (sent->repeat == NULL)
        print_envelope(requests, sent);
    else
        (void)fprintf(stderr,
                      "allotctl: to learn the answer, repeat it with --key %.*s%s%s; it takes "
                      "effect once\n",
                      TEXT_ARGS(sent->key), sent->repeat[0] != '\0' ? " " : "", sent->repeat);
}

static void print_timeout(const struct requests *requests, const struct sent *sent)
{
    struct text user = requests_principal(requests);
    (void)fflush(stdout);
    (void)fprintf(stderr, "allotctl: no reply to %s within %s\n", command_name(sent->command),
                  units_format(UNIT_DURATION, requests->options->timeout_ms).chars);
    (void)fprintf(stderr,
                  "allotctl: either no worker takes commands, or the policy does not know the "
                  "principal '%.*s' or does not let it use reply_to '%.*s.allotctl.*'; then there "
                  "is a letter\n",
                  TEXT_ARGS(user), TEXT_ARGS(user));
    print_how_to_repeat(requests, sent);
}

/* --- a command and its reply ---------------------------------------------------------------- */

static struct answer no_answer(void)
{
    return (struct answer){.kind = ANSWER_NONE};
}

/* Takes the ownership of `body`. Without a result or an error there is no answer. */
static struct answer answer_of(struct requests *requests, json_t *body, bool replayed)
{
    struct answer answer = {.kind = ANSWER_NONE, .replayed = replayed};
    (void)json_array_append_new(requests->answers, body);
    if (text_is(reply_member_text(body, "status"), "success"))
        answer.result = json_object_get(body, "result");
    else
        answer.error = json_object_get(body, "error");
    if (json_is_object(answer.result))
        answer.kind = ANSWER_SUCCESS;
    else if (json_is_object(answer.error))
        answer.kind = ANSWER_FAILURE;
    if (!verdict_parse(reply_member_text(answer.error, "code"), &answer.code))
        answer.code = VERDICT_SUCCESS;
    return answer;
}

/* Receives one message. Sets the answer if it is the reply. */
static enum client_answer receive(struct requests *requests, const struct sent *sent,
                                  int timeout_ms, bool *ret_found, struct answer *ret_answer,
                                  struct error *error)
{
    struct client_message message = {0};
    enum client_answer received = client_receive(requests->client, timeout_ms, &message, error);
    if (received != CLIENT_MESSAGE)
        return received;
    *ret_found = text_equal(message.properties.correlation_id, sent->correlation);
    json_t *body = *ret_found ? reply_read(&message) : NULL;
    if (body != NULL)
        *ret_answer = answer_of(requests, body, reply_is_replayed(&message));
    if (*ret_found && ret_answer->kind == ANSWER_NONE) {
        error_set(error, "the reply to %s cannot be read", command_name(sent->command));
        received = CLIENT_FAILED;
    }
    arena_free(message.arena);
    return received;
}

static struct answer await_reply(struct requests *requests, const struct sent *sent)
{
    struct error error = {""};
    struct answer answer = no_answer();
    bool found = false;
    int64_t deadline_ms = system_monotonic_ms() + requests->options->timeout_ms;
    for (int64_t left_ms; !found && (left_ms = deadline_ms - system_monotonic_ms()) > 0;) {
        if (receive(requests, sent, (int)left_ms, &found, &answer, &error) != CLIENT_FAILED)
            continue;
        (void)fail_with(&error);
        print_how_to_repeat(requests, sent);
        return no_answer();
    }
    if (!found)
        print_timeout(requests, sent);
    return answer;
}

/* Returns whether the command is in the queue; prints an error otherwise. */
static bool publish(struct requests *requests, const struct sent *sent)
{
    struct error error = {""};
    enum client_outcome outcome = CLIENT_CONFIRMED;
    struct outgoing outgoing = {
        .exchange = requests->settings.amqp_exchange,
        .routing_key = requests->settings.amqp_queue,
        .mandatory = true,
        .properties = {.content_type = text_of("application/json"),
                       .message_id = sent->key,
                       .correlation_id = sent->correlation,
                       .reply_to = text_of(requests->reply_queue)},
        .body = sent->body,
    };
    if (!client_publish(requests->client, &outgoing, COMMAND_CONFIRM_MS, &outcome, &error)) {
        (void)fail_with(&error);
        print_how_to_repeat(requests, sent);
        return false;
    }
    if (outcome == CLIENT_CONFIRMED)
        return true;
    if (outcome == CLIENT_RETURNED)
        error_set(&error,
                  "the command is not sent: no queue is bound to the exchange '%.*s' with the "
                  "routing key '%.*s' (see 'allotctl topology check')",
                  TEXT_ARGS(outgoing.exchange), TEXT_ARGS(outgoing.routing_key));
    else
        error_set(&error, "the broker nacked the command; its queue '%.*s' may be full",
                  TEXT_ARGS(outgoing.routing_key));
    (void)fail_with(&error);
    return false;
}

/* Takes the ownership of `params`. */
static struct text body_of(struct arena *arena, enum command_kind command, json_t *params)
{
    json_t *body = json_pack("{s:i, s:s, s:o}", "version", 1, "command", command_name(command),
                             "params", params);
    char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS_SENT));
    struct text copy = text_copy(arena, text_of(text != NULL ? text : ""));
    free(text);
    json_decref(body);
    return copy;
}

static struct text random_text(struct arena *arena)
{
    return text_copy(arena, text_of(uuid_format(random_uuid()).chars));
}

void request_fail_encoding(void)
{
    struct error error;
    error_set(&error, "the command is not sent: an argument is not UTF-8");
    (void)fail_with(&error);
}

struct answer request_send(struct requests *requests, enum command_kind command, json_t *params,
                           const char *repeat)
{
    if (params == NULL) {
        request_fail_encoding();
        return no_answer();
    }
    const char *key = command_mode(command) != MODE_READ ? requests->options->key : NULL;
    struct sent sent = {
        .command = command,
        .key = key != NULL ? text_of(key) : random_text(requests->arena),
        .correlation = random_text(requests->arena),
        .body = body_of(requests->arena, command, params),
        .repeat = repeat,
    };
    return publish(requests, &sent) ? await_reply(requests, &sent) : no_answer();
}

json_t *request_result(struct requests *requests, enum command_kind command, json_t *params,
                       const char *repeat)
{
    struct answer answer = request_send(requests, command, params, repeat);
    if (answer.kind == ANSWER_FAILURE)
        (void)answer_fail(requests, &answer);
    if (answer.kind == ANSWER_SUCCESS && answer.replayed)
        (void)fputs("allotctl: this is the recorded answer: the command was applied before, under "
                    "the same key\n",
                    stderr);
    return answer.kind == ANSWER_SUCCESS ? answer.result : NULL;
}
