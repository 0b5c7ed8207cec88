/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims VCPUs of a provider for a consumer through allotd. See README.md for the arguments.
 * Exit status: 0 claimed, 1 failed, 2 outcome unknown (run again with the same KEY).
 *
 * claim() sends allocation.set and repeats it after a generation conflict. call() sends one command
 * and repeats it until there is a reply. publish() and await_reply() speak AMQP. Every other error
 * ends the process in give_up().
 */
#if __has_include(<rabbitmq-c/amqp.h>) /* librabbitmq 0.12 and later */
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uuid.h>

enum {
    MAX_ATTEMPTS = 5,  /* to send one message; each waits twice as long as the one before */
    MAX_CONFLICTS = 5, /* after each, the consumer is read again */
    CHANNEL = 1,
};

/* A connection and an exclusive queue for its replies. */
struct client {
    amqp_connection_state_t amqp;
    const char *user;
    long timeout;
    char queue[256];
};

struct reply {
    json_t *body;
    bool replayed;
};

static void give_up(const char *why, const char *what)
{
    printf("%s%s\n", why, what);
    exit(2); /* the broker deletes the exclusive queue when the connection is closed */
}

static void must(amqp_rpc_reply_t answer, const char *step)
{
    if (answer.reply_type != AMQP_RESPONSE_NORMAL)
        give_up("the broker rejected the request or closed the connection: ", step);
}

static const char *new_key(void)
{
    static char key[37];
    uuid_t uuid;
    uuid_generate(uuid);
    uuid_unparse_lower(uuid, key);
    return key;
}

static void connect_to(struct client *client, char *uri)
{
    struct amqp_connection_info info;
    if (amqp_parse_url(uri, &info) != AMQP_STATUS_OK || info.ssl)
        give_up("not an amqp:// URI", "");
    client->user = info.user;
    client->amqp = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(client->amqp);
    if (socket == NULL || amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK)
        give_up("cannot connect to ", info.host);
    must(amqp_login(client->amqp, info.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user,
                    info.password),
         "login");
    amqp_channel_open(client->amqp, CHANNEL);
    must(amqp_get_rpc_reply(client->amqp), "channel");
    amqp_confirm_select(client->amqp, CHANNEL);
    must(amqp_get_rpc_reply(client->amqp), "confirms");
    snprintf(client->queue, sizeof client->queue, "%s.claim.%s", client->user, new_key());
    amqp_bytes_t queue = amqp_cstring_bytes(client->queue);
    amqp_queue_declare(client->amqp, CHANNEL, queue, 0, 0, 1, 1, amqp_empty_table);
    must(amqp_get_rpc_reply(client->amqp), "queue");
    amqp_basic_consume(client->amqp, CHANNEL, queue, amqp_empty_bytes, 0, 1, 1, amqp_empty_table);
    must(amqp_get_rpc_reply(client->amqp), "consume");
}

static void publish(struct client *client, const char *key, const char *body)
{
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG |
                  AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG |
                  AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
        .message_id = amqp_cstring_bytes(key),
        .correlation_id = amqp_cstring_bytes(key),
        .user_id = amqp_cstring_bytes(client->user),
        .reply_to = amqp_cstring_bytes(client->queue),
        .content_type = amqp_cstring_bytes("application/json"),
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
    };
    amqp_bytes_t commands = amqp_cstring_bytes("allot.commands");
    if (amqp_basic_publish(client->amqp, CHANNEL, commands, commands, 1, 0, &properties,
                           amqp_cstring_bytes(body)) != AMQP_STATUS_OK)
        give_up("connection lost, outcome unknown: ", key);
}

static bool is_replayed(const amqp_table_t *headers)
{
    for (int i = 0; i < headers->num_entries; i++) {
        const amqp_table_entry_t *entry = &headers->entries[i];
        if (entry->key.len == strlen("x-allot-replayed") &&
            memcmp(entry->key.bytes, "x-allot-replayed", entry->key.len) == 0)
            return entry->value.kind == AMQP_FIELD_KIND_BOOLEAN && entry->value.value.boolean;
    }
    return false;
}

/* Returns false for a reply to another key: a message that was sent twice gets two replies. */
static bool read_reply(struct client *client, const char *key, struct reply *ret_reply)
{
    amqp_message_t message;
    must(amqp_read_message(client->amqp, CHANNEL, &message, 0), "reply");
    amqp_bytes_t id = message.properties.correlation_id;
    bool ours = id.len == strlen(key) && memcmp(id.bytes, key, id.len) == 0;
    if (ours) {
        ret_reply->body = json_loadb(message.body.bytes, message.body.len, 0, NULL);
        if (ret_reply->body == NULL)
            give_up("the reply is not valid JSON: ", key);
        ret_reply->replayed = is_replayed(&message.properties.headers);
    }
    amqp_destroy_message(&message);
    return ours;
}

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Waits for the reply, and for the confirm on the way. Returns false if the deadline passes. */
static bool await_reply(struct client *client, const char *key, long deadline,
                        struct reply *ret_reply)
{
    for (long left; (left = deadline - now()) > 0;) {
        amqp_frame_t frame;
        struct timeval wait = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
        amqp_maybe_release_buffers(client->amqp);
        int status = amqp_simple_wait_frame_noblock(client->amqp, &frame, &wait);
        if (status == AMQP_STATUS_TIMEOUT)
            return false;
        if (status != AMQP_STATUS_OK)
            give_up("connection lost, outcome unknown: ", key);
        if (frame.frame_type != AMQP_FRAME_METHOD)
            continue;
        switch (frame.payload.method.id) {
        case AMQP_BASIC_DELIVER_METHOD:
            if (read_reply(client, key, ret_reply))
                return true;
            break;
        case AMQP_BASIC_ACK_METHOD: break; /* the broker has confirmed the message */
        case AMQP_BASIC_NACK_METHOD: printf("%s: nacked by the broker\n", key); break;
        case AMQP_BASIC_RETURN_METHOD:
            give_up("message unroutable: is the topology declared?", "");
            break;
        default: give_up("the broker closed the channel, outcome unknown: ", key);
        }
    }
    return false;
}

/* Sends a command and returns its reply; the caller frees the body. Takes ownership of `params`.
 * Without a reply the outcome is unknown: the command may have taken effect. It is safe to send it
 * again under the same key: it takes effect once, and the worker replies with the recorded outcome.
 */
static struct reply call(struct client *client, const char *key, const char *command,
                         json_t *params)
{
    json_t *message =
        json_pack("{s:i, s:s, s:o}", "version", 1, "command", command, "params", params);
    char *body = json_dumps(message, 0);
    if (body == NULL)
        give_up("an argument is not UTF-8", "");
    struct reply reply = {0};
    bool answered = false;
    long timeout = client->timeout;
    for (int i = 0; i < MAX_ATTEMPTS && !answered; i++, timeout *= 2) {
        publish(client, key, body);
        answered = await_reply(client, key, now() + timeout, &reply);
        if (!answered)
            printf("%s: no reply within %ld ms\n", key, timeout);
    }
    if (!answered) {
        printf("no reply after %d attempts, ", MAX_ATTEMPTS);
        give_up("outcome unknown: ", key);
    }
    free(body);
    json_decref(message);
    return reply;
}

/* Returns a new reference to the generation in the reply: a number, or null. */
static json_t *generation_in(const struct reply *reply)
{
    json_t *given = json_object_get(json_object_get(reply->body, "result"), "consumer_generation");
    return given == NULL ? json_null() : json_incref(given);
}

static bool is_success(const struct reply *reply)
{
    const char *status = json_string_value(json_object_get(reply->body, "status"));
    return status != NULL && strcmp(status, "success") == 0;
}

static json_t *generation_of(struct client *client, const char *consumer)
{
    struct reply reply =
        call(client, new_key(), "allocation.get", json_pack("{s:s}", "consumer_uuid", consumer));
    if (!is_success(&reply))
        give_up("allocation.get failed", "");
    json_t *generation = generation_in(&reply);
    json_decref(reply.body);
    return generation;
}

static void print_json(const char *before, json_t *value, const char *after)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    printf("%s%s%s\n", before, text == NULL ? "" : text, after);
    free(text);
}

/* Takes ownership of `generation`. Returns the exit status. */
static int claim(struct client *client, char *const *arguments, json_t *generation)
{
    const char *key = arguments[0], *provider = arguments[1], *consumer = arguments[2];
    for (int i = 0; i < MAX_CONFLICTS; i++) {
        struct reply reply =
            call(client, key, "allocation.set",
                 json_pack("{s:s, s:s, s:s, s:o, s:s, s:{s:{s:{s:I}}}}", "consumer_uuid", consumer,
                           "project_id", "examples", "user_id", "example", "consumer_generation",
                           generation, "consumer_type", "INSTANCE", "allocations", provider,
                           "resources", "VCPU", (json_int_t)atoll(arguments[3])));
        if (is_success(&reply)) {
            generation = generation_in(&reply);
            print_json("claimed: consumer_generation ", generation,
                       reply.replayed ? " (replayed)" : "");
            json_decref(generation);
            json_decref(reply.body);
            return 0;
        }
        json_t *error = json_object_get(reply.body, "error");
        const char *code = json_string_value(json_object_get(error, "code"));
        if (!json_is_true(json_object_get(error, "retryable"))) { /* it would fail again */
            printf("failed: %s: %s", code, json_string_value(json_object_get(error, "message")));
            print_json(" ", json_object_get(error, "details"), "");
            json_decref(reply.body);
            return 1;
        }
        /* Another producer has changed the consumer. The failure is recorded under this key, so the
         * next try needs a new key. A real producer decides here whether it still wants the claim.
         */
        generation = generation_of(client, consumer);
        key = new_key();
        printf("%s: ", code);
        print_json("retrying with consumer_generation ", generation, "");
        json_decref(reply.body);
    }
    json_decref(generation);
    printf("gave up after %d conflicts\n", MAX_CONFLICTS);
    return 1;
}

int main(int count, char **arguments)
{
    if (count < 5 || count > 7) {
        fputs("usage: claim KEY PROVIDER CONSUMER VCPUS [GENERATION|null [TIMEOUT_MS]]\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *uri = getenv("ALLOT_AMQP_URI_CONDUCTOR");
    if (uri == NULL)
        uri = getenv("ALLOT_AMQP_URI");
    char *copy = strdup(uri == NULL ? "" : uri); /* amqp_parse_url changes it and points into it */
    json_t *generation = json_loads(count > 5 ? arguments[5] : "null", JSON_DECODE_ANY, NULL);
    struct client client = {.timeout = count > 6 ? atol(arguments[6]) : 5000};
    connect_to(&client, copy);
    int status = claim(&client, arguments + 1, generation);
    amqp_connection_close(client.amqp, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(client.amqp);
    free(copy);
    return status;
}
