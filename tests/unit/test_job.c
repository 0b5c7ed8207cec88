/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "worker/service/job_letter.h"

static struct job *new_job(uint64_t tag)
{
    struct delivery delivery = {.tag = tag};
    return job_new(arena_new(0), &delivery, 7);
}

static void test_a_queue_is_first_in_first_out(void **state)
{
    (void)state;
    struct job_queue queue = {NULL, NULL, 0};
    assert_null(job_queue_pop(&queue));
    job_queue_push(&queue, new_job(2));
    job_queue_push(&queue, new_job(3));
    job_queue_push_front(&queue, new_job(1));
    assert_int_equal(queue.count, 3);
    for (uint64_t tag = 1; tag <= 3; tag++) {
        struct job *job = job_queue_pop(&queue);
        assert_int_equal(job->delivery.tag, tag);
        assert_int_equal(job->epoch, 7);
        job_free(job);
    }
    assert_int_equal(queue.count, 0);
    job_queue_push_front(&queue, new_job(4));
    job_queue_push(&queue, new_job(5));
    assert_int_equal(queue.head->delivery.tag, 4);
    assert_int_equal(queue.tail->delivery.tag, 5);
    job_queue_free_all(&queue);
    assert_null(queue.head);
}

static void test_an_appended_queue_is_empty_afterwards(void **state)
{
    (void)state;
    struct job_queue queue = {NULL, NULL, 0}, other = {NULL, NULL, 0};
    job_queue_push(&queue, new_job(1));
    job_queue_push(&other, new_job(2));
    job_queue_push(&other, new_job(3));
    job_queue_append(&queue, &other);
    assert_int_equal(other.count, 0);
    assert_int_equal(queue.count, 3);
    assert_int_equal(queue.tail->delivery.tag, 3);
    job_queue_free_all(&queue);
    job_free(NULL);
}

static void test_an_answer_outlives_the_arena_of_its_batch(void **state)
{
    (void)state;
    struct job *job = new_job(1);
    struct arena *batch = arena_new(0);
    struct verdict verdict = {.reply_allowed = true};
    verdict_refuse(&verdict, batch, VERDICT_INVALID, "no %s", "good");
    job_answer(job, &verdict, text_format(batch, "%s", "{}"));
    arena_free(batch);
    assert_int_equal(job->code, VERDICT_INVALID);
    assert_true(job->reply_allowed && job->answered && !job->replayed);
    assert_true(text_is(job->body, "{}"));
    assert_true(text_is(job->detail, "no good"));
    assert_true(job_bytes(job) > 0);
    job_free(job);
}

static void test_each_settle_stage_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(settle_stage_name(SETTLE_REPLY), "reply");
    assert_string_equal(settle_stage_name(SETTLE_DEAD_LETTER), "dead_letter");
    assert_string_equal(settle_stage_name(SETTLE_DONE), "done");
}

/* Flow control counts it: more than its size would keep others from being published. */
static void test_a_swept_letter_counts_for_what_it_holds(void **state)
{
    enum { HEADERS = 100000, BODY = 1000000 };
    static const char headers[HEADERS], body[BODY];
    (void)state;
    const struct letter letter = {.id = text_of("0123456789abcdef0123456789abcdef"),
                                  .reason = text_of("internal"),
                                  .detail = text_of("why"),
                                  .raw_headers = text_view(headers, HEADERS),
                                  .body = text_view(body, BODY),
                                  .body_sha256 = text_of("00")};
    struct job *job = job_of_letter(&letter, 7);
    assert_in_range(job->counted_bytes, HEADERS + BODY, HEADERS + BODY + 10000);
    job_free(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_queue_is_first_in_first_out),
        cmocka_unit_test(test_an_appended_queue_is_empty_afterwards),
        cmocka_unit_test(test_an_answer_outlives_the_arena_of_its_batch),
        cmocka_unit_test(test_each_settle_stage_has_a_name),
        cmocka_unit_test(test_a_swept_letter_counts_for_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
