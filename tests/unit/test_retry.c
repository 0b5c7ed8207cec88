/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what follows a failed or a committed batch: the pause, the size of the next batch, and
 * whether it takes the advisory lock.
 *
 * `struct retry` is pure, so each test is a sequence of retry_after, retry_succeeded and
 * retry_got_lock with the expected pause and limit: conflicts, outages, rejections, suspicions, and
 * the runs of batches in serialized mode.
 *
 * Whether serialized mode is faster is not tested here, but measured by script/bench; what the
 * lock does in the database is in tests/contract/test_store_lock.c.
 */
#include "tests/support/cmocka.h"

#include "common/core/retry.h"

static void test_pauses_of_conflicts_double_up_to_their_maximum(void **state)
{
    (void)state;
    struct retry retry = {.limit = 512};
    int64_t pause = -1, last = 0;
    for (int i = 0; i < 100; i++) {
        retry_after(&retry, RETRY_CONFLICT, 1, &pause);
        assert_true(pause >= last && pause > 0 && pause <= RETRY_CONFLICT_PAUSE_MAX_MS);
        last = pause;
    }
    assert_int_equal(last, RETRY_CONFLICT_PAUSE_MAX_MS);
}

static void test_the_second_consecutive_conflict_halves_the_batch(void **state)
{
    (void)state;
    struct retry retry = {.limit = 512};
    int64_t pause = 0;
    retry_after(&retry, RETRY_CONFLICT, 512, &pause);
    assert_int_equal(retry.limit, 512);
    retry_after(&retry, RETRY_CONFLICT, 512, &pause);
    assert_int_equal(retry.limit, 256);
    retry_after(&retry, RETRY_CONFLICT, 3, &pause);
    assert_int_equal(retry.limit, 2);
    retry_after(&retry, RETRY_CONFLICT, 1, &pause);
    assert_int_equal(retry.limit, 1);
}

static void test_an_outage_never_gives_up_and_halves_the_batch(void **state)
{
    (void)state;
    struct retry retry = {.limit = 512};
    int64_t pause = 0;
    retry_after(&retry, RETRY_OUTAGE, 512, &pause);
    assert_int_equal(retry.limit, 512);
    retry_after(&retry, RETRY_OUTAGE, 512, &pause);
    assert_int_equal(retry.limit, 256); /* it may be too large for the time-out */
    for (int i = 0; i < 1000; i++)
        retry_after(&retry, RETRY_OUTAGE, 1, &pause);
    assert_int_equal(retry.limit, 1);
    assert_int_equal(pause, RETRY_OUTAGE_PAUSE_MAX_MS);
}

static void test_a_refused_batch_is_halved_down_to_one_command(void **state)
{
    (void)state;
    struct retry retry = {.limit = 5};
    int64_t pause = 0;
    retry_after(&retry, RETRY_REFUSED, 5, &pause);
    assert_int_equal(retry.limit, 3);
    retry_after(&retry, RETRY_REFUSED, 3, &pause);
    assert_int_equal(retry.limit, 2);
    retry_after(&retry, RETRY_REFUSED, 2, &pause);
    assert_int_equal(retry.limit, 1);
}

static void test_the_second_consecutive_suspicion_halves_the_batch(void **state)
{
    (void)state;
    struct retry retry = {.limit = 512};
    int64_t pause = 0;
    retry_after(&retry, RETRY_SUSPECTED, 512, &pause);
    assert_int_equal(retry.limit, 512);
    assert_true(pause > 0);
    retry_after(&retry, RETRY_SUSPECTED, 512, &pause);
    assert_int_equal(retry.limit, 256);
    retry_set_aside(&retry);
    assert_int_equal(retry.suspicions, 0);
}

/* A conflict while no other worker writes is none of workers that compete. */
static void test_conflicts_in_spite_of_the_lock_hold_up_the_batch(void **state)
{
    (void)state;
    struct retry retry = {.limit = 512};
    int64_t pause = 0;
    for (int i = 0; i < 100; i++)
        retry_after(&retry, RETRY_CONFLICT, 1, &pause);
    assert_false(retry_is_held_up(&retry)); /* nobody had the lock */
    for (int i = 0; i < RETRY_LOCKED_CONFLICTS_MAX; i++) {
        assert_false(retry_is_held_up(&retry));
        retry_got_lock(&retry, false);
        retry_after(&retry, RETRY_CONFLICT, 1, &pause);
    }
    assert_true(retry_is_held_up(&retry));
    retry_set_aside(&retry);
    assert_false(retry_is_held_up(&retry));
}

static void test_a_success_ends_the_count_of_conflicts_in_spite_of_the_lock(void **state)
{
    (void)state;
    struct retry retry = {.limit = 512};
    int64_t pause = 0;
    for (int i = 0; i < 100; i++) {
        retry_got_lock(&retry, false);
        retry_after(&retry, RETRY_CONFLICT, 1, &pause);
        (void)retry_succeeded(&retry, 512, 1);
        assert_false(retry_is_held_up(&retry));
    }
}

static void test_a_command_set_aside_waits_longer_each_time(void **state)
{
    (void)state;
    int64_t last = 0;
    assert_int_equal(retry_pause_aside(0), 0);
    for (unsigned i = 1; i < 100; i++) {
        assert_true(retry_pause_aside(i) >= last);
        last = retry_pause_aside(i);
        assert_true(last > 0);
    }
    assert_int_equal(last, RETRY_OUTAGE_PAUSE_MAX_MS);
}

static void test_success_resets_the_counts_and_grows_the_limit_to_the_maximum(void **state)
{
    (void)state;
    struct retry retry = {.limit = 1, .conflicts = 9, .outages = 9, .suspicions = 2};
    (void)retry_succeeded(&retry, 7, 0);
    assert_int_equal(retry.limit, 2);
    for (int i = 0; i < 3; i++) {
        (void)retry_succeeded(&retry, 7, 0);
        assert_in_range(retry.limit, 4, 7);
    }
    assert_int_equal(retry.limit, 7);
    assert_int_equal(retry.conflicts + retry.outages + retry.suspicions, 0);
}

static void test_after_a_conflict_a_run_of_batches_takes_the_lock(void **state)
{
    (void)state;
    struct retry retry = {.limit = 512};
    int64_t pause = 0;
    assert_false(retry_wants_lock(&retry));
    assert_int_equal(retry_succeeded(&retry, 512, 100), 0);
    retry_after(&retry, RETRY_CONFLICT, 512, &pause);
    for (int i = 0; i < RETRY_LOCKED_RUN_MIN; i++) {
        assert_true(retry_wants_lock(&retry));
        assert_int_equal(retry_succeeded(&retry, 512, 100), RETRY_YIELD_MS);
    }
    assert_false(retry_wants_lock(&retry));
    assert_int_equal(retry_succeeded(&retry, 512, 100), 0);
    assert_int_equal(retry.limit, 512);
}

/* If another worker had the lock before, it gets the time that its batch needs. */
static void test_a_contended_lock_is_left_for_half_of_the_time_taken(void **state)
{
    (void)state;
    struct retry retry = {.limit = 512};
    int64_t pause = 0;
    retry_after(&retry, RETRY_CONFLICT, 512, &pause);
    retry_got_lock(&retry, true);
    assert_int_equal(retry_succeeded(&retry, 512, 100), 50);
    assert_int_equal(retry_succeeded(&retry, 512, 1), RETRY_YIELD_MS);
    assert_int_equal(retry_succeeded(&retry, 512, INT64_MAX), RETRY_YIELD_MAX_MS);
    retry_got_lock(&retry, false);
    assert_int_equal(retry_succeeded(&retry, 512, 100), RETRY_YIELD_MS);
}

/* Lets batches succeed until one does not take the lock; returns how many took it. */
static unsigned count_locks(struct retry *retry)
{
    unsigned count = 0;
    for (; retry_wants_lock(retry); count++)
        (void)retry_succeeded(retry, 512, 100);
    return count;
}

static void test_a_locked_run_doubles_until_a_batch_without_the_lock_succeeds(void **state)
{
    (void)state;
    struct retry retry = {.limit = 512};
    int64_t pause = 0;
    for (unsigned length = RETRY_LOCKED_RUN_MIN; length <= RETRY_LOCKED_RUN_MAX; length *= 2) {
        retry_after(&retry, RETRY_CONFLICT, 512, &pause);
        assert_int_equal(count_locks(&retry), length);
    }
    retry_after(&retry, RETRY_CONFLICT, 512, &pause);
    assert_int_equal(count_locks(&retry), RETRY_LOCKED_RUN_MAX);
    (void)retry_succeeded(&retry, 512, 100);
    retry_after(&retry, RETRY_CONFLICT, 512, &pause);
    assert_int_equal(count_locks(&retry), RETRY_LOCKED_RUN_MIN);
}

static void test_a_held_lock_is_waited_for_with_the_whole_batch(void **state)
{
    (void)state;
    struct retry retry = {.limit = 512};
    int64_t pause = 0, last = 0;
    retry_after(&retry, RETRY_CONFLICT, 512, &pause);
    for (int i = 0; i < RETRY_LOCK_MISSES_MAX; i++) {
        assert_true(retry_wants_lock(&retry));
        retry_after(&retry, RETRY_LOCK_HELD, 512, &pause);
        assert_true(pause > 0 && pause >= last && pause <= RETRY_LOCK_PAUSE_MAX_MS);
        assert_int_equal(retry.limit, 512);
        last = pause;
    }
    assert_int_equal(retry.conflicts, 1);
    assert_false(retry_wants_lock(&retry)); /* the holder may have crashed */
    retry_after(&retry, RETRY_CONFLICT, 512, &pause);
    assert_true(retry_wants_lock(&retry));
}

static void test_every_cause_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(retry_cause_name(RETRY_CONFLICT), "conflict");
    assert_string_equal(retry_cause_name(RETRY_LOCK_HELD), "lock_held");
    assert_string_equal(retry_cause_name(RETRY_OUTAGE), "outage");
    assert_string_equal(retry_cause_name(RETRY_SUSPECTED), "suspected");
    assert_string_equal(retry_cause_name(RETRY_REFUSED), "refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cause_has_a_name),
        cmocka_unit_test(test_after_a_conflict_a_run_of_batches_takes_the_lock),
        cmocka_unit_test(test_a_contended_lock_is_left_for_half_of_the_time_taken),
        cmocka_unit_test(test_a_locked_run_doubles_until_a_batch_without_the_lock_succeeds),
        cmocka_unit_test(test_a_held_lock_is_waited_for_with_the_whole_batch),
        cmocka_unit_test(test_pauses_of_conflicts_double_up_to_their_maximum),
        cmocka_unit_test(test_the_second_consecutive_conflict_halves_the_batch),
        cmocka_unit_test(test_an_outage_never_gives_up_and_halves_the_batch),
        cmocka_unit_test(test_a_refused_batch_is_halved_down_to_one_command),
        cmocka_unit_test(test_the_second_consecutive_suspicion_halves_the_batch),
        cmocka_unit_test(test_conflicts_in_spite_of_the_lock_hold_up_the_batch),
        cmocka_unit_test(test_a_success_ends_the_count_of_conflicts_in_spite_of_the_lock),
        cmocka_unit_test(test_a_command_set_aside_waits_longer_each_time),
        cmocka_unit_test(test_success_resets_the_counts_and_grows_the_limit_to_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
