/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/command_table.h"

#include <string.h>

/* Returns whether the outcome of the request is looked for, and recorded. */
static bool has_outcome(const struct request *request)
{
    return command_mode(request->command.kind) != MODE_READ &&
           request->rejection != REJECTION_BLIND;
}

/* --- the read set --------------------------------------------------------------------------- */

void plan_want_first(struct snapshot *snapshot, const struct request *const *requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct command *command = &requests[i]->command;
        if (has_outcome(requests[i]))
            snapshot_want_outcome(snapshot, requests[i]->principal, requests[i]->key);
        command_functions(command->kind)->want_first(snapshot, command, i);
        if (requests[i]->rejection >= REJECTION_LOAD)
            snapshot->outcomes_only = true;
    }
    snapshot_seal(snapshot);
}

bool plan_want_second(struct snapshot *snapshot, const struct request *const *requests,
                      size_t count)
{
    size_t loaded = snapshot->provider_count;
    for (size_t i = 0; i < count; i++) {
        const struct command *command = &requests[i]->command;
        const struct command_functions *functions = command_functions(command->kind);
        if (functions->want_second != NOTHING_MORE && !snapshot->outcomes_only)
            functions->want_second(snapshot, command);
    }
    snapshot_seal(snapshot);
    return snapshot->provider_count > loaded || snapshot->root_count > 0;
}

/* --- the recorded outcome ------------------------------------------------------------------- */

static bool same_fingerprint(const struct fingerprint *a, const struct fingerprint *b)
{
    return memcmp(a->bytes, b->bytes, FINGERPRINT_BYTES) == 0;
}

/* Answers from the recorded outcome, before any rule that depends on the state. */
static void replay(struct decision *decision, const struct outcome *outcome)
{
    struct verdict *verdict = decision->verdict;
    if (!decision->request->undecoded &&
        !same_fingerprint(&outcome->fingerprint, &decision->request->fingerprint)) {
        verdict_refuse(verdict, decision->snapshot->arena, VERDICT_IDEMPOTENCY_KEY_REUSED,
                       "this message_id is recorded with another body");
        return;
    }
    verdict->code = outcome->code;
    verdict->replayed = true;
    verdict->replay_body = outcome->body;
    verdict->replay_of = outcome->decided_by;
}

/*
 * Records the verdict under the command's key. A failure that is not recorded still marks the
 * outcome dirty: it depends on the stored state, and the write conflicts with another worker that
 * is committing an outcome under the same key. Otherwise the two answers could contradict.
 */
static void record(struct decision *decision, struct outcome *outcome)
{
    if (decision->request->rejection == REJECTION_RECORD)
        return;
    outcome->state.dirty = true;
    if (!verdict_recorded(decision->verdict->code))
        return;
    outcome->state.exists = true;
    outcome->fingerprint = decision->request->fingerprint;
    outcome->code = decision->verdict->code;
    outcome->command = text_of(command_name(decision->request->command.kind));
    outcome->decided_by = decision->index;
}

/* --- the decision --------------------------------------------------------------------------- */

static bool check_attempts(struct decision *decision)
{
    int64_t attempts = decision->request->attempts;
    if (attempts < decision->context->attempts_max)
        return true;
    verdict_refuse_exhausted(decision->verdict, decision->snapshot->arena, attempts, "processing");
    return false;
}

static bool check_deadline(struct decision *decision)
{
    const struct request *request = decision->request;
    if (!request->has_deadline || decision->context->now_ms <= request->deadline_ms)
        return true;
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_DEADLINE_EXCEEDED,
                   "deadline %lld (ms since the epoch) has passed",
                   (long long)request->deadline_ms);
    verdict_add_integer(decision->verdict, "deadline", request->deadline_ms);
    return false;
}

static void refuse_excess(struct decision *decision)
{
    const struct excess *excess = &decision->request->excess;
    if (excess->is_time)
        verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_LIMIT_EXCEEDED,
                       "the read took too long: %lld ms (limit %lld ms)", (long long)excess->given,
                       (long long)excess->limit);
    else
        verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_LIMIT_EXCEEDED,
                       "the documents of this command are too large: over %lld bytes",
                       (long long)excess->limit);
    verdict_add_integer(decision->verdict, "limit", excess->limit);
    verdict_add_integer(decision->verdict, "given", excess->given);
}

/* The database rejected the command in a batch of its own. */
static void refuse_rejected(struct decision *decision)
{
    if (decision->request->excess.limit > 0) {
        refuse_excess(decision);
        return;
    }
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_INTERNAL,
                   "the database permanently rejected this command");
    verdict_add_text(decision->verdict, "reason", decision->request->storage_reason);
}

/* Nothing is known of the command that could be checked, and it gets no reply. */
static void refuse_undecoded(struct decision *decision)
{
    verdict_refuse_exhausted(decision->verdict, decision->snapshot->arena,
                             decision->request->attempts, "decoding");
    decision->verdict->reply_allowed = false;
}

/*
 * Checks in the order of the contract. A command whose writes the database rejected is decided
 * again, because the state may have changed: only if it would still succeed is it `internal`. If
 * its documents cannot be loaded, they count as absent for the policy, and the answer tells nothing
 * about them.
 */
static void decide(struct decision *decision)
{
    const struct request *request = decision->request;
    if (request->undecoded) {
        refuse_undecoded(decision);
        return;
    }
    if (!check_attempts(decision) || !decide_policy(decision) || !check_deadline(decision))
        return;
    if (request->rejection >= REJECTION_LOAD) {
        refuse_rejected(decision);
        return;
    }
    command_functions(request->command.kind)->decide(decision);
    if (request->rejection == REJECTION_WRITES && decision->verdict->code == VERDICT_SUCCESS) {
        snapshot_discard_changes(decision->snapshot);
        refuse_rejected(decision);
    }
}

static void decide_request(struct decision *decision)
{
    const struct request *request = decision->request;
    decision->verdict->reply_allowed =
        policy_allows_reply_to(decision->context->policy, request->principal, request->reply_to);
    if (!has_outcome(request)) {
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
