/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands that only read: provider.get, provider.list, provider.allocations, allocation.get
 * and usage.get.
 * They are answered from the snapshot of a transaction of their own, and change nothing.
 */
#include "common/core/command_table.h"

static void list_generation(struct decision *decision, const struct provider *provider)
{
    struct provider_generation *list =
        ARENA_NEW(decision->snapshot->arena, struct provider_generation);
    *list = (struct provider_generation){provider->id, provider->generation};
    decision->verdict->result.providers = list;
    decision->verdict->result.provider_count = 1;
}

static void show_provider(struct decision *decision, const struct uuid *id)
{
    const struct provider *provider = snapshot_provider(decision->snapshot, *id);
    if (!provider->state.exists) {
        refuse_missing_providers(decision, id, 1);
        return;
    }
    decision->verdict->result.provider = provider;
    list_generation(decision, provider);
}

/* --- provider.get --------------------------------------------------------------------------- */

static bool ask_provider_get(struct decision *decision, struct policy_question *question)
{
    return ask_provider(decision, question, decision->request->command.params.provider.uuid);
}

static void want_provider_get(struct snapshot *snapshot, const struct command *command,
                              size_t index)
{
    (void)index;
    snapshot_want_provider(snapshot, command->params.provider.uuid);
}

static void decide_provider_get(struct decision *decision)
{
    show_provider(decision, &decision->request->command.params.provider.uuid);
}

COMMAND_FUNCTIONS(PROVIDER_GET) = {
    .policy = ask_provider_get,
    .want_first = want_provider_get,
    .want_second = NOTHING_MORE,
    .decide = decide_provider_get,
};

/* --- provider.list -------------------------------------------------------------------------- */

/* The list shows all providers, so the policy must allow the provider "*" itself. */
static bool ask_list(struct decision *decision, struct policy_question *question)
{
    return policy_ask_all_providers(question) || forbid_command(decision);
}

static void want_list(struct snapshot *snapshot, const struct command *command, size_t index)
{
    snapshot_want_list(snapshot, index, command->params.list);
}

static void decide_list(struct decision *decision)
{
    decision->verdict->result.list = &snapshot_list(decision->snapshot, decision->index)->page;
}

COMMAND_FUNCTIONS(PROVIDER_LIST) = {
    .policy = ask_list,
    .want_first = want_list,
    .want_second = NOTHING_MORE,
    .decide = decide_list,
};

/* --- provider.allocations ------------------------------------------------------------------- */

/* The page shows consumers of all projects, so the policy must allow the project "*" itself. */
static bool ask_page(struct decision *decision, struct policy_question *question)
{
    struct uuid provider = decision->request->command.params.page.provider;
    if (!policy_ask_all_projects(question))
        return forbid_uuid(decision, "provider", provider);
    return ask_provider(decision, question, provider);
}

static void want_page(struct snapshot *snapshot, const struct command *command, size_t index)
{
    snapshot_want_provider(snapshot, command->params.page.provider);
    snapshot_want_page(snapshot, index, command->params.page);
}

static void decide_page(struct decision *decision)
{
    show_provider(decision, &decision->request->command.params.page.provider);
    if (decision->verdict->code == VERDICT_SUCCESS)
        decision->verdict->result.page = &snapshot_page(decision->snapshot, decision->index)->page;
}

COMMAND_FUNCTIONS(PROVIDER_ALLOCATIONS) = {
    .policy = ask_page,
    .want_first = want_page,
    .want_second = NOTHING_MORE,
    .decide = decide_page,
};

/* --- allocation.get ------------------------------------------------------------------------- */

static bool ask_consumer(struct decision *decision, struct policy_question *question)
{
    struct uuid id = decision->request->command.params.consumer;
    const struct consumer *stored = snapshot_consumer(decision->snapshot, id);
    if (!policy_command_allowed(question))
        return forbid_uuid(decision, "consumer", id);
    if (stored->state.exists && !policy_ask_project(question, stored->project_id))
        return forbid_uuid(decision, "consumer", id);
    return true;
}

static void want_consumer(struct snapshot *snapshot, const struct command *command, size_t index)
{
    (void)index;
    snapshot_want_consumer(snapshot, command->params.consumer);
    snapshot->mappings_wanted = true;
}

/* The reply has the generation of each provider. */
static void want_providers_of_consumer(struct snapshot *snapshot, const struct command *command)
{
    snapshot_want_providers_of(snapshot, command->params.consumer);
}

static void decide_consumer(struct decision *decision)
{
    const struct consumer *consumer =
        snapshot_consumer(decision->snapshot, decision->request->command.params.consumer);
    if (!consumer->state.exists)
        return;
    struct result *result = &decision->verdict->result;
    result->consumer = consumer;
    struct provider_generation *list = ARENA_ARRAY(
        decision->snapshot->arena, struct provider_generation, consumer->allocation_count);
    for (size_t i = 0; i < consumer->allocation_count; i++) {
        if (!allocation_begins_provider(consumer->allocations, i))
            continue;
        struct uuid id = consumer->allocations[i].provider;
        list[result->provider_count++] =
            (struct provider_generation){id, snapshot_provider(decision->snapshot, id)->generation};
    }
    result->providers = list;
}

COMMAND_FUNCTIONS(ALLOCATION_GET) = {
    .policy = ask_consumer,
    .want_first = want_consumer,
    .want_second = want_providers_of_consumer,
    .decide = decide_consumer,
};

/* --- usage.get ------------------------------------------------------------------------------ */

static bool ask_usage(struct decision *decision, struct policy_question *question)
{
    struct text project = decision->request->command.params.usage.project_id;
    return policy_ask_project(question, project) || forbid_text(decision, "project_id", project);
}

static void want_usage(struct snapshot *snapshot, const struct command *command, size_t index)
{
    snapshot_want_usage(snapshot, index, command->params.usage);
}

static void decide_usage(struct decision *decision)
{
    const struct usage_slot *slot = snapshot_usage(decision->snapshot, decision->index);
    decision->verdict->result.groups = slot->groups;
    decision->verdict->result.group_count = slot->group_count;
}

COMMAND_FUNCTIONS(USAGE_GET) = {
    .policy = ask_usage,
    .want_first = want_usage,
    .want_second = NOTHING_MORE,
    .decide = decide_usage,
};
