/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner's promise for commands of every kind: planned one after another on one snapshot, they
 * get the answers that they get if each is loaded, planned and committed before the next. The
 * worker relies on it for batches, the dry run of allotctl also for commands that the worker plans
 * in a batch of their own.
 *
 * A transaction keeps its view of the state, while the commands take effect one by one in
 * transactions of another store. Then all are planned on that view. And in a second world, which
 * has had the same history, the letters of these commands get a dry run.
 *
 * Run one seed:       SIM_FIRST=17 SIM_SEEDS=1 build/dev/bin/sim_test_one_snapshot
 */
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec/field_table.h"
#include "common/host/log.h"
#include "ctl/desk/dry_run.h"
#include "tests/support/desk_letters.h"
#include "tests/support/generator.h"

enum { SEEDS = 150, HISTORY = 30, COMMANDS_MAX = 40, RETENTION_MS = 60000 };

static uint64_t from_environment(const char *name, uint64_t fallback)
{
    const char *value = getenv(name);
    return value != NULL ? strtoull(value, NULL, 10) : fallback;
}

/* The commands of a run, with the answers that they got one by one. */
struct sequence {
    struct world *world;
    struct policy_ref *policy;
    struct delivery deliveries[COMMANDS_MAX];
    struct decoded decoded[COMMANDS_MAX];
    struct verdict verdicts[COMMANDS_MAX];
    struct text replies[COMMANDS_MAX];
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

/* --- the sequence --------------------------------------------------------------------------- */

static const char *some_principal(struct world *world)
{
    static const char *const names[] = {"admin", "admin", "admin", "admin",
                                        "admin", "admin", "blue",  "red"};
    return names[world_random(world, sizeof names / sizeof names[0])];
}

/* Makes the next command: a new one, or one that has the key of an earlier one. */
static struct delivery next_command(const struct sequence *sequence)
{
    struct world *world = sequence->world;
    struct delivery delivery = {
        .properties = {.message_id = text_format(world->arena, "s%zu", sequence->count),
                       .user_id = text_of(some_principal(world))},
        .body = generator_write(world, world_random(world, 3) == 0)};
    if (sequence->count == 0 || world_random(world, 10) > 0)
        return delivery;
    const struct delivery *earlier = &sequence->deliveries[world_random(world, sequence->count)];
    delivery.properties = earlier->properties;
    if (world_random(world, 3) > 0)
        delivery.body = earlier->body;
    return delivery;
}

/* Gives one command of fifty a deadline, which may have passed. */
static void add_deadline(struct world *world, struct delivery *delivery)
{
    if (world_random(world, 50) > 0)
        return;
    const struct outgoing_header header = {.name = "x-allot-deadline",
                                           .kind = OUTGOING_INTEGER,
                                           .integer = world->clock.wall_ms +
                                                      (int64_t)world_random(world, 3) - 1};
    delivery->raw_headers = field_table_merge(world->arena, TEXT_NONE, &header, 1);
    field_table_read_delivery(delivery);
}

static void execute_next(struct sequence *sequence, const struct desk_world *desk)
{
    size_t place = sequence->count;
    sequence->deliveries[place] = next_command(sequence);
    add_deadline(sequence->world, &sequence->deliveries[place]);
    desk_decode(desk, &sequence->deliveries[place], &sequence->decoded[place]);
    assert_true(sequence->decoded[place].accepted);
    sequence->verdicts[place] =
        desk_execute(desk, &sequence->decoded[place].request, &sequence->replies[place]);
    sequence->count++;
}

static struct desk_world desk_of(struct world *world, struct policy_ref *policy,
                                 struct store *store)
{
    return (struct desk_world){.store = store, .policy = policy_of(policy), .arena = world->arena};
}

/* Makes the commands and executes each. A command is made after the one before it has taken effect,
   so that most generations are right. */
static void execute_one_by_one(struct sequence *sequence)
{
    struct store *store = memory_store_new(sequence->world->database);
    struct desk_world desk = desk_of(sequence->world, sequence->policy, store);
    size_t count = 2 + world_random(sequence->world, COMMANDS_MAX - 2);
    while (sequence->count < count)
        execute_next(sequence, &desk);
    store->ops->free(store);
}

static void count_verdicts(const struct sequence *sequence, struct tally *tally)
{
    for (size_t i = 0; i < sequence->count; i++) {
        const struct verdict *verdict = &sequence->verdicts[i];
        tally->replays += verdict->replayed;
        if (verdict->code == VERDICT_SUCCESS)
            tally->successes[sequence->decoded[i].request.command.kind]++;
        else
            tally->failures[verdict->code]++;
    }
}

/* --- the comparison ------------------------------------------------------------------------- */

static void fail_command(const struct sequence *sequence, size_t place, struct text found)
{
    for (size_t i = 0; i <= place; i++)
        print_error("  %.*s => %.*s\n", TEXT_ARGS(sequence->deliveries[i].body),
                    TEXT_ARGS(sequence->replies[i]));
    print_error("seed %llu, command %zu: on one snapshot it is %.*s\n",
                (unsigned long long)sequence->world->seed, place, TEXT_ARGS(found));
    fail();
}

/* Plans all commands in the open transaction of the store, and compares the replies. */
static void compare_on_one_snapshot(const struct sequence *sequence, struct store *store)
{
    struct desk_world desk = desk_of(sequence->world, sequence->policy, store);
    const struct request *requests[COMMANDS_MAX];
    struct verdict verdicts[COMMANDS_MAX];
    struct text replies[COMMANDS_MAX];
    for (size_t i = 0; i < sequence->count; i++)
        requests[i] = &sequence->decoded[i].request;
    (void)desk_plan(&desk, requests, sequence->count, verdicts);
    for (size_t i = 0; i < sequence->count; i++) {
        replies[i] = desk_reply(&desk, requests[i], &verdicts[i]);
        if (!text_present(replies[i]))
            replies[i] = replies[verdicts[i].replay_of];
        if (!text_equal(replies[i], sequence->replies[i]))
            fail_command(sequence, i, replies[i]);
    }
}

/* Whether the dry run has promised what came. */
static bool is_kept(const struct dry_verdict *promise, const struct verdict *verdict)
{
    bool succeeded = verdict->code == VERDICT_SUCCESS;
    if (verdict->replayed)
        return promise->kind == DRY_ANSWERED && text_is(promise->code, verdict_name(verdict->code));
    if (succeeded)
        return promise->kind == DRY_SUCCEEDS;
    return promise->kind == DRY_FAILS && text_is(promise->code, verdict_name(verdict->code)) &&
           text_equal(promise->text, verdict->message);
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

/* Ends the sequence; `sequence` is freed with its world. */
static void end(struct sequence *sequence)
{
    struct world *world = sequence->world;
    policy_release(sequence->policy);
    world_free(world);
}

static struct sequence *begin(uint64_t seed)
{
    struct world *world = world_new((struct world_options){.seed = seed});
    struct sequence *sequence = ARENA_NEW(world->arena, struct sequence);
    make_history(world);
    sequence->world = world;
    sequence->policy = policy_acquire(world->policy);
    return sequence;
}

static uint64_t first_seed(void)
{
    return from_environment("SIM_FIRST", 1);
}

static uint64_t end_of_seeds(void)
{
    return first_seed() + from_environment("SIM_SEEDS", SEEDS);
}

static void test_one_snapshot_gives_the_answers_that_commands_get_one_by_one(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (uint64_t seed = first_seed(); seed < end_of_seeds(); seed++) {
        struct sequence *sequence = begin(seed);
        struct store *view = begin_view(sequence->world);
        execute_one_by_one(sequence);
        count_verdicts(sequence, &tally);
        compare_on_one_snapshot(sequence, view);
        view->ops->free(view);
        end(sequence);
    }
    check_tally(&tally, end_of_seeds() - first_seed());
}

/* Gives the letters of the sequence a dry run in this world, which nobody has changed. */
static void promise(const struct sequence *sequence, struct world *world,
                    struct dry_verdict *ret_promises)
{
    struct store *store = memory_store_new(world->database);
    struct policy_ref *policy = policy_acquire(world->policy);
    struct desk_world makes = desk_of(world, policy, store);
    const struct settings settings = {.amqp_exchange = text_of("allot.commands"),
                                      .amqp_queue = text_of("allot.commands"),
                                      .delivery_max_attempts = WORLD_ATTEMPTS_MAX,
                                      .idempotency_retention_ms = RETENTION_MS,
                                      .security_trust_user_id = true};
    const struct desk desk = {.store = store, .settings = &settings, .policy = policy_of(policy)};
    const struct replay_options options = {.keep_deadline = true};
    struct letter_record records[COMMANDS_MAX];
    struct error error = {""};
    for (size_t i = 0; i < sequence->count; i++)
        records[i] = desk_letter(&makes, &sequence->deliveries[i], world->clock.wall_ms);
    uint64_t before = memory_database_sequence(world->database);
    if (!dry_run(&desk, &options, records, sequence->count, world->arena, ret_promises, &error))
        fail_msg("%s", error.text);
    assert_true(memory_database_sequence(world->database) == before);
    policy_release(policy);
    store->ops->free(store);
}

static void test_a_dry_run_promises_what_a_replay_one_by_one_gives(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed < end_of_seeds(); seed++) {
        struct sequence *sequence = begin(seed), *untouched = begin(seed);
        struct dry_verdict promises[COMMANDS_MAX];
        execute_one_by_one(sequence);
        promise(sequence, untouched->world, promises);
        for (size_t i = 0; i < sequence->count; i++) {
            if (!is_kept(&promises[i], &sequence->verdicts[i]))
                fail_command(sequence, i, promises[i].text);
        }
        end(untouched);
        end(sequence);
    }
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "simulated");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_snapshot_gives_the_answers_that_commands_get_one_by_one),
        cmocka_unit_test(test_a_dry_run_promises_what_a_replay_one_by_one_gives),
    };
    return cmocka_run_group_tests_name("one snapshot", tests, NULL, NULL) != 0;
}
