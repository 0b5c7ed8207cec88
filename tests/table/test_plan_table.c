/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the tables: every "case" in tests/table/NAME.table is one test. tests/table/README.md
 * explains their format.
 *
 * A case is read twice. First each line but `then` adds to the state (plan_world.c) or to the
 * batch; commands are decoded by the product's decoder. Then the planner runs as in the worker: it
 * wants documents, plan_world fills the snapshot, in two rounds, and plan_run decides. At last the
 * verdicts are compared, through the product's encoder, and the `then` lines are checked.
 */
#include "tests/support/cmocka.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/codec/command_decode.h"
#include "common/codec/policy_file.h"
#include "common/codec/reply_encode.h"
#include "tests/table/plan_expand.h"
#include "tests/table/plan_world.h"

enum { LINES_MAX = 40, STEPS_MAX = 12, CASES_MAX = 400, ATTEMPTS_MAX = 3 };

/* The body of every recorded outcome. */
#define RECORDED_BODY "{\"on\":\"record\"}"

struct table_case {
    char *name;
    char *lines[LINES_MAX];
    size_t count;
};

struct step {
    struct decoded decoded;
    const char *code;
    bool replayed;
    const char *expected; /* details or result, in shorthand; NULL: not compared */
};

struct run {
    struct world world;
    struct snapshot *snapshot;
    struct step steps[STEPS_MAX];
    size_t step_count;
    struct verdict verdicts[STEPS_MAX];
};

static char *copy_line(struct arena *arena, const char *line)
{
    size_t length = strlen(line);
    char *bytes = arena_alloc(arena, length + 1);
    memcpy(bytes, line, length);
    return bytes;
}

static struct policy read_policy(struct arena *arena)
{
    char yaml[8192];
    FILE *file = fopen("tests/table/policy.yaml", "r");
    assert_non_null(file);
    size_t length = fread(yaml, 1, sizeof yaml, file);
    assert_int_equal(fclose(file), 0);
    struct policy policy;
    struct error error = {""};
    if (!policy_read(text_copy(arena, text_view(yaml, length)), "policy.yaml", arena, &policy,
                     &error))
        fail_msg("%s", error.text);
    policy.service_queues =
        (struct service_queues){text_of("allot.commands"), text_of("allot.dead")};
    return policy;
}

static void set_option(struct delivery *delivery, struct request *extra, char *word)
{
    char *value = strchr(word, '=');
    assert_non_null(value);
    *value++ = '\0';
    if (strcmp(word, "reply_to") == 0) {
        delivery->properties.reply_to = text_of(value);
    } else if (strcmp(word, "deadline") == 0) {
        delivery->deadline = HEADER_INTEGER;
        delivery->deadline_ms = strtoll(value, NULL, 10);
    } else if (strcmp(word, "attempts") == 0) {
        extra->attempts = atoll(value);
    } else if (strcmp(word, "rejected") == 0) {
        extra->rejection = REJECTION_WRITES;
        extra->storage_reason = text_of(value);
    } else if (strcmp(word, "unloadable") == 0) {
        extra->rejection = REJECTION_LOAD;
        extra->storage_reason = text_of(value);
    } else if (strcmp(word, "unrecordable") == 0) {
        extra->rejection = REJECTION_RECORD;
        extra->storage_reason = text_of(value);
    } else if (strcmp(word, "blind") == 0) {
        extra->rejection = REJECTION_BLIND;
        extra->storage_reason = text_of(value);
    } else if (strcmp(word, "slow") == 0) {
        extra->rejection = REJECTION_BLIND;
        extra->excess = (struct excess){true, 5000, atoll(value)};
    } else if (strcmp(word, "large") == 0) {
        extra->rejection = REJECTION_LOAD;
        extra->excess = (struct excess){false, 1000, atoll(value)};
    } else {
        fail_msg("unknown command or option '%s'", word);
    }
}

/* "PRINCIPAL KEY [OPTION=VALUE]... COMMAND PARAMS" */
static struct decoded read_command(struct run *run, char *line)
{
    struct arena *arena = run->world.arena;
    char *rest = NULL;
    struct delivery delivery = {.deadline = HEADER_ABSENT};
    delivery.properties.user_id = text_of(strtok_r(line, " ", &rest));
    delivery.properties.message_id = text_of(strtok_r(NULL, " ", &rest));
    struct request extra = {.attempts = 0};
    enum command_kind kind;
    char *word = strtok_r(NULL, " ", &rest);
    for (; word != NULL && !command_parse(text_of(word), &kind); word = strtok_r(NULL, " ", &rest))
        set_option(&delivery, &extra, word);
    assert_non_null(word);
    delivery.body = text_format(arena, "{\"version\":1,\"command\":\"%s\",\"params\":%.*s}", word,
                                TEXT_ARGS(plan_expand(arena, rest)));

    struct decode_context context = {.policy = &run->world.policy, .trust_user_id = true};
    struct decoded decoded;
    command_decode(&context, &delivery, arena, &decoded);
    if (!decoded.accepted)
        fail_msg("%.*s: %.*s %.*s", TEXT_ARGS(delivery.body), TEXT_ARGS(decoded.verdict.message),
                 TEXT_ARGS(decoded.verdict.details[0].value.text));
    decoded.request.attempts = extra.attempts;
    decoded.request.rejection = extra.rejection;
    decoded.request.storage_reason = extra.storage_reason;
    decoded.request.excess = extra.excess;
    return decoded;
}

/* "PRINCIPAL KEY COMMAND PARAMS => CODE": adds that outcome to the state. */
static void add_record(struct run *run, char *line)
{
    char *code = strstr(line, " => ");
    assert_non_null(code);
    *code = '\0';
    struct decoded decoded = read_command(run, line);
    struct outcome *outcome = &run->world.outcomes[run->world.outcome_count++];
    *outcome = (struct outcome){.principal = decoded.request.principal,
                                .key = decoded.request.key,
                                .fingerprint = decoded.request.fingerprint,
                                .command = decoded.command,
                                .body = text_of(RECORDED_BODY)};
    assert_true(verdict_parse(text_of(code + 4), &outcome->code));
}

/* "PRINCIPAL KEY [OPTION=VALUE]... COMMAND PARAMS => [replayed] CODE [JSON]" */
static void add_step(struct run *run, char *line)
{
    struct step *step = &run->steps[run->step_count++];
    assert_true(run->step_count <= STEPS_MAX);
    char *expected = strstr(line, " => ");
    if (expected == NULL)
        fail_msg("no ' => ' in '%s'", line);
    *expected = '\0';
    char *rest = NULL;
    step->code = strtok_r(expected + 4, " ", &rest);
    step->replayed = strcmp(step->code, "replayed") == 0;
    if (step->replayed)
        step->code = strtok_r(NULL, " ", &rest);
    step->expected = rest != NULL && *rest != '\0' ? rest : NULL;
    step->decoded = read_command(run, line);
}

/* Returns whether the line begins with the words; `ret_rest` is what follows them. */
static bool skip_word(char *line, const char *word, char **ret_rest)
{
    size_t length = strlen(word);
    if (strncmp(line, word, length) != 0 || line[length] != ' ')
        return false;
    *ret_rest = line + length + 1;
    return true;
}

static void read_line(struct run *run, char *line)
{
    char *rest = NULL;
    if (skip_word(line, "provider", &rest))
        world_add_provider(&run->world, rest);
    else if (skip_word(line, "consumer", &rest))
        world_add_consumer(&run->world, rest);
    else if (skip_word(line, "usage", &rest))
        world_add_usage(&run->world, rest);
    else if (skip_word(line, "record", &rest))
        add_record(run, rest);
    else if (skip_word(line, "now", &rest))
        run->world.now_ms = atoll(rest);
    else if (!skip_word(line, "then", &rest))
        add_step(run, line);
}

/* --- checks --------------------------------------------------------------------------------- */

/* Compares the result of a success, or the details of a failure. */
static void check_reply(struct run *run, const struct step *step, const struct verdict *verdict)
{
    const struct decoded *decoded = &step->decoded;
    struct text reply = reply_encode(run->world.arena, decoded->command,
                                     decoded->request.command.kind, decoded->request.key, verdict);
    struct text expected_text = plan_expand(run->world.arena, step->expected);
    json_t *found = json_loadb(reply.bytes, reply.length, JSON_REJECT_DUPLICATES, NULL);
    json_t *expected =
        json_loadb(expected_text.bytes, expected_text.length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *part = verdict->code == VERDICT_SUCCESS
                             ? json_object_get(found, "result")
                             : json_object_get(json_object_get(found, "error"), "details");
    bool same = expected != NULL && json_equal(part, expected);
    json_decref(found);
    json_decref(expected);
    if (!same)
        fail_msg("found %.*s\n  expected %.*s", TEXT_ARGS(reply), TEXT_ARGS(expected_text));
}

/* Checks a replay: its body is the recorded one, or that of an earlier request with the key. */
static void check_replay(const struct run *run, size_t index)
{
    const struct verdict *verdict = &run->verdicts[index];
    if (text_present(verdict->replay_body)) {
        assert_true(text_is(verdict->replay_body, RECORDED_BODY));
        return;
    }
    assert_true(verdict->replay_of < index);
    assert_true(text_equal(run->steps[verdict->replay_of].decoded.request.key,
                           run->steps[index].decoded.request.key));
}

/* Checks whether the outcome is recorded as the contract says, in every case. */
static void check_record(struct run *run, size_t index)
{
    const struct request *request = &run->steps[index].decoded.request;
    const struct verdict *verdict = &run->verdicts[index];
    if (command_mode(request->command.kind) == MODE_READ || request->rejection == REJECTION_BLIND) {
        assert_int_equal(run->snapshot->outcome_count, 0);
        assert_false(snapshot_is_dirty(run->snapshot));
        return;
    }
    const struct outcome *outcome =
        snapshot_outcome(run->snapshot, request->principal, request->key);
    if (verdict->code == VERDICT_IDEMPOTENCY_KEY_REUSED || verdict->replayed) {
        assert_true(outcome->state.exists);
        return;
    }
    if (request->rejection == REJECTION_RECORD) {
        assert_false(outcome->state.dirty);
        return;
    }
    assert_true(outcome->state.dirty);
    if (!verdict_recorded(verdict->code)) {
        assert_true(!outcome->state.exists || outcome->decided_by != index);
        return;
    }
    assert_true(outcome->state.exists);
    assert_memory_equal(&outcome->fingerprint, &request->fingerprint, FINGERPRINT_BYTES);
    assert_true(text_is(outcome->command, command_name(request->command.kind)));
    assert_int_equal(outcome->code, verdict->code);
    assert_int_equal(outcome->decided_by, index);
}

static void check_step(struct run *run, size_t index)
{
    const struct step *step = &run->steps[index];
    const struct verdict *verdict = &run->verdicts[index];
    if (strcmp(verdict_name(verdict->code), step->code) != 0)
        fail_msg("command %zu: found '%s', expected '%s': %.*s", index + 1,
                 verdict_name(verdict->code), step->code, TEXT_ARGS(verdict->message));
    assert_int_equal(verdict->replayed, step->replayed);
    check_record(run, index);
    if (step->replayed)
        check_replay(run, index);
    else if (step->expected != NULL)
        check_reply(run, step, verdict);
}

/* Mappings may be large, so they are loaded only for the command that shows them. */
static void check_mappings_wanted(const struct run *run)
{
    bool shown = false;
    for (size_t i = 0; i < run->step_count; i++)
        shown |= run->steps[i].decoded.request.command.kind == COMMAND_ALLOCATION_GET;
    assert_int_equal(run->snapshot->mappings_wanted, shown);
}

/* Checks that only outcomes are written if no command succeeds. */
static void check_nothing_changed(const struct run *run)
{
    for (size_t i = 0; i < run->step_count; i++) {
        if (run->verdicts[i].code == VERDICT_SUCCESS && !run->verdicts[i].replayed)
            return;
    }
    for (size_t i = 0; i < run->snapshot->provider_count; i++)
        assert_false(run->snapshot->providers[i].state.dirty);
    for (size_t i = 0; i < run->snapshot->consumer_count; i++)
        assert_false(run->snapshot->consumers[i].state.dirty);
    for (size_t i = 0; i < run->snapshot->node_count; i++)
        assert_false(run->snapshot->nodes[i].dirty);
}

/* "p1 [gen=4] [root=p2] [VCPU=5]...": compares the generation, the root and these usages. */
static void check_provider(struct run *run, char *words)
{
    char *rest = NULL;
    const struct provider *provider =
        snapshot_provider(run->snapshot, world_uuid(strtok_r(words, " ", &rest)));
    assert_true(provider->state.exists);
    for (char *word = strtok_r(NULL, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = '\0';
        if (strcmp(word, "gen") == 0) {
            assert_int_equal(provider->generation, atoll(value));
        } else if (strcmp(word, "root") == 0) {
            assert_true(uuid_equal(provider->root, world_uuid(value)));
        } else {
            const struct inventory_record *record = provider_record(provider, text_of(word));
            assert_non_null(record);
            assert_int_equal(record->used, atoll(value));
        }
    }
}

static void assert_same_text(struct text a, struct text b)
{
    if (text_present(a) != text_present(b) || !text_equal(a, b))
        fail_msg("found '%.*s', expected '%.*s'", TEXT_ARGS(a), TEXT_ARGS(b));
}

/* Returns the mappings that the consumer has after the write. */
static struct text mappings_after(const struct run *run, const struct consumer *consumer)
{
    if (!consumer->mappings_unloaded)
        return consumer->mappings;
    for (size_t i = 0; i < run->world.consumer_count; i++) {
        if (uuid_equal(run->world.consumers[i].id, consumer->id))
            return run->world.consumers[i].mappings;
    }
    return TEXT_NONE;
}

/* Compares a consumer with "c1 ...", as a `consumer` line describes it. */
static void check_consumer(struct run *run, char *words)
{
    struct consumer expected;
    world_read_consumer(&run->world, words, &expected);
    const struct consumer *found = snapshot_consumer(run->snapshot, expected.id);
    assert_true(found->state.exists);
    assert_int_equal(found->generation, expected.generation);
    assert_same_text(found->project_id, expected.project_id);
    assert_same_text(found->user_id, expected.user_id);
    assert_same_text(found->consumer_type, expected.consumer_type);
    assert_same_text(mappings_after(run, found), expected.mappings);
    assert_int_equal(found->allocation_count, expected.allocation_count);
    for (size_t i = 0; i < expected.allocation_count; i++) {
        assert_true(uuid_equal(found->allocations[i].provider, expected.allocations[i].provider));
        assert_same_text(found->allocations[i].resource_class,
                         expected.allocations[i].resource_class);
        assert_int_equal(found->allocations[i].amount, expected.allocations[i].amount);
    }
}

/* "p3 p1": checks that the root of p3 is p1; `moved`: that it changed and is written. */
static void check_node(struct run *run, const char *words, bool moved)
{
    char member[8], root[8];
    assert_int_equal(sscanf(words, "%7s %7s", member, root), 2);
    for (size_t i = 0; i < run->snapshot->node_count; i++) {
        const struct tree_node *node = &run->snapshot->nodes[i];
        if (!uuid_equal(node->id, world_uuid(member)))
            continue;
        assert_int_equal(node->dirty, moved);
        assert_true(uuid_equal(node->root, world_uuid(root)));
        return;
    }
    fail_msg("%s is in no tree", member);
}

static void check_line(struct run *run, char *line)
{
    char *rest = NULL;
    if (!skip_word(line, "then", &line))
        return;
    if (skip_word(line, "provider", &rest))
        check_provider(run, rest);
    else if (skip_word(line, "consumer", &rest))
        check_consumer(run, rest);
    else if (skip_word(line, "moved", &rest))
        check_node(run, rest, true);
    else if (skip_word(line, "stays", &rest))
        check_node(run, rest, false);
    else if (skip_word(line, "no consumer", &rest))
        assert_false(snapshot_consumer(run->snapshot, world_uuid(rest))->state.exists);
    else if (skip_word(line, "no provider", &rest))
        assert_false(snapshot_provider(run->snapshot, world_uuid(rest))->state.exists);
    else if (strcmp(line, "no tree") == 0)
        assert_int_equal(run->snapshot->root_count, 0);
    else if (skip_word(line, "dirty", &rest) && *rest == 'c')
        assert_true(snapshot_consumer(run->snapshot, world_uuid(rest))->state.dirty);
    else if (skip_word(line, "dirty", &rest))
        assert_true(snapshot_provider(run->snapshot, world_uuid(rest))->state.dirty);
    else if (skip_word(line, "clean", &rest))
        assert_false(snapshot_provider(run->snapshot, world_uuid(rest))->state.dirty);
    else
        fail_msg("unknown line 'then %s'", line);
}

static void plan(struct run *run)
{
    const struct request *requests[STEPS_MAX];
    for (size_t i = 0; i < run->step_count; i++)
        requests[i] = &run->steps[i].decoded.request;
    struct plan_context context = {&run->world.policy, run->world.now_ms, ATTEMPTS_MAX};
    run->snapshot = snapshot_new(run->world.arena);
    plan_want_first(run->snapshot, requests, run->step_count);
    world_fill(&run->world, run->snapshot);
    if (plan_want_second(run->snapshot, requests, run->step_count))
        world_fill(&run->world, run->snapshot);
    plan_run(&context, run->snapshot, requests, run->step_count, run->verdicts);
}

static void run_case(void **state)
{
    const struct table_case *one = *state;
    struct arena *arena = arena_new(0);
    struct run *run = ARENA_NEW(arena, struct run);
    run->world.arena = arena;
    run->world.now_ms = 1000;
    run->world.policy = read_policy(arena);
    for (size_t i = 0; i < one->count; i++)
        read_line(run, copy_line(arena, one->lines[i]));
    assert_true(run->step_count > 0);
    plan(run);
    for (size_t i = 0; i < run->step_count; i++)
        check_step(run, i);
    check_nothing_changed(run);
    check_mappings_wanted(run);
    for (size_t i = 0; i < one->count; i++)
        check_line(run, copy_line(arena, one->lines[i]));
    arena_free(arena);
}

/* --- reading the files ---------------------------------------------------------------------- */

struct tables {
    struct table_case cases[CASES_MAX];
    size_t count;
};

static void add_line(struct tables *tables, char *line)
{
    char *rest = NULL;
    line[strcspn(line, "\n")] = '\0';
    line += strspn(line, " ");
    if (*line == '\0' || *line == '#')
        return;
    if (skip_word(line, "case", &rest)) {
        if (tables->count == CASES_MAX)
            abort();
        tables->cases[tables->count++].name = strdup(rest);
        return;
    }
    if (tables->count == 0 || tables->cases[tables->count - 1].count == LINES_MAX)
        abort();
    struct table_case *one = &tables->cases[tables->count - 1];
    one->lines[one->count++] = strdup(line);
}

static void read_file(struct tables *tables, const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        abort();
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) >= 0)
        add_line(tables, line);
    free(line);
    (void)fclose(file);
}

static void free_tables(struct tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        for (size_t j = 0; j < tables->cases[i].count; j++)
            free(tables->cases[i].lines[j]);
        free(tables->cases[i].name);
    }
    free(tables);
}

/* Usage: table_test_plan_table [PATTERN]: only the cases whose names match, with * and ?. */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    glob_t files;
    if (glob("tests/table/*.table", 0, NULL, &files) != 0)
        return 1;
    struct tables *tables = calloc(1, sizeof *tables);
    struct CMUnitTest *tests = calloc(CASES_MAX, sizeof *tests);
    if (tables == NULL || tests == NULL)
        abort();
    for (size_t i = 0; i < files.gl_pathc; i++)
        read_file(tables, files.gl_pathv[i]);
    for (size_t i = 0; i < tables->count; i++)
        tests[i] =
            (struct CMUnitTest){tables->cases[i].name, run_case, NULL, NULL, &tables->cases[i]};
    int failed = _cmocka_run_group_tests("plan_table", tests, tables->count, NULL, NULL);
    globfree(&files);
    free(tests);
    free_tables(tables);
    return failed != 0;
}
