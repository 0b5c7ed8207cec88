/* SPDX-License-Identifier: Apache-2.0 */
/* How many documents the applier loads in one transaction, counted by a store made for the test. */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "tests/support/applier_bench.h"
#include "tests/support/blank_store.h"

enum { COMMANDS = 40, CONSUMERS = 15, PROVIDERS = 30, BODY_ROOM = 16 * 1024 };

struct watching_store {
    struct store base;
    size_t most_wanted; /* the most documents that one load asked for */
    size_t loads;
};

static enum store_status watch(struct store *store, struct snapshot *snapshot, struct error *error)
{
    struct watching_store *watching = (struct watching_store *)store;
    watching->loads++;
    size_t wanted = snapshot->consumer_count + snapshot->provider_count + snapshot->outcome_count;
    if (wanted > watching->most_wanted)
        watching->most_wanted = wanted;
    return blank_load(store, snapshot, error);
}

static const struct store_ops watching_ops = {.now_ms = blank_now_ms,
                                              .begin = blank_call,
                                              .limit_calls = blank_limit_calls,
                                              .prove_health = blank_prove_health,
                                              .load = watch,
                                              .write = blank_write,
                                              .commit = blank_call,
                                              .end = blank_end};

static struct job *job_of(const struct applier_bench *bench, struct arena *arena, unsigned number,
                          struct text body)
{
    struct delivery delivery =
        conductor_delivery(number + 1, text_format(arena, "k%u", number), body);
    return applier_bench_job(bench, arena, &delivery);
}

/* Returns an allocation.batch of CONSUMERS consumers that no other command names. */
static struct job *batch_job(const struct applier_bench *bench, unsigned number)
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
    return job_of(bench, arena, number, text_view(body, length));
}

/* Returns an allocation.set on PROVIDERS providers that no other command names. None of them
   exists, so it is refused. */
static struct job *wide_job(const struct applier_bench *bench, unsigned number)
{
    struct arena *arena = arena_new(0);
    char *body = arena_alloc(arena, BODY_ROOM);
    size_t length = (size_t)snprintf(
        body, BODY_ROOM,
        "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":"
        "\"00000000-0000-4000-8000-%012u\",\"project_id\":\"red-1\",\"user_id\":\"u\","
        "\"consumer_generation\":null,\"consumer_type\":\"INSTANCE\",\"allocations\":{",
        number);
    for (unsigned i = 0; i < PROVIDERS; i++)
        length +=
            (size_t)snprintf(body + length, BODY_ROOM - length,
                             "%s\"11111111-1111-4111-8111-%06u%06u\":{\"resources\":{\"VCPU\":1}}",
                             i == 0 ? "" : ",", number, i);
    length += (size_t)snprintf(body + length, BODY_ROOM - length, "}}}");
    return job_of(bench, arena, number, text_view(body, length));
}

static void expect_bounded_loads(struct job *(*job)(const struct applier_bench *bench,
                                                    unsigned number),
                                 size_t documents)
{
    struct applier_bench bench = applier_bench_open();
    struct watching_store store = {.base = {&watching_ops}};
    struct job_queue jobs = {0};
    for (unsigned i = 0; i < COMMANDS; i++)
        job_queue_push(&jobs, job(&bench, i));
    applier_bench_run(&bench, &store.base, COMMANDS, &jobs);
    assert_int_equal(jobs.count, COMMANDS);
    assert_in_range(store.most_wanted, 2 * documents, BENCH_DOCUMENTS_MAX);
    assert_in_range(store.loads, COMMANDS / 4, COMMANDS);
    job_queue_free_all(&jobs);
    applier_bench_close(&bench);
}

static void test_what_a_transaction_loads_does_not_grow_with_what_waits(void **state)
{
    (void)state;
    expect_bounded_loads(batch_job, CONSUMERS);
}

static void test_providers_that_do_not_exist_count_for_what_a_transaction_loads(void **state)
{
    (void)state;
    expect_bounded_loads(wide_job, PROVIDERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_transaction_loads_does_not_grow_with_what_waits),
        cmocka_unit_test(test_providers_that_do_not_exist_count_for_what_a_transaction_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
