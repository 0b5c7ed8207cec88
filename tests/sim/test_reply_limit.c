/* SPDX-License-Identifier: Apache-2.0 */
/* A read whose reply would be over 12 MiB is limit_exceeded: the applier on a store made for the
 * test. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "allot/limits.h"
#include "tests/support/applier_bench.h"
#include "tests/support/blank_store.h"

enum { NAME_LENGTH = 255 };

struct usage_store {
    struct store base;
    size_t classes; /* how many amounts are in the one usage group that it returns */
};

static enum store_status write_fence(struct store *store, const struct snapshot *snapshot,
                                     struct error *error)
{
    (void)store;
    (void)error;
    assert_true(snapshot->fence); /* it is a batch of reads */
    return STORE_OK;
}

static enum store_status load_usage(struct store *store, struct snapshot *snapshot,
                                    struct error *error)
{
    size_t count = ((struct usage_store *)store)->classes;
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

static const struct store_ops usage_ops = {.now_ms = blank_now_ms,
                                           .begin = blank_call,
                                           .limit_calls = blank_limit_calls,
                                           .prove_health = blank_prove_health,
                                           .load = load_usage,
                                           .write = write_fence,
                                           .commit = blank_call,
                                           .end = blank_end};

/* Returns the job as the applier answered it, with `classes` amounts in the store. */
static struct job *answer_usage(const struct applier_bench *bench, size_t classes)
{
    struct usage_store store = {{&usage_ops}, classes};
    struct delivery delivery = usage_delivery();
    struct job *job = applier_bench_job(bench, arena_new(0), &delivery);
    struct job_queue jobs = {0};
    job_queue_push(&jobs, job);
    applier_bench_run(bench, &store.base, 8, &jobs);
    assert_ptr_equal(job_queue_pop(&jobs), job);
    return job;
}

static void test_a_reply_over_12_mib_is_limit_exceeded(void **state)
{
    (void)state;
    struct applier_bench bench = applier_bench_open();
    struct job *job = answer_usage(&bench, 1000);
    assert_int_equal(job->code, VERDICT_SUCCESS);
    job_free(job);

    job = answer_usage(&bench, REPLY_BYTES_MAX / NAME_LENGTH + 1);
    assert_int_equal(job->code, VERDICT_LIMIT_EXCEEDED);
    assert_true(job->body.length < 1024);
    char limit[64];
    (void)snprintf(limit, sizeof limit, "\"limit\":%d,\"given\":", REPLY_BYTES_MAX);
    assert_non_null(memmem(job->body.bytes, job->body.length, limit, strlen(limit)));
    job_free(job);
    applier_bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reply_over_12_mib_is_limit_exceeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
