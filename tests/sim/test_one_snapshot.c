/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner's promise for commands of every kind: planned one after another on one snapshot, they
 * get the answers that they get if each is loaded, planned and committed before the next. The
 * worker relies on it for batches, the dry run of allotctl also for commands that the worker plans
 * in a batch of their own.
 *
 * A transaction keeps its view of the state, while the commands take effect one by one in
 * transactions of another store. Then all are planned on that view.
 *
 * Run one seed:       SIM_FIRST=17 SIM_SEEDS=1 build/dev/bin/sim_test_one_snapshot
 */
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec/reply_encode.h"
#include "common/core/plan.h"
#include "common/host/log.h"
#include "tests/support/generator.h"

enum { SEEDS = 400, HISTORY = 30, COMMANDS_MAX = 40 };

static uint64_t from_environment(const char *name, uint64_t fallback)
{
    const char *value = getenv(name);
    return value != NULL ? strtoull(value, NULL, 10) : fallback;
}

/* The commands of a run, with the answers that they got one by one. */
struct sequence {
    struct world *world;
    struct policy_ref *policy;
    struct decoded *decoded;
    struct text *bodies;
    struct text *replies;
    size_t count;
};

struct tally {
    size_t successes[COMMAND_RESHAPE + 1];
    size_t failures[VERDICT_INTERNAL + 1];
    size_t replays;
};

/* Prints what the runs had, and checks that it was something of each kind. */
static void check_tally(const struct tally *tally, uint64_t seeds)
{
    for (size_t kind = 0; kind <= COMMAND_RESHAPE; kind++) {
        if (command_mode((enum command_kind)kind) == MODE_READ)
            continue;
        print_message("%s: %zu\n", command_name((enum command_kind)kind), tally->successes[kind]);
        assert_true(seeds < SEEDS || tally->successes[kind] > seeds / 8);
    }
    print_message("%zu replays\n", tally->replays);
    for (size_t code = 1; code <= VERDICT_INTERNAL; code++) {
        if (tally->failures[code] > 0)
            print_message("%s: %zu\n", verdict_name((enum verdict_code)code),
                          tally->failures[code]);
    }
    assert_true(seeds < SEEDS || tally->failures[VERDICT_CAPACITY_EXCEEDED] > seeds / 8);
}

/* --- planning ------------------------------------------------------------------------------- */

static struct text reply_of(struct arena *arena, const struct request *request,
                            const struct verdict *verdict)
{
    if (verdict->replayed)
        return verdict->replay_body;
    return reply_encode(arena, text_of(command_name(request->command.kind)), request->command.kind,
                        request->key, verdict);
}

/* Loads what the requests need, in the transaction of the store, and decides them. */
static struct snapshot *plan(const struct sequence *sequence, struct store *store,
                             const struct request *const *requests, size_t count,
                             struct verdict *verdicts)
{
    struct snapshot *snapshot = snapshot_new(sequence->world->arena);
    const struct plan_context context = {.policy = policy_of(sequence->policy),
                                         .now_ms = store->ops->now_ms(store),
                                         .attempts_max = WORLD_ATTEMPTS_MAX};
    plan_want_first(snapshot, requests, count);
    assert_int_equal(store->ops->load(store, snapshot, NULL), STORE_OK);
    if (plan_want_second(snapshot, requests, count))
        assert_int_equal(store->ops->load(store, snapshot, NULL), STORE_OK);
    plan_run(&context, snapshot, requests, count, verdicts);
    return snapshot;
}

/* Lets one command take effect; returns its reply. */
static struct text execute(const struct sequence *sequence, struct store *store,
                           const struct request *request, struct verdict *ret_verdict)
{
    assert_int_equal(store->ops->begin(store, NULL), STORE_OK);
    struct snapshot *snapshot = plan(sequence, store, &request, 1, ret_verdict);
    struct text reply = reply_of(sequence->world->arena, request, ret_verdict);
    if (snapshot->outcomes[0].state.dirty && snapshot->outcomes[0].state.exists)
        snapshot->outcomes[0].body = reply;
    if (snapshot_is_dirty(snapshot)) {
        assert_int_equal(store->ops->write(store, snapshot, NULL), STORE_OK);
        assert_int_equal(store->ops->commit(store, NULL), STORE_OK);
    }
    store->ops->end(store);
    return reply;
}

/* --- the sequence --------------------------------------------------------------------------- */

static const char *some_principal(struct world *world)
{
    static const char *const names[] = {"admin", "admin", "admin", "admin",
                                        "admin", "admin", "blue",  "red"};
    return names[world_random(world, sizeof names / sizeof names[0])];
}

/* Makes the next command: a new one, or one that has the key of an earlier one. */
static void write_command(struct sequence *sequence, struct delivery *ret_delivery)
{
    struct world *world = sequence->world;
    struct arena *arena = world->arena;
    *ret_delivery =
        (struct delivery){.properties = {.message_id = text_format(arena, "s%zu", sequence->count),
                                         .user_id = text_of(some_principal(world))},
                          .body = generator_write(world, world_random(world, 3) == 0)};
    if (world_random(world, 50) == 0) {
        ret_delivery->deadline = HEADER_INTEGER;
        ret_delivery->deadline_ms = world->clock.wall_ms + (int64_t)world_random(world, 3) - 1;
    }
    if (sequence->count == 0 || world_random(world, 10) > 0)
        return;
    size_t earlier = world_random(world, sequence->count);
    ret_delivery->properties.message_id = sequence->decoded[earlier].request.key;
    ret_delivery->properties.user_id = sequence->decoded[earlier].request.principal;
    if (world_random(world, 3) > 0)
        ret_delivery->body = sequence->bodies[earlier];
}

static const struct request *add_command(struct sequence *sequence)
{
    struct delivery delivery;
    struct decoded *decoded = &sequence->decoded[sequence->count];
    const struct decode_context context = {.policy = policy_of(sequence->policy),
                                           .trust_user_id = true};
    write_command(sequence, &delivery);
    command_decode(&context, &delivery, sequence->world->arena, decoded);
    assert_true(decoded->accepted);
    sequence->bodies[sequence->count++] = delivery.body;
    return &decoded->request;
}

static void count_verdict(struct tally *tally, const struct request *request,
                          const struct verdict *verdict)
{
    tally->replays += verdict->replayed;
    if (verdict->code == VERDICT_SUCCESS)
        tally->successes[request->command.kind]++;
    else
        tally->failures[verdict->code]++;
}

/* Makes the commands and executes each. A command is made after the one before it has taken effect,
   so that most generations are right. */
static void execute_one_by_one(struct sequence *sequence, struct tally *tally)
{
    struct store *store = memory_store_new(sequence->world->database);
    size_t count = 2 + world_random(sequence->world, COMMANDS_MAX - 1);
    while (sequence->count < count) {
        size_t place = sequence->count;
        struct verdict verdict;
        const struct request *request = add_command(sequence);
        sequence->replies[place] = execute(sequence, store, request, &verdict);
        count_verdict(tally, request, &verdict);
    }
    store->ops->free(store);
}

/* --- the comparison ------------------------------------------------------------------------- */

static void fail_command(const struct sequence *sequence, size_t place, struct text reply)
{
    for (size_t i = 0; i <= place; i++)
        print_error("  %.*s => %.*s\n", TEXT_ARGS(sequence->bodies[i]),
                    TEXT_ARGS(sequence->replies[i]));
    print_error("seed %llu, command %zu: on one snapshot the answer is %.*s\n",
                (unsigned long long)sequence->world->seed, place, TEXT_ARGS(reply));
    fail();
}

/* Plans all commands in the open transaction of the store, and compares the answers. */
static void compare_on_one_snapshot(const struct sequence *sequence, struct store *store)
{
    struct arena *arena = sequence->world->arena;
    const struct request **requests = ARENA_ARRAY(arena, const struct request *, sequence->count);
    struct verdict *verdicts = ARENA_ARRAY(arena, struct verdict, sequence->count);
    struct text *replies = ARENA_ARRAY(arena, struct text, sequence->count);
    for (size_t i = 0; i < sequence->count; i++)
        requests[i] = &sequence->decoded[i].request;
    (void)plan(sequence, store, requests, sequence->count, verdicts);
    for (size_t i = 0; i < sequence->count; i++) {
        replies[i] = reply_of(arena, requests[i], &verdicts[i]);
        if (!text_present(replies[i]))
            replies[i] = replies[verdicts[i].replay_of];
        if (!text_equal(replies[i], sequence->replies[i]))
            fail_command(sequence, i, replies[i]);
    }
}

static void make_history(struct world *world)
{
    generator_seed_data(world);
    for (size_t i = 0; i < HISTORY; i++) {
        generator_send(world);
        assert_true(world_run_until_idle(world));
    }
}

/* The first load of a transaction fixes what it sees. */
static struct store *begin_view(struct world *world)
{
    struct store *store = memory_store_new(world->database);
    struct snapshot *nothing = snapshot_new(world->arena);
    snapshot_seal(nothing);
    assert_int_equal(store->ops->begin(store, NULL), STORE_OK);
    assert_int_equal(store->ops->load(store, nothing, NULL), STORE_OK);
    return store;
}

static void run(uint64_t seed, struct tally *tally)
{
    struct world *world = world_new((struct world_options){.seed = seed});
    make_history(world);
    struct sequence sequence = {
        .world = world,
        .policy = policy_acquire(world->policy),
        .decoded = ARENA_ARRAY(world->arena, struct decoded, COMMANDS_MAX + 1),
        .bodies = ARENA_ARRAY(world->arena, struct text, COMMANDS_MAX + 1),
        .replies = ARENA_ARRAY(world->arena, struct text, COMMANDS_MAX + 1),
    };
    struct store *view = begin_view(world);
    execute_one_by_one(&sequence, tally);
    compare_on_one_snapshot(&sequence, view);
    view->ops->free(view);
    policy_release(sequence.policy);
    world_free(world);
}

static void test_one_snapshot_gives_the_answers_that_commands_get_one_by_one(void **state)
{
    (void)state;
    uint64_t first = from_environment("SIM_FIRST", 1);
    uint64_t seeds = from_environment("SIM_SEEDS", SEEDS);
    struct tally tally = {0};
    for (uint64_t seed = first; seed < first + seeds; seed++)
        run(seed, &tally);
    check_tally(&tally, seeds);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "simulated");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_snapshot_gives_the_answers_that_commands_get_one_by_one),
    };
    return cmocka_run_group_tests_name("one snapshot", tests, NULL, NULL) != 0;
}
