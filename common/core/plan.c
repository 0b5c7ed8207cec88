/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/decision.h"

#include <string.h>

static bool same_fingerprint(const struct fingerprint *a, const struct fingerprint *b)
{
    return memcmp(a->bytes, b->bytes, FINGERPRINT_BYTES) == 0;
}

/* The outcome on record answers before anything that depends on the state. */
static void replay(struct decision *decision, const struct outcome *outcome)
{
    struct verdict *verdict = decision->verdict;
    if (!same_fingerprint(&outcome->fingerprint, &decision->request->fingerprint)) {
        verdict_refuse(verdict, decision->snapshot->arena, VERDICT_IDEMPOTENCY_KEY_REUSED,
                       "this message_id was used with another body");
        return;
    }
    verdict->code = outcome->code;
    verdict->replayed = true;
    verdict->replay_body = outcome->body;
    verdict->replay_of = outcome->decided_by;
}

static bool refuse_attempts(struct decision *decision)
{
    int64_t attempts = decision->request->attempts;
    if (attempts < decision->context->attempts_max)
        return false;
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_ATTEMPTS_EXHAUSTED,
                   "%lld workers died while on this command", (long long)attempts);
    verdict_add_integer(decision->verdict, "attempts", attempts);
    return true;
}

static bool refuse_late(struct decision *decision)
{
    const struct request *request = decision->request;
    if (!request->has_deadline || decision->context->now_ms <= request->deadline_ms)
        return false;
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_DEADLINE_EXCEEDED,
                   "the deadline was %lld ms since the epoch, and it is past",
                   (long long)request->deadline_ms);
    verdict_add_integer(decision->verdict, "deadline", request->deadline_ms);
    return true;
}

/* The storage was asked already, with this command alone, and refuses it for good. */
static void refuse_internal(struct decision *decision)
{
    const struct request *request = decision->request;
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_INTERNAL,
                   "the storage refuses this command");
    verdict_add_text(decision->verdict, "reason", request->storage_reason);
}

static void decide_state(struct decision *decision)
{
    switch (decision->request->command.kind) {
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE:
    case COMMAND_PROVIDER_DELETE: decide_provider(decision); return;
    case COMMAND_INVENTORY_SET:
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE:
    case COMMAND_RESHAPE: decide_change(decision); return;
    case COMMAND_PROVIDER_GET:
    case COMMAND_PROVIDER_ALLOCATIONS:
    case COMMAND_ALLOCATION_GET:
    case COMMAND_USAGE_GET: decide_read(decision); return;
    }
}

static void decide(struct decision *decision)
{
    const struct request *request = decision->request;
    if (refuse_attempts(decision) || !decide_policy(decision) || refuse_late(decision))
        return;
    if (request->rejection_unrecordable) {
        refuse_internal(decision);
        return;
    }
    decide_state(decision);
    if (request->rejected_by_storage && decision->verdict->code == VERDICT_SUCCESS) {
        snapshot_forget_changes(decision->snapshot);
        refuse_internal(decision);
    }
}

/*
 * What is kept under the key. A refusal that is not recorded, but rests on more than the bytes,
 * still touches the key, so that a commit of another worker in flight cannot contradict it.
 */
static void record(struct decision *decision, struct outcome *outcome)
{
    outcome->state.dirty = true;
    if (!verdict_recorded(decision->verdict->code))
        return;
    outcome->state.exists = true;
    outcome->fingerprint = decision->request->fingerprint;
    outcome->code = decision->verdict->code;
    outcome->command = text_of(command_name(decision->request->command.kind));
    outcome->decided_by = decision->index;
}

static void decide_request(struct decision *decision)
{
    const struct request *request = decision->request;
    decision->verdict->reply_allowed =
        policy_allows_reply_to(decision->context->policy, request->principal, request->reply_to);
    if (command_mode(request->command.kind) == MODE_READ) {
        decide(decision);
        return;
    }
    struct outcome *outcome =
        snapshot_outcome(decision->snapshot, request->principal, request->key);
    if (outcome->state.exists) {
        replay(decision, outcome);
        return;
    }
    decide(decision);
    record(decision, outcome);
}

void plan_run(const struct plan_context *context, struct snapshot *snapshot,
              const struct request *const *requests, size_t count, struct verdict *verdicts)
{
    for (size_t i = 0; i < count; i++) {
        verdicts[i] = (struct verdict){.code = VERDICT_SUCCESS};
        struct decision decision = {context, snapshot, requests[i], i, &verdicts[i]};
        decide_request(&decision);
    }
}
