/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the structs of an accepted command: every member has the value that the JSON gave, defaults
 * are filled in, and lists are sorted by UUID and by class.
 *
 * Each test decodes one valid command (accepted) and compares the members of `params`. The last
 * test overwrites the body after decoding: a request must not point into it.
 *
 * Invalid params are in test_command_decode_params.c and test_command_decode_claims.c; the planner
 * relies on the sorting, see common/core/command.h.
 */
#include "tests/unit/test_command_decode.h"

static struct command accepted(struct arena *arena, const char *command, const char *params)
{
    struct decoded decoded = decode_command(arena, command, params);
    assert_accepted(&decoded);
    return decoded.request.command;
}

static void test_a_parent_is_absent_null_or_named(void **state)
{
#define PROVIDER "\"uuid\":\"AAAAAAAABBBBCCCCDDDDEEEEEEEEEEEE\",\"name\":\"caf\\u00e9\""
    struct provider_params absent =
        accepted(*state, "provider.update", "{" PROVIDER "}").params.provider;
    assert_uuid(absent.uuid, "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
    assert_text(absent.name, "caf\xC3\xA9");
    assert_false(absent.parent_given);
    assert_false(absent.has_parent);

    struct provider_params none =
        accepted(*state, "provider.update", "{" PROVIDER ",\"parent_provider_uuid\":null}")
            .params.provider;
    assert_true(none.parent_given);
    assert_false(none.has_parent);

    struct provider_params named =
        accepted(*state, "provider.create",
                 "{" PROVIDER ",\"parent_provider_uuid\":\"" UUID_B "\"}")
            .params.provider;
    assert_true(named.parent_given);
    assert_true(named.has_parent);
    assert_uuid(named.parent, UUID_B);
}

static void test_a_page_has_defaults(void **state)
{
    struct page_params plain =
        accepted(*state, "provider.allocations", "{\"uuid\":\"" UUID_A "\"}").params.page;
    assert_uuid(plain.provider, UUID_A);
    assert_int_equal(plain.limit, PAGE_ROWS_MAX);
    assert_false(plain.has_after);

    struct page_params next =
        accepted(*state, "provider.allocations",
                 "{\"uuid\":\"" UUID_A "\",\"limit\":7,\"after\":\"" UUID_B "\"}")
            .params.page;
    assert_int_equal(next.limit, 7);
    assert_true(next.has_after);
    assert_uuid(next.after, UUID_B);
}

static void test_a_list_has_defaults(void **state)
{
    struct list_params plain = accepted(*state, "provider.list", "{}").params.list;
    assert_int_equal(plain.limit, PAGE_ROWS_MAX);
    assert_false(text_present(plain.after));
    assert_false(text_present(plain.prefix));

    struct list_params full = accepted(*state, "provider.list",
                                       "{\"limit\":7,\"after\":\"b\",\"name_prefix\":\"\\u00e9\"}")
                                  .params.list;
    assert_int_equal(full.limit, 7);
    assert_text(full.after, "b");
    assert_text(full.prefix, "\xc3\xa9");
}

static void test_a_usage_query_keeps_what_was_given(void **state)
{
    struct usage_params plain =
        accepted(*state, "usage.get", "{\"project_id\":\"p\"}").params.usage;
    assert_text(plain.project_id, "p");
    assert_false(text_present(plain.user_id));
    assert_false(text_present(plain.consumer_type));
    struct usage_params full =
        accepted(*state, "usage.get",
                 "{\"project_id\":\"p\",\"user_id\":\"u\",\"consumer_type\":\"all\"}")
            .params.usage;
    assert_text(full.user_id, "u");
    assert_text(full.consumer_type, "all");
}

static void test_an_inventory_has_defaults_and_is_sorted_by_class(void **state)
{
    struct change_params change =
        accepted(*state, "inventory.set",
                 "{\"uuid\":\"" UUID_A "\",\"resource_provider_generation\":5,\"inventories\":{"
                 "\"VCPU\":{\"total\":8},\"CUSTOM_A\":{\"total\":9,\"reserved\":1,\"min_unit\":2,"
                 "\"max_unit\":3,\"step_size\":4,\"allocation_ratio\":0.57},"
                 "\"DISK_GB\":{\"total\":7,\"allocation_ratio\":16}}}")
            .params.change;
    assert_int_equal(change.claim_count, 0);
    assert_int_equal(change.inventory_count, 1);
    const struct inventory_change *set = &change.inventories[0];
    assert_uuid(set->provider, UUID_A);
    assert_int_equal(set->generation, 5);
    assert_int_equal(set->count, 3);

    const struct inventory *custom = &set->inventories[0];
    assert_text(custom->resource_class, "CUSTOM_A");
    assert_int_equal(custom->total, 9);
    assert_int_equal(custom->reserved, 1);
    assert_int_equal(custom->min_unit, 2);
    assert_int_equal(custom->max_unit, 3);
    assert_int_equal(custom->step_size, 4);
    assert_int_equal(custom->ratio, 570000);
    assert_text(set->inventories[1].resource_class, "DISK_GB");
    assert_int_equal(set->inventories[1].ratio, 16000000);

    const struct inventory *plain = &set->inventories[2];
    assert_text(plain->resource_class, "VCPU");
    assert_int_equal(plain->total, 8);
    assert_int_equal(plain->reserved, 0);
    assert_int_equal(plain->min_unit, 1);
    assert_int_equal(plain->max_unit, AMOUNT_MAX);
    assert_int_equal(plain->step_size, 1);
    assert_int_equal(plain->ratio, RATIO_ONE);
}

#define OWNER "\"project_id\":\"p\",\"user_id\":\"u\",\"consumer_type\":\"INSTANCE\""

static void test_an_allocation_is_sorted_by_provider_then_class(void **state)
{
    struct change_params change =
        accepted(*state, "allocation.set",
                 "{\"consumer_uuid\":\"" UUID_C "\"," OWNER ",\"consumer_generation\":4,"
                 "\"allocations\":{\"" UUID_B "\":{\"resources\":{\"VCPU\":3,\"DISK_GB\":2}},"
                 "\"" UUID_A "\":{\"generation\":-6,\"resources\":{\"VCPU\":1}}}}")
            .params.change;
    assert_int_equal(change.inventory_count, 0);
    assert_int_equal(change.claim_count, 1);
    const struct claim *claim = &change.claims[0];
    assert_uuid(claim->consumer, UUID_C);
    assert_false(claim->is_delete);
    assert_true(claim->has_generation);
    assert_int_equal(claim->generation, 4);
    assert_text(claim->project_id, "p");
    assert_text(claim->user_id, "u");
    assert_text(claim->consumer_type, "INSTANCE");
    assert_false(text_present(claim->mappings));

    assert_int_equal(claim->provider_count, 2);
    assert_uuid(claim->providers[0].provider, UUID_A);
    assert_true(claim->providers[0].has_generation);
    assert_int_equal(claim->providers[0].generation, -6);
    assert_uuid(claim->providers[1].provider, UUID_B);
    assert_false(claim->providers[1].has_generation);

    static const struct {
        const char *provider;
        const char *resource_class;
        int64_t amount;
    } expected[] = {{UUID_A, "VCPU", 1}, {UUID_B, "DISK_GB", 2}, {UUID_B, "VCPU", 3}};
    assert_int_equal(claim->allocation_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_uuid(claim->allocations[i].provider, expected[i].provider);
        assert_text(claim->allocations[i].resource_class, expected[i].resource_class);
        assert_int_equal(claim->allocations[i].amount, expected[i].amount);
    }
}

static void test_a_null_generation_means_no_such_consumer_yet(void **state)
{
    struct change_params change = accepted(*state, "allocation.set",
                                           "{\"consumer_uuid\":\"" UUID_C "\"," OWNER
                                           ",\"consumer_generation\":null,\"allocations\":{}}")
                                      .params.change;
    assert_false(change.claims[0].has_generation);
    assert_int_equal(change.claims[0].allocation_count, 0);
    assert_int_equal(change.claims[0].provider_count, 0);
}

static void test_mappings_are_kept_in_canonical_form(void **state)
{
    struct change_params change =
        accepted(*state, "allocation.set",
                 "{\"consumer_uuid\":\"" UUID_C "\"," OWNER
                 ",\"consumer_generation\":null,\"allocations\":{},\"mappings\":"
                 "{ \"b\" : [\"CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC\", \"" UUID_B "\"],"
                 "\"\":[\"" UUID_A "\"], \"B\":[\"" UUID_A "\",\"" UUID_A "\"]}}")
            .params.change;
    assert_text(change.claims[0].mappings, "{\"\":[\"" UUID_A "\"],\"B\":[\"" UUID_A "\",\"" UUID_A
                                           "\"],\"b\":[\"" UUID_C "\",\"" UUID_B "\"]}");
}

static void test_a_delete_has_a_generation_only_if_one_was_given(void **state)
{
    struct claim plain = accepted(*state, "allocation.delete", "{\"consumer_uuid\":\"" UUID_C "\"}")
                             .params.change.claims[0];
    assert_true(plain.is_delete);
    assert_false(plain.has_generation);
    assert_uuid(plain.consumer, UUID_C);
    struct claim exact = accepted(*state, "allocation.delete",
                                  "{\"consumer_uuid\":\"" UUID_C "\",\"consumer_generation\":0}")
                             .params.change.claims[0];
    assert_true(exact.has_generation);
    assert_int_equal(exact.generation, 0);
}

static void test_allocation_get_names_its_consumer(void **state)
{
    struct command command =
        accepted(*state, "allocation.get", "{\"consumer_uuid\":\"" UUID_C "\"}");
    assert_uuid(command.params.consumer, UUID_C);
}

#define CLAIM(generation)                                                                          \
    "{" OWNER ",\"consumer_generation\":" generation ",\"allocations\":{\"" UUID_B                 \
    "\":{\"resources\":{\"VCPU\":" generation "}}}}"

static void assert_sorted_claims(struct change_params change)
{
    assert_int_equal(change.claim_count, 3);
    static const char *const consumers[] = {UUID_A, UUID_B, UUID_C};
    for (size_t i = 0; i < 3; i++) {
        assert_uuid(change.claims[i].consumer, consumers[i]);
        assert_int_equal(change.claims[i].generation, (int64_t)i + 1);
        assert_int_equal(change.claims[i].allocations[0].amount, (int64_t)i + 1);
    }
}

#define CLAIMS                                                                                     \
    "{\"" UUID_C "\":" CLAIM("3") ",\"" UUID_A "\":" CLAIM("1") ",\"" UUID_B "\":" CLAIM("2") "}"

static void test_a_batch_is_sorted_by_consumer(void **state)
{
    struct change_params change =
        accepted(*state, "allocation.batch", "{\"consumers\":" CLAIMS "}").params.change;
    assert_int_equal(change.inventory_count, 0);
    assert_sorted_claims(change);
}

static void test_a_reshape_is_sorted_by_provider_and_consumer(void **state)
{
    struct change_params change =
        accepted(*state, "reshape",
                 "{\"allocations\":" CLAIMS ",\"inventories\":{"
                 "\"" UUID_B "\":{\"resource_provider_generation\":2,\"inventories\":{}},"
                 "\"" UUID_A "\":{\"resource_provider_generation\":1,\"inventories\":"
                 "{\"VCPU\":{\"total\":4}}}}}")
            .params.change;
    assert_sorted_claims(change);
    assert_int_equal(change.inventory_count, 2);
    assert_uuid(change.inventories[0].provider, UUID_A);
    assert_int_equal(change.inventories[0].generation, 1);
    assert_int_equal(change.inventories[0].count, 1);
    assert_int_equal(change.inventories[0].inventories[0].total, 4);
    assert_uuid(change.inventories[1].provider, UUID_B);
    assert_int_equal(change.inventories[1].count, 0);
}

/* The body is freed before the planner runs, so nothing of the request may point into it. */
static void test_a_request_does_not_live_in_the_body(void **state)
{
    static const char text[] = "{\"version\":1,\"command\":\"allocation.set\",\"params\":"
                               "{\"consumer_uuid\":\"" UUID_C "\"," OWNER
                               ",\"consumer_generation\":1,\"allocations\":{\"" UUID_B
                               "\":{\"resources\":{\"CUSTOM_X\":1}}}}}";
    char *body = arena_alloc(*state, sizeof text);
    memcpy(body, text, sizeof text);
    struct decoded decoded = decode_delivery(*state, delivery_of(text_view(body, sizeof text - 1)));
    memset(body, '#', sizeof text);
    assert_accepted(&decoded);
    const struct claim *claim = &decoded.request.command.params.change.claims[0];
    assert_text(claim->project_id, "p");
    assert_text(claim->allocations[0].resource_class, "CUSTOM_X");
    assert_text(decoded.command, "allocation.set");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(test_a_parent_is_absent_null_or_named),
        ARENA_TEST(test_a_page_has_defaults),
        ARENA_TEST(test_a_list_has_defaults),
        ARENA_TEST(test_a_usage_query_keeps_what_was_given),
        ARENA_TEST(test_an_inventory_has_defaults_and_is_sorted_by_class),
        ARENA_TEST(test_an_allocation_is_sorted_by_provider_then_class),
        ARENA_TEST(test_a_null_generation_means_no_such_consumer_yet),
        ARENA_TEST(test_mappings_are_kept_in_canonical_form),
        ARENA_TEST(test_a_delete_has_a_generation_only_if_one_was_given),
        ARENA_TEST(test_allocation_get_names_its_consumer),
        ARENA_TEST(test_a_batch_is_sorted_by_consumer),
        ARENA_TEST(test_a_reshape_is_sorted_by_provider_and_consumer),
        ARENA_TEST(test_a_request_does_not_live_in_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
