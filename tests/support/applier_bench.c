/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/applier_bench.h"

#include "tests/support/cmocka.h"

#include "allot/limits.h"
#include "tests/support/fake_clock.h"

struct applier_bench applier_bench_open(void)
{
    struct error error = {""};
    struct service_queues queues = {text_of("allot.commands"), text_of("allot.dead")};
    struct applier_bench bench = {policy_source_new("config/policy.example.yaml", &queues, &error)};
    if (bench.policy == NULL)
        fail_msg("%s", error.text);
    return bench;
}

void applier_bench_close(struct applier_bench *bench)
{
    policy_source_free(bench->policy);
}

struct delivery conductor_delivery(uint64_t tag, struct text key, struct text body)
{
    return (struct delivery){
        .tag = tag,
        .properties = {.message_id = key,
                       .user_id = text_of("conductor"),
                       .reply_to = text_of("conductor.replies")},
        .body = body,
    };
}

struct delivery usage_delivery(void)
{
    return conductor_delivery(
        1, text_of("k"),
        text_of("{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"p\"}}"));
}

struct job *applier_bench_job(const struct applier_bench *bench, struct arena *arena,
                              const struct delivery *delivery)
{
    struct job *job = job_new(arena, delivery, 1);
    struct policy_ref *held = policy_acquire(bench->policy);
    struct decode_context context = {.policy = policy_of(held), .trust_user_id = true};
    command_decode(&context, &job->delivery, job->arena, &job->decoded);
    job->undecoded = false;
    policy_release(held);
    if (!job->decoded.accepted)
        fail_msg("%.*s", TEXT_ARGS(job->decoded.verdict.message));
    return job;
}

void applier_bench_run(const struct applier_bench *bench, struct store *store, size_t max_commands,
                       struct job_queue *jobs)
{
    struct fake_clock clock = fake_clock_make();
    _Atomic uint64_t epoch = 1;
    struct attempt_turn turn = {0};
    struct full_principals *full = full_principals_new();
    int64_t pause_ms = 0;
    struct applier *applier = applier_new(&(struct applier_options){
        .turn = &turn,
        .full = full,
        .store = store,
        .clock = &clock.base,
        .policy = bench->policy,
        .epoch = &epoch,
        .max_commands = max_commands,
        .max_documents = BENCH_DOCUMENTS_MAX,
        .max_bytes = BODY_BYTES_MAX,
        .max_attempts = 3,
        .timeout_ms = BENCH_TIMEOUT_MS,
        .call_limit_ms = BENCH_TIMEOUT_MS,
    });
    applier_submit(applier, jobs);
    while (applier_step(applier, &pause_ms) == APPLIER_GO_ON)
        continue;
    applier_reap(applier, jobs);
    applier_free(applier);
    full_principals_free(full);
}
