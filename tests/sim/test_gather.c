/* SPDX-License-Identifier: Apache-2.0 */
/* What the real applier puts into one transaction, as a store sees it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "allot/limits.h"
#include "tests/support/fake_clock.h"
#include "worker/service/applier.h"

enum { COMMANDS = 40, CONSUMERS = 30, DOCUMENTS_MAX = 100, BODY_ROOM = 16 * 1024 };

struct watching_store {
    struct store base;
    size_t most_wanted; /* consumers, by one load */
    size_t loads;
};

static enum store_status succeed(struct store *store, struct error *error)
{
    (void)store;
    (void)error;
    return STORE_OK;
}

static void end(struct store *store)
{
    (void)store;
}

static enum store_status write_nothing(struct store *store, const struct snapshot *snapshot,
                                       struct error *error)
{
    (void)store;
    (void)snapshot;
    (void)error;
    return STORE_OK;
}

/* Nothing is there. */
static enum store_status watch(struct store *store, struct snapshot *snapshot, struct error *error)
{
    struct watching_store *watching = (struct watching_store *)store;
    (void)error;
    watching->loads++;
    if (snapshot->consumer_count > watching->most_wanted)
        watching->most_wanted = snapshot->consumer_count;
    for (size_t i = 0; i < snapshot->consumer_count; i++)
        snapshot->consumers[i].state.loaded = true;
    for (size_t i = 0; i < snapshot->provider_count; i++)
        snapshot->providers[i].state.loaded = true;
    for (size_t i = 0; i < snapshot->outcome_count; i++)
        snapshot->outcomes[i].state.loaded = true;
    return STORE_OK;
}

static const struct store_ops watching_ops = {
    .begin = succeed, .load = watch, .write = write_nothing, .commit = succeed, .end = end};

/* An allocation.batch of CONSUMERS consumers that no other command has. */
static struct job *batch_job(struct policy_source *policy, unsigned number)
{
    struct arena *arena = arena_new(0);
    char *body = arena_alloc(arena, BODY_ROOM);
    size_t length = (size_t)snprintf(
        body, BODY_ROOM, "{\"version\":1,\"command\":\"allocation.batch\",\"params\":{");
    length += (size_t)snprintf(body + length, BODY_ROOM - length, "\"consumers\":{");
    for (unsigned i = 0; i < CONSUMERS; i++)
        length += (size_t)snprintf(
            body + length, BODY_ROOM - length,
            "%s\"00000000-0000-4000-8000-%06u%06u\":{\"project_id\":\"red-1\",\"user_id\":\"u\","
            "\"consumer_generation\":null,\"consumer_type\":\"INSTANCE\",\"allocations\":{"
            "\"11111111-1111-4111-8111-111111111111\":{\"resources\":{\"VCPU\":1}}}}",
            i == 0 ? "" : ",", number, i);
    length += (size_t)snprintf(body + length, BODY_ROOM - length, "}}}");
    struct delivery delivery = {
        .tag = number + 1,
        .properties = {.message_id = text_format(arena, "k%u", number),
                       .user_id = text_of("conductor"),
                       .reply_to = text_of("conductor.replies")},
        .body = text_view(body, length),
    };
    struct job *job = job_new(arena, &delivery, 1);
    struct policy_held *held = policy_acquire(policy);
    struct decode_context context = {.policy = policy_of(held), .trust_user_id = true};
    command_decode(&context, &job->delivery, job->arena, &job->decoded);
    policy_release(held);
    if (!job->decoded.accepted)
        fail_msg("%.*s", TEXT_ARGS(job->decoded.verdict.message));
    return job;
}

static void test_what_a_transaction_loads_does_not_grow_with_what_waits(void **state)
{
    (void)state;
    struct error error = {""};
    struct policy_source *policy = policy_source_new("config/policy.example.yaml", &error);
    assert_non_null(policy);
    struct watching_store store = {.base = {&watching_ops}};
    struct fake_clock clock = fake_clock_make();
    _Atomic uint64_t epoch = 1;
    struct applier *applier = applier_new(&(struct applier_options){
        .store = &store.base,
        .clock = &clock.base,
        .policy = policy,
        .epoch = &epoch,
        .max_commands = COMMANDS,
        .max_documents = DOCUMENTS_MAX,
        .max_bytes = BODY_BYTES_MAX,
        .max_attempts = 3,
    });
    struct job_queue jobs = {0};
    for (unsigned i = 0; i < COMMANDS; i++)
        job_queue_push(&jobs, batch_job(policy, i));
    applier_give(applier, &jobs);
    int64_t pause_ms = 0;
    while (applier_step(applier, &pause_ms) == APPLIER_GO_ON)
        continue;
    applier_take(applier, &jobs);
    assert_int_equal(jobs.count, COMMANDS);
    assert_in_range(store.most_wanted, 2 * CONSUMERS, DOCUMENTS_MAX);
    assert_in_range(store.loads, COMMANDS / 4, COMMANDS);
    job_queue_free_all(&jobs);
    applier_free(applier);
    policy_source_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_transaction_loads_does_not_grow_with_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
