/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/decision.h"

static bool forbid(struct decision *decision)
{
    const char *name = command_name(decision->request->command.kind);
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_FORBIDDEN,
                   "the policy does not let %.*s do this", TEXT_ARGS(decision->request->principal));
    verdict_add_text(decision->verdict, "command", text_of(name));
    return false;
}

static bool forbid_text(struct decision *decision, const char *what, struct text value)
{
    (void)forbid(decision);
    verdict_add_text(decision->verdict, what, value);
    return false;
}

static bool forbid_uuid(struct decision *decision, const char *what, struct uuid value)
{
    (void)forbid(decision);
    verdict_add_uuid(decision->verdict, what, value);
    return false;
}

static bool ask_provider(struct decision *decision, struct policy_question *question,
                         struct uuid provider)
{
    return policy_ask_provider(question, provider) || forbid_uuid(decision, "provider", provider);
}

/* The project asked for, and the one that the stored consumer belongs to. Of the latter a stranger
   learns nothing but that it is not theirs. */
static bool ask_projects(struct decision *decision, struct policy_question *question,
                         const struct claim *claim)
{
    if (!claim->is_delete && !policy_ask_project(question, claim->project_id))
        return forbid_text(decision, "project_id", claim->project_id);
    const struct consumer *stored = snapshot_consumer(decision->snapshot, claim->consumer);
    if (stored->state.exists && !policy_ask_project(question, stored->project_id))
        return forbid_uuid(decision, "consumer", claim->consumer);
    return true;
}

static bool ask_claimed_providers(struct decision *decision, struct policy_question *question,
                                  const struct claim *claim)
{
    for (size_t i = 0; i < claim->provider_count; i++) {
        if (!ask_provider(decision, question, claim->providers[i].provider))
            return false;
    }
    const struct consumer *stored = snapshot_consumer(decision->snapshot, claim->consumer);
    for (size_t i = 0; stored->state.exists && i < stored->allocation_count; i++) {
        if (!policy_ask_provider(question, stored->allocations[i].provider))
            return forbid_uuid(decision, "consumer", claim->consumer);
    }
    return true;
}

static bool ask_change(struct decision *decision, struct policy_question *question)
{
    const struct change_params *change = &decision->request->command.params.change;
    for (size_t i = 0; i < change->claim_count; i++) {
        if (!ask_projects(decision, question, &change->claims[i]))
            return false;
    }
    for (size_t i = 0; i < change->inventory_count; i++) {
        if (!ask_provider(decision, question, change->inventories[i].provider))
            return false;
    }
    for (size_t i = 0; i < change->claim_count; i++) {
        if (!ask_claimed_providers(decision, question, &change->claims[i]))
            return false;
    }
    /* Only where no rule covers the command, and it names nothing but consumers, is this left. */
    if (question->principal == NULL)
        return forbid_uuid(decision, "consumer", change->claims[0].consumer);
    return true;
}

static bool ask_provider_params(struct decision *decision, struct policy_question *question)
{
    const struct provider_params *params = &decision->request->command.params.provider;
    if (!ask_provider(decision, question, params->uuid))
        return false;
    return !params->has_parent || ask_provider(decision, question, params->parent);
}

static bool ask_page(struct decision *decision, struct policy_question *question)
{
    struct uuid provider = decision->request->command.params.page.provider;
    if (!policy_ask_all_projects(question))
        return forbid_uuid(decision, "provider", provider);
    return ask_provider(decision, question, provider);
}

static bool ask_stored_consumer(struct decision *decision, struct policy_question *question)
{
    struct uuid id = decision->request->command.params.consumer;
    const struct consumer *stored = snapshot_consumer(decision->snapshot, id);
    if (question->principal == NULL)
        return forbid_uuid(decision, "consumer", id);
    if (stored->state.exists && !policy_ask_project(question, stored->project_id))
        return forbid_uuid(decision, "consumer", id);
    return true;
}

static bool ask_usage(struct decision *decision, struct policy_question *question)
{
    struct text project = decision->request->command.params.usage.project_id;
    return policy_ask_project(question, project) || forbid_text(decision, "project_id", project);
}

bool decide_policy(struct decision *decision)
{
    const struct request *request = decision->request;
    if (text_present(request->reply_to) && !decision->verdict->reply_allowed)
        return forbid_text(decision, "reply_to", request->reply_to);

    struct policy_question question;
    (void)policy_ask_command(&question, decision->context->policy, request->principal,
                             request->command.kind);
    switch (request->command.kind) {
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE:
    case COMMAND_PROVIDER_DELETE:
    case COMMAND_PROVIDER_GET: return ask_provider_params(decision, &question);
    case COMMAND_PROVIDER_ALLOCATIONS: return ask_page(decision, &question);
    case COMMAND_INVENTORY_SET:
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE:
    case COMMAND_RESHAPE: return ask_change(decision, &question);
    case COMMAND_ALLOCATION_GET: return ask_stored_consumer(decision, &question);
    case COMMAND_USAGE_GET: return ask_usage(decision, &question);
    }
    return forbid(decision);
}
