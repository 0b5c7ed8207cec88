/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests which params are invalid, and the JSON Pointer of each failure: for commands on providers
 * and inventories, and for reads.
 *
 * A row of a table has the params and the expected pointer, or NULL if they are valid (struct row
 * in test_command_decode.h). Ranges are tested at both limits and one beyond each.
 *
 * Valid params and the structs that they become are in test_command_decode_values.c; params of
 * allocations and reshapes are in test_command_decode_claims.c.
 */
#include "tests/unit/test_command_decode.h"

static void test_a_uuid_is_32_digits_with_all_hyphens_or_none(void **state)
{
#define U(text) "{\"uuid\":" text "}"
    static const struct row rows[] = {
        {U("\"" UUID_A "\""), NULL},
        {U("\"11111111111111111111111111111111\""), NULL},
        {U("\"ABCDEFab-cdef-ABCD-EF00-0123456789ab\""), NULL},
        {U("\"11111111-111111111111111111111111\""), "/params/uuid"},
        {U("\"1111111-11111-1111-1111-111111111111\""), "/params/uuid"},
        {U("\"1111111111111111111111111111111\""), "/params/uuid"},
        {U("\"g1111111-1111-1111-1111-111111111111\""), "/params/uuid"},
        {U("\"{" UUID_A "}\""), "/params/uuid"},
        {U("\" " UUID_A "\""), "/params/uuid"},
        {U("\"urn:uuid:" UUID_A "\""), "/params/uuid"},
        {U("\"\""), "/params/uuid"},
        {U("null"), "/params/uuid"},
        {U("1"), "/params/uuid"},
        {U("[\"" UUID_A "\"]"), "/params/uuid"},
        {"{}", "/params/uuid"},
        {"{" ID ",\"name\":\"x\"}", "/params/name"},
        {"[]", "/params"},
        {"\"x\"", "/params"},
        {"null", "/params"},
    };
    CHECK(*state, "provider.get", rows);
    CHECK(*state, "provider.delete", rows);
}

static void test_a_provider_has_a_name_and_perhaps_a_parent(void **state)
{
    static const struct row rows[] = {
        {"{" ID ",\"name\":\"n\"}", NULL},
        {"{" ID ",\"name\":\"n\",\"parent_provider_uuid\":null}", NULL},
        {"{" ID ",\"name\":\"n\",\"parent_provider_uuid\":\"" UUID_B "\"}", NULL},
        {"{" ID ",\"name\":\"n\",\"parent_provider_uuid\":\"" UUID_A "\"}", NULL},
        {"{" ID "}", "/params/name"},
        {"{\"name\":\"n\"}", "/params/uuid"},
        {"{" ID ",\"name\":\"\"}", "/params/name"},
        {"{" ID ",\"name\":null}", "/params/name"},
        {"{" ID ",\"name\":1}", "/params/name"},
        {"{" ID ",\"name\":\"n\",\"parent_provider_uuid\":\"\"}", "/params/parent_provider_uuid"},
        {"{" ID ",\"name\":\"n\",\"parent_provider_uuid\":0}", "/params/parent_provider_uuid"},
        {"{" ID ",\"name\":\"n\",\"parent_provider_uuid\":false}", "/params/parent_provider_uuid"},
        {"{" ID ",\"name\":\"n\",\"generation\":0}", "/params/generation"},
        {"{" ID ",\"name\":\"n\",\"a~/b\":0}", "/params/a~0~1b"},
    };
    CHECK(*state, "provider.create", rows);
    CHECK(*state, "provider.update", rows);
}

static void test_lengths_count_code_points(void **state)
{
    static const char *const units[] = {"a", "\xC3\xA9", "\xF0\x9F\x98\x80", "\\ud83d\\ude00"};
    struct arena *arena = *state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        for (size_t over = 0; over < 2; over++) {
            struct text name = text_format(arena, "{" ID ",\"name\":\"%s\"}",
                                           repeat(arena, units[i], NAME_CHARS_MAX + over));
            struct text user = text_format(arena, "{\"project_id\":\"%s\",\"user_id\":\"%s\"}",
                                           repeat(arena, units[i], OWNER_CHARS_MAX),
                                           repeat(arena, units[i], OWNER_CHARS_MAX + over));
            struct text project = text_format(arena, "{\"project_id\":\"%s\"}",
                                              repeat(arena, units[i], OWNER_CHARS_MAX + over));
            const struct row names[] = {{name.bytes, over ? "/params/name" : NULL}};
            const struct row owners[] = {{user.bytes, over ? "/params/user_id" : NULL},
                                         {project.bytes, over ? "/params/project_id" : NULL}};
            CHECK(arena, "provider.create", names);
            CHECK(arena, "usage.get", owners);
        }
    }
}

static void test_a_page_has_1_to_1000_rows(void **state)
{
    static const struct row rows[] = {
        {"{" ID "}", NULL},
        {"{" ID ",\"limit\":1}", NULL},
        {"{" ID ",\"limit\":1000,\"after\":\"" UUID_B "\"}", NULL},
        {"{" ID ",\"limit\":0}", "/params/limit"},
        {"{" ID ",\"limit\":1001}", "/params/limit"},
        {"{" ID ",\"limit\":-1}", "/params/limit"},
        {"{" ID ",\"limit\":4294967297}", "/params/limit"},
        {"{" ID ",\"limit\":1.0}", "/params/limit"},
        {"{" ID ",\"limit\":1e2}", "/params/limit"},
        {"{" ID ",\"limit\":\"1\"}", "/params/limit"},
        {"{" ID ",\"limit\":null}", "/params/limit"},
        {"{" ID ",\"after\":null}", "/params/after"},
        {"{" ID ",\"after\":\"x\"}", "/params/after"},
        {"{\"limit\":1}", "/params/uuid"},
        {"{" ID ",\"offset\":1}", "/params/offset"},
    };
    CHECK(*state, "provider.allocations", rows);
}

static void test_a_list_has_1_to_1000_providers_and_names_as_bounds(void **state)
{
    static const struct row rows[] = {
        {"{}", NULL},
        {"{\"limit\":1,\"after\":\"a\",\"name_prefix\":\"b\"}", NULL},
        {"{\"limit\":1000}", NULL},
        {"{\"limit\":0}", "/params/limit"},
        {"{\"limit\":1001}", "/params/limit"},
        {"{\"limit\":null}", "/params/limit"},
        {"{\"after\":\"\"}", "/params/after"},
        {"{\"after\":null}", "/params/after"},
        {"{\"after\":7}", "/params/after"},
        {"{\"name_prefix\":\"\"}", "/params/name_prefix"},
        {"{\"name_prefix\":null}", "/params/name_prefix"},
        {"{\"uuid\":\"" UUID_A "\"}", "/params/uuid"},
    };
    CHECK(*state, "provider.list", rows);
}

#define INVENTORY(record)                                                                          \
    "{" ID ",\"resource_provider_generation\":0,\"inventories\":{\"VCPU\":" record "}}"
#define VCPU "/params/inventories/VCPU"

static void test_an_inventory_record_keeps_its_ranges(void **state)
{
    static const struct row rows[] = {
        {INVENTORY("{\"total\":1}"), NULL},
        {INVENTORY("{\"total\":2147483647,\"reserved\":2147483647,\"min_unit\":2147483647,"
                   "\"max_unit\":2147483647,\"step_size\":2147483647}"),
         NULL},
        {INVENTORY("{\"total\":1,\"min_unit\":5,\"max_unit\":5}"), NULL},
        {INVENTORY("{\"total\":1,\"min_unit\":5,\"max_unit\":4}"), VCPU "/min_unit"},
        {INVENTORY("{\"total\":1,\"reserved\":0}"), NULL},
        {INVENTORY("{}"), VCPU "/total"},
        {INVENTORY("{\"total\":0}"), VCPU "/total"},
        {INVENTORY("{\"total\":-1}"), VCPU "/total"},
        {INVENTORY("{\"total\":2147483648}"), VCPU "/total"},
        {INVENTORY("{\"total\":1.0}"), VCPU "/total"},
        {INVENTORY("{\"total\":1e2}"), VCPU "/total"},
        {INVENTORY("{\"total\":null}"), VCPU "/total"},
        {INVENTORY("{\"total\":true}"), VCPU "/total"},
        {INVENTORY("{\"total\":5,\"reserved\":6}"), VCPU "/reserved"},
        {INVENTORY("{\"total\":5,\"reserved\":-1}"), VCPU "/reserved"},
        {INVENTORY("{\"total\":5,\"reserved\":null}"), VCPU "/reserved"},
        {INVENTORY("{\"total\":5,\"reserved\":0.0}"), VCPU "/reserved"},
        {INVENTORY("{\"total\":5,\"min_unit\":0}"), VCPU "/min_unit"},
        {INVENTORY("{\"total\":5,\"min_unit\":2147483648}"), VCPU "/min_unit"},
        {INVENTORY("{\"total\":5,\"max_unit\":0}"), VCPU "/max_unit"},
        {INVENTORY("{\"total\":5,\"max_unit\":2147483648}"), VCPU "/max_unit"},
        {INVENTORY("{\"total\":5,\"step_size\":0}"), VCPU "/step_size"},
        {INVENTORY("{\"total\":5,\"step_size\":\"1\"}"), VCPU "/step_size"},
        {INVENTORY("{\"total\":5,\"size\":1}"), VCPU "/size"},
        {INVENTORY("null"), VCPU},
        {INVENTORY("5"), VCPU},
    };
    CHECK(*state, "inventory.set", rows);
}

static void test_a_ratio_has_at_most_six_decimals(void **state)
{
#define RATIO(number) INVENTORY("{\"total\":5,\"allocation_ratio\":" number "}")
#define INVALID_RATIO VCPU "/allocation_ratio"
    static const struct row rows[] = {
        {RATIO("1"), NULL},
        {RATIO("1.0"), NULL},
        {RATIO("1e2"), NULL},
        {RATIO("16.0"), NULL},
        {RATIO("0.57"), NULL},
        {RATIO("0.000001"), NULL},
        {RATIO("1E-6"), NULL},
        {RATIO("1000000"), NULL},
        {RATIO("1000000.0"), NULL},
        {RATIO("999999.999999"), NULL},
        {RATIO("0.5700000000000000000000000001"), NULL},
        {RATIO("0"), INVALID_RATIO},
        {RATIO("0.0"), INVALID_RATIO},
        {RATIO("-0.0"), INVALID_RATIO},
        {RATIO("-1"), INVALID_RATIO},
        {RATIO("-1.5"), INVALID_RATIO},
        {RATIO("0.0000009"), INVALID_RATIO},
        {RATIO("0.0000015"), INVALID_RATIO},
        {RATIO("1.0000001"), INVALID_RATIO},
        {RATIO("1.0000000000000002"), INVALID_RATIO},
        {RATIO("0.57000000000000006"), INVALID_RATIO},
        {RATIO("1000001"), INVALID_RATIO},
        {RATIO("1000000.000001"), INVALID_RATIO},
        {RATIO("1e300"), INVALID_RATIO},
        {RATIO("9223372036854775807"), INVALID_RATIO},
        {RATIO("-9223372036854775808"), INVALID_RATIO},
        {RATIO("\"1.0\""), INVALID_RATIO},
        {RATIO("null"), INVALID_RATIO},
    };
    CHECK(*state, "inventory.set", rows);
}

static void test_an_inventory_is_set_as_a_whole(void **state)
{
    static const struct row rows[] = {
        {"{" ID "," GENERATION ",\"inventories\":{}}", NULL},
        {"{" ID ",\"resource_provider_generation\":-1,\"inventories\":{}}", NULL},
        {"{" ID "," GENERATION "}", "/params/inventories"},
        {"{" ID "," GENERATION ",\"inventories\":null}", "/params/inventories"},
        {"{" ID "," GENERATION ",\"inventories\":[]}", "/params/inventories"},
        {"{" ID ",\"inventories\":{}}", "/params/resource_provider_generation"},
        {"{" ID ",\"inventories\":{},\"resource_provider_generation\":null}",
         "/params/resource_provider_generation"},
        {"{" ID ",\"inventories\":{},\"resource_provider_generation\":0.0}",
         "/params/resource_provider_generation"},
        {"{" GENERATION ",\"inventories\":{}}", "/params/uuid"},
        {"{" ID "," GENERATION ",\"inventories\":{},\"generation\":1}", "/params/generation"},
    };
    CHECK(*state, "inventory.set", rows);
}

static struct decoded decode_class(struct arena *arena, const char *name)
{
    struct text params =
        text_format(arena, "{" ID "," GENERATION ",\"inventories\":{\"%s\":{\"total\":1}}}", name);
    return decode_command(arena, "inventory.set", params.bytes);
}

static void test_a_resource_class_is_standard_or_custom(void **state)
{
    static const char *const valid[] = {
        "VCPU",
        "MEMORY_MB",
        "DISK_GB",
        "PCI_DEVICE",
        "SRIOV_NET_VF",
        "NUMA_SOCKET",
        "NUMA_CORE",
        "NUMA_THREAD",
        "NUMA_MEMORY_MB",
        "IPV4_ADDRESS",
        "VGPU",
        "VGPU_DISPLAY_HEAD",
        "NET_BW_EGR_KILOBIT_PER_SEC",
        "NET_BW_IGR_KILOBIT_PER_SEC",
        "PCPU",
        "MEM_ENCRYPTION_CONTEXT",
        "FPGA",
        "PGPU",
        "NET_PACKET_RATE_KILOPACKET_PER_SEC",
        "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
        "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
        "CUSTOM_A",
        "CUSTOM_0",
        "CUSTOM__",
        "CUSTOM_CUSTOM_VCPU",
        "\\u0056CPU",
    };
    static const char *const invalid[] = {"",          "vcpu",       "VCPUS",     "VCP",
                                          "GPU",       "CUSTOM_",    "CUSTOM",    "custom_a",
                                          "CUSTOM_a",  "CUSTOM_A-B", "CUSTOM_A ", "CUSTOM_\xC3\x89",
                                          "XCUSTOM_A", " VCPU"};
    struct arena *arena = *state;
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        struct decoded decoded = decode_class(arena, valid[i]);
        assert_accepted(&decoded);
    }
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        struct decoded decoded = decode_class(arena, invalid[i]);
        assert_invalid(&decoded, text_format(arena, "/params/inventories/%s", invalid[i]).bytes);
    }
    const char *longest = text_format(arena, "CUSTOM_%s", repeat(arena, "X", 248)).bytes;
    struct decoded decoded = decode_class(arena, longest);
    assert_accepted(&decoded);
    const char *longer = text_format(arena, "%sX", longest).bytes;
    decoded = decode_class(arena, longer);
    assert_invalid(&decoded, text_format(arena, "/params/inventories/%s", longer).bytes);
}

static void test_allocation_get_names_one_consumer(void **state)
{
    static const struct row rows[] = {
        {"{" CONSUMER "}", NULL},
        {"{}", "/params/consumer_uuid"},
        {"{\"consumer_uuid\":null}", "/params/consumer_uuid"},
        {"{" CONSUMER "," ID "}", "/params/uuid"},
    };
    CHECK(*state, "allocation.get", rows);
}

static void test_usage_is_of_a_project(void **state)
{
    static const struct row rows[] = {
        {"{\"project_id\":\"p\"}", NULL},
        {"{\"project_id\":\"p\",\"user_id\":\"u\"}", NULL},
        {"{}", "/params/project_id"},
        {"{\"user_id\":\"u\"}", "/params/project_id"},
        {"{\"project_id\":null}", "/params/project_id"},
        {"{\"project_id\":\"p\",\"user_id\":\"\"}", "/params/user_id"},
        {"{\"project_id\":\"p\",\"user_id\":null}", "/params/user_id"},
        {"{\"project_id\":\"p\",\"consumer_type\":null}", "/params/consumer_type"},
        {"{\"project_id\":\"p\",\"group\":1}", "/params/group"},
    };
    CHECK(*state, "usage.get", rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(test_a_uuid_is_32_digits_with_all_hyphens_or_none),
        ARENA_TEST(test_a_provider_has_a_name_and_perhaps_a_parent),
        ARENA_TEST(test_lengths_count_code_points),
        ARENA_TEST(test_a_page_has_1_to_1000_rows),
        ARENA_TEST(test_a_list_has_1_to_1000_providers_and_names_as_bounds),
        ARENA_TEST(test_an_inventory_record_keeps_its_ranges),
        ARENA_TEST(test_a_ratio_has_at_most_six_decimals),
        ARENA_TEST(test_an_inventory_is_set_as_a_whole),
        ARENA_TEST(test_a_resource_class_is_standard_or_custom),
        ARENA_TEST(test_allocation_get_names_one_consumer),
        ARENA_TEST(test_usage_is_of_a_project),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
