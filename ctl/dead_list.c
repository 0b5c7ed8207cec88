/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/utf8.h"
#include "common/codec/json_write.h"
#include "common/host/system_clock.h"
#include "ctl/commands.h"
#include "ctl/dead_letter.h"
#include "ctl/output.h"
#include "ctl/settings.h"

enum { MS_PER_S = 1000, S_PER_MINUTE = 60, S_PER_HOUR = 3600, S_PER_DAY = 86400 };

/*
 * Prints a text that a producer chose. Control characters and bytes that are not UTF-8 become '?',
 * so that they cannot send commands to the terminal or end the line.
 */
static void print_printable(struct text text)
{
    if (text.length == 0)
        text = text_of("-");
    while (text.length > 0) {
        size_t length = utf8_sequence(text);
        if (length == 0 || utf8_is_control(text_view(text.bytes, length)))
            (void)putchar('?');
        else
            (void)fwrite(text.bytes, 1, length, stdout);
        size_t printed = length > 0 ? length : 1; /* one '?' for each byte that is not UTF-8 */
        text = text_view(text.bytes + printed, text.length - printed);
    }
}

/* Prints the age in two units at most; '-' if the time is missing, negative, or in the future. */
static void print_age(const struct dead_letter *letter, int64_t now_ms)
{
    int64_t seconds = (now_ms - letter->dead_at_ms) / MS_PER_S;
    if (!letter->has_dead_at || letter->dead_at_ms > now_ms || letter->dead_at_ms < 0)
        (void)putchar('-');
    else if (seconds >= S_PER_DAY)
        (void)printf("%" PRId64 "d%" PRId64 "h", seconds / S_PER_DAY,
                     seconds % S_PER_DAY / S_PER_HOUR);
    else if (seconds >= S_PER_HOUR)
        (void)printf("%" PRId64 "h%" PRId64 "m", seconds / S_PER_HOUR,
                     seconds % S_PER_HOUR / S_PER_MINUTE);
    else if (seconds >= S_PER_MINUTE)
        (void)printf("%" PRId64 "m%" PRId64 "s", seconds / S_PER_MINUTE, seconds % S_PER_MINUTE);
    else
        (void)printf("%" PRId64 "s", seconds);
}

static void print_line(const struct dead_letter *letter)
{
    const struct text columns[] = {letter->reason, letter->principal, letter->command,
                                   letter->message_id, letter->detail};
    print_age(letter, system_wall_ms());
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        (void)putchar('\t');
        print_printable(columns[i]);
    }
    (void)putchar('\n');
}

static void write_member(struct json_writer *writer, const char *name, struct text value)
{
    json_write_key(writer, text_of(name));
    if (text_present(value))
        json_write_text(writer, value);
    else
        json_write_null(writer);
}

static void print_json(const struct dead_letter *letter, struct arena *arena)
{
    struct json_writer writer = json_writer_new(arena);
    json_write_open(&writer, '{');
    json_write_key(&writer, text_of("dead_at_ms"));
    if (letter->has_dead_at)
        json_write_integer(&writer, letter->dead_at_ms);
    else
        json_write_null(&writer);
    write_member(&writer, "reason", letter->reason);
    write_member(&writer, "principal", letter->principal);
    write_member(&writer, "command", letter->command);
    write_member(&writer, "message_id", letter->message_id);
    write_member(&writer, "detail", letter->detail);
    write_member(&writer, "queue", letter->queue);
    write_member(&writer, "worker", letter->worker);
    json_write_close(&writer, '}');
    struct text line = json_writer_text(&writer);
    (void)printf("%.*s\n", TEXT_ARGS(line));
}

static void print_letter(const struct client_message *message, bool json)
{
    struct dead_letter letter = dead_letter_read(message, message->arena);
    if (json)
        print_json(&letter, message->arena);
    else
        print_line(&letter);
}

/*
 * Prints up to `limit` messages, then requeues all of them together: if each were requeued at once,
 * client_get would return the same message again. If the process ends before that, the broker
 * requeues them. Returns false, with an error, if the broker fails.
 */
static bool list_queue(struct client *client, const char *queue, const struct options *options,
                       struct error *error)
{
    uint32_t remaining = 0;
    for (int64_t i = 0; i < options->limit; i++) {
        struct client_message message = {0};
        enum client_answer answer = client_get(client, queue, &message, error);
        if (answer == CLIENT_FAILED)
            return false;
        if (answer == CLIENT_NOTHING)
            break;
        print_letter(&message, options->json);
        remaining = message.remaining;
        arena_free(message.arena);
    }
    if (remaining > 0)
        (void)fprintf(stderr, "allotctl: %" PRIu32 " more dead letters; see --limit\n", remaining);
    return client_requeue_all(client, error);
}

int dead_list_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct error error = {""};
    if (!broker_settings_load(options, arena, &settings, &error))
        return fail_with(&error);
    struct amqp_tls tls = broker_settings_tls(&settings);
    struct client *client = client_open(settings.amqp_uri, &tls, &error);
    const char *queue = options->queue != NULL
                            ? options->queue
                            : text_copy(arena, settings.amqp_dead_letter_queue).bytes;
    uint32_t count = 0;
    bool listed = client != NULL && client_count(client, queue, &count, &error) &&
                  (count == 0 || list_queue(client, queue, options, &error));
    client_close(client);
    return listed ? EXIT_SUCCESS : fail_with(&error);
}
