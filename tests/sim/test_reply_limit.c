/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of the replies to reads: one over 12 MiB is limit_exceeded, and a batch of reads ends when
 * its replies have 16 MiB. The applier on a store made for the test. */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "allot/limits.h"
#include "tests/support/applier_bench.h"
#include "tests/support/blank_store.h"

enum { NAME_LENGTH = 255, LOADS_MAX = 8 };

struct usage_store {
    struct store base;
    size_t classes;          /* how many amounts are in the one usage group that it returns */
    size_t loads;            /* so far */
    size_t reads[LOADS_MAX]; /* usages that were wanted, by load */
    size_t commits;          /* so far */
};

static enum store_status write_fence(struct store *store, const struct snapshot *snapshot,
                                     struct error *error)
{
    (void)store;
    (void)error;
    assert_true(snapshot->fence); /* it is a batch of reads */
    return STORE_OK;
}

static enum store_status load_usages(struct store *base, struct snapshot *snapshot,
                                     struct error *error)
{
    struct usage_store *store = (struct usage_store *)base;
    size_t count = store->classes;
    struct usage_amount *amounts = ARENA_ARRAY(snapshot->arena, struct usage_amount, count);
    char name[NAME_LENGTH];
    (void)error;
    memset(name, 'X', sizeof name);
    for (size_t i = 0; i < count; i++)
        amounts[i] = (struct usage_amount){text_copy(snapshot->arena, text_view(name, NAME_LENGTH)),
                                           (int64_t)i + 1};
    struct usage_group *group = ARENA_NEW(snapshot->arena, struct usage_group);
    *group = (struct usage_group){text_of("T"), 1, amounts, count};
    for (size_t i = 0; i < snapshot->usage_count; i++) {
        snapshot->usages[i].loaded = true;
        snapshot->usages[i].groups = group;
        snapshot->usages[i].group_count = 1;
    }
    assert_true(store->loads < LOADS_MAX);
    store->reads[store->loads++] = snapshot->usage_count;
    return STORE_OK;
}

static enum store_status count_commit(struct store *store, struct error *error)
{
    (void)error;
    ((struct usage_store *)store)->commits++;
    return STORE_OK;
}

static const struct store_ops usage_ops = {.now_ms = blank_now_ms,
                                           .begin = blank_call,
                                           .limit_calls = blank_limit_calls,
                                           .prove_health = blank_prove_health,
                                           .load = load_usages,
                                           .write = write_fence,
                                           .commit = count_commit,
                                           .end = blank_end};

/* Returns the job as the applier answered it, with `classes` amounts in the store. */
static struct job *answer_usage(const struct applier_bench *bench, size_t classes)
{
    struct usage_store store = {.base = {&usage_ops}, .classes = classes};
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

/* Submits `count` reads whose replies have about `bytes` each. Returns the store that they had. */
static struct usage_store answer_reads(const struct applier_bench *bench, size_t count,
                                       size_t bytes)
{
    struct usage_store store = {.base = {&usage_ops}, .classes = bytes / NAME_LENGTH};
    struct job_queue jobs = {0};
    for (size_t i = 0; i < count; i++) {
        struct delivery delivery = usage_delivery();
        job_queue_push(&jobs, applier_bench_job(bench, arena_new(0), &delivery));
    }
    applier_bench_run(bench, &store.base, count, &jobs);
    for (size_t i = 0; i < count; i++) {
        struct job *job = job_queue_pop(&jobs);
        assert_non_null(job);
        assert_int_equal(job->code, VERDICT_SUCCESS);
        assert_true(job->body.length >= bytes - NAME_LENGTH);
        job_free(job);
    }
    assert_null(job_queue_pop(&jobs));
    return store;
}

static void test_a_batch_of_reads_ends_when_its_replies_have_16_mib(void **state)
{
    enum { READS = 9, EACH = 5 * 1024 * 1024, SMALL = 1024 };
    (void)state;
    struct applier_bench bench = applier_bench_open();
    struct usage_store store = answer_reads(&bench, READS, SMALL);
    assert_int_equal(store.loads, 1);

    /* The fourth reply reaches 16 MiB. */
    store = answer_reads(&bench, READS, EACH);
    assert_int_equal(store.loads, 3);
    assert_int_equal(store.commits, 3);
    assert_int_equal(store.reads[0], READS);
    assert_int_equal(store.reads[1], READS - 4);
    assert_int_equal(store.reads[2], READS - 8);
    applier_bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reply_over_12_mib_is_limit_exceeded),
        cmocka_unit_test(test_a_batch_of_reads_ends_when_its_replies_have_16_mib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
