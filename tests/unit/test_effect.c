/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the line that says what a command changes.
 *
 * Each test gives the name and the params of a command, which is decoded from its JSON, and the
 * members of the result that the line shows, without planning the command: assert_effect compares
 * the whole line.
 *
 * Not here: whether the planner's results have these members (tests/unit/test_dry_run.c).
 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/codec/command_decode.h"
#include "common/core/snapshot.h"
#include "ctl/desk/effect.h"

#define P1 "00000000-0000-4000-8000-000000000001"
#define P2 "00000000-0000-4000-8000-000000000002"
#define C1 "cccccccc-0000-4000-8000-000000000001"
#define OWNER "\"project_id\":\"p\",\"user_id\":\"u\",\"consumer_type\":\"INSTANCE\""

static int setup(void **state)
{
    *state = arena_new(0);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static struct command command_of(struct arena *arena, const char *name, const char *params)
{
    struct policy_principal principal = {.name = text_of("blue")};
    struct policy policy = {.principals = &principal, .count = 1};
    const struct decode_context context = {.policy = &policy, .trust_user_id = true};
    struct delivery delivery = {
        .properties = {.message_id = text_of("k"), .user_id = text_of("blue")},
        .body =
            text_format(arena, "{\"version\":1,\"command\":\"%s\",\"params\":%s}", name, params),
    };
    struct decoded decoded;
    command_decode(&context, &delivery, arena, &decoded);
    if (!decoded.accepted)
        fail_msg("%.*s", TEXT_ARGS(decoded.verdict.message));
    return decoded.request.command;
}

static struct uuid uuid_of(const char *text)
{
    struct uuid uuid = {{0}};
    assert_true(uuid_parse(text_of(text), &uuid));
    return uuid;
}

static void assert_effect(struct arena *arena, const char *name, const char *params,
                          const struct result *result, const char *expected)
{
    struct command command = command_of(arena, name, params);
    struct verdict verdict = {.code = VERDICT_SUCCESS, .result = *result};
    struct text text = effect_text(arena, &command, &verdict);
    if (!text_is(text, expected))
        fail_msg("'%.*s' is not '%s'", TEXT_ARGS(text), expected);
}

static void test_a_provider_is_said_with_its_name_and_place(void **state)
{
    struct provider provider = {.id = uuid_of(P1), .name = text_of("compute-1")};
    struct result result = {.provider = &provider};
    assert_effect(*state, "provider.create", "{\"uuid\":\"" P1 "\",\"name\":\"compute-1\"}",
                  &result, "provider " P1 ": created as 'compute-1', a root");
    provider.has_parent = true;
    provider.parent = uuid_of(P2);
    assert_effect(*state, "provider.update", "{\"uuid\":\"" P1 "\",\"name\":\"compute-1\"}",
                  &result, "provider " P1 ": named 'compute-1', below " P2);
}

static void test_a_deleted_provider_is_said(void **state)
{
    const struct result result = {0};
    assert_effect(*state, "provider.delete", "{\"uuid\":\"" P1 "\"}", &result,
                  "provider " P1 ": deleted");
}

static void test_inventories_are_said_with_their_totals(void **state)
{
    const struct provider provider = {.id = uuid_of(P1), .generation = 8};
    const struct result result = {.provider = &provider};
    assert_effect(*state, "inventory.set",
                  "{\"uuid\":\"" P1 "\",\"resource_provider_generation\":7,\"inventories\":"
                  "{\"VCPU\":{\"total\":4},\"DISK_GB\":{\"total\":90}}}",
                  &result, "provider " P1 ": DISK_GB 90, VCPU 4; generation 8");
    assert_effect(*state, "inventory.set",
                  "{\"uuid\":\"" P1 "\",\"resource_provider_generation\":7,\"inventories\":{}}",
                  &result, "provider " P1 ": no inventories; generation 8");
}

static void test_allocations_are_said_by_provider(void **state)
{
    const struct consumer_generation generation = {uuid_of(C1), 3};
    const struct result result = {.consumers = &generation, .consumer_count = 1};
    assert_effect(
        *state, "allocation.set",
        "{\"consumer_uuid\":\"" C1 "\",\"consumer_generation\":2," OWNER ",\"allocations\":"
        "{\"" P2 "\":{\"resources\":{\"VCPU\":1}},"
        "\"" P1 "\":{\"resources\":{\"VCPU\":2,\"DISK_GB\":5}}}}",
        &result, "consumer " C1 ": DISK_GB=5, VCPU=2 on " P1 " and VCPU=1 on " P2 "; generation 3");
}

static void test_a_consumer_without_allocations_ends(void **state)
{
    const struct consumer_generation generation = {uuid_of(C1), 0};
    const struct result result = {.consumers = &generation, .consumer_count = 1};
    static const char *const expected = "consumer " C1 ": no allocations, so it no longer exists";
    assert_effect(*state, "allocation.delete", "{\"consumer_uuid\":\"" C1 "\"}", &result, expected);
    assert_effect(*state, "allocation.set",
                  "{\"consumer_uuid\":\"" C1 "\",\"consumer_generation\":2," OWNER
                  ",\"allocations\":{}}",
                  &result, expected);
}

/* Writes {"cccccccc-...-01": {...}, ...} with `count` consumers. */
static const char *consumers(struct arena *arena, size_t count)
{
    struct text list = text_of("{");
    for (size_t i = 1; i <= count; i++)
        list = text_format(
            arena,
            "%.*s%s\"cccccccc-0000-4000-8000-%012zu\":{\"consumer_generation\":null," OWNER
            ",\"allocations\":{\"" P1 "\":{\"resources\":{\"VCPU\":1}}}}",
            TEXT_ARGS(list), i > 1 ? "," : "", i);
    return text_format(arena, "%.*s}", TEXT_ARGS(list)).bytes;
}

static void test_of_many_consumers_the_first_are_named(void **state)
{
    struct arena *arena = *state;
    const struct result result = {0};
    struct text params = text_format(arena, "{\"consumers\":%s}", consumers(arena, 5));
    assert_effect(arena, "allocation.batch", params.bytes, &result,
                  "consumer cccccccc-0000-4000-8000-000000000001: VCPU=1 on " P1 "; generation 0; "
                  "consumer cccccccc-0000-4000-8000-000000000002: VCPU=1 on " P1 "; generation 0; "
                  "consumer cccccccc-0000-4000-8000-000000000003: VCPU=1 on " P1 "; generation 0; "
                  "and 2 more consumers");
}

static void test_a_reshape_has_consumers_and_providers(void **state)
{
    const struct consumer_generation consumer = {uuid_of(C1), 1};
    const struct provider_generation provider = {uuid_of(P1), 8};
    const struct result result = {
        .consumers = &consumer, .consumer_count = 1, .providers = &provider, .provider_count = 1};
    struct text params = text_format(*state,
                                     "{\"inventories\":{\"" P1
                                     "\":{\"resource_provider_generation\":7,\"inventories\":"
                                     "{\"VCPU\":{\"total\":4}}}},\"allocations\":%s}",
                                     consumers(*state, 1));
    assert_effect(*state, "reshape", params.bytes, &result,
                  "consumer " C1 ": VCPU=1 on " P1 "; generation 1; provider " P1
                  ": VCPU 4; generation 8");
}

static void test_many_amounts_are_counted(void **state)
{
    struct arena *arena = *state;
    const struct result result = {0};
    struct text list = text_of("");
    for (int i = 10; i < 30; i++)
        list = text_format(arena, "%.*s%s\"CUSTOM_%d\":1", TEXT_ARGS(list), i > 10 ? "," : "", i);
    struct text params =
        text_format(arena,
                    "{\"consumer_uuid\":\"" C1 "\",\"consumer_generation\":null," OWNER
                    ",\"allocations\":{\"" P1 "\":{\"resources\":{%.*s}}}}",
                    TEXT_ARGS(list));
    assert_effect(arena, "allocation.set", params.bytes, &result,
                  "consumer " C1 ": CUSTOM_10=1, CUSTOM_11=1, CUSTOM_12=1, CUSTOM_13=1, "
                  "CUSTOM_14=1, CUSTOM_15=1, CUSTOM_16=1, CUSTOM_17=1 on " P1
                  ", and 12 more; generation 0");
}

static void test_a_read_changes_nothing(void **state)
{
    const struct result result = {0};
    assert_effect(*state, "provider.get", "{\"uuid\":\"" P1 "\"}", &result,
                  "nothing changes: the command only reads");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_provider_is_said_with_its_name_and_place),
        TEST(test_a_deleted_provider_is_said),
        TEST(test_inventories_are_said_with_their_totals),
        TEST(test_allocations_are_said_by_provider),
        TEST(test_a_consumer_without_allocations_ends),
        TEST(test_of_many_consumers_the_first_are_named),
        TEST(test_a_reshape_has_consumers_and_providers),
        TEST(test_many_amounts_are_counted),
        TEST(test_a_read_changes_nothing),
    };
    return cmocka_run_group_tests_name("effect", tests, NULL, NULL) != 0;
}
