/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <signal.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/arena.h"

enum { FIRST = 64, MANY = 2000 };

static bool is_zero(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static void test_memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena *arena = arena_new(FIRST);
    for (size_t size = 0; size < 300; size++) {
        char *bytes = arena_alloc(arena, size);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % alignof(max_align_t), 0);
        assert_true(is_zero(bytes, size));
        memset(bytes, 0xff, size);
    }
    arena_free(arena);
}

static void test_allocations_do_not_overlap(void **state)
{
    (void)state;
    struct arena *arena = arena_new(FIRST);
    unsigned char *places[MANY];
    for (size_t i = 0; i < MANY; i++) {
        places[i] = arena_alloc(arena, i % 97 + 1);
        memset(places[i], (int)(i % 251), i % 97 + 1);
    }
    for (size_t i = 0; i < MANY; i++) {
        for (size_t k = 0; k < i % 97 + 1; k++)
            assert_int_equal(places[i][k], i % 251);
    }
    arena_free(arena);
}

static void test_an_allocation_larger_than_a_block_gets_its_own(void **state)
{
    (void)state;
    struct arena *arena = arena_new(FIRST);
    char *large = arena_alloc(arena, 1 << 20);
    assert_true(is_zero(large, 1 << 20));
    memset(large, 1, 1 << 20);
    char *small = arena_alloc(arena, 8);
    memset(small, 2, 8);
    assert_int_equal(large[(1 << 20) - 1], 1);
    assert_true(arena_bytes(arena) >= (1 << 20) + 8);
    arena_free(arena);
}

static void test_memory_after_a_reset_is_zeroed_again(void **state)
{
    (void)state;
    struct arena *arena = arena_new(FIRST);
    for (int round = 0; round < 5; round++) {
        char *bytes = arena_alloc(arena, 5000);
        assert_true(is_zero(bytes, 5000));
        memset(bytes, 0xff, 5000);
        arena_reset(arena);
    }
    arena_free(arena);
}

static void test_a_reset_keeps_the_largest_block_and_no_other(void **state)
{
    (void)state;
    struct arena *arena = arena_new(FIRST);
    size_t first = arena_bytes(arena);
    for (int i = 0; i < 100; i++)
        (void)arena_alloc(arena, 100);
    size_t before = arena_bytes(arena);
    arena_reset(arena);
    size_t kept = arena_bytes(arena);
    assert_true(kept < before);
    assert_true(kept > first);
    (void)arena_alloc(arena, kept);
    assert_int_equal(arena_bytes(arena), kept);
    arena_free(arena);
}

static void test_the_same_work_after_a_reset_takes_no_new_blocks(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    size_t bytes[6];
    for (size_t round = 0; round < 6; round++) {
        for (size_t i = 0; i < MANY; i++)
            (void)arena_alloc(arena, 48);
        bytes[round] = arena_bytes(arena);
        arena_reset(arena);
    }
    assert_int_equal(bytes[4], bytes[2]);
    assert_int_equal(bytes[5], bytes[2]);
    arena_free(arena);
}

static void test_blocks_grow_so_that_their_number_stays_small(void **state)
{
    (void)state;
    struct arena *arena = arena_new(FIRST);
    size_t last = arena_bytes(arena), growths = 0;
    for (size_t i = 0; i < (1 << 16); i++) {
        (void)arena_alloc(arena, 16);
        growths += arena_bytes(arena) != last;
        last = arena_bytes(arena);
    }
    assert_true(growths <= 20);
    arena_free(arena);
}

static void test_an_array_is_zeroed_and_may_be_empty(void **state)
{
    (void)state;
    struct arena *arena = arena_new(FIRST);
    int64_t *numbers = ARENA_ARRAY(arena, int64_t, 100);
    assert_true(is_zero((const char *)numbers, 100 * sizeof *numbers));
    assert_non_null(ARENA_ARRAY(arena, int64_t, 0));
    assert_int_equal(*ARENA_NEW(arena, int64_t), 0);
    arena_free(arena);
}

static void test_freeing_null_is_allowed(void **state)
{
    (void)state;
    arena_free(NULL);
}

/* Allocates that much in a child process, without its output; returns its wait status. */
static int allocate_in_child(size_t count, size_t size)
{
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        (void)signal(SIGABRT, SIG_DFL);
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        struct arena *arena = arena_new(FIRST);
        (void)arena_array(arena, count, size);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_a_size_that_cannot_be_allocated_aborts_the_process(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {
        {SIZE_MAX, 2}, {SIZE_MAX / 8 + 1, 8}, {1, SIZE_MAX}, {1, SIZE_MAX / 2}, {1, SIZE_MAX - 15},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int status = allocate_in_child(sizes[i][0], sizes[i][1]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
    }
    assert_int_equal(allocate_in_child(1, 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed_and_aligned),
        cmocka_unit_test(test_allocations_do_not_overlap),
        cmocka_unit_test(test_an_allocation_larger_than_a_block_gets_its_own),
        cmocka_unit_test(test_memory_after_a_reset_is_zeroed_again),
        cmocka_unit_test(test_a_reset_keeps_the_largest_block_and_no_other),
        cmocka_unit_test(test_the_same_work_after_a_reset_takes_no_new_blocks),
        cmocka_unit_test(test_blocks_grow_so_that_their_number_stays_small),
        cmocka_unit_test(test_an_array_is_zeroed_and_may_be_empty),
        cmocka_unit_test(test_freeing_null_is_allowed),
        cmocka_unit_test(test_a_size_that_cannot_be_allocated_aborts_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
