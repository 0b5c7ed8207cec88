/* SPDX-License-Identifier: Apache-2.0 */
/* A read whose reply would be over 12 MiB: the real applier, on a store that has that much to tell.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "allot/limits.h"
#include "tests/support/fake_clock.h"
#include "worker/service/applier.h"

enum { NAME_LENGTH = 255 };

struct telling_store {
    struct store base;
    size_t classes; /* so many amounts are in the one group that it gives */
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
    (void)error;
    assert_true(snapshot->fence); /* it is a batch of reads */
    return STORE_OK;
}

static enum store_status tell(struct store *store, struct snapshot *snapshot, struct error *error)
{
    size_t count = ((struct telling_store *)store)->classes;
    struct usage_amount *amounts = ARENA_ARRAY(snapshot->arena, struct usage_amount, count);
    char name[NAME_LENGTH];
    (void)error;
    memset(name, 'X', sizeof name);
    for (size_t i = 0; i < count; i++)
        amounts[i] = (struct usage_amount){text_copy(snapshot->arena, text_view(name, NAME_LENGTH)),
                                           (int64_t)i + 1};
    struct usage_group *group = ARENA_NEW(snapshot->arena, struct usage_group);
    *group = (struct usage_group){text_of("T"), 1, amounts, count};
    assert_int_equal(snapshot->usage_count, 1);
    snapshot->usages[0].loaded = true;
    snapshot->usages[0].groups = group;
    snapshot->usages[0].group_count = 1;
    return STORE_OK;
}

static const struct store_ops telling_ops = {
    .begin = succeed, .load = tell, .write = write_nothing, .commit = succeed, .end = end};

static struct job *usage_job(void)
{
    struct arena *arena = arena_new(0);
    struct delivery delivery = {
        .tag = 1,
        .properties = {.message_id = text_of("k"),
                       .user_id = text_of("conductor"),
                       .reply_to = text_of("conductor.replies")},
        .body = text_of("{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":"
                        "\"p\"}}"),
    };
    return job_new(arena, &delivery, 1);
}

/* What the applier answers where the store has `classes` amounts to tell. */
static struct job *answer(struct policy_source *policy, size_t classes)
{
    struct telling_store store = {{&telling_ops}, classes};
    struct fake_clock clock = fake_clock_make();
    _Atomic uint64_t epoch = 1;
    struct applier *applier = applier_new(&(struct applier_options){
        .store = &store.base,
        .clock = &clock.base,
        .policy = policy,
        .epoch = &epoch,
        .max_commands = 8,
        .max_documents = 100,
        .max_bytes = BODY_BYTES_MAX,
        .max_attempts = 3,
    });
    struct job *job = usage_job();
    struct policy_held *held = policy_acquire(policy);
    struct decode_context context = {.policy = policy_of(held), .trust_user_id = true};
    command_decode(&context, &job->delivery, job->arena, &job->decoded);
    policy_release(held);
    assert_true(job->decoded.accepted);

    struct job_queue jobs = {0};
    int64_t pause_ms = 0;
    job_queue_push(&jobs, job);
    applier_give(applier, &jobs);
    while (applier_step(applier, &pause_ms) == APPLIER_GO_ON)
        continue;
    applier_take(applier, &jobs);
    assert_ptr_equal(job_queue_pop(&jobs), job);
    applier_free(applier);
    return job;
}

static void test_a_reply_over_12_mib_is_limit_exceeded(void **state)
{
    (void)state;
    struct error error = {""};
    struct policy_source *policy = policy_source_new("config/policy.example.yaml", &error);
    if (policy == NULL)
        fail_msg("%s", error.text);
    struct job *job = answer(policy, 1000);
    assert_int_equal(job->code, VERDICT_SUCCESS);
    job_free(job);

    job = answer(policy, REPLY_BYTES_MAX / NAME_LENGTH + 1);
    assert_int_equal(job->code, VERDICT_LIMIT_EXCEEDED);
    assert_true(job->body.length < 1024);
    char limit[64];
    (void)snprintf(limit, sizeof limit, "\"limit\":%d,\"given\":", REPLY_BYTES_MAX);
    assert_non_null(memmem(job->body.bytes, job->body.length, limit, strlen(limit)));
    job_free(job);
    policy_source_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reply_over_12_mib_is_limit_exceeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
