/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/log_repeats.h"

#include <string.h>

/* Texts that are different for each command, whatever the line is about. */
static bool names_a_command(const char *field)
{
    return strcmp(field, "message_id") == 0 || strcmp(field, "traceparent") == 0;
}

/* Adds a text with a NUL behind it. Cuts it if there is too little room. */
static void add_text(struct log_repeat *repeat, const char *name, struct text text)
{
    size_t room = sizeof repeat->bytes - repeat->length - 1;
    size_t length = text.length < room ? text.length : room;
    if (length > 0)
        memcpy(repeat->bytes + repeat->length, text.bytes, length);
    repeat->names[repeat->count] = name;
    repeat->ends[repeat->count] = repeat->length + length;
    repeat->count++;
    repeat->length += length;
    repeat->bytes[repeat->length] = '\0';
    if (repeat->length + 1 < sizeof repeat->bytes)
        repeat->length++;
}

static void describe(struct log_repeat *repeat, const struct log_line *line)
{
    repeat->event = line->event;
    repeat->level = line->level;
    repeat->count = repeat->length = 0;
    add_text(repeat, NULL, text_of(line->message));
    for (const struct log_field *field = line->fields;
         field->kind != LOG_END && repeat->count < LOG_REPEAT_TEXTS; field++) {
        if (field->kind == LOG_TEXT && !names_a_command(field->name))
            add_text(repeat, field->name, field->text);
    }
}

static bool is_same(const struct log_repeat *a, const struct log_repeat *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0 &&
           strcmp(a->event, b->event) == 0;
}

static struct log_repeat *find(struct log_repeats *repeats, const struct log_repeat *kind)
{
    for (size_t i = 0; i < repeats->count; i++) {
        if (is_same(&repeats->kinds[i], kind))
            return &repeats->kinds[i];
    }
    return NULL;
}

static void remember(struct log_repeats *repeats, struct log_repeat *kind, int64_t now_ms)
{
    if (repeats->count == LOG_REPEATS_MAX)
        return;
    kind->due_ms = now_ms + LOG_REPEATS_MS;
    kind->not_logged = 0;
    if (repeats->count == 0 || kind->due_ms < repeats->next_ms)
        repeats->next_ms = kind->due_ms;
    repeats->kinds[repeats->count++] = *kind;
}

bool log_repeats_add(struct log_repeats *repeats, const struct log_line *line, int64_t now_ms)
{
    struct log_repeat kind;
    describe(&kind, line);
    struct log_repeat *known = find(repeats, &kind);
    if (known == NULL) {
        remember(repeats, &kind, now_ms);
        return false;
    }
    known->not_logged++;
    return true;
}

static void take(struct log_repeat *kind, int64_t now_ms, struct log_repeat *ret_repeat)
{
    *ret_repeat = *kind;
    kind->not_logged = 0;
    kind->due_ms = now_ms + LOG_REPEATS_MS;
}

bool log_repeats_take(struct log_repeats *repeats, int64_t now_ms, struct log_repeat *ret_repeat)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < repeats->count;) {
        struct log_repeat *kind = &repeats->kinds[i];
        bool due = kind->due_ms <= now_ms;
        if (due && kind->not_logged > 0) {
            take(kind, now_ms, ret_repeat);
            return true;
        }
        if (due) {
            *kind = repeats->kinds[--repeats->count];
            continue;
        }
        next_ms = kind->due_ms < next_ms ? kind->due_ms : next_ms;
        i++;
    }
    repeats->next_ms = next_ms;
    return false;
}

struct log_line log_repeat_line(const struct log_repeat *repeat, const char *worker,
                                int64_t wall_ms, struct log_field fields[LOG_REPEAT_TEXTS + 1])
{
    size_t count = 0, begin = repeat->ends[0] + 1;
    for (size_t i = 1; i < repeat->count && begin < sizeof repeat->bytes; i++) {
        size_t end = repeat->ends[i];
        fields[count++] = LOG_T(repeat->names[i], text_view(repeat->bytes + begin, end - begin));
        begin = end + 1;
    }
    fields[count++] = LOG_I("not_logged", repeat->not_logged);
    fields[count] = (struct log_field){NULL, LOG_END, TEXT_NONE, 0};
    return (struct log_line){wall_ms, repeat->level, repeat->event, repeat->bytes, worker, fields};
}
