/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. list_queue() gets one message after another with basic.get and prints it at once. All
 * stay unacknowledged until the end, and then the broker requeues them, so the queue is as it was.
 * A message that the client library cannot read costs its connection: one line says so, and the
 * listing goes on with a new connection (dead_queue.h).
 *
 * Guarantees. Nothing is acknowledged, so nothing is lost, however the listing ends. Where the
 * broker would remove what is requeued too often, nothing is taken (delivery_limit.h).
 *
 * Not here: what the columns mean (dead_letter.c).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/json_write.h"
#include "common/host/system_clock.h"
#include "ctl/commands.h"
#include "ctl/dead_letter.h"
#include "ctl/dead_queue.h"
#include "ctl/delivery_limit.h"
#include "ctl/output.h"
#include "ctl/settings.h"
#include "ctl/time_text.h"

static void print_age(const struct dead_letter *letter)
{
    struct time_text age = time_format_age(letter->dead_at_ms, system_wall_ms());
    (void)fputs(letter->has_dead_at ? age.chars : "-", stdout);
}

static void print_line(const struct dead_letter *letter)
{
    const struct text columns[] = {letter->reason, letter->principal, letter->command,
                                   letter->message_id, letter->detail};
    print_age(letter);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        (void)putchar('\t');
        print_printable(stdout, columns[i].length > 0 ? columns[i] : text_of("-"));
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
    print_json_line(stdout, json_writer_text(&writer));
}

static void print_dead_letter(const struct dead_letter *letter, bool json, struct arena *arena)
{
    if (json)
        print_json(letter, arena);
    else
        print_line(letter);
}

/* --- the queue ------------------------------------------------------------------------------ */

struct listing {
    const struct options *options;
    struct text command_queue;
    struct dead_queue queue;
};

static void print_message(const struct listing *listing, const struct client_message *message)
{
    struct dead_letter letter = dead_letter_read(message, listing->command_queue, message->arena);
    print_dead_letter(&letter, listing->options->json, message->arena);
}

/* Prints what can be said of a message that cannot be read. */
static void print_unreadable(const struct listing *listing, const struct error *error)
{
    struct arena *arena = arena_new(0);
    struct dead_letter letter = {.reason = text_of("unreadable"), .detail = text_of(error->text)};
    print_dead_letter(&letter, listing->options->json, arena);
    arena_free(arena);
}

/* Takes and prints one message. */
static enum client_answer list_next(struct listing *listing, uint32_t *ret_remaining,
                                    struct error *error)
{
    struct client_message message = {0};
    enum client_answer answer = dead_queue_take(&listing->queue, &message, error);
    if (answer == CLIENT_MESSAGE)
        print_message(listing, &message);
    if (answer == CLIENT_UNREADABLE)
        print_unreadable(listing, error);
    if (answer == CLIENT_MESSAGE || answer == CLIENT_UNREADABLE)
        *ret_remaining = message.remaining;
    arena_free(message.arena);
    return answer;
}

/*
 * Prints up to `limit` messages, then requeues all of them together: if each were requeued at once,
 * dead_queue_take would return the same message again. If the process ends before that, the broker
 * requeues them. Returns false, with an error, if the broker fails.
 */
static bool list_queue(struct listing *listing, struct error *error)
{
    uint32_t remaining = 0;
    for (int64_t i = 0; i < listing->options->limit; i++) {
        enum client_answer answer = list_next(listing, &remaining, error);
        if (answer == CLIENT_FAILED)
            return false;
        if (answer == CLIENT_NOTHING)
            break;
    }
    if (remaining > 0)
        (void)fprintf(stderr, "allotctl: %" PRIu32 " more dead letters; see --limit\n", remaining);
    return client_requeue_all(listing->queue.client, error);
}

int dead_list_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct error error = {""};
    uint32_t count = 0;
    if (!broker_settings_load(options, arena, &settings, &error))
        return fail_with(&error);
    struct listing listing = {.options = options,
                              .command_queue = settings.amqp_queue,
                              .queue = dead_queue_of(options, &settings, arena)};
    struct dead_queue *queue = &listing.queue;
    bool listed = dead_queue_open(queue, &error) &&
                  delivery_limit_check(queue->client, queue->name, &error) &&
                  client_count(queue->client, queue->name, &count, &error) &&
                  (count == 0 || list_queue(&listing, &error));
    dead_queue_close(queue);
    return listed ? EXIT_SUCCESS : fail_with(&error);
}
