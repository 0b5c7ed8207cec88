/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The five defects of Placement's allocation handler that must stay impossible here, one test or
 * more for each, in the simulator:
 *   1. one query per provider: the number of loads does not grow with the providers of a batch;
 *   2. a clean-up that fails halfway: every storage call fails once, and only the state before or
 *      the state after the command is ever seen;
 *   3. an outage taken for "not found": nothing is answered during an outage, and the right answer
 *      follows it;
 *   4. a consumer created or left behind by a command that failed;
 *   5. a principal that changes or reads the consumer of another project.
 * docs/architecture.md names the construction that rules each of them out.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/auditor.h"
#include "tests/support/generator.h"
#include "common/host/log.h"

enum { CALLS_MAX = 12, STEPS_MAX = 400, LOAD_CONSUMERS = 500 };

#define CONSUMER "cccccccc-0000-4000-8000-000000000200"
#define OTHER "cccccccc-0000-4000-8000-000000000201"
#define PROVIDER "00000000-0000-4000-8000-000000000100"
#define PROVIDER_2 "00000000-0000-4000-8000-000000000101"
#define BODY(command, params) "{\"version\":1,\"command\":\"" command "\",\"params\":{" params "}}"
#define CLAIM(project, generation, allocations)                                                    \
    "\"project_id\":\"" project "\",\"user_id\":\"u\",\"consumer_generation\":" generation         \
    ",\"consumer_type\":\"INSTANCE\",\"allocations\":" allocations
#define FOUR "{\"" PROVIDER "\":{\"resources\":{\"VCPU\":4}}}"
#define TWO_SIDED                                                                                  \
    "{\"" PROVIDER "\":{\"resources\":{\"VCPU\":2}},\"" PROVIDER_2                                 \
    "\":{\"resources\":{\"VCPU\":3,\"MEMORY_MB\":1}}}"
#define SET(project, generation, allocations)                                                      \
    BODY("allocation.set",                                                                         \
         "\"consumer_uuid\":\"" CONSUMER "\"," CLAIM(project, generation, allocations))
#define CREATE SET("blue-1", "null", FOUR)
#define MOVE SET("blue-1", "1", TWO_SIDED)
#define EMPTY SET("blue-1", "1", "{}")
#define DELETE BODY("allocation.delete", "\"consumer_uuid\":\"" CONSUMER "\"")
#define GET BODY("allocation.get", "\"consumer_uuid\":\"" CONSUMER "\"")
#define BATCH                                                                                      \
    BODY("allocation.batch",                                                                       \
         "\"consumers\":{\"" CONSUMER                                                              \
         "\":{" CLAIM("blue-1", "1", "{}") "},\"" OTHER                                            \
                                           "\":{" CLAIM("blue-1", "null", TWO_SIDED) "}}")

static void assert_auditor_accepts(const struct world *world)
{
    struct error error = {""};
    if (!auditor_check(world, &error))
        fail_msg("%s", error.text);
}

/* A world with providers, and with a consumer in the project blue-1 if asked for. */
static struct world *world_with(bool with_consumer)
{
    struct world *world = world_new((struct world_options){.seed = 1});
    generator_seed_data(world);
    if (with_consumer)
        world_ask(world, "blue", "setup", CREATE);
    assert_true(world_run_until_idle(world));
    assert_auditor_accepts(world);
    return world;
}

static void assert_code(const struct world *world, const struct sent *sent, const char *code)
{
    const struct memory_message *reply = world_reply(world, sent, 0);
    assert_non_null(reply);
    if (strstr(reply->body.bytes, code) == NULL)
        fail_msg("not %s: %s", code, reply->body.bytes);
}

/* All consumers and usages as one text, to compare states. */
struct state_text {
    char text[4096];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void print_state(struct state_text *state,
                                                              const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(state->text + state->length, sizeof state->text - state->length, format,
                           arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < sizeof state->text - state->length);
    state->length += (size_t)length;
}

static void print_provider(void *context, const struct provider *provider)
{
    print_state(context, "P%s g%lld", uuid_format(provider->id).chars,
                (long long)provider->generation);
    for (size_t i = 0; i < provider->record_count; i++)
        print_state(context, " %lld", (long long)provider->records[i].used);
    print_state(context, "\n");
}

static void print_consumer(void *context, const struct consumer *consumer)
{
    print_state(context, "C%s g%lld %.*s", uuid_format(consumer->id).chars,
                (long long)consumer->generation, TEXT_ARGS(consumer->project_id));
    for (size_t i = 0; i < consumer->allocation_count; i++)
        print_state(context, " %lld", (long long)consumer->allocations[i].amount);
    print_state(context, "\n");
}

static struct state_text state_of(const struct world *world)
{
    struct state_text state = {.length = 0};
    memory_database_visit(world->database, &(struct memory_visitor){.context = &state,
                                                                    .provider = print_provider,
                                                                    .consumer = print_consumer});
    return state;
}

/* --- 1: one query per provider -------------------------------------------------------------- */

/* Sends `count` claims at this generation ("null": new consumers); `shift` picks the provider. */
static void ask_many(struct world *world, size_t count, const char *generation, size_t shift)
{
    for (size_t i = 0; i < count; i++) {
        const char *uuid = generator_consumer(world->arena, i);
        const char *provider =
            generator_provider(world->arena, (i + shift) % (GENERATOR_PROVIDERS - 1));
        struct text body =
            text_format(world->arena,
                        BODY("allocation.set",
                             "\"consumer_uuid\":\"%s\",\"project_id\":\"blue-1\",\"user_id\":\"u\","
                             "\"consumer_generation\":%s,\"consumer_type\":\"INSTANCE\","
                             "\"allocations\":{\"%s\":{\"resources\":{\"VCPU\":1}}}"),
                        uuid, generation, provider);
        const char *key = text_format(world->arena, "%s-%zu", generation, i).bytes;
        world_ask(world, "blue", key, body.bytes);
    }
}

static struct memory_counters run_and_count(struct world *world)
{
    struct memory_counters before = memory_database_counters(world->database);
    assert_true(world_run_until_idle(world));
    struct memory_counters after = memory_database_counters(world->database);
    for (size_t i = 0; i < MEMORY_ANY_CALL; i++)
        after.calls[i] -= before.calls[i];
    after.documents_returned -= before.documents_returned;
    return after;
}

static void assert_one_transaction(const struct memory_counters *cost, size_t loads_most)
{
    assert_int_equal(cost->calls[MEMORY_BEGIN], 1);
    assert_in_range(cost->calls[MEMORY_LOAD], 1, loads_most);
    assert_int_equal(cost->calls[MEMORY_WRITE], 1);
    assert_int_equal(cost->calls[MEMORY_COMMIT], 1);
    assert_int_equal(cost->calls[MEMORY_ATTEMPT], 0);
}

static void enlarge_inventories(struct world *world)
{
    for (size_t i = 0; i < GENERATOR_PROVIDERS - 1; i++) {
        struct text body =
            text_format(world->arena,
                        BODY("inventory.set", "\"uuid\":\"%s\",\"resource_provider_generation\":1,"
                                              "\"inventories\":{\"VCPU\":{\"total\":1000}}"),
                        generator_provider(world->arena, i));
        world_ask(world, "admin", text_format(world->arena, "wide%zu", i).bytes, body.bytes);
    }
    assert_true(world_run_until_idle(world));
}

static void test_defect_1_one_query_per_provider(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 10, LOAD_CONSUMERS};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct world *world = world_new(
            (struct world_options){.seed = 1, .max_commands = LOAD_CONSUMERS, .prefetch = 1000});
        generator_seed_data(world);
        enlarge_inventories(world);
        ask_many(world, sizes[i], "null", 0);
        struct memory_counters made = run_and_count(world);
        assert_one_transaction(&made, 1);
        /* Four providers are loaded, however many commands name them. */
        assert_true(made.documents_returned <= GENERATOR_PROVIDERS - 1);
        ask_many(world, sizes[i], "1", 1);
        struct memory_counters moved = run_and_count(world);
        /* The second load fetches the providers of the stored allocations. */
        assert_one_transaction(&moved, 2);
        assert_true(moved.documents_returned <= sizes[i] + GENERATOR_PROVIDERS - 1);
        assert_auditor_accepts(world);
        world_free(world);
    }
}

/* --- 2 and 4: every call fails once --------------------------------------------------------- */

struct trouble {
    struct memory_fault fault;
    bool crash; /* the worker crashes as well */
};

static const struct trouble troubles[] = {
    {{.status = STORE_UNAVAILABLE}, false},
    {{.status = STORE_UNAVAILABLE, .crash = true}, true},
    {{.status = STORE_UNAVAILABLE, .crash = true, .fate = MEMORY_LINGERS}, true},
    {{.status = STORE_CONFLICT}, false},
    {{.status = STORE_EXPIRED}, false},
    {{.status = STORE_UNKNOWN}, false},
    {{.status = STORE_UNKNOWN, .fate = MEMORY_APPLIED}, false},
    {{.status = STORE_UNKNOWN, .fate = MEMORY_LINGERS}, false},
    {{.status = STORE_UNKNOWN, .fate = MEMORY_APPLIED, .crash = true}, true},
};

/* The only two states that may ever be seen. */
struct views {
    struct state_text before;
    struct state_text after;
};

static struct views expected(bool with_consumer, const char *body)
{
    struct views views;
    struct world *world = world_with(with_consumer);
    views.before = state_of(world);
    world_ask(world, "blue", "command", body);
    assert_true(world_run_until_idle(world));
    views.after = state_of(world);
    assert_string_not_equal(views.before.text, views.after.text);
    world_free(world);
    return views;
}

static void assert_before_or_after(const struct world *world, const struct views *views)
{
    struct error error = {""};
    struct state_text now = state_of(world);
    if (strcmp(now.text, views->before.text) != 0 && strcmp(now.text, views->after.text) != 0)
        fail_msg("a state between before and after: %s", now.text);
    if (!auditor_check_state(world, &error))
        fail_msg("%s", error.text);
}

static void run_with(const struct trouble *trouble, struct memory_fault fault, bool with_consumer,
                     const char *body)
{
    struct views views = expected(with_consumer, body);
    struct world *world = world_with(with_consumer);
    const struct sent *sent = world_ask(world, "blue", "command", body);
    memory_database_fail(world->database, fault);
    for (int step = 0; step < CALLS_MAX; step++) {
        world_transport_step(world, 0);
        world_apply_step(world, 0);
        assert_before_or_after(world, &views);
        fake_clock_advance(&world->clock, 200);
    }
    if (trouble->crash)
        world_crash(world, 0, MEMORY_LOST);
    memory_database_clear_faults(world->database);
    memory_database_resolve_commit(world->database, false);
    assert_true(world_run_until_idle(world));
    assert_code(world, sent, "\"success\"");
    assert_string_equal(state_of(world).text, views.after.text);
    assert_auditor_accepts(world);
    world_free(world);
}

static void every_call_fails_once(bool with_consumer, const char *body)
{
    for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
        struct memory_fault fault = troubles[i].fault;
        fault.call = fault.status == STORE_UNKNOWN ? MEMORY_COMMIT : MEMORY_ANY_CALL;
        for (fault.after = 0; fault.after < CALLS_MAX; fault.after++)
            run_with(&troubles[i], fault, with_consumer, body);
    }
}

static void test_defect_2_clean_up_that_fails_halfway(void **state)
{
    (void)state;
    every_call_fails_once(true, BATCH);
    every_call_fails_once(true, MOVE);
    every_call_fails_once(true, DELETE);
}

static void test_defect_4_consumer_created_or_left_behind(void **state)
{
    (void)state;
    every_call_fails_once(false, CREATE);
    every_call_fails_once(true, EMPTY);
}

/* A command that fails must not leave the consumer that it would have created. */
static void test_defect_4_a_refused_command_leaves_no_consumer(void **state)
{
    (void)state;
    struct world *world = world_with(false);
    struct state_text before = state_of(world);
    const struct sent *much =
        world_ask(world, "blue", "much",
                  SET("blue-1", "null", "{\"" PROVIDER "\":{\"resources\":{\"VCPU\":41}}}"));
    const struct sent *nowhere =
        world_ask(world, "blue", "nowhere",
                  SET("blue-1", "null", "{\"" OTHER "\":{\"resources\":{\"VCPU\":1}}}"));
    assert_true(world_run_until_idle(world));
    assert_code(world, much, "\"capacity_exceeded\"");
    assert_code(world, nowhere, "\"provider_not_found\"");
    assert_string_equal(state_of(world).text, before.text);
    assert_auditor_accepts(world);
    world_free(world);
}

/* --- 3: an outage is not absence ------------------------------------------------------------ */

static void outage(struct world *world, const struct sent *sent, enum memory_call call)
{
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = call, .times = 1000000, .status = STORE_UNAVAILABLE});
    for (int step = 0; step < STEPS_MAX; step++) {
        for (size_t worker = 0; worker < WORLD_WORKERS; worker++) {
            world_transport_step(world, worker);
            world_apply_step(world, worker);
        }
        fake_clock_advance(&world->clock, 100);
        assert_null(world_reply(world, sent, 0));
        assert_null(world_dead_letter(world, sent));
    }
    assert_int_equal(memory_broker_unacked(world->broker), 1);
    memory_database_clear_faults(world->database);
    assert_true(world_run_until_idle(world));
}

static void test_defect_3_outage_read_as_absence(void **state)
{
    (void)state;
    static const char *const bodies[] = {MOVE, DELETE, BATCH, GET};
    static const enum memory_call calls[] = {MEMORY_BEGIN, MEMORY_LOAD, MEMORY_COMMIT};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        for (size_t j = 0; j < sizeof calls / sizeof calls[0]; j++) {
            struct world *world = world_with(true);
            const struct sent *sent = world_ask(world, "blue", "command", bodies[i]);
            outage(world, sent, calls[j]);
            assert_code(world, sent, "\"success\"");
            assert_null(world_reply(world, sent, 1));
            if (strstr(bodies[i], "allocation.get") != NULL)
                assert_code(world, sent, "\"VCPU\":4");
            assert_auditor_accepts(world);
            world_free(world);
        }
    }
}

/* --- 5: other projects' consumers ----------------------------------------------------------- */

static void test_defect_5_stranger_touches_another_projects_consumer(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        DELETE,
        GET,
        EMPTY,
        MOVE,
        BATCH,
        SET("red-1", "1", "{}"),
        SET("red-1", "1", FOUR),
        SET("red-1", "null", FOUR),
        SET("red-1", "7", FOUR),
        BODY("allocation.batch",
             "\"consumers\":{\"" CONSUMER "\":{" CLAIM(
                 "red-1", "1", "{}") "},\"" OTHER "\":{" CLAIM("red-1", "null", FOUR) "}}"),
        BODY("usage.get", "\"project_id\":\"blue-1\""),
        BODY("provider.allocations", "\"uuid\":\"" PROVIDER "\""),
        BODY("provider.list", ""),
    };
    struct world *world = world_with(true);
    struct state_text before = state_of(world);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        const char *key = text_format(world->arena, "stranger%zu", i).bytes;
        const struct sent *sent = world_ask(world, "red", key, bodies[i]);
        assert_true(world_run_until_idle(world));
        assert_code(world, sent, "\"forbidden\"");
        assert_null(strstr(world_reply(world, sent, 0)->body.bytes, "\"VCPU\""));
        assert_string_equal(state_of(world).text, before.text);
    }
    assert_auditor_accepts(world);
    world_free(world);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "simulated");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defect_1_one_query_per_provider),
        cmocka_unit_test(test_defect_2_clean_up_that_fails_halfway),
        cmocka_unit_test(test_defect_3_outage_read_as_absence),
        cmocka_unit_test(test_defect_4_consumer_created_or_left_behind),
        cmocka_unit_test(test_defect_4_a_refused_command_leaves_no_consumer),
        cmocka_unit_test(test_defect_5_stranger_touches_another_projects_consumer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
