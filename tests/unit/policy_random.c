/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/policy_random.h"

#include <stdint.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define UUID_1 "11111111-1111-1111-1111-111111111111"
#define UUID_2 "22222222-2222-2222-2222-222222222222"

static const char *const commands[] = {
    "*",
    "allocation.*",
    "provider.*",
    "usage.get",
    "*.get",
    "reshape",
    "allocation.set",
    "provider.list",
    "provider.allocations",
    "*.set",
    "*allocat*",
};
static const char *const projects[] = {"*", "**", "a*", "a", "b", "*b", "ab*", "a*b"};
static const char *const providers[] = {"*", "**", "1*", "*2", UUID_1, UUID_2, "*-*-*"};
static const char *const queues[] = {"p.*", "q", "*"};
static const enum command_kind kinds[] = {
#define X(id, name, mode, summary) COMMAND_##id,
    COMMANDS(X)
#undef X
};

/* splitmix64 */
size_t random_below(struct random_source *source, size_t bound)
{
    uint64_t mixed = source->state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (size_t)((mixed ^ (mixed >> 31)) % bound);
}

static struct patterns random_patterns(struct random_source *source, struct arena *arena,
                                       const char *const *words, size_t word_count)
{
    size_t count = 1 + random_below(source, 2);
    struct text *items = ARENA_ARRAY(arena, struct text, count);
    for (size_t i = 0; i < count; i++)
        items[i] = text_of(words[random_below(source, word_count)]);
    return (struct patterns){items, count};
}

struct policy random_policy(struct random_source *source, struct arena *arena)
{
    struct policy_principal *principal = ARENA_NEW(arena, struct policy_principal);
    size_t count = random_below(source, 7);
    struct policy_rule *rules = ARENA_ARRAY(arena, struct policy_rule, count);
    for (size_t i = 0; i < count; i++) {
        rules[i].commands = random_patterns(source, arena, commands, COUNT_OF(commands));
        rules[i].projects = random_patterns(source, arena, projects, COUNT_OF(projects));
        rules[i].providers = random_patterns(source, arena, providers, COUNT_OF(providers));
    }
    principal->name = text_of(RANDOM_PRINCIPAL);
    principal->rules = rules;
    principal->rule_count = count;
    principal->reply_to = random_patterns(source, arena, queues, COUNT_OF(queues));
    return (struct policy){principal, 1, {text_of("jobs"), text_of("graves")}};
}

static size_t random_count(struct random_source *source, enum policy_scope scope, size_t maximum)
{
    if (scope == SCOPE_NONE || scope == SCOPE_ALL)
        return 0;
    size_t minimum = scope == SCOPE_EACH ? 1 : 0;
    return minimum + random_below(source, maximum - minimum + 1);
}

struct policy_case random_case(struct random_source *source, struct arena *arena)
{
    static const char *const subjects[] = {"a", "b", "ab", "ba", "*"};
    static const char *const addresses[] = {"p.replies", "q", "jobs", "graves.desk", "other"};
    struct policy_case asked = {
        .principal = text_of(random_below(source, 16) == 0 ? "stranger" : RANDOM_PRINCIPAL),
        .command = kinds[random_below(source, COUNT_OF(kinds))],
    };
    struct policy_scopes scopes = policy_scopes_of(asked.command);
    struct text *named = ARENA_ARRAY(arena, struct text, 2);
    struct uuid *uuids = ARENA_ARRAY(arena, struct uuid, 2);
    asked.project_count = random_count(source, scopes.projects, 2);
    asked.provider_count = random_count(source, scopes.providers, 2);
    for (size_t i = 0; i < 2; i++) {
        named[i] = text_of(subjects[random_below(source, COUNT_OF(subjects))]);
        if (!uuid_parse(text_of(random_below(source, 2) == 0 ? UUID_1 : UUID_2), &uuids[i]))
            asked.provider_count = 0;
    }
    asked.projects = named;
    asked.providers = uuids;
    if (random_below(source, 4) == 0)
        asked.reply_to = text_of(addresses[random_below(source, COUNT_OF(addresses))]);
    return asked;
}
