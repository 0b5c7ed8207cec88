/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/policy/policy_text.h"

#include <string.h>

static const struct text separator = {", ", 2};

/* Appends a text to `bytes`, which has room for it; returns the length then. */
static size_t append(char *bytes, size_t length, struct text text)
{
    if (text.length > 0)
        memcpy(bytes + length, text.bytes, text.length);
    return length + text.length;
}

/* Joins in one buffer: a rule may have thousands of patterns. */
static struct text join(struct arena *arena, const struct text *texts, size_t count)
{
    size_t room = 0, length = 0;
    for (size_t i = 0; i < count; i++)
        room += texts[i].length + separator.length;
    char *bytes = arena_alloc(arena, room);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            length = append(bytes, length, separator);
        length = append(bytes, length, texts[i]);
    }
    return text_view(bytes, length);
}

struct text patterns_text(struct arena *arena, struct patterns patterns)
{
    return join(arena, patterns.items, patterns.count);
}

struct text patterns_commands_text(struct arena *arena, struct patterns patterns)
{
    static const char *const names[] = {
#define X(id, name, mode, summary) name,
        COMMANDS(X)
#undef X
    };
    enum { NAME_COUNT = sizeof names / sizeof names[0] };
    struct text matched[NAME_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (patterns_match(patterns, text_of(names[i])))
            matched[count++] = text_of(names[i]);
    }
    return join(arena, matched, count);
}

json_t *patterns_json(struct patterns patterns)
{
    json_t *list = json_array();
    for (size_t i = 0; i < patterns.count; i++)
        (void)json_array_append_new(
            list, json_stringn(patterns.items[i].bytes, patterns.items[i].length));
    return list;
}

json_t *policy_rule_json(const struct policy_rule *rule, size_t index, struct text place)
{
    json_int_t number = (json_int_t)index + 1;
    return json_pack("{s:I, s:s%, s:o, s:o, s:o}", "number", number, "place", place.bytes,
                     place.length, "commands", patterns_json(rule->commands), "projects",
                     patterns_json(rule->projects), "providers", patterns_json(rule->providers));
}
