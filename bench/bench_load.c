/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of a load. load_next() chooses an action for the next command, and build_command()
 * writes its body. All choices are drawn from the command's number, so each run sends the same
 * commands as long as the answers arrive in the same order.
 *
 * - Changes: add_set(), add_delete() and add_batch() write them from the consumers' expected state.
 *   A consumer with an unanswered command is not in `idle`, so it is not drawn again.
 * - Repetitions: an answered command again, equal to the byte.
 * - Reads: of what was seeded only, so their answers do not depend on the other commands.
 *
 * The replies are checked in bench_replies.c, which also updates the expected state. Nothing here
 * uses a broker or a clock.
 */
#include "bench/bench_load.h"

#include <stdlib.h>
#include <string.h>

#include "bench/bench_load_internal.h"

/* WORKLOAD_CHURN draws a number below PERCENT. A command is of the first kind whose limit is above
   that number; from CHURN_DELETE on it is a move. */
enum { CHURN_NEW = 60, CHURN_REPLACE = 80, CHURN_DELETE = 95, PERCENT = 100 };
enum { REPEAT_EVERY = 3 };

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
    bench_die("unknown workload '%s'", name);
}

struct load *load_new(const struct load_options *options)
{
    size_t each = options->workload == WORKLOAD_BATCH ? options->batch_consumers : 1;
    struct load *load = bench_array(1, sizeof *load);
    shape_check(&options->shape);
    if (options->workload == WORKLOAD_READS && options->seeded < options->shape.projects)
        bench_die("too few seeded consumers for reads: %zu (minimum %u, one of each project)",
                  options->seeded, options->shape.projects);
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

/* --- choosing --- */

static enum action choose_churn(const struct load *load, uint64_t draw)
{
    uint64_t percent = draw % PERCENT;
    if (percent < CHURN_NEW || load->idle_count < 2)
        return ACTION_SET;
    if (percent < CHURN_REPLACE)
        return ACTION_REPLACE;
    return percent < CHURN_DELETE ? ACTION_DELETE : ACTION_MOVE;
}

static enum action choose_action(const struct load *load, uint64_t draw)
{
    switch (load->options.workload) {
    case WORKLOAD_NEW: return ACTION_SET;
    case WORKLOAD_CHURN: return choose_churn(load, draw);
    case WORKLOAD_REFUSED: return load->count % 2 == 0 ? ACTION_SET : ACTION_REFUSE;
    case WORKLOAD_REPLAY:
        return load->count % REPEAT_EVERY == 0 && load->answered_last != SIZE_MAX ? ACTION_REPEAT
                                                                                  : ACTION_SET;
    case WORKLOAD_READS: return ACTION_GET_CONSUMER + (enum action)(load->count % 3);
    case WORKLOAD_BATCH: return ACTION_BATCH;
    }
    return ACTION_SET;
}

/* Removes one of the idle consumers from the list and returns its number. */
static uint64_t draw_idle(struct load *load, uint64_t draw)
{
    size_t index = (size_t)(draw % load->idle_count);
    uint64_t consumer = load->idle[index];
    load->idle[index] = load->idle[--load->idle_count];
    return consumer;
}

/* --- bodies --- */

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

/* Adds an allocation.batch of `count` consumers: `first`, then those from `second` on. */
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

static void add_get(struct load *load, const struct sent_command *sent)
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

/* Returns the number of a seeded consumer. For ACTION_GET_PROVIDER: the index of its provider. */
static uint64_t choose_read(const struct load *load, enum action action, uint64_t draw)
{
    uint64_t number = SEEDED_FIRST + draw % load->options.seeded;
    if (action != ACTION_GET_PROVIDER)
        return number;
    struct bench_claim claim = claim_of(load, number, 0);
    return claim_provider_at(&claim, 0);
}

/* --- commands --- */

/* Repeats an answered ACTION_SET, with an equal body. */
static void build_repetition(struct load *load, struct sent_command *sent, uint64_t draw)
{
    const struct sent_command *original = &load->commands[draw % load->count];
    if (!original->answered || original->action != ACTION_SET)
        original = &load->commands[load->answered_last];
    struct bench_claim claim = claim_of(load, original->first, 0);
    sent->first = (uint64_t)(original - load->commands);
    claim_add_set(&load->body, &load->options.shape, &claim, 0, false);
}

/* Draws the consumers that a command changes, and gives each the next version of its claim. */
static void draw_changed(struct load *load, struct sent_command *sent, uint64_t draw)
{
    sent->first = draw_idle(load, draw >> 8);
    load->consumers[sent->first].version++;
    if (sent->action != ACTION_MOVE)
        return;
    sent->second = draw_idle(load, draw >> 24);
    load->consumers[sent->second].version++;
}

static void number_new(struct load *load, struct sent_command *sent)
{
    size_t count = sent->action == ACTION_BATCH ? load->options.batch_consumers : 1;
    sent->first = load->consumer_count;
    sent->second = sent->first + 1;
    load->consumer_count += count;
}

static void build_command(struct load *load, struct sent_command *sent, uint64_t draw)
{
    switch ((enum action)sent->action) {
    case ACTION_SET:
    case ACTION_REFUSE:
        number_new(load, sent);
        add_set(load, sent->first, sent->action == ACTION_REFUSE);
        break;
    case ACTION_BATCH:
        number_new(load, sent);
        add_batch(load, sent->first, sent->second, load->options.batch_consumers);
        break;
    case ACTION_REPLACE:
        draw_changed(load, sent, draw);
        add_set(load, sent->first, false);
        break;
    case ACTION_MOVE:
        draw_changed(load, sent, draw);
        add_batch(load, sent->first, sent->second, 2);
        break;
    case ACTION_DELETE:
        draw_changed(load, sent, draw);
        add_delete(load, sent->first);
        break;
    case ACTION_REPEAT: build_repetition(load, sent, draw); break;
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
    uint64_t draw = bench_mix(~(uint64_t)load->count);
    struct sent_command *sent = &load->commands[load->count];
    uint64_t key = load->count;
    if (load->count == load->options.commands)
        bench_die("too many commands (limit %zu)", load->count);
    *sent = (struct sent_command){.action = (uint8_t)choose_action(load, draw)};
    load->body.length = 0;
    build_command(load, sent, draw);
    if (sent->action == ACTION_REPEAT)
        key = sent->first;
    load->count++;
    return (struct load_command){.key = claim_key(key),
                                 .partition =
                                     (uint32_t)(sent->first % load->options.shape.partitions),
                                 .body = &load->body};
}
