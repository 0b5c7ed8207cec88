/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/policy/policy_text.h"

#include <string.h>

#define SEPARATOR ", "

/* Joins in one buffer: a rule may have thousands of patterns. */
static struct text join(struct arena *arena, const struct text *texts, size_t count)
{
    size_t length = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        length += texts[i].length + strlen(SEPARATOR);
    char *bytes = arena_alloc(arena, length + 1);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            memcpy(bytes + at, SEPARATOR, strlen(SEPARATOR));
            at += strlen(SEPARATOR);
        }
        memcpy(bytes + at, texts[i].bytes, texts[i].length);
        at += texts[i].length;
    }
    return text_view(bytes, at);
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
    return json_pack("{s:I, s:s%, s:o, s:o, s:o}", "number", (json_int_t)(index + 1), "place",
                     place.bytes, place.length, "commands", patterns_json(rule->commands),
                     "projects", patterns_json(rule->projects), "providers",
                     patterns_json(rule->providers));
}
