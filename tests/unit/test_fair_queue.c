/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the turns of principals: many and large commands of one of them, commands that do not fit
 * into a batch, commands that come back, and what is charged afterwards.
 *
 * Design: a test makes commands of a principal and a cost, of which the body's length is a part. It
 * adds them in the order in which they arrive, takes them one by one, and compares the principals
 * in the order in which the commands come out. The tests know how much a turn allows (FAIR_TURN),
 * and nothing else of the queue's state.
 */
#include "tests/support/cmocka.h"

#include "worker/service/fair_queue.h"

enum { MANY = 2 * FAIR_TURN };

static char large_body[FAIR_TURN * 4096];

/* Makes a command that costs so many documents. */
static struct job *command(const char *principal, size_t cost)
{
    struct arena *arena = arena_new(0);
    struct job *job = job_new(arena, &(struct delivery){.body = text_of("{}")}, 1);
    job->decoded.request.principal = text_copy(arena, text_of(principal));
    job->decoded.request.command.kind = COMMAND_PROVIDER_CREATE;
    if (cost > 1)
        job->delivery.body = text_view(large_body, (cost - 1) * 4096);
    return job;
}

/* Makes an allocation.set that names so many providers. */
static struct job *claim(const char *principal, size_t providers)
{
    struct job *job = command(principal, 1);
    struct claim *claim = ARENA_NEW(job->arena, struct claim);
    claim->providers = ARENA_ARRAY(job->arena, struct named_provider, providers);
    claim->provider_count = providers;
    job->decoded.request.command.kind = COMMAND_ALLOCATION_SET;
    job->decoded.request.command.params.change =
        (struct change_params){.claims = claim, .claim_count = 1};
    return job;
}

/* Charges for a command that was known to need one document and needed so many more. */
static void charge(struct fair_queue *queue, const char *principal, size_t more)
{
    struct job *job = command(principal, 1);
    fair_queue_charge(queue, job, 1 + more);
    job_free(job);
}

static void push(struct fair_queue *queue, const char *principal, size_t count, size_t cost)
{
    for (size_t i = 0; i < count; i++)
        fair_queue_push(queue, command(principal, cost));
}

static bool any(const void *context, const struct job *job)
{
    (void)context;
    (void)job;
    return true;
}

/* `context` is the name of a principal whose commands do not fit. */
static bool other_than(const void *context, const struct job *job)
{
    return !text_is(job->decoded.request.principal, context);
}

/* `context` is how many commands of one document the batch has room for; anything fits into an
   empty one. */
struct room {
    size_t all, left;
};

static bool has_room(const void *context, const struct job *job)
{
    const struct room *room = context;
    return room->left == room->all || (room->left > 0 && job->delivery.body.length < 4096);
}

/* Fills a batch; returns whether it has a command of the principal. */
static bool fill(struct fair_queue *queue, const char *principal, size_t all)
{
    struct room room = {all, all};
    bool found = false;
    fair_queue_begin(queue);
    for (struct job *job = NULL; (job = fair_queue_take(queue, has_room, &room)) != NULL;) {
        found |= text_is(job->decoded.request.principal, principal);
        room.left -= room.left > 0;
        job_free(job);
    }
    return found;
}

/* Takes the next command, which is of this principal, and frees it. */
static void expect(struct fair_queue *queue, const char *principal)
{
    struct job *job = fair_queue_take(queue, any, NULL);
    assert_non_null(job);
    assert_true(text_is(job->decoded.request.principal, principal));
    job_free(job);
}

static size_t take_while(struct fair_queue *queue, const char *principal)
{
    size_t count = 0;
    for (;;) {
        struct job *job = fair_queue_take(queue, any, NULL);
        if (job == NULL)
            return count;
        if (!text_is(job->decoded.request.principal, principal)) {
            fair_queue_push_front(queue, job);
            return count;
        }
        job_free(job);
        count++;
    }
}

static void test_one_command_waits_for_one_turn_of_a_flood(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    push(&queue, "flood", MANY, 1);
    push(&queue, "victim", 1, 1);
    fair_queue_begin(&queue);
    assert_in_range(take_while(&queue, "flood"), 0, FAIR_TURN);
    expect(&queue, "victim");
    fair_queue_clear(&queue);
}

static void test_a_batch_takes_from_all_lines(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    push(&queue, "a", MANY, 1);
    push(&queue, "b", MANY, 1);
    push(&queue, "c", MANY, 1);
    fair_queue_begin(&queue);
    assert_int_equal(take_while(&queue, "a"), FAIR_TURN);
    assert_int_equal(take_while(&queue, "b"), FAIR_TURN);
    assert_int_equal(take_while(&queue, "c"), FAIR_TURN);
    assert_int_equal(take_while(&queue, "a"), FAIR_TURN);
    fair_queue_clear(&queue);
}

static void test_each_batch_begins_with_another_line(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    push(&queue, "a", 4, 1);
    push(&queue, "b", 4, 1);
    fair_queue_begin(&queue);
    expect(&queue, "a");
    fair_queue_begin(&queue);
    expect(&queue, "b");
    fair_queue_begin(&queue);
    expect(&queue, "a");
    fair_queue_clear(&queue);
}

static void test_large_commands_use_up_the_turn_sooner(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    push(&queue, "large", 10, FAIR_TURN / 2);
    push(&queue, "small", MANY, 1);
    fair_queue_begin(&queue);
    assert_int_equal(take_while(&queue, "large"), 2);
    assert_int_equal(take_while(&queue, "small"), FAIR_TURN);
    assert_int_equal(take_while(&queue, "large"), 2);
    fair_queue_clear(&queue);
}

static void test_what_is_charged_afterwards_costs_turns(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    push(&queue, "heavy", 3, 1);
    push(&queue, "small", 10 * FAIR_TURN, 1);
    fair_queue_begin(&queue);
    expect(&queue, "heavy");
    charge(&queue, "heavy", 4 * FAIR_TURN);
    assert_in_range(take_while(&queue, "small"), 3 * FAIR_TURN, 5 * FAIR_TURN);
    expect(&queue, "heavy");
    fair_queue_clear(&queue);
}

static void test_what_was_known_is_not_charged_again(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    struct job *wide = claim("wide", FAIR_TURN);
    fair_queue_charge(&queue, wide, FAIR_TURN + 2); /* all that it names: also consumer, outcome */
    push(&queue, "wide", 1, 1);
    push(&queue, "small", MANY, 1);
    fair_queue_begin(&queue);
    expect(&queue, "wide");
    job_free(wide);
    fair_queue_clear(&queue);
}

/* Nobody else waits, so there is nobody to wait for. */
static void test_a_principal_in_debt_is_served_if_it_is_alone(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    charge(&queue, "heavy", 100 * FAIR_TURN);
    push(&queue, "heavy", 2, 1);
    fair_queue_begin(&queue);
    expect(&queue, "heavy");
    expect(&queue, "heavy");
    assert_null(fair_queue_take(&queue, any, NULL));
    fair_queue_clear(&queue);
}

/* The principal sends its next command only after the answer. */
static void test_a_debt_outlives_an_empty_line(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    push(&queue, "small", 10 * FAIR_TURN, 1);
    charge(&queue, "heavy", 4 * FAIR_TURN);
    fair_queue_begin(&queue);
    for (int i = 0; i < FAIR_TURN + 1; i++)
        expect(&queue, "small"); /* a turn of the empty line has passed */
    push(&queue, "heavy", 1, 1);
    assert_in_range(take_while(&queue, "small"), 2 * FAIR_TURN, 4 * FAIR_TURN);
    expect(&queue, "heavy");
    fair_queue_clear(&queue);
}

static void test_a_line_that_does_not_fit_is_passed_over_in_this_batch(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    push(&queue, "a", 2, 1);
    push(&queue, "b", 1, 1);
    fair_queue_begin(&queue);
    struct job *job = fair_queue_take(&queue, other_than, "a");
    assert_true(text_is(job->decoded.request.principal, "b"));
    job_free(job);
    assert_null(fair_queue_take(&queue, any, NULL)); /* "a" is passed over */
    assert_false(fair_queue_is_empty(&queue));
    fair_queue_begin(&queue);
    expect(&queue, "a");
    expect(&queue, "a");
    assert_true(fair_queue_is_empty(&queue));
    fair_queue_clear(&queue);
}

static void test_a_line_saves_no_credit_while_it_is_passed_over(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    push(&queue, "a", MANY, 1);
    push(&queue, "b", 20, 1);
    for (int batch = 0; batch < 10; batch++) {
        fair_queue_begin(&queue);
        job_free(fair_queue_take(&queue, other_than, "a"));
    }
    fair_queue_begin(&queue);
    (void)take_while(&queue, "b");
    push(&queue, "b", 1, 1);
    assert_in_range(take_while(&queue, "a"), 1, FAIR_TURN);
    fair_queue_clear(&queue);
}

/* The flood always fills the batch to the end, after a turn of the large command. */
static void test_a_command_that_needs_an_empty_batch_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    push(&queue, "flood", 8 * MANY, 1);
    push(&queue, "large", 1, FAIR_TURN);
    size_t batches = 1;
    while (!fill(&queue, "large", FAIR_TURN + 10) && batches < 10)
        batches++;
    assert_int_equal(batches, 2);
    fair_queue_clear(&queue);
}

static void test_each_document_that_a_command_names_uses_up_the_turn(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    for (size_t i = 0; i < 10; i++)
        fair_queue_push(&queue, claim("wide", FAIR_TURN / 2 - 2));
    push(&queue, "small", MANY, 1);
    fair_queue_begin(&queue);
    assert_int_equal(take_while(&queue, "wide"), 2);
    assert_int_equal(take_while(&queue, "small"), FAIR_TURN);
    assert_int_equal(take_while(&queue, "wide"), 2);
    fair_queue_clear(&queue);
}

static void test_a_command_that_comes_back_is_the_first_and_costs_nothing(void **state)
{
    (void)state;
    struct fair_queue queue = {0};
    push(&queue, "a", 1, FAIR_TURN);
    push(&queue, "a", MANY, 1);
    push(&queue, "b", 1, 1);
    fair_queue_begin(&queue);
    struct job *first = fair_queue_take(&queue, any, NULL);
    fair_queue_push_front(&queue, first);
    assert_ptr_equal(fair_queue_take(&queue, any, NULL), first);
    job_free(first);
    assert_int_equal(take_while(&queue, "a"), 0); /* its turn is used up, once */
    fair_queue_clear(&queue);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_one_command_waits_for_one_turn_of_a_flood),
    cmocka_unit_test(test_a_batch_takes_from_all_lines),
    cmocka_unit_test(test_each_batch_begins_with_another_line),
    cmocka_unit_test(test_large_commands_use_up_the_turn_sooner),
    cmocka_unit_test(test_what_is_charged_afterwards_costs_turns),
    cmocka_unit_test(test_what_was_known_is_not_charged_again),
    cmocka_unit_test(test_a_principal_in_debt_is_served_if_it_is_alone),
    cmocka_unit_test(test_a_debt_outlives_an_empty_line),
    cmocka_unit_test(test_a_line_that_does_not_fit_is_passed_over_in_this_batch),
    cmocka_unit_test(test_a_line_saves_no_credit_while_it_is_passed_over),
    cmocka_unit_test(test_a_command_that_needs_an_empty_batch_does_not_wait_for_ever),
    cmocka_unit_test(test_each_document_that_a_command_names_uses_up_the_turn),
    cmocka_unit_test(test_a_command_that_comes_back_is_the_first_and_costs_nothing),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
