/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/desk_letters.h"

#include "tests/support/cmocka.h"

#include "common/codec/letter_build.h"
#include "common/codec/reply_encode.h"
#include "common/core/plan.h"

enum { ATTEMPTS_MAX = 3 };

struct delivery desk_delivery(const char *principal, const char *key, const char *body)
{
    return (struct delivery){
        .properties = {.message_id = text_of(key), .user_id = text_of(principal)},
        .body = text_of(body),
    };
}

void desk_decode(const struct desk_world *world, const struct delivery *delivery,
                 struct decoded *ret_decoded)
{
    const struct decode_context context = {.policy = world->policy, .trust_user_id = true};
    command_decode(&context, delivery, world->arena, ret_decoded);
}

/* --- executing ------------------------------------------------------------------------------ */

struct snapshot *desk_plan(const struct desk_world *world, const struct request *const *requests,
                           size_t count, struct verdict *ret_verdicts)
{
    struct store *store = world->store;
    struct snapshot *snapshot = snapshot_new(world->arena);
    const struct plan_context context = {
        .policy = world->policy, .now_ms = store->ops->now_ms(store), .attempts_max = ATTEMPTS_MAX};
    plan_want_first(snapshot, requests, count);
    assert_int_equal(store->ops->load(store, snapshot, NULL), STORE_OK);
    if (plan_want_second(snapshot, requests, count))
        assert_int_equal(store->ops->load(store, snapshot, NULL), STORE_OK);
    plan_run(&context, snapshot, requests, count, ret_verdicts);
    return snapshot;
}

struct text desk_reply(const struct desk_world *world, const struct request *request,
                       const struct verdict *verdict)
{
    if (verdict->replayed)
        return verdict->replay_body;
    return reply_encode(world->arena, text_of(command_name(request->command.kind)),
                        request->command.kind, request->key, verdict);
}

static void commit(struct store *store, struct snapshot *snapshot, struct text reply)
{
    for (size_t i = 0; i < snapshot->outcome_count; i++) {
        if (snapshot->outcomes[i].state.dirty && snapshot->outcomes[i].state.exists)
            snapshot->outcomes[i].body = reply;
    }
    assert_int_equal(store->ops->write(store, snapshot, NULL), STORE_OK);
    assert_int_equal(store->ops->commit(store, NULL), STORE_OK);
}

struct verdict desk_execute(const struct desk_world *world, const struct request *request,
                            struct text *ret_reply)
{
    struct store *store = world->store;
    struct verdict verdict;
    assert_int_equal(store->ops->begin(store, NULL), STORE_OK);
    struct snapshot *snapshot = desk_plan(world, &request, 1, &verdict);
    *ret_reply = desk_reply(world, request, &verdict);
    if (snapshot_is_dirty(snapshot))
        commit(store, snapshot, *ret_reply);
    store->ops->end(store);
    return verdict;
}

void desk_expect(const struct desk_world *world, const struct delivery *delivery,
                 enum verdict_code code)
{
    struct decoded decoded;
    struct text reply;
    desk_decode(world, delivery, &decoded);
    assert_true(decoded.accepted);
    struct verdict verdict = desk_execute(world, &decoded.request, &reply);
    if (verdict.code != code)
        fail_msg("the answer is %.*s", TEXT_ARGS(reply));
}

/* --- letters -------------------------------------------------------------------------------- */

struct letter_record desk_letter(const struct desk_world *world, const struct delivery *delivery,
                                 int64_t at_ms)
{
    struct decoded decoded;
    desk_decode(world, delivery, &decoded);
    const struct letter_cause cause = {.source = LETTER_SOURCE_WORKER,
                                       .reason = text_of("internal"),
                                       .detail = text_of("why"),
                                       .queue = text_of("allot.commands"),
                                       .worker = text_of("w-1"),
                                       .at_ms = at_ms};
    return (struct letter_record){
        .letter = letter_build(world->arena, delivery, &decoded, &cause),
        .state = LETTER_OPEN,
        .count = 1,
        .first_at_ms = at_ms,
        .last_at_ms = at_ms,
    };
}
