/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/notification_encode.h"

#include <time.h>

#include "common/codec/json_write.h"

enum { VERSION = 1, MS_PER_S = 1000, TIME_ROOM = 32 };

static void write_text(struct json_writer *writer, const char *name, struct text value)
{
    json_write_key(writer, text_of(name));
    if (text_present(value))
        json_write_text(writer, value);
    else
        json_write_null(writer);
}

static void write_integer(struct json_writer *writer, const char *name, int64_t value)
{
    json_write_key(writer, text_of(name));
    json_write_integer(writer, value);
}

static void write_time(struct json_writer *writer, const char *name, int64_t time_ms)
{
    char chars[TIME_ROOM] = "";
    time_t seconds = time_ms / MS_PER_S;
    struct tm parts;
    if (gmtime_r(&seconds, &parts) != NULL)
        (void)strftime(chars, sizeof chars, "%Y-%m-%dT%H:%M:%SZ", &parts);
    write_text(writer, name, text_of(chars));
}

static void write_group(struct json_writer *writer, const struct notification *notification)
{
    json_write_key(writer, text_of("group"));
    json_write_open(writer, '{');
    write_text(writer, "reason", notification->reason);
    write_text(writer, "command", notification->command);
    write_text(writer, "detail", notification->detail);
    write_integer(writer, "count", notification->letters);
    json_write_close(writer, '}');
    write_text(writer, "letter", notification->letter);
    write_integer(writer, "others", notification->others);
}

struct text notification_encode(struct arena *arena, const struct notification *notification,
                                struct text worker, int64_t limit)
{
    struct json_writer writer = json_writer_new(arena);
    json_write_open(&writer, '{');
    write_integer(&writer, "version", VERSION);
    write_text(&writer, "event", text_of(notification_kind_name(notification->kind)));
    write_text(&writer, "worker", worker);
    write_time(&writer, "at", notification->at_ms);
    switch (notification->kind) {
    case NOTIFICATION_GROUP: write_group(&writer, notification); break;
    case NOTIFICATION_RATE:
        write_integer(&writer, "letters_last_minute", notification->letters);
        write_integer(&writer, "limit", limit);
        break;
    }
    json_write_close(&writer, '}');
    return json_writer_text(&writer);
}
