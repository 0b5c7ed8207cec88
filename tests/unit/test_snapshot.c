/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "common/core/snapshot.h"

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

static struct uuid uuid_of(unsigned number)
{
    struct uuid uuid = {{0}};
    uuid.bytes[0] = (uint8_t)(number >> 8);
    uuid.bytes[1] = (uint8_t)number;
    return uuid;
}

static void test_slots_are_sorted_and_have_no_duplicates(void **state)
{
    struct snapshot *snapshot = snapshot_new(*state);
    for (unsigned i = 0; i < 1000; i++) {
        snapshot_want_provider(snapshot, uuid_of((i * 7919) % 500));
        snapshot_want_consumer(snapshot, uuid_of((i * 7919) % 300));
    }
    snapshot_seal(snapshot);
    assert_int_equal(snapshot->provider_count, 500);
    assert_int_equal(snapshot->consumer_count, 300);
    for (unsigned i = 0; i < 500; i++)
        assert_true(uuid_equal(snapshot->providers[i].id, uuid_of(i)));
    assert_ptr_equal(snapshot_consumer(snapshot, uuid_of(299)), &snapshot->consumers[299]);
}

static void test_a_loaded_slot_keeps_its_content_over_a_second_seal(void **state)
{
    struct snapshot *snapshot = snapshot_new(*state);
    snapshot_want_provider(snapshot, uuid_of(5));
    snapshot_want_consumer(snapshot, uuid_of(5));
    snapshot_want_outcome(snapshot, text_of("a"), text_of("k"));
    snapshot_want_name(snapshot, text_of("n"));
    snapshot_seal(snapshot);
    snapshot->providers[0].state.loaded = true;
    snapshot->providers[0].generation = 42;
    snapshot->consumers[0].state.loaded = true;
    snapshot->consumers[0].generation = 43;
    snapshot->outcomes[0].state.loaded = true;
    snapshot->outcomes[0].decided_by = 44;
    snapshot->names[0].loaded = true;
    snapshot->names[0].taken = true;
    for (unsigned i = 0; i < 100; i++) {
        snapshot_want_provider(snapshot, uuid_of(i % 10));
        snapshot_want_consumer(snapshot, uuid_of(i % 10));
        snapshot_want_outcome(snapshot, text_of("a"), text_of("k"));
        snapshot_want_name(snapshot, text_of("n"));
    }
    snapshot_seal(snapshot);
    assert_int_equal(snapshot->provider_count, 10);
    assert_int_equal(snapshot_provider(snapshot, uuid_of(5))->generation, 42);
    assert_int_equal(snapshot_consumer(snapshot, uuid_of(5))->generation, 43);
    assert_int_equal(snapshot_outcome(snapshot, text_of("a"), text_of("k"))->decided_by, 44);
    assert_true(snapshot_name(snapshot, text_of("n"))->taken);
    assert_false(snapshot_provider(snapshot, uuid_of(4))->state.loaded);
}

static void test_one_key_of_two_principals_has_two_slots(void **state)
{
    struct snapshot *snapshot = snapshot_new(*state);
    snapshot_want_outcome(snapshot, text_of("a"), text_of("bc"));
    snapshot_want_outcome(snapshot, text_of("ab"), text_of("c"));
    snapshot_want_outcome(snapshot, text_of("a"), text_of("bc"));
    snapshot_seal(snapshot);
    assert_int_equal(snapshot->outcome_count, 2);
    assert_ptr_not_equal(snapshot_outcome(snapshot, text_of("a"), text_of("bc")),
                         snapshot_outcome(snapshot, text_of("ab"), text_of("c")));
}

static void test_any_dirty_slot_makes_the_snapshot_dirty(void **state)
{
    struct snapshot *snapshot = snapshot_new(*state);
    snapshot_want_provider(snapshot, uuid_of(1));
    snapshot_want_consumer(snapshot, uuid_of(1));
    snapshot_want_outcome(snapshot, text_of("a"), text_of("k"));
    snapshot_seal(snapshot);
    assert_false(snapshot_is_dirty(snapshot));
    bool *flags[] = {&snapshot->providers[0].state.dirty, &snapshot->consumers[0].state.dirty,
                     &snapshot->outcomes[0].state.dirty, &snapshot->fence};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        *flags[i] = true;
        assert_true(snapshot_is_dirty(snapshot));
        *flags[i] = false;
    }
}

static void test_an_inventory_is_found_by_its_class(void **state)
{
    (void)state;
    struct inventory_record records[] = {{.inventory = {.resource_class = text_of("DISK_GB")}},
                                         {.inventory = {.resource_class = text_of("VCPU")}}};
    struct provider provider = {.records = records, .record_count = 2};
    assert_ptr_equal(provider_record(&provider, text_of("VCPU")), &records[1]);
    assert_null(provider_record(&provider, text_of("VCP")));
    provider.record_count = 0;
    assert_null(provider_record(&provider, text_of("VCPU")));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_slots_are_sorted_and_have_no_duplicates),
        TEST(test_a_loaded_slot_keeps_its_content_over_a_second_seal),
        TEST(test_one_key_of_two_principals_has_two_slots),
        TEST(test_any_dirty_slot_makes_the_snapshot_dirty),
        TEST(test_an_inventory_is_found_by_its_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
