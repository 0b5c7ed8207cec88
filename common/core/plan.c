/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/judge.h"

#include <string.h>

static bool same_fingerprint(const struct fingerprint *a, const struct fingerprint *b)
{
    return memcmp(a->bytes, b->bytes, FINGERPRINT_BYTES) == 0;
}

/* The outcome on record answers before anything that depends on the state. */
static void replay(struct judge *judge, const struct outcome *outcome)
{
    struct verdict *verdict = judge->verdict;
    if (!same_fingerprint(&outcome->fingerprint, &judge->request->fingerprint)) {
        verdict_refuse(verdict, judge->snapshot->arena, VERDICT_IDEMPOTENCY_KEY_REUSED,
                       "this message_id was used with another body");
        return;
    }
    verdict->code = outcome->code;
    verdict->replayed = true;
    verdict->replay_body = outcome->body;
    verdict->replay_of = outcome->settled_by;
}

static bool refuse_attempts(struct judge *judge)
{
    int64_t attempts = judge->request->attempts;
    if (attempts < judge->context->attempts_max)
        return false;
    verdict_refuse(judge->verdict, judge->snapshot->arena, VERDICT_ATTEMPTS_EXHAUSTED,
                   "%lld workers died while on this command", (long long)attempts);
    verdict_add_integer(judge->verdict, "attempts", attempts);
    return true;
}

static bool refuse_late(struct judge *judge)
{
    const struct request *request = judge->request;
    if (!request->has_deadline || judge->context->now_ms <= request->deadline_ms)
        return false;
    verdict_refuse(judge->verdict, judge->snapshot->arena, VERDICT_DEADLINE_EXCEEDED,
                   "the deadline was %lld ms since the epoch, and it is past",
                   (long long)request->deadline_ms);
    verdict_add_integer(judge->verdict, "deadline", request->deadline_ms);
    return true;
}

/* The storage was asked already, with this command alone, and refuses it for good. */
static void refuse_internal(struct judge *judge)
{
    const struct request *request = judge->request;
    verdict_refuse(judge->verdict, judge->snapshot->arena, VERDICT_INTERNAL,
                   "the storage refuses this command");
    verdict_add_text(judge->verdict, "reason", request->storage_reason);
}

static void judge_state(struct judge *judge)
{
    switch (judge->request->command.kind) {
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE:
    case COMMAND_PROVIDER_DELETE: judge_provider(judge); return;
    case COMMAND_INVENTORY_SET:
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE:
    case COMMAND_RESHAPE: judge_change(judge); return;
    case COMMAND_PROVIDER_GET:
    case COMMAND_PROVIDER_ALLOCATIONS:
    case COMMAND_ALLOCATION_GET:
    case COMMAND_USAGE_GET: judge_read(judge); return;
    }
}

static void decide(struct judge *judge)
{
    const struct request *request = judge->request;
    if (refuse_attempts(judge) || !judge_policy(judge) || refuse_late(judge))
        return;
    if (request->refused_again) {
        refuse_internal(judge);
        return;
    }
    judge_state(judge);
    if (request->refused_by_storage && judge->verdict->code == VERDICT_SUCCESS) {
        snapshot_forget_changes(judge->snapshot);
        refuse_internal(judge);
    }
}

/*
 * What is kept under the key. A refusal that is not recorded, but rests on more than the bytes,
 * still touches the key, so that a commit of another worker in flight cannot contradict it.
 */
static void record(struct judge *judge, struct outcome *outcome)
{
    outcome->state.dirty = true;
    if (!verdict_recorded(judge->verdict->code))
        return;
    outcome->state.exists = true;
    outcome->fingerprint = judge->request->fingerprint;
    outcome->code = judge->verdict->code;
    outcome->command = text_of(command_name(judge->request->command.kind));
    outcome->settled_by = judge->index;
}

static void judge_request(struct judge *judge)
{
    const struct request *request = judge->request;
    judge->verdict->reply_allowed =
        policy_allows_reply_to(judge->context->policy, request->principal, request->reply_to);
    if (command_mode(request->command.kind) == MODE_READ) {
        decide(judge);
        return;
    }
    struct outcome *outcome = snapshot_outcome(judge->snapshot, request->principal, request->key);
    if (outcome->state.exists) {
        replay(judge, outcome);
        return;
    }
    decide(judge);
    record(judge, outcome);
}

void plan_run(const struct plan_context *context, struct snapshot *snapshot,
              const struct request *const *requests, size_t count, struct verdict *verdicts)
{
    for (size_t i = 0; i < count; i++) {
        verdicts[i] = (struct verdict){.code = VERDICT_SUCCESS};
        struct judge judge = {context, snapshot, requests[i], i, &verdicts[i]};
        judge_request(&judge);
    }
}
