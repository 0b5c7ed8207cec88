/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/judge.h"

static bool forbid(struct judge *judge)
{
    const char *name = command_name(judge->request->command.kind);
    verdict_refuse(judge->verdict, judge->snapshot->arena, VERDICT_FORBIDDEN,
                   "the policy does not let %.*s do this", TEXT_ARGS(judge->request->principal));
    verdict_add_text(judge->verdict, "command", text_of(name));
    return false;
}

static bool forbid_text(struct judge *judge, const char *what, struct text value)
{
    (void)forbid(judge);
    verdict_add_text(judge->verdict, what, value);
    return false;
}

static bool forbid_uuid(struct judge *judge, const char *what, struct uuid value)
{
    (void)forbid(judge);
    verdict_add_uuid(judge->verdict, what, value);
    return false;
}

static bool ask_provider(struct judge *judge, struct policy_question *question,
                         struct uuid provider)
{
    return policy_ask_provider(question, provider) || forbid_uuid(judge, "provider", provider);
}

/* The project asked for, and the one that the stored consumer belongs to. Of the latter a stranger
   learns nothing but that it is not theirs. */
static bool ask_projects(struct judge *judge, struct policy_question *question,
                         const struct claim *claim)
{
    if (!claim->is_delete && !policy_ask_project(question, claim->project_id))
        return forbid_text(judge, "project_id", claim->project_id);
    const struct consumer *stored = snapshot_consumer(judge->snapshot, claim->consumer);
    if (stored->state.exists && !policy_ask_project(question, stored->project_id))
        return forbid_uuid(judge, "consumer", claim->consumer);
    return true;
}

static bool ask_claimed_providers(struct judge *judge, struct policy_question *question,
                                  const struct claim *claim)
{
    for (size_t i = 0; i < claim->provider_count; i++) {
        if (!ask_provider(judge, question, claim->providers[i].provider))
            return false;
    }
    const struct consumer *stored = snapshot_consumer(judge->snapshot, claim->consumer);
    for (size_t i = 0; stored->state.exists && i < stored->holding_count; i++) {
        if (!policy_ask_provider(question, stored->holdings[i].provider))
            return forbid_uuid(judge, "consumer", claim->consumer);
    }
    return true;
}

static bool ask_change(struct judge *judge, struct policy_question *question)
{
    const struct change_params *change = &judge->request->command.params.change;
    for (size_t i = 0; i < change->claim_count; i++) {
        if (!ask_projects(judge, question, &change->claims[i]))
            return false;
    }
    for (size_t i = 0; i < change->inventory_count; i++) {
        if (!ask_provider(judge, question, change->inventories[i].provider))
            return false;
    }
    for (size_t i = 0; i < change->claim_count; i++) {
        if (!ask_claimed_providers(judge, question, &change->claims[i]))
            return false;
    }
    /* Only where no rule covers the command, and it names nothing but consumers, is this left. */
    if (question->principal == NULL)
        return forbid_uuid(judge, "consumer", change->claims[0].consumer);
    return true;
}

static bool ask_provider_params(struct judge *judge, struct policy_question *question)
{
    const struct provider_params *params = &judge->request->command.params.provider;
    if (!ask_provider(judge, question, params->uuid))
        return false;
    return !params->has_parent || ask_provider(judge, question, params->parent);
}

static bool ask_page(struct judge *judge, struct policy_question *question)
{
    struct uuid provider = judge->request->command.params.page.provider;
    if (!policy_ask_all_projects(question))
        return forbid_uuid(judge, "provider", provider);
    return ask_provider(judge, question, provider);
}

static bool ask_stored_consumer(struct judge *judge, struct policy_question *question)
{
    struct uuid id = judge->request->command.params.consumer;
    const struct consumer *stored = snapshot_consumer(judge->snapshot, id);
    if (question->principal == NULL)
        return forbid_uuid(judge, "consumer", id);
    if (stored->state.exists && !policy_ask_project(question, stored->project_id))
        return forbid_uuid(judge, "consumer", id);
    return true;
}

static bool ask_usage(struct judge *judge, struct policy_question *question)
{
    struct text project = judge->request->command.params.usage.project_id;
    return policy_ask_project(question, project) || forbid_text(judge, "project_id", project);
}

bool judge_policy(struct judge *judge)
{
    const struct request *request = judge->request;
    if (text_present(request->reply_to) && !judge->verdict->reply_allowed)
        return forbid_text(judge, "reply_to", request->reply_to);

    struct policy_question question;
    (void)policy_ask_command(&question, judge->context->policy, request->principal,
                             request->command.kind);
    switch (request->command.kind) {
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE:
    case COMMAND_PROVIDER_DELETE:
    case COMMAND_PROVIDER_GET: return ask_provider_params(judge, &question);
    case COMMAND_PROVIDER_ALLOCATIONS: return ask_page(judge, &question);
    case COMMAND_INVENTORY_SET:
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE:
    case COMMAND_RESHAPE: return ask_change(judge, &question);
    case COMMAND_ALLOCATION_GET: return ask_stored_consumer(judge, &question);
    case COMMAND_USAGE_GET: return ask_usage(judge, &question);
    }
    return forbid(judge);
}
