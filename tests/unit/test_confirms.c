/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which messages a confirm resolves: single tags, `multiple`, repeated and unknown ones. */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "common/amqp/confirms.h"

enum { MANY = 5000, TAGS = 1000, SEEDS = 50 };

static int set_up(void **state)
{
    struct confirms *confirms = calloc(1, sizeof *confirms);
    confirms_restart(confirms);
    *state = confirms;
    return 0;
}

static int tear_down(void **state)
{
    confirms_clear(*state);
    free(*state);
    return 0;
}

/* Adds sequences 101 to 100 + count; they get tags 1 to `count`. */
static void add(struct confirms *confirms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_true(confirms_add(confirms, 101 + i));
}

/* Asserts that the confirm resolves sequences `from` to `to`, in order; none where from > to. */
static void assert_resolves(struct confirms *confirms, uint64_t tag, bool multiple, uint64_t from,
                            uint64_t to)
{
    uint64_t sequence = 0;
    for (uint64_t expected = from; expected <= to; expected++) {
        assert_true(confirms_resolve(confirms, tag, multiple, &sequence));
        assert_int_equal(sequence, expected);
    }
    assert_false(confirms_resolve(confirms, tag, multiple, &sequence));
}

static void test_single_tags_are_resolved_in_any_order(void **state)
{
    struct confirms *confirms = *state;
    add(confirms, 4);
    assert_resolves(confirms, 3, false, 103, 103);
    assert_resolves(confirms, 1, false, 101, 101);
    assert_resolves(confirms, 4, false, 104, 104);
    assert_resolves(confirms, 2, false, 102, 102);
    assert_int_equal(confirms->count, 0);
}

static void test_multiple_resolves_all_up_to_the_tag_oldest_first(void **state)
{
    struct confirms *confirms = *state;
    add(confirms, 10);
    assert_resolves(confirms, 4, true, 101, 104);
    assert_resolves(confirms, 10, true, 105, 110);
}

static void test_multiple_skips_resolved_tags(void **state)
{
    struct confirms *confirms = *state;
    uint64_t sequence = 0;
    add(confirms, 5);
    assert_resolves(confirms, 3, false, 103, 103);
    const uint64_t expected[] = {101, 102, 104};
    for (size_t i = 0; i < 3; i++) {
        assert_true(confirms_resolve(confirms, 4, true, &sequence));
        assert_int_equal(sequence, expected[i]);
    }
    assert_false(confirms_resolve(confirms, 4, true, &sequence));
    assert_resolves(confirms, 5, false, 105, 105);
}

static void test_unknown_and_resolved_tags_resolve_nothing(void **state)
{
    struct confirms *confirms = *state;
    assert_resolves(confirms, 1, false, 1, 0);
    add(confirms, 2);
    assert_resolves(confirms, 0, false, 1, 0);
    assert_resolves(confirms, 3, false, 1, 0);
    assert_resolves(confirms, 2, false, 102, 102);
    assert_resolves(confirms, 2, false, 1, 0);
}

static void test_a_restart_forgets_and_counts_from_one(void **state)
{
    struct confirms *confirms = *state;
    add(confirms, 3);
    confirms_restart(confirms);
    assert_resolves(confirms, 3, true, 1, 0);
    add(confirms, 1);
    assert_resolves(confirms, 1, false, 101, 101);
}

static void test_the_ring_grows_while_it_is_in_use(void **state)
{
    struct confirms *confirms = *state;
    add(confirms, MANY / 2);
    assert_resolves(confirms, MANY / 4, true, 101, 100 + MANY / 4);
    for (size_t i = MANY / 2; i < MANY; i++)
        assert_true(confirms_add(confirms, 101 + i));
    assert_resolves(confirms, MANY, true, 101 + MANY / 4, 100 + MANY);
}

static void test_the_ring_grows_while_it_wraps_around(void **state)
{
    struct confirms *confirms = *state;
    uint64_t added = 0, resolved = 0;
    while (added < MANY) {
        size_t capacity = confirms->capacity;
        while (confirms->capacity == capacity)
            assert_true(confirms_add(confirms, ++added));
        while (confirms->count < confirms->capacity)
            assert_true(confirms_add(confirms, ++added));
        uint64_t half = resolved + confirms->count / 2;
        assert_resolves(confirms, half, true, resolved + 1, half);
        resolved = half;
    }
    assert_resolves(confirms, added, true, resolved + 1, added);
}

static void test_the_number_of_unresolved_messages_is_bounded(void **state)
{
    struct confirms *confirms = *state;
    add(confirms, CONFIRMS_MAX);
    assert_false(confirms_add(confirms, 1));
    assert_resolves(confirms, 1, false, 101, 101);
    assert_true(confirms_add(confirms, 1));
}

/* Compares random confirms with a plain table of what is unresolved. */
static void resolve_at_random(struct confirms *confirms, unsigned int seed)
{
    bool unresolved[TAGS + 1] = {false};
    uint64_t added = 0;
    print_message("seed %u\n", seed);
    confirms_restart(confirms);
    for (int step = 0; step < 4 * TAGS; step++) {
        if (added < TAGS && rand_r(&seed) % 2 == 0) {
            assert_true(confirms_add(confirms, ++added));
            unresolved[added] = true;
        }
        uint64_t tag = (uint64_t)rand_r(&seed) % (added + 2);
        bool multiple = rand_r(&seed) % 8 == 0;
        uint64_t sequence = 0;
        for (uint64_t at = multiple ? 1 : tag; at <= tag && tag <= added; at++) {
            if (!unresolved[at])
                continue;
            assert_true(confirms_resolve(confirms, tag, multiple, &sequence));
            assert_int_equal(sequence, at);
            unresolved[at] = false;
        }
        if (tag <= added)
            assert_false(confirms_resolve(confirms, tag, multiple, &sequence));
    }
}

static void test_random_confirms_resolve_each_message_once(void **state)
{
    for (unsigned int seed = 1; seed <= SEEDS; seed++)
        resolve_at_random(*state, seed);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_single_tags_are_resolved_in_any_order),
        TEST(test_multiple_resolves_all_up_to_the_tag_oldest_first),
        TEST(test_multiple_skips_resolved_tags),
        TEST(test_unknown_and_resolved_tags_resolve_nothing),
        TEST(test_a_restart_forgets_and_counts_from_one),
        TEST(test_the_ring_grows_while_it_is_in_use),
        TEST(test_the_ring_grows_while_it_wraps_around),
        TEST(test_the_number_of_unresolved_messages_is_bounded),
        TEST(test_random_confirms_resolve_each_message_once),
    };
    return cmocka_run_group_tests_name("confirms", tests, NULL, NULL) != 0;
}
