/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests `allotctl policy test` without its output: what it says of a command is what a worker
 * decides.
 *
 * test_the_verdict_is_that_of_the_worker builds random policies and commands, and has decide_policy
 * decide them, the very function of the worker, on a snapshot with the consumer that the command is
 * about. So it shows too that policy_scopes_of() knows what each command asks.
 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/core/decision.h"
#include "tests/unit/policy_random.h"

enum { SEEDS = 20000 };

/* --- by the worker -------------------------------------------------------------------------- */

static const struct allocation *allocations_on(struct arena *arena, const struct uuid *providers,
                                               size_t count)
{
    struct allocation *allocations = ARENA_ARRAY(arena, struct allocation, count);
    for (size_t i = 0; i < count; i++)
        allocations[i] = (struct allocation){providers[i], text_of("VCPU"), 1};
    return allocations;
}

static struct change_params *claim_of(struct command *command, const struct policy_case *asked,
                                      struct arena *arena)
{
    struct claim *claim = ARENA_NEW(arena, struct claim);
    struct named_provider *named = ARENA_NEW(arena, struct named_provider);
    claim->is_delete = command->kind == COMMAND_ALLOCATION_DELETE;
    claim->project_id = asked->project_count > 0 ? asked->projects[0] : text_of("");
    if (!claim->is_delete && asked->provider_count > 0) {
        named->provider = asked->providers[0];
        claim->providers = named;
        claim->provider_count = 1;
        claim->allocations = allocations_on(arena, asked->providers, 1);
        claim->allocation_count = 1;
    }
    command->params.change.claims = claim;
    command->params.change.claim_count = 1;
    return &command->params.change;
}

static void add_inventories(struct change_params *change, const struct policy_case *asked,
                            struct arena *arena)
{
    struct inventory_change *inventories =
        ARENA_ARRAY(arena, struct inventory_change, asked->provider_count);
    for (size_t i = 0; i < asked->provider_count; i++)
        inventories[i].provider = asked->providers[i];
    change->inventories = inventories;
    change->inventory_count = asked->provider_count;
}

static struct command command_of(const struct policy_case *asked, struct arena *arena)
{
    struct command command = {.kind = asked->command};
    switch (asked->command) {
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE:
        command.params.provider.has_parent = asked->provider_count > 1;
        command.params.provider.parent = asked->providers[1];
        command.params.provider.uuid = asked->providers[0];
        break;
    case COMMAND_PROVIDER_DELETE:
    case COMMAND_PROVIDER_GET: command.params.provider.uuid = asked->providers[0]; break;
    case COMMAND_PROVIDER_LIST: break;
    case COMMAND_PROVIDER_ALLOCATIONS: command.params.page.provider = asked->providers[0]; break;
    case COMMAND_INVENTORY_SET: add_inventories(&command.params.change, asked, arena); break;
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE: (void)claim_of(&command, asked, arena); break;
    case COMMAND_ALLOCATION_GET: break;
    case COMMAND_USAGE_GET: command.params.usage.project_id = asked->projects[0]; break;
    case COMMAND_RESHAPE:
        if (asked->project_count > 0)
            (void)claim_of(&command, asked, arena);
        add_inventories(&command.params.change, asked, arena);
        break;
    }
    return command;
}

/* Stores the consumer that the command is about, with the last project, on all providers. */
static void store_consumer(struct snapshot *snapshot, const struct policy_case *asked)
{
    struct consumer *consumer = snapshot_consumer(snapshot, (struct uuid){{0}});
    consumer->state = (struct slot_state){.loaded = true, .stored = true, .exists = true};
    consumer->project_id = asked->projects[asked->project_count - 1];
    consumer->allocations =
        allocations_on(snapshot->arena, asked->providers, asked->provider_count);
    consumer->allocation_count = asked->provider_count;
}

/* Leaves out what the command cannot involve: several providers of one that names one, and
   providers of a consumer that does not exist. */
static void trim(struct policy_case *asked)
{
    bool is_claim =
        asked->command == COMMAND_ALLOCATION_SET || asked->command == COMMAND_ALLOCATION_BATCH;
    if (asked->command == COMMAND_PROVIDER_DELETE || asked->command == COMMAND_PROVIDER_GET ||
        asked->command == COMMAND_PROVIDER_ALLOCATIONS || (is_claim && asked->project_count == 1))
        asked->provider_count = asked->provider_count > 1 ? 1 : asked->provider_count;
    if (asked->command == COMMAND_USAGE_GET || asked->command == COMMAND_ALLOCATION_GET ||
        asked->command == COMMAND_ALLOCATION_DELETE)
        asked->project_count = asked->project_count > 1 ? 1 : asked->project_count;
    if (asked->command == COMMAND_ALLOCATION_DELETE && asked->project_count == 0)
        asked->provider_count = 0;
}

static bool has_stored_consumer(const struct policy_case *asked)
{
    if (asked->command == COMMAND_ALLOCATION_DELETE || asked->command == COMMAND_ALLOCATION_GET)
        return asked->project_count > 0;
    return asked->project_count > 1;
}

static bool worker_allows(const struct policy *policy, const struct policy_case *asked,
                          struct arena *arena)
{
    struct snapshot *snapshot = snapshot_new(arena);
    struct request request = {.principal = asked->principal,
                              .reply_to = asked->reply_to,
                              .command = command_of(asked, arena)};
    const struct request *requests = &request;
    struct plan_context context = {.policy = policy};
    struct verdict verdict = {0};
    plan_want_first(snapshot, &requests, 1);
    if (has_stored_consumer(asked))
        store_consumer(snapshot, asked);
    (void)plan_want_second(snapshot, &requests, 1);
    verdict.reply_allowed = policy_allows_reply_to(policy, asked->principal, asked->reply_to);
    struct decision decision = {&context, snapshot, &request, 0, &verdict};
    return decide_policy(&decision);
}

static void test_the_verdict_is_that_of_the_worker(void **state)
{
    (void)state;
    size_t allowed = 0;
    struct arena *arena = arena_new(0);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct random_source source = {seed};
        struct policy policy = random_policy(&source, arena);
        struct policy_case asked = random_case(&source, arena);
        trim(&asked);
        struct policy_explanation explanation = policy_explain(&policy, &asked, arena);
        bool expected = worker_allows(&policy, &asked, arena);
        if ((explanation.finding.reason == REASON_ALLOWED) != expected)
            fail_msg("seed %llu: %s: the worker %s, the explanation has the reason %d",
                     (unsigned long long)seed, command_name(asked.command),
                     expected ? "allows it" : "does not", (int)explanation.finding.reason);
        allowed += expected;
        arena_reset(arena);
    }
    assert_in_range(allowed, SEEDS / 20, SEEDS - SEEDS / 20); /* neither is rare */
    arena_free(arena);
}

/* --- by the questions of the policy --------------------------------------------------------- */

static bool ask_all(struct policy_question *question, const struct policy *policy,
                    const struct policy_case *asked)
{
    struct policy_scopes scopes = policy_scopes_of(asked->command);
    bool allowed = policy_ask_command(question, policy, asked->principal, asked->command);
    if (scopes.projects == SCOPE_ALL)
        allowed = policy_ask_all_projects(question) && allowed;
    for (size_t i = 0; i < asked->project_count; i++)
        allowed = policy_ask_project(question, asked->projects[i]) && allowed;
    if (scopes.providers == SCOPE_ALL)
        allowed = policy_ask_all_providers(question) && allowed;
    for (size_t i = 0; i < asked->provider_count; i++)
        allowed = policy_ask_provider(question, asked->providers[i]) && allowed;
    return allowed;
}

/* The first rule that is left is the one that is named. */
static void test_the_rule_is_one_that_is_left(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct random_source source = {seed};
        struct policy policy = random_policy(&source, arena);
        struct policy_case asked = random_case(&source, arena);
        asked.reply_to = TEXT_NONE;
        struct policy_question question;
        struct policy_explanation explanation = policy_explain(&policy, &asked, arena);
        bool allowed = ask_all(&question, &policy, &asked);
        assert_int_equal(explanation.finding.reason == REASON_ALLOWED, allowed);
        if (allowed) {
            assert_true((question.left[0] >> explanation.rule & 1) != 0);
            assert_int_equal(question.left[0] & ((UINT64_C(1) << explanation.rule) - 1), 0);
        }
        arena_reset(arena);
    }
    arena_free(arena);
}

/* --- the closest rule ----------------------------------------------------------------------- */

static const struct text any[] = {{"*", 1}};
static const struct text set[] = {{"allocation.set", 14}};
static const struct text reads[] = {{"*.get", 5}, {"provider.list", 13}};
static const struct text blue[] = {{"blue-*", 6}};
static const struct text red[] = {{"red", 3}};
static const struct text ones[] = {{"1*", 2}};
static const struct policy_rule rules[] = {
    {{reads, 2}, {any, 1}, {ones, 1}},
    {{set, 1}, {red, 1}, {any, 1}},
    {{set, 1}, {blue, 1}, {ones, 1}},
};
static const struct policy_principal principals[] = {
    {{"team", 4}, rules, 3, {blue, 1}},
    {{"idle", 4}, NULL, 0, {NULL, 0}},
};
static const struct policy fixed = {principals, 2, {{"jobs", 4}, {"blue-graves", 11}}};

static struct uuid uuid_of(uint8_t digit)
{
    struct uuid uuid;
    memset(uuid.bytes, digit * 17, sizeof uuid.bytes);
    return uuid;
}

static struct policy_explanation explain(struct arena *arena, const char *principal,
                                         enum command_kind command, const char *project,
                                         uint8_t provider, const char *reply_to)
{
    struct text projects[] = {text_of(project)};
    struct uuid providers[] = {uuid_of(provider)};
    struct policy_case asked = {.principal = text_of(principal),
                                .command = command,
                                .reply_to = text_of(reply_to),
                                .projects = projects,
                                .project_count = project != NULL,
                                .providers = providers,
                                .provider_count = provider != 0};
    return policy_explain(&fixed, &asked, arena);
}

static void test_the_closest_rule_is_named(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct policy_explanation found =
        explain(arena, "team", COMMAND_ALLOCATION_SET, "blue-1", 2, NULL);
    assert_int_equal(found.finding.reason, REASON_PROVIDER);
    assert_true(text_is(found.finding.subject, "22222222-2222-2222-2222-222222222222"));
    assert_true(found.has_rule);
    assert_int_equal(found.rule, 2);
    found = explain(arena, "team", COMMAND_ALLOCATION_SET, "green", 1, NULL);
    assert_int_equal(found.finding.reason, REASON_PROJECT);
    assert_true(text_is(found.finding.subject, "green"));
    assert_int_equal(found.rule, 1); /* of two that are equally close, the first */
    found = explain(arena, "team", COMMAND_PROVIDER_LIST, NULL, 0, NULL);
    assert_int_equal(found.finding.reason, REASON_PROVIDER);
    assert_true(text_is(found.finding.subject, "*"));
    found = explain(arena, "team", COMMAND_RESHAPE, NULL, 1, NULL);
    assert_int_equal(found.finding.reason, REASON_COMMAND);
    assert_false(found.has_rule);
    arena_free(arena);
}

static void test_what_no_rule_can_help_is_told_first(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_int_equal(explain(arena, "x", COMMAND_USAGE_GET, "p", 0, "q").finding.reason,
                     REASON_UNKNOWN_PRINCIPAL);
    assert_int_equal(explain(arena, "idle", COMMAND_USAGE_GET, "p", 0, NULL).finding.reason,
                     REASON_NO_RULES);
    struct policy_explanation found =
        explain(arena, "team", COMMAND_USAGE_GET, "p", 0, "blue-graves.desk");
    assert_int_equal(found.finding.reason, REASON_REPLY_TO);
    assert_true(text_is(found.finding.subject, "blue-graves.desk"));
    assert_int_equal(explain(arena, "team", COMMAND_USAGE_GET, "p", 0, "blue-1").finding.reason,
                     REASON_ALLOWED);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_verdict_is_that_of_the_worker),
        cmocka_unit_test(test_the_rule_is_one_that_is_left),
        cmocka_unit_test(test_the_closest_rule_is_named),
        cmocka_unit_test(test_what_no_rule_can_help_is_told_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
