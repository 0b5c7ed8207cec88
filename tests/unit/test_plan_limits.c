/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the limits that need thousands of documents: pairs of (consumer, provider) in one command,
 * and providers in one tree.
 *
 * Requests and stored documents are built by number (uuid_of, batch_of, store_consumer, add_tree),
 * since a table case could not write them down. Each limit is tested at its value and one beyond,
 * and for what counts: old and new allocations once per pair, a subtree that moves as a whole.
 *
 * All other rules of the planner are in tests/table.
 */
#include "tests/support/cmocka.h"

#include "allot/limits.h"
#include "common/core/plan.h"

static const struct text any[] = {{"*", 1}};
static const struct policy_rule rules[] = {{{any, 1}, {any, 1}, {any, 1}}};
static const struct policy_principal principals[] = {{{"root", 4}, rules, 1, {NULL, 0}}};
static const struct policy policy = {.principals = principals, .count = 1};

enum { PROVIDER = 1, CONSUMER, PER_CONSUMER = CONSUMER_PROVIDERS_MAX };

static struct uuid uuid_of(uint8_t kind, size_t number)
{
    struct uuid uuid = {{kind}};
    for (size_t i = 0; i < 4; i++)
        uuid.bytes[UUID_BYTES - 1 - i] = (uint8_t)(number >> (8 * i));
    return uuid;
}

static struct verdict plan_one(struct snapshot *snapshot, struct request *request)
{
    const struct plan_context context = {.policy = &policy, .attempts_max = 3};
    const struct request *const requests[] = {request};
    struct verdict verdict;
    plan_run(&context, snapshot, requests, 1, &verdict);
    return verdict;
}

static void assert_limit(const struct verdict *verdict, int64_t limit, int64_t given)
{
    assert_int_equal(verdict->code, VERDICT_LIMIT_EXCEEDED);
    assert_int_equal(verdict->detail_count, 2);
    assert_int_equal(verdict_detail(verdict, "limit")->value.integer, limit);
    assert_int_equal(verdict_detail(verdict, "given")->value.integer, given);
}

/* --- pairs ---------------------------------------------------------------------------------- */

/* Makes `count` allocations, on the providers from number `first` on. */
static struct allocation *allocations_on(struct arena *arena, size_t first, size_t count)
{
    struct allocation *allocations = ARENA_ARRAY(arena, struct allocation, count);
    for (size_t i = 0; i < count; i++)
        allocations[i] = (struct allocation){uuid_of(PROVIDER, first + i), text_of("VCPU"), 1};
    return allocations;
}

static void fill_claim(struct arena *arena, struct claim *claim, size_t first, size_t count)
{
    struct named_provider *named = ARENA_ARRAY(arena, struct named_provider, count);
    for (size_t i = 0; i < count; i++)
        named[i].provider = uuid_of(PROVIDER, first + i);
    claim->project_id = text_of("blue");
    claim->allocations = allocations_on(arena, first, count);
    claim->allocation_count = count;
    claim->providers = named;
    claim->provider_count = count;
}

/* Makes an allocation.batch: each consumer on providers 0 to 999, the last one on `last` of them.
 */
static struct request *batch_of(struct arena *arena, size_t consumers, size_t last)
{
    struct request *request = ARENA_NEW(arena, struct request);
    struct claim *claims = ARENA_ARRAY(arena, struct claim, consumers);
    for (size_t i = 0; i < consumers; i++) {
        claims[i].consumer = uuid_of(CONSUMER, i);
        fill_claim(arena, &claims[i], 0, i + 1 < consumers ? PER_CONSUMER : last);
    }
    request->principal = text_of("root");
    request->key = text_of("k");
    request->command.kind = COMMAND_ALLOCATION_BATCH;
    request->command.params.change =
        (struct change_params){.claims = claims, .claim_count = consumers};
    return request;
}

static struct snapshot *load(struct arena *arena, const struct request *request)
{
    struct snapshot *snapshot = snapshot_new(arena);
    plan_want_first(snapshot, &request, 1);
    return snapshot;
}

/* Stores a consumer that has allocations on `count` providers from number `first` on. */
static void store_consumer(struct snapshot *snapshot, size_t number, size_t first, size_t count)
{
    struct consumer *consumer = snapshot_consumer(snapshot, uuid_of(CONSUMER, number));
    consumer->state = (struct slot_state){.loaded = true, .stored = true, .exists = true};
    consumer->generation = 1;
    consumer->project_id = text_of("blue");
    consumer->allocations = allocations_on(snapshot->arena, first, count);
    consumer->allocation_count = count;
}

static void test_10000_pairs_are_allowed_and_one_more_is_not(void **state)
{
    struct request *request = batch_of(*state, 10, PER_CONSUMER);
    struct verdict verdict = plan_one(load(*state, request), request);
    assert_int_equal(verdict.code, VERDICT_PROVIDER_NOT_FOUND);
    assert_int_equal(verdict_detail(&verdict, "providers")->count, PER_CONSUMER);

    request = batch_of(*state, 11, 1);
    verdict = plan_one(load(*state, request), request);
    assert_limit(&verdict, PAIRS_MAX, PAIRS_MAX + 1);
}

static void test_pairs_of_old_allocations_count_unless_they_are_new_as_well(void **state)
{
    struct request *request = batch_of(*state, 10, PER_CONSUMER - 1);
    struct snapshot *snapshot = load(*state, request);
    store_consumer(snapshot, 9, 1, PER_CONSUMER - 1); /* one more than the new ones */
    struct verdict verdict = plan_one(snapshot, request);
    assert_int_equal(verdict.code, VERDICT_CONSUMER_GENERATION_CONFLICT);

    snapshot = load(*state, request);
    store_consumer(snapshot, 9, 2, PER_CONSUMER - 1); /* two more */
    verdict = plan_one(snapshot, request);
    assert_limit(&verdict, PAIRS_MAX, PAIRS_MAX + 1);
}

static void test_two_classes_on_an_old_provider_are_one_pair(void **state)
{
    struct request *request = batch_of(*state, 10, PER_CONSUMER - 1);
    struct snapshot *snapshot = load(*state, request);
    store_consumer(snapshot, 9, PER_CONSUMER, 2);
    struct consumer *consumer = snapshot_consumer(snapshot, uuid_of(CONSUMER, 9));
    struct allocation *allocations = allocations_on(*state, PER_CONSUMER, 2);
    allocations[1].provider = allocations[0].provider;
    consumer->allocations = allocations;
    struct verdict verdict = plan_one(snapshot, request);
    assert_int_equal(verdict.code, VERDICT_CONSUMER_GENERATION_CONFLICT);
}

/* --- the tree ------------------------------------------------------------------------------- */

enum { NEW = 0x10000, OTHER = 0x20000 };

static struct request *place(struct arena *arena, enum command_kind kind, size_t provider,
                             size_t parent)
{
    struct request *request = ARENA_NEW(arena, struct request);
    request->principal = text_of("root");
    request->key = text_of("k");
    request->command.kind = kind;
    request->command.params.provider = (struct provider_params){
        .uuid = uuid_of(PROVIDER, provider),
        .name = text_of("n"),
        .parent_given = true,
        .has_parent = true,
        .parent = uuid_of(PROVIDER, parent),
    };
    return request;
}

static void store_provider(struct snapshot *snapshot, size_t number, size_t root)
{
    struct provider *provider = snapshot_provider(snapshot, uuid_of(PROVIDER, number));
    provider->state = (struct slot_state){.loaded = true, .stored = true, .exists = true};
    provider->root = uuid_of(PROVIDER, root);
}

/* Adds a tree to the nodes: a root with number `first`, and its children. */
static void add_tree(struct snapshot *snapshot, size_t first, size_t size)
{
    struct tree_node *nodes = snapshot->nodes + snapshot->node_count;
    for (size_t i = 0; i < size; i++)
        nodes[i] = (struct tree_node){.id = uuid_of(PROVIDER, first + i),
                                      .has_parent = i > 0,
                                      .parent = uuid_of(PROVIDER, first),
                                      .root = uuid_of(PROVIDER, first)};
    snapshot->node_count += size;
}

/* Loads a tree of `size` providers below 0 and, if there are `others`, one of them below OTHER. */
static struct snapshot *load_trees(struct arena *arena, const struct request *request, size_t size,
                                   size_t others)
{
    struct snapshot *snapshot = load(arena, request);
    store_provider(snapshot, 0, 0);
    if (others > 0)
        store_provider(snapshot, OTHER, OTHER);
    (void)plan_want_second(snapshot, &request, 1);
    snapshot->nodes = ARENA_ARRAY(arena, struct tree_node, size + others);
    add_tree(snapshot, 0, size);
    add_tree(snapshot, OTHER, others);
    return snapshot;
}

static void test_a_tree_takes_ten_thousand_providers_and_no_more(void **state)
{
    struct request *request = place(*state, COMMAND_PROVIDER_CREATE, NEW, 0);
    struct verdict verdict =
        plan_one(load_trees(*state, request, TREE_PROVIDERS_MAX - 1, 0), request);
    assert_int_equal(verdict.code, VERDICT_SUCCESS);

    verdict = plan_one(load_trees(*state, request, TREE_PROVIDERS_MAX, 0), request);
    assert_limit(&verdict, TREE_PROVIDERS_MAX, TREE_PROVIDERS_MAX + 1);
}

static void test_a_full_tree_fails_before_a_provider_that_exists(void **state)
{
    struct request *request = place(*state, COMMAND_PROVIDER_CREATE, OTHER, 0);
    struct verdict verdict = plan_one(load_trees(*state, request, TREE_PROVIDERS_MAX, 1), request);
    assert_limit(&verdict, TREE_PROVIDERS_MAX, TREE_PROVIDERS_MAX + 1);
}

static void test_a_subtree_that_moves_counts_whole_in_its_new_tree(void **state)
{
    struct request *request = place(*state, COMMAND_PROVIDER_UPDATE, OTHER, 0);
    struct verdict verdict =
        plan_one(load_trees(*state, request, TREE_PROVIDERS_MAX - 3, 3), request);
    assert_int_equal(verdict.code, VERDICT_SUCCESS);

    verdict = plan_one(load_trees(*state, request, TREE_PROVIDERS_MAX - 3, 4), request);
    assert_limit(&verdict, TREE_PROVIDERS_MAX, TREE_PROVIDERS_MAX + 1);
}

static void test_a_move_within_a_full_tree_is_allowed(void **state)
{
    struct request *request = place(*state, COMMAND_PROVIDER_UPDATE, 1, 0);
    struct snapshot *snapshot = load(*state, request);
    store_provider(snapshot, 0, 0);
    store_provider(snapshot, 1, 0);
    snapshot->nodes = ARENA_ARRAY(*state, struct tree_node, TREE_PROVIDERS_MAX);
    add_tree(snapshot, 0, TREE_PROVIDERS_MAX);
    assert_int_equal(plan_one(snapshot, request).code, VERDICT_SUCCESS);
}

/* --- main ----------------------------------------------------------------------------------- */

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

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_10000_pairs_are_allowed_and_one_more_is_not),
        TEST(test_pairs_of_old_allocations_count_unless_they_are_new_as_well),
        TEST(test_two_classes_on_an_old_provider_are_one_pair),
        TEST(test_a_tree_takes_ten_thousand_providers_and_no_more),
        TEST(test_a_full_tree_fails_before_a_provider_that_exists),
        TEST(test_a_subtree_that_moves_counts_whole_in_its_new_tree),
        TEST(test_a_move_within_a_full_tree_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
