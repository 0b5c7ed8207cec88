/* SPDX-License-Identifier: Apache-2.0 */
/* Tests plan_prefix: how many requests of a batch fit into one transaction. */
#include "tests/support/cmocka.h"

#include "common/core/plan.h"

enum { REQUESTS = 4, MANY = 1000 };

static struct uuid uuid_of(uint8_t number)
{
    return (struct uuid){{number}};
}

struct batch {
    struct arena *arena;
    struct request requests[REQUESTS];
    const struct request *list[REQUESTS];
    size_t count;
};

static int setup(void **state)
{
    struct arena *arena = arena_new(0);
    struct batch *batch = ARENA_NEW(arena, struct batch);
    batch->arena = arena;
    *state = batch;
    return 0;
}

static int teardown(void **state)
{
    arena_free(((struct batch *)*state)->arena);
    return 0;
}

static struct request *add(struct batch *batch, enum command_kind kind)
{
    struct request *request = &batch->requests[batch->count];
    batch->list[batch->count++] = request;
    request->principal = text_of("a");
    request->key = text_format(batch->arena, "k%zu", batch->count);
    request->command.kind = kind;
    return request;
}

/* Adds an allocation.set; it touches three documents: consumer, provider and outcome. */
static void add_set(struct batch *batch, uint8_t consumer, uint8_t provider)
{
    struct claim *claim = ARENA_NEW(batch->arena, struct claim);
    struct named_provider *named = ARENA_NEW(batch->arena, struct named_provider);
    named->provider = uuid_of(provider);
    claim->consumer = uuid_of(consumer);
    claim->providers = named;
    claim->provider_count = 1;
    struct request *request = add(batch, COMMAND_ALLOCATION_SET);
    request->command.params.change = (struct change_params){.claims = claim, .claim_count = 1};
}

static struct snapshot *load(struct batch *batch)
{
    struct snapshot *snapshot = snapshot_new(batch->arena);
    plan_want_first(snapshot, batch->list, batch->count);
    return snapshot;
}

static size_t prefix(struct batch *batch, size_t documents_max)
{
    return plan_prefix(load(batch), batch->list, batch->count, documents_max);
}

static void test_a_document_counts_once_however_many_requests_touch_it(void **state)
{
    struct batch *batch = *state;
    for (uint8_t i = 0; i < REQUESTS; i++)
        add_set(batch, (uint8_t)(10 + i), 1);
    /* The first touches three documents, each of the others two more: 3, 5, 7, 9. */
    assert_int_equal(prefix(batch, 9), 4);
    assert_int_equal(prefix(batch, 8), 3);
    assert_int_equal(prefix(batch, 7), 3);
    assert_int_equal(prefix(batch, 6), 2);
    assert_int_equal(prefix(batch, 3), 1);
}

static void test_a_consumer_and_a_provider_of_one_uuid_are_two_documents(void **state)
{
    struct batch *batch = *state;
    add_set(batch, 1, 1);
    add_set(batch, 2, 1);
    assert_int_equal(prefix(batch, 5), 2);
    assert_int_equal(prefix(batch, 4), 1);
}

static void test_the_first_request_always_fits(void **state)
{
    struct batch *batch = *state;
    add_set(batch, 10, 1);
    add_set(batch, 11, 2);
    assert_int_equal(prefix(batch, 1), 1);
    assert_int_equal(prefix(batch, 0), 1);
}

static void test_the_whole_batch_fits_if_its_documents_do(void **state)
{
    struct batch *batch = *state;
    add_set(batch, 10, 1);
    add_set(batch, 11, 2);
    assert_int_equal(prefix(batch, 6), 2);
    assert_int_equal(prefix(batch, 5), 1);
    assert_int_equal(prefix(batch, MANY), 2);
}

static void test_old_allocations_of_a_consumer_are_counted(void **state)
{
    struct batch *batch = *state;
    add_set(batch, 10, 1);
    add_set(batch, 11, 1);
    struct snapshot *snapshot = load(batch);
    struct allocation allocations[] = {{uuid_of(2), text_of("DISK_GB"), 1},
                                       {uuid_of(2), text_of("VCPU"), 1},
                                       {uuid_of(3), text_of("VCPU"), 1}};
    struct consumer *consumer = snapshot_consumer(snapshot, uuid_of(10));
    consumer->state.exists = true;
    consumer->allocations = allocations;
    consumer->allocation_count = 3;
    /* Outcome, consumer, and three providers; then outcome and consumer. */
    assert_int_equal(plan_prefix(snapshot, batch->list, batch->count, 7), 2);
    assert_int_equal(plan_prefix(snapshot, batch->list, batch->count, 6), 1);
    consumer->state.exists = false; /* a deleted consumer has no allocations */
    assert_int_equal(plan_prefix(snapshot, batch->list, batch->count, 5), 2);
    assert_int_equal(plan_prefix(snapshot, batch->list, batch->count, 4), 1);
}

static void test_an_inventory_counts_its_provider(void **state)
{
    struct batch *batch = *state;
    struct inventory_change change = {.provider = uuid_of(1)};
    for (size_t i = 0; i < 2; i++) {
        struct request *request = add(batch, COMMAND_INVENTORY_SET);
        request->command.params.change =
            (struct change_params){.inventories = &change, .inventory_count = 1};
    }
    assert_int_equal(prefix(batch, 3), 2);
    assert_int_equal(prefix(batch, 2), 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_document_counts_once_however_many_requests_touch_it),
        TEST(test_a_consumer_and_a_provider_of_one_uuid_are_two_documents),
        TEST(test_the_first_request_always_fits),
        TEST(test_the_whole_batch_fits_if_its_documents_do),
        TEST(test_old_allocations_of_a_consumer_are_counted),
        TEST(test_an_inventory_counts_its_provider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
