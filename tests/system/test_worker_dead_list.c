/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what `allotctl dead list` prints of letters that a producer, the broker or the client
 * library made difficult.
 *
 * - Unreadable letters: a relay between allotctl (or the worker) and the broker changes the type of
 *   a header to one that does not exist, so that every version of librabbitmq fails to read it.
 * - Letters of the broker: a command expires while no worker runs.
 * - Control characters: the letter is put into the queue as the worker would do it.
 */
#include "tests/system/worker_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/codec/amqp_uri.h"
#include "tests/support/relay.h"
#include "tests/system/worker_database.h"

enum { OUTPUT_MAX = 8192 };

/* The name of a header, and the kind that its value has on the wire. */
#define SPOILT "unreadableS"
#define READ "{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"p\"}}"

/* Runs `allotctl dead list` and returns what it printed on both streams; static. */
static const char *list_dead(const char *uri, const char *options)
{
    static char output[OUTPUT_MAX];
    char command[OUTPUT_MAX];
    (void)snprintf(command, sizeof command, "ALLOT_AMQP_URI='%s' %s dead list %s 2>&1", uri,
                   ALLOTCTL, options);
    FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c): the test's own command line */
    assert_non_null(pipe);
    size_t length = fread(output, 1, sizeof output - 1, pipe);
    output[length] = '\0';
    if (pclose(pipe) != 0)
        fail_msg("allotctl failed: %s", output);
    return output;
}

/* Returns the line at `index`, without its end. */
static const char *line_of(const char *output, size_t index)
{
    static char line[OUTPUT_MAX];
    for (; index > 0; index--) {
        output = strchr(output, '\n');
        assert_non_null(output);
        output++;
    }
    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(output, "\n"), output);
    return line;
}

static void assert_part(const char *line, const char *part)
{
    if (strstr(line, part) == NULL)
        fail_msg("'%s' is not in: %s", part, line);
}

static void put_letter(struct client *client, const char *message_id,
                       const struct outgoing_header *headers, size_t count)
{
    enum client_outcome outcome = CLIENT_NACKED;
    struct error error;
    struct outgoing letter = {.exchange = text_of("allot.dead"),
                              .routing_key = text_of("allot.commands"),
                              .mandatory = true,
                              .headers = headers,
                              .header_count = count,
                              .body = text_of("{}")};
    letter.properties.message_id = text_of(message_id);
    assert_true(client_publish(client, &letter, WAIT_MS, &outcome, &error));
    assert_int_equal(outcome, CLIENT_CONFIRMED);
}

/* Removes the letters. They do not go to the journal: no worker made them, and few are valid. */
static void take_letters(size_t count)
{
    struct error error;
    struct client *client = open_worker_client();
    for (size_t i = 0; i < count; i++) {
        struct client_message letter = {0};
        assert_int_equal(client_get(client, "allot.dead", &letter, &error), CLIENT_MESSAGE);
        assert_true(client_ack(client, letter.tag, &error));
        arena_free(letter.arena);
    }
    client_close(client);
    expect_no_dead_letter();
}

/* --- letters that cannot be read ------------------------------------------------------------ */

static void start_relay(struct spoiling_relay *relay, char *uri, size_t room)
{
    struct arena *arena = arena_new(0);
    struct amqp_hosts hosts;
    assert_true(amqp_uri_parse(text_of(getenv("ALLOT_AMQP_URI")), arena, &hosts, NULL));
    struct amqp_host host = hosts.hosts[0];
    relay->broker = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(host.port)};
    assert_int_equal(inet_pton(AF_INET, host.name.bytes, &relay->broker.sin_addr), 1);
    relay_start(relay);
    (void)snprintf(uri, room, "amqp://%.*s:%.*s@127.0.0.1:%u/%%2f", TEXT_ARGS(host.user),
                   TEXT_ARGS(host.password), relay->port);
    arena_free(arena);
}

static void test_unreadable_letters_are_listed_and_the_others_follow(void **state)
{
    (void)state;
    const struct outgoing_header spoilt = {
        .name = "unreadable", .kind = OUTGOING_TEXT, .text = text_of("x")};
    const struct outgoing_header good = {
        .name = "x-allot-reason", .kind = OUTGOING_TEXT, .text = text_of("malformed")};
    static struct spoiling_relay relay;
    relay = (struct spoiling_relay){.spoil = SPOILT};
    char uri[256];
    struct client *client = open_worker_client();
    put_letter(client, "first", &good, 1);
    put_letter(client, "bad-1", &spoilt, 1);
    put_letter(client, "bad-2", &spoilt, 1);
    put_letter(client, "last", &good, 1);
    start_relay(&relay, uri, sizeof uri);
    const char *output = list_dead(uri, "--json");
    assert_part(line_of(output, 0), "\"message_id\":\"first\"");
    for (size_t i = 1; i <= 2; i++) {
        assert_part(line_of(output, i), "\"reason\":\"unreadable\"");
        assert_part(line_of(output, i), "invalid AMQP data");
        assert_part(line_of(output, i), "\"message_id\":null");
    }
    assert_part(line_of(output, 3), "\"message_id\":\"last\"");
    assert_string_equal(line_of(output, 4), "");
    relay_end(&relay);
    take_letters(4);
    client_close(client);
}

static void await_spoilt(const struct spoiling_relay *relay, unsigned count)
{
    for (int waited_ms = 0; relay->spoilt < count && waited_ms < WAIT_MS; waited_ms += 20)
        (void)usleep(20000);
    assert_true(relay->spoilt >= count); /* the broker may have sent one that nobody read */
}

/* The worker reads through the relay: an unreadable command costs one connection, and its copy in
   the desk queue another one. It leaves a letter that says so. */
static void test_a_worker_goes_on_after_an_unreadable_command(void **state)
{
    (void)state;
    const struct outgoing_header spoilt = {
        .name = "unreadable", .kind = OUTGOING_TEXT, .text = text_of("x")};
    static struct spoiling_relay relay;
    relay = (struct spoiling_relay){.spoil = SPOILT};
    char uri[256];
    char log[] = "/tmp/allot-log-XXXXXX";
    int fd = mkstemp(log);
    assert_true(fd >= 0);
    (void)close(fd);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    char direct[256];
    (void)snprintf(direct, sizeof direct, "%s", getenv("ALLOT_AMQP_URI"));
    start_relay(&relay, uri, sizeof uri);
    (void)setenv("ALLOT_AMQP_URI", uri, 1);
    pid_t worker = start_worker_with_log(log);
    (void)setenv("ALLOT_AMQP_URI", direct, 1);
    make_providers(&producer);
    struct outgoing command = command_message("unreadable", producer.queue, READ);
    command.headers = &spoilt;
    command.header_count = 1;
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    await_log_event(log, "delivery.unreadable");
    send_claims(&producer, 0, 10);
    unsigned char answered[10] = {0};
    assert_int_equal(receive_claims(&producer, answered, 10, 10), 10);
    await_spoilt(&relay, 2);
    await_stored_letters("{\"source\": \"broker\", \"reason\": \"unreadable\", \"count\": 1, "
                         "\"detail\": {\"$regex\": \"desk queue drops it\"}, "
                         "\"published_at\": {\"$exists\": true}}",
                         1);
    assert_part(line_of(list_dead(direct, ""), 0), "\trejected\tconductor\t");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    relay_end(&relay);
    take_letters(1);
    client_close(producer.client);
    (void)unlink(log);
}

/* --- letters of the broker ------------------------------------------------------------------ */

/* Waits until the broker has dead-lettered `count` messages. */
static void await_letters(struct client *client, uint32_t count)
{
    struct error error;
    uint32_t found = 0;
    for (int i = 0; i < WAIT_MS / 50 && found != count; i++) {
        assert_true(client_count(client, "allot.dead", &found, &error));
        (void)poll(NULL, 0, 50);
    }
    assert_int_equal(found, count);
}

/* A producer lets the broker dead-letter a command with headers of its own. */
static void test_a_letter_of_the_broker_is_never_shown_as_the_workers(void **state)
{
    (void)state;
    const struct outgoing_header forged[] = {
        {.name = "x-allot-reason", .kind = OUTGOING_TEXT, .text = text_of("internal")},
        {.name = "x-allot-detail", .kind = OUTGOING_TEXT, .text = text_of("forged detail")},
        {.name = "x-allot-principal", .kind = OUTGOING_TEXT, .text = text_of("team-blue")},
        {.name = "x-allot-queue", .kind = OUTGOING_TEXT, .text = text_of("forged.queue")},
        {.name = "x-allot-worker", .kind = OUTGOING_TEXT, .text = text_of("forged-worker")},
        {.name = "x-allot-dead-at", .kind = OUTGOING_INTEGER, .integer = 1},
        {.name = "x-first-death-reason", .kind = OUTGOING_TEXT, .text = text_of("rejected")},
        {.name = "x-first-death-queue", .kind = OUTGOING_TEXT, .text = text_of("forged.queue")}};
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    struct client *client = open_worker_client();
    struct outgoing command = command_message("forged", NULL, READ);
    command.headers = forged;
    command.header_count = sizeof forged / sizeof forged[0];
    command.properties.expiration = text_of("1");
    assert_int_equal(publish(&producer, &command), CLIENT_CONFIRMED);
    await_letters(client, 1);
    const char *line = line_of(list_dead(getenv("ALLOT_AMQP_URI"), "--json"), 0);
    assert_part(line, "\"reason\":\"expired\"");
    assert_part(line, "\"principal\":\"conductor\"");
    assert_part(line, "\"queue\":\"allot.commands\"");
    assert_part(line, "\"detail\":null");
    assert_part(line, "\"worker\":null");
    assert_null(strstr(line, "\"dead_at_ms\":1,"));
    take_letters(1);
    client_close(client);
    client_close(producer.client);
}

/* Whatever a letter holds: no byte of the output may be a control character. */
static void test_control_characters_never_reach_the_terminal(void **state)
{
    (void)state;
    static const char evil[] = "\x1b]0;title\x07\xc2\x9b"
                               "31m\x7f\r\n\t\xe2\x80\xae\xff";
    const struct outgoing_header headers[] = {
        {.name = "x-allot-reason", .kind = OUTGOING_TEXT, .text = text_of(evil)},
        {.name = "x-allot-detail", .kind = OUTGOING_TEXT, .text = text_of(evil)},
        {.name = "x-allot-principal", .kind = OUTGOING_TEXT, .text = text_of(evil)},
        {.name = "x-allot-queue", .kind = OUTGOING_TEXT, .text = text_of(evil)},
        {.name = "x-allot-worker", .kind = OUTGOING_TEXT, .text = text_of(evil)}};
    struct client *client = open_worker_client();
    put_letter(client, "evil \x1b[2J\xc2\x9b", headers, sizeof headers / sizeof headers[0]);
    const char *const options[] = {"", "--json"};
    for (size_t i = 0; i < 2; i++) {
        const char *output = list_dead(getenv("ALLOT_AMQP_URI"), options[i]);
        assert_string_equal(line_of(output, 1), "");
        for (const char *at = line_of(output, 0); *at != '\0'; at++)
            assert_true(((unsigned char)*at >= ' ' && *at != 0x7f) || (i == 0 && *at == '\t'));
        assert_null(strstr(output, "\xc2\x9b"));
        assert_null(strstr(output, "\xe2\x80\xae"));
        assert_non_null(strstr(output, "title"));
    }
    take_letters(1);
    client_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_unreadable_letters_are_listed_and_the_others_follow),
        WORKER_TEST(test_a_worker_goes_on_after_an_unreadable_command),
        WORKER_TEST(test_a_letter_of_the_broker_is_never_shown_as_the_workers),
        WORKER_TEST(test_control_characters_never_reach_the_terminal),
    };
    return cmocka_run_group_tests_name("dead_list", tests, declare_topology, NULL) != 0;
}
