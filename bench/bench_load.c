/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_load.h"

#include <stdlib.h>
#include <string.h>

#include "bench/bench_load_internal.h"

enum { CHURN_NEW = 60, CHURN_REPLACE = 80, CHURN_DELETE = 95, PERCENT = 100, REPEATED_EVERY = 3 };

static const char *const workload_names[] = {
#define X(id, name) [WORKLOAD_##id] = (name),
    WORKLOADS(X)
#undef X
};

enum workload workload_named(const char *name)
{
    for (size_t i = 0; i < sizeof workload_names / sizeof *workload_names; i++)
        if (strcmp(name, workload_names[i]) == 0)
            return (enum workload)i;
    bench_die("no such workload: %s", name);
}

struct load *load_new(const struct load_options *options)
{
    size_t each = options->workload == WORKLOAD_BATCH ? options->batch_consumers : 1;
    struct load *load = bench_array(1, sizeof *load);
    shape_check(&options->shape);
    if (options->workload == WORKLOAD_READS && options->seeded < options->shape.projects)
        bench_die("reads need a seeded consumer for each of %u projects", options->shape.projects);
    load->options = *options;
    load->commands = bench_array(options->commands, sizeof *load->commands);
    load->consumers = bench_array(options->commands * each, sizeof *load->consumers);
    load->idle = bench_array(options->commands, sizeof *load->idle);
    load->answered_last = SIZE_MAX;
    return load;
}

void load_free(struct load *load)
{
    free(load->commands);
    free(load->consumers);
    free(load->idle);
    free(load->body.bytes);
    free(load);
}

struct totals load_totals(const struct load *load)
{
    return load->totals;
}

/* --- what is sent --- */

static enum action choose_churn(const struct load *load, uint64_t draw)
{
    uint64_t percent = draw % PERCENT;
    if (percent < CHURN_NEW || load->idle_count < 2)
        return ACTION_SET;
    if (percent < CHURN_REPLACE)
        return ACTION_REPLACE;
    return percent < CHURN_DELETE ? ACTION_DELETE : ACTION_MOVE;
}

static enum action choose(const struct load *load, uint64_t draw)
{
    switch (load->options.workload) {
    case WORKLOAD_NEW: return ACTION_SET;
    case WORKLOAD_CHURN: return choose_churn(load, draw);
    case WORKLOAD_REFUSED: return load->count % 2 == 0 ? ACTION_SET : ACTION_REFUSE;
    case WORKLOAD_REPLAY:
        return load->count % REPEATED_EVERY == 0 && load->answered_last != SIZE_MAX ? ACTION_REPEAT
                                                                                    : ACTION_SET;
    case WORKLOAD_READS: return ACTION_GET_CONSUMER + (enum action)(load->count % 3);
    case WORKLOAD_BATCH: return ACTION_BATCH;
    }
    return ACTION_SET;
}

static uint64_t take_idle(struct load *load, uint64_t draw)
{
    size_t index = (size_t)(draw % load->idle_count);
    uint64_t consumer = load->idle[index];
    load->idle[index] = load->idle[--load->idle_count];
    return consumer;
}

static void add_set(struct load *load, uint64_t consumer, bool too_much)
{
    struct consumer_state *state = &load->consumers[consumer];
    struct bench_claim claim = claim_of(load, consumer, state->version);
    claim_add_set(&load->body, &load->options.shape, &claim, state->generation, too_much);
}

static void add_delete(struct load *load, uint64_t consumer)
{
    buffer_add(&load->body,
               "{\"version\":1,\"command\":\"allocation.delete\",\"params\":{\"consumer_uuid\":"
               "\"%s\",\"consumer_generation\":%u}}",
               uuid_format(claim_of(load, consumer, 0).consumer).chars,
               load->consumers[consumer].generation);
}

/* allocation.batch of `count` consumers; they need not be neighbours where there are two. */
static void add_batch(struct load *load, uint64_t first, uint64_t second, size_t count)
{
    buffer_add(&load->body,
               "{\"version\":1,\"command\":\"allocation.batch\",\"params\":{\"consumers\":{");
    for (size_t i = 0; i < count; i++) {
        uint64_t consumer = i == 0 ? first : second + i - 1;
        struct consumer_state *state = &load->consumers[consumer];
        struct bench_claim claim = claim_of(load, consumer, state->version);
        buffer_add(&load->body, "%s\"%s\":{", i > 0 ? "," : "", uuid_format(claim.consumer).chars);
        claim_add_params(&load->body, &load->options.shape, &claim, state->generation, false);
        buffer_add(&load->body, "}");
    }
    buffer_add(&load->body, "}}}");
}

static void add_get(struct load *load, const struct sent *sent)
{
    const struct shape *shape = &load->options.shape;
    char project[CLAIM_TEXT];
    claim_project(shape, sent->first, project);
    buffer_add(&load->body, "{\"version\":1,\"command\":");
    if (sent->action == ACTION_GET_CONSUMER)
        buffer_add(&load->body, "\"allocation.get\",\"params\":{\"consumer_uuid\":\"%s\"}}",
                   uuid_format(claim_of(load, sent->first, 0).consumer).chars);
    else if (sent->action == ACTION_GET_PROVIDER)
        buffer_add(&load->body, "\"provider.get\",\"params\":{\"uuid\":\"%s\"}}",
                   uuid_format(claim_provider((uint32_t)sent->first)).chars);
    else
        buffer_add(&load->body, "\"usage.get\",\"params\":{\"project_id\":\"%s\"}}", project);
}

/* What a read reads: a seeded consumer, one of whose providers or whose project it may be. */
static uint64_t choose_read(const struct load *load, enum action action, uint64_t draw)
{
    uint64_t number = SEEDED_FIRST + draw % load->options.seeded;
    if (action != ACTION_GET_PROVIDER)
        return number;
    struct bench_claim claim = claim_of(load, number, 0);
    return claim_provider_at(&claim, 0);
}

/* Some answered command, body for body. */
static void fill_repeated(struct load *load, struct sent *sent, uint64_t draw)
{
    const struct sent *original = &load->commands[draw % load->count];
    if (!original->answered || original->action != ACTION_SET)
        original = &load->commands[load->answered_last];
    struct bench_claim claim = claim_of(load, original->first, 0);
    sent->first = (uint64_t)(original - load->commands);
    claim_add_set(&load->body, &load->options.shape, &claim, 0, false);
}

static void fill_change(struct load *load, struct sent *sent, uint64_t draw)
{
    sent->first = take_idle(load, draw >> 8);
    load->consumers[sent->first].version++;
    if (sent->action != ACTION_MOVE)
        return;
    sent->second = take_idle(load, draw >> 24);
    load->consumers[sent->second].version++;
}

static void fill_new(struct load *load, struct sent *sent)
{
    size_t count = sent->action == ACTION_BATCH ? load->options.batch_consumers : 1;
    sent->first = load->consumer_count;
    sent->second = sent->first + 1;
    load->consumer_count += count;
}

static void fill(struct load *load, struct sent *sent, uint64_t draw)
{
    switch ((enum action)sent->action) {
    case ACTION_SET:
    case ACTION_REFUSE:
        fill_new(load, sent);
        add_set(load, sent->first, sent->action == ACTION_REFUSE);
        break;
    case ACTION_BATCH:
        fill_new(load, sent);
        add_batch(load, sent->first, sent->second, load->options.batch_consumers);
        break;
    case ACTION_REPLACE:
        fill_change(load, sent, draw);
        add_set(load, sent->first, false);
        break;
    case ACTION_MOVE:
        fill_change(load, sent, draw);
        add_batch(load, sent->first, sent->second, 2);
        break;
    case ACTION_DELETE:
        fill_change(load, sent, draw);
        add_delete(load, sent->first);
        break;
    case ACTION_REPEAT: fill_repeated(load, sent, draw); break;
    case ACTION_GET_CONSUMER:
    case ACTION_GET_PROVIDER:
    case ACTION_GET_USAGE:
        sent->first = choose_read(load, (enum action)sent->action, draw);
        add_get(load, sent);
        break;
    }
}

struct load_command load_next(struct load *load)
{
    uint64_t draw = bench_spread(~(uint64_t)load->count);
    struct sent *sent = &load->commands[load->count];
    uint64_t key = load->count;
    if (load->count == load->options.commands)
        bench_die("more than the %zu commands that were planned", load->count);
    *sent = (struct sent){.action = (uint8_t)choose(load, draw)};
    load->body.length = 0;
    fill(load, sent, draw);
    if (sent->action == ACTION_REPEAT)
        key = sent->first;
    load->count++;
    return (struct load_command){.key = claim_key(key),
                                 .lot = (uint32_t)(sent->first % load->options.shape.lots),
                                 .body = &load->body};
}
