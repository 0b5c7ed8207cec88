/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which reads a free reader gets: turns of principals, the bound of one principal, reads that
   are alone, and what is left after a clear. */
#include "tests/support/cmocka.h"

#include "worker/service/read_queue.h"

enum { READERS = 4 };

static void push(struct read_queue *queue, const char *principal, bool alone)
{
    struct arena *arena = arena_new(0);
    struct job *job = job_new(arena, &(struct delivery){.body = text_of("{}")}, 1);
    job->decoded.request.principal = text_copy(arena, text_of(principal));
    job->alone = alone;
    read_queue_push(queue, job);
}

/* Expects a batch of `count` reads of the principal, and frees it; returns the reader. */
static size_t expect(struct read_queue *queue, const char *principal, size_t count)
{
    struct job_queue jobs = {0};
    size_t reader = READERS;
    assert_true(read_queue_next(queue, &reader, &jobs));
    assert_int_equal(jobs.count, count);
    assert_true(reader < READERS);
    for (struct job *job = jobs.head; job != NULL; job = job->next)
        assert_true(text_is(job->decoded.request.principal, principal));
    job_queue_free_all(&jobs);
    return reader;
}

static void expect_none(struct read_queue *queue)
{
    struct job_queue jobs = {0};
    size_t reader = 0;
    assert_false(read_queue_next(queue, &reader, &jobs));
}

static void test_principals_take_turns(void **state)
{
    (void)state;
    struct read_queue *queue = read_queue_new(READERS);
    for (int i = 0; i < 3; i++) {
        push(queue, "a", true);
        push(queue, "b", true);
    }
    size_t first = expect(queue, "a", 1);
    (void)expect(queue, "b", 1);
    (void)expect(queue, "a", 1);
    (void)expect(queue, "b", 1);
    expect_none(queue); /* no reader is free */
    read_queue_done(queue, first);
    assert_int_equal(expect(queue, "a", 1), first);
    assert_int_equal(read_queue_count(queue), 1);
    read_queue_free(queue);
}

static void test_a_principal_has_at_most_half_of_the_readers(void **state)
{
    (void)state;
    struct read_queue *queue = read_queue_new(READERS);
    for (int i = 0; i < 10; i++)
        push(queue, "a", true);
    (void)expect(queue, "a", 1);
    size_t second = expect(queue, "a", 1);
    expect_none(queue);
    push(queue, "b", false);
    (void)expect(queue, "b", 1);
    expect_none(queue);
    read_queue_done(queue, second);
    (void)expect(queue, "a", 1);
    expect_none(queue);
    read_queue_free(queue);
}

static void test_one_reader_serves_all(void **state)
{
    (void)state;
    struct read_queue *queue = read_queue_new(1);
    push(queue, "a", false);
    push(queue, "b", false);
    read_queue_done(queue, expect(queue, "a", 1));
    read_queue_done(queue, expect(queue, "b", 1));
    expect_none(queue);
    read_queue_free(queue);
}

static void test_reads_of_a_principal_share_a_batch_unless_one_is_alone(void **state)
{
    (void)state;
    struct read_queue *queue = read_queue_new(READERS);
    push(queue, "a", false);
    push(queue, "b", false);
    push(queue, "a", false);
    push(queue, "a", true);
    push(queue, "a", false);
    size_t first = expect(queue, "a", 2);
    (void)expect(queue, "b", 1);
    size_t second = expect(queue, "a", 1);
    read_queue_done(queue, first);
    (void)expect(queue, "a", 1);
    read_queue_done(queue, second);
    expect_none(queue);
    read_queue_free(queue);
}

static void test_a_batch_is_bounded(void **state)
{
    (void)state;
    struct read_queue *queue = read_queue_new(READERS);
    for (int i = 0; i < READ_BATCH_MAX + 1; i++)
        push(queue, "a", false);
    (void)expect(queue, "a", READ_BATCH_MAX);
    (void)expect(queue, "a", 1);
    read_queue_free(queue);
}

/* Two pages of 4 MiB each are as much as a batch may be. */
static void test_large_pages_make_small_batches(void **state)
{
    (void)state;
    struct read_queue *queue = read_queue_new(READERS);
    for (int i = 0; i < 5; i++) {
        struct arena *arena = arena_new(0);
        struct job *job = job_new(arena, &(struct delivery){.body = text_of("{}")}, 1);
        job->decoded.request.principal = text_copy(arena, text_of("a"));
        job->decoded.request.command.kind = COMMAND_PROVIDER_ALLOCATIONS;
        job->decoded.request.command.params.page.limit = 1000;
        read_queue_push(queue, job);
    }
    read_queue_done(queue, expect(queue, "a", 2));
    read_queue_done(queue, expect(queue, "a", 2));
    (void)expect(queue, "a", 1);
    read_queue_free(queue);
}

static void test_a_clear_leaves_the_readers_that_are_at_work(void **state)
{
    (void)state;
    struct job_queue all = {0};
    struct read_queue *queue = read_queue_new(READERS);
    push(queue, "a", true);
    push(queue, "a", true);
    push(queue, "b", true);
    push(queue, "c", true);
    size_t reader = expect(queue, "a", 1);
    read_queue_clear(queue, &all);
    assert_int_equal(all.count, 3);
    assert_int_equal(read_queue_count(queue), 0);
    expect_none(queue);
    push(queue, "b", false);
    (void)expect(queue, "b", 1);
    read_queue_done(queue, reader);
    job_queue_free_all(&all);
    read_queue_free(queue);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_principals_take_turns),
    cmocka_unit_test(test_a_principal_has_at_most_half_of_the_readers),
    cmocka_unit_test(test_one_reader_serves_all),
    cmocka_unit_test(test_reads_of_a_principal_share_a_batch_unless_one_is_alone),
    cmocka_unit_test(test_a_batch_is_bounded),
    cmocka_unit_test(test_large_pages_make_small_batches),
    cmocka_unit_test(test_a_clear_leaves_the_readers_that_are_at_work),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
