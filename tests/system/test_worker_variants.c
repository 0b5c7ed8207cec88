/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends valid commands with one change each: a member removed, added, or set to another value. The
 * result does not matter here, as long as there is a reply. tests/schema/check reads the journal
 * and says whether the worker and the schemas reject the same commands.
 */
#include "tests/system/worker_fixture.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/mongo/libmongoc.h"

enum { LINE_MAX_BYTES = 8192, PENDING_MAX = 500 };

#define MESSAGES "tests/schema/messages.txt"
#define BEFORE_BODY " conductor success "

static const char *const replacements[] = {"null", "true",  "-1",    "0",  "1",  "2147483648",
                                           "\"\"", "\"x\"", "\"1\"", "[]", "{}", "[\"x\"]"};

struct sender {
    struct producer producer;
    json_t *command;
    size_t sent;
    size_t answered;
};

/* Receives replies until at most `most` commands are unanswered. */
static void receive_pending(struct sender *sender, size_t most)
{
    for (; sender->sent - sender->answered > most; sender->answered++) {
        struct client_message reply = receive(&sender->producer);
        assert_true(contains(reply.body, "\"status\""));
        arena_free(reply.arena);
    }
}

static void send_variant(struct sender *sender)
{
    char key[32];
    char *body = json_dumps(sender->command, JSON_COMPACT);
    assert_non_null(body);
    (void)snprintf(key, sizeof key, "variant-%zu", sender->sent++);
    send_body(&sender->producer, key, body);
    free(body);
    receive_pending(sender, PENDING_MAX);
}

/* Sends the command once for each replacement of the member `name`. */
static void replace(struct sender *sender, json_t *object, const char *name)
{
    for (size_t i = 0; i < sizeof replacements / sizeof *replacements; i++) {
        json_t *value = json_loads(replacements[i], JSON_DECODE_ANY, NULL);
        assert_int_equal(json_object_set_new(object, name, value), 0);
        send_variant(sender);
    }
}

/* Sends every variant of `object`, a part of the command, and of the objects in it. */
static void vary(struct sender *sender, json_t *object)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_t *original = json_copy(object);
    assert_int_equal(json_object_set_new(object, "more", json_integer(1)), 0);
    send_variant(sender);
    assert_int_equal(json_object_del(object, "more"), 0);
    json_object_foreach(original, name, value)
    {
        assert_int_equal(json_object_del(object, name), 0);
        send_variant(sender);
        replace(sender, object, name);
        assert_int_equal(json_object_set(object, name, value), 0);
        if (json_is_object(value))
            vary(sender, value);
    }
    json_decref(original);
}

static void vary_each_line(struct sender *sender)
{
    char line[LINE_MAX_BYTES];
    FILE *messages = fopen(MESSAGES, "re");
    assert_non_null(messages);
    while (fgets(line, sizeof line, messages) != NULL) {
        const char *found = line[0] == '#' ? NULL : strstr(line, BEFORE_BODY);
        if (found == NULL)
            continue;
        sender->command = json_loads(found + strlen(BEFORE_BODY), 0, NULL);
        assert_non_null(sender->command);
        vary(sender, sender->command);
        json_decref(sender->command);
    }
    assert_int_equal(fclose(messages), 0);
}

static void test_every_variant_of_a_command_is_answered(void **state)
{
    (void)state;
    struct sender sender = {.producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor")};
    pid_t worker = start_worker();
    vary_each_line(&sender);
    receive_pending(&sender, 0);
    assert_true(sender.sent > 1000);
    await_empty_queue();
    expect_no_dead_letter();
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(sender.producer.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WORKER_TEST(test_every_variant_of_a_command_is_answered)};
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
