/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the values of --resource and --provider.
 *
 * First the groups of `allotctl allocate`: which resources belong to which provider, in each order
 * of the options, and the error that names what belongs to nothing. Then the inventories of
 * `allotctl provider set-inventory`: defaults, each key, and the error for each malformed value.
 *
 * Not here: what the commands send (tests/system/test_worker_operator.c).
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "allot/limits.h"
#include "ctl/request/resource_argument.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static struct arena *arena;
static struct error error;

/* --- groups --------------------------------------------------------------------------------- */

/* Words that begin with '@' are providers, all others resources; NULL ends them. */
static bool read_groups(const char *const *words, struct resource_groups *ret_groups)
{
    struct option_item items[8];
    size_t count = 0;
    for (; words[count] != NULL; count++)
        items[count] = words[count][0] == '@'
                           ? (struct option_item){OPTION_PROVIDER, words[count] + 1}
                           : (struct option_item){OPTION_RESOURCE, words[count]};
    return resource_groups_read(items, count, arena, ret_groups, &error);
}

/* Reads valid words and returns the groups as "a: VCPU=2 DISK_GB=1; b: ...". */
static const char *groups_of(const char *const *words)
{
    static char shown[256];
    struct resource_groups groups;
    size_t length = 0;
    if (!read_groups(words, &groups))
        fail_msg("%s", error.text);
    for (size_t i = 0; i < groups.count; i++) {
        length += (size_t)snprintf(shown + length, sizeof shown - length,
                                   "%s%s:", i > 0 ? "; " : "", groups.groups[i].provider);
        for (size_t j = 0; j < groups.groups[i].count; j++) {
            const struct resource *resource = &groups.groups[i].resources[j];
            length +=
                (size_t)snprintf(shown + length, sizeof shown - length, " %.*s=%lld",
                                 TEXT_ARGS(resource->resource_class), (long long)resource->amount);
        }
    }
    return shown;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_a_single_provider_gets_all_in_any_order(void **state)
{
    (void)state;
    static const char all[] = "a: VCPU=2 DISK_GB=1";
    assert_string_equal(groups_of(WORDS("@a", "VCPU=2", "DISK_GB=1")), all);
    assert_string_equal(groups_of(WORDS("VCPU=2", "@a", "DISK_GB=1")), all);
    assert_string_equal(groups_of(WORDS("VCPU=2", "DISK_GB=1", "@a")), all);
}

static void test_the_first_option_says_what_the_order_means(void **state)
{
    (void)state;
    static const char all[] = "a: VCPU=2 DISK_GB=1; b: VCPU=3; c: CUSTOM_X=2147483647";
    assert_string_equal(
        groups_of(WORDS("@a", "VCPU=2", "DISK_GB=1", "@b", "VCPU=3", "@c", "CUSTOM_X=2147483647")),
        all);
    assert_string_equal(
        groups_of(WORDS("VCPU=2", "DISK_GB=1", "@a", "VCPU=3", "@b", "CUSTOM_X=2147483647", "@c")),
        all);
}

static void assert_groups_fail(const char *const *words, const char *why)
{
    struct resource_groups groups;
    assert_false(read_groups(words, &groups));
    assert_string_equal(error.text, why);
}

static void test_what_belongs_to_nothing_is_an_error_that_names_it(void **state)
{
    (void)state;
    assert_groups_fail(WORDS("@a", "@b", "VCPU=1"), "--provider 'a': no --resource belongs to it");
    assert_groups_fail(WORDS("@a", "VCPU=1", "@b"), "--provider 'b': no --resource belongs to it");
    assert_groups_fail(WORDS("VCPU=1", "@a", "@b"), "--provider 'b': no --resource belongs to it");
    assert_groups_fail(WORDS("VCPU=1", "@a", "DISK_GB=2", "@b", "DISK_GB=3"),
                       "--resource 'DISK_GB=3': no --provider belongs to it");
    assert_groups_fail(WORDS("VCPU=1"), "--resource 'VCPU=1': no --provider belongs to it");
    assert_groups_fail(WORDS("@a"), "--provider 'a': no --resource belongs to it");
    assert_groups_fail(WORDS("@a", "VCPU=1", "@a", "VCPU=2"), "--provider 'a' is given twice");
    assert_groups_fail(WORDS("@a", "VCPU=1", "VCPU=2"),
                       "--resource 'VCPU=2': this class is given twice for the provider");
    struct resource_groups groups;
    assert_false(resource_groups_read(NULL, 0, arena, &groups, &error));
    assert_string_equal(error.text, "missing options --resource and --provider");
}

static void test_an_invalid_resource_is_named(void **state)
{
    (void)state;
    static const char *const values[] = {
        "VCPU",    "VCPU=",    "VCPU=x",           "VCPU=0", "VCPU=-1",
        "VCPU=01", "VCPU=1 ",  "VCPU=2147483648",  "=",      "",
        "VCPU=1k", "VCPU=1=1", "VCPU=1:reserved=1"};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct error expected;
        error_set(&expected,
                  "--resource '%s': expected CLASS=AMOUNT, the amount a whole number from 1 to "
                  "2147483647",
                  values[i]);
        assert_groups_fail(WORDS("@a", values[i]), expected.text);
    }
    assert_groups_fail(WORDS("@a", "vcpu=1"),
                       "--resource 'vcpu=1': unknown resource class 'vcpu': expected a standard "
                       "class, such as VCPU, or one that begins with CUSTOM_");
    assert_groups_fail(WORDS("@a", "=1"),
                       "--resource '=1': unknown resource class '': expected a standard class, "
                       "such as VCPU, or one that begins with CUSTOM_");
}

/* --- inventories ---------------------------------------------------------------------------- */

static bool read_inventories(const char *const *words, struct inventory **ret_inventories,
                             size_t *ret_count)
{
    struct option_item items[8];
    size_t count = 0;
    for (; words[count] != NULL; count++)
        items[count] = (struct option_item){OPTION_INVENTORY, words[count]};
    *ret_count = count;
    return inventories_read(items, count, arena, ret_inventories, &error);
}

static struct inventory inventory_of(const char *word)
{
    struct inventory *inventories = NULL;
    size_t count = 0;
    if (!read_inventories(WORDS(word), &inventories, &count))
        fail_msg("%s", error.text);
    return inventories[0];
}

static void test_an_inventory_has_the_defaults_of_the_protocol(void **state)
{
    (void)state;
    struct inventory inventory = inventory_of("VCPU=16");
    assert_true(text_is(inventory.resource_class, "VCPU"));
    assert_int_equal(inventory.total, 16);
    assert_int_equal(inventory.reserved, 0);
    assert_int_equal(inventory.min_unit, 1);
    assert_int_equal(inventory.max_unit, INT32_MAX);
    assert_int_equal(inventory.step_size, 1);
    assert_int_equal(inventory.ratio, RATIO_ONE);
}

static void test_an_inventory_has_what_is_given(void **state)
{
    (void)state;
    struct inventory inventory = inventory_of("MEMORY_MB=65536:reserved=512,allocation_ratio=1.5,"
                                              "min_unit=2,max_unit=8,step_size=4");
    assert_int_equal(inventory.total, 65536);
    assert_int_equal(inventory.reserved, 512);
    assert_int_equal(inventory.min_unit, 2);
    assert_int_equal(inventory.max_unit, 8);
    assert_int_equal(inventory.step_size, 4);
    assert_int_equal(inventory.ratio, 1500000);
    assert_int_equal(inventory_of("VCPU=1:allocation_ratio=0.000001").ratio, 1);
    assert_int_equal(inventory_of("VCPU=1:allocation_ratio=1000000").ratio, RATIO_MAX);
    assert_int_equal(inventory_of("VCPU=1:allocation_ratio=16").ratio, 16000000);
    assert_int_equal(inventory_of("VCPU=1:allocation_ratio=0.57").ratio, 570000);
}

static void assert_inventory_fails(const char *const *words, const char *why)
{
    struct inventory *inventories = NULL;
    size_t count = 0;
    if (read_inventories(words, &inventories, &count))
        fail_msg("%s is valid", words[0]);
    if (strstr(error.text, why) == NULL || strstr(error.text, "--resource '") != error.text)
        fail_msg("%s", error.text);
}

static void test_an_invalid_inventory_is_named(void **state)
{
    (void)state;
    static const char form[] = "': expected CLASS=TOTAL or CLASS=TOTAL:KEY=VALUE,...";
    static const char key[] = "': expected CLASS=TOTAL:KEY=VALUE,... with the keys reserved";
    static const char *const ratios[] = {"0",  "0.0000001", "1000000.1", "1.", ".5", "1.5x",
                                         "-1", "1e3",       "1.5.1",     "01", ""};
    assert_inventory_fails(WORDS("VCPU"), form);
    assert_inventory_fails(WORDS("VCPU=0"), form);
    assert_inventory_fails(WORDS("VCPU=:reserved=1"), form);
    assert_inventory_fails(WORDS("VCPU=1:"), key);
    assert_inventory_fails(WORDS("VCPU=1:reserved"), key);
    assert_inventory_fails(WORDS("VCPU=1:reserved=1,"), key);
    assert_inventory_fails(WORDS("VCPU=1:total=1"), key);
    assert_inventory_fails(WORDS("VCPU=1:reserved=1,reserved=1"), "a key is given twice");
    assert_inventory_fails(WORDS("VCPU=1:reserved=-1"), "reserved: expected a whole number from 0");
    assert_inventory_fails(WORDS("VCPU=1:min_unit=0"), "min_unit: expected a whole number from 1");
    assert_inventory_fails(WORDS("VCPU=1:max_unit=2147483648"), "max_unit: expected");
    assert_inventory_fails(WORDS("VCPU=1:step_size=0"), "step_size: expected");
    assert_inventory_fails(WORDS("VCPUS=1"), "unknown resource class 'VCPUS'");
    assert_inventory_fails(WORDS("VCPU=1", "VCPU=2"), "'VCPU=2': this class is given twice");
    for (size_t i = 0; i < COUNT_OF(ratios); i++) {
        struct text word = text_format(arena, "VCPU=1:allocation_ratio=%s", ratios[i]);
        assert_inventory_fails(WORDS(word.bytes), "allocation_ratio: expected a decimal");
    }
}

static int open_arena(void **state)
{
    (void)state;
    arena = arena_new(0);
    return 0;
}

static int free_arena(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_single_provider_gets_all_in_any_order),
        cmocka_unit_test(test_the_first_option_says_what_the_order_means),
        cmocka_unit_test(test_what_belongs_to_nothing_is_an_error_that_names_it),
        cmocka_unit_test(test_an_invalid_resource_is_named),
        cmocka_unit_test(test_an_inventory_has_the_defaults_of_the_protocol),
        cmocka_unit_test(test_an_inventory_has_what_is_given),
        cmocka_unit_test(test_an_invalid_inventory_is_named),
    };
    return cmocka_run_group_tests(tests, open_arena, free_arena) != 0;
}
