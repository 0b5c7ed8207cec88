/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settler on a broker in memory: what one destination does, does not stop the others, and each
 * failure is charged to the reply that caused it.
 *
 * A test sends commands, and run() does what the transport thread of a lane does, without the
 * applier: each delivery is answered at once. "culprit" and "victim" are two principals with a
 * reply queue each. The clock moves only in run().
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allot/limits.h"
#include "common/host/log.h"
#include "tests/support/captured_log.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_transport.h"
#include "worker/service/flow.h"
#include "worker/service/isolation.h"
#include "worker/service/job_letter.h"
#include "worker/service/settler.h"

#define DEADLY "amq.rabbitmq.reply-to.AAAA."
#define GOOD "amq.rabbitmq.reply-to.BBBB."

enum {
    PREFETCH = 400,
    BLAMED_MAX = PREFETCH / 2,
    BYTES_MAX = 64 * 1024 * 1024,
    LETTERS_BYTES_MAX = BYTES_MAX / 8,
    STEP_MS = 50,
    ATTEMPTS = 3,
    CONFIRM_MS = 10000
};

struct fixture {
    struct memory_broker *broker;
    struct transport *transport;
    struct memory_faults *faults;
    struct settler *settler;
    struct memory_budget budget;
    struct flow flow;
    struct fake_clock clock;
    struct counters counters;
    struct error error;
    size_t sent;
};

static uint64_t count(const struct fixture *fixture, enum counter counter)
{
    return counter_read(&fixture->counters, counter);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "settler test");
    fixture->clock = fake_clock_make();
    fixture->broker = memory_broker_new(&MEMORY_NAMES_DEFAULT);
    memory_broker_declare(fixture->broker, "culprit.replies");
    memory_broker_declare(fixture->broker, "victim.replies");
    fixture->transport = memory_transport_new(fixture->broker);
    fixture->faults = memory_transport_faults(fixture->transport);
    struct settler_options options = {.transport = fixture->transport,
                                      .clock = &fixture->clock.base,
                                      .counters = &fixture->counters,
                                      .queue = text_of("allot.commands"),
                                      .worker = text_of("test"),
                                      .dead_letter_exchange = text_of("allot.dead"),
                                      .publish_letters = true,
                                      .letters_bytes_max = LETTERS_BYTES_MAX,
                                      .confirm_timeout_ms = CONFIRM_MS,
                                      .reply_max_attempts = ATTEMPTS};
    fixture->settler = settler_new(&options);
    assert_int_equal(fixture->transport->ops->open(fixture->transport, &fixture->error),
                     TRANSPORT_OK);
    flow_init(&fixture->flow, BYTES_MAX, PREFETCH, &fixture->budget, &fixture->counters);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    settler_free(fixture->settler);
    flow_clear(&fixture->flow);
    fixture->transport->ops->free(fixture->transport);
    memory_broker_free(fixture->broker);
    free(fixture);
    return 0;
}

/* --- commands ------------------------------------------------------------------------------- */

/* `code` is what the command is answered with. */
static void send_command(struct fixture *fixture, const char *principal, const char *reply_to,
                         struct text body, enum verdict_code code)
{
    char key[32];
    (void)snprintf(key, sizeof key, "%zu", fixture->sent++);
    struct outgoing command = {.exchange = text_of("allot.commands"),
                               .routing_key = text_of("allot.commands"),
                               .body = body};
    command.properties.user_id = text_of(principal);
    command.properties.reply_to = text_of(reply_to);
    command.properties.message_id = text_of(key);
    command.properties.type = text_of(code == VERDICT_SUCCESS ? "success" : "failure");
    assert_true(memory_broker_send(fixture->broker, &command));
}

static void send_code(struct fixture *fixture, const char *principal, const char *reply_to,
                      enum verdict_code code)
{
    send_command(fixture, principal, reply_to, text_of("{}"), code);
}

/* Sends commands with the largest body. */
static void send_large(struct fixture *fixture, const char *principal, const char *reply_to,
                       size_t times)
{
    static const char zeros[BODY_BYTES_MAX];
    for (size_t i = 0; i < times; i++)
        send_command(fixture, principal, reply_to, text_view(zeros, sizeof zeros), VERDICT_SUCCESS);
}

static void send(struct fixture *fixture, const char *principal, const char *reply_to, size_t times)
{
    for (size_t i = 0; i < times; i++)
        send_code(fixture, principal, reply_to, VERDICT_SUCCESS);
}

static void answer(struct fixture *fixture, const struct transport_event *event)
{
    struct job *job = job_new(event->arena, &event->delivery, 1);
    job->subscription = fixture->flow.subscription;
    job->counted_bytes = job_bytes(job);
    flow_add(&fixture->flow, job->counted_bytes);
    struct request *request = &job->decoded.request;
    request->principal = job->delivery.properties.user_id;
    request->key = job->delivery.properties.message_id;
    request->reply_to = job->delivery.properties.reply_to;
    job->code =
        text_is(job->delivery.properties.type, "success") ? VERDICT_SUCCESS : VERDICT_MALFORMED;
    job->reply_allowed = true;
    job->body = text_of("{}");
    job->detail = text_of("detail");
    job->answered = true;
    assert_int_equal(settler_settle(fixture->settler, job, &fixture->error), TRANSPORT_OK);
}

/* Messages of the desk queue never come to a settler. */
static void pass_over(struct fixture *fixture, const struct transport_event *event)
{
    struct transport *transport = fixture->transport;
    assert_int_equal(transport->ops->ack(transport, event->delivery.tag, &fixture->error),
                     TRANSPORT_OK);
    arena_free(event->arena);
}

static void handle(void *context, const struct transport_event *event)
{
    struct fixture *fixture = context;
    if (event->kind != TRANSPORT_DELIVERY)
        assert_int_equal(settler_event(fixture->settler, event, &fixture->error), TRANSPORT_OK);
    else if (event->delivery.source == DELIVERY_DESK)
        pass_over(fixture, event);
    else if (flow_admit(&fixture->flow, event->delivery.tag))
        answer(fixture, event);
    else
        arena_free(event->arena);
}

/* What the applier does, if the database refuses the letters. */
static void refuse_letters(struct fixture *fixture)
{
    struct job_queue jobs = {0};
    settler_reap_unstored(fixture->settler, &jobs);
    for (struct job *job = job_queue_pop(&jobs); job != NULL; job = job_queue_pop(&jobs)) {
        job->letter_refused = true;
        assert_int_equal(settler_settle(fixture->settler, job, &fixture->error), TRANSPORT_OK);
    }
}

static void free_settled(struct fixture *fixture)
{
    struct job_queue jobs = {0};
    settler_reap(fixture->settler, &jobs);
    for (struct job *job = job_queue_pop(&jobs); job != NULL; job = job_queue_pop(&jobs)) {
        if (job->held)
            flow_hold(&fixture->flow, job->delivery.tag, job->subscription, job->held_until_ms);
        flow_remove(&fixture->flow, job->counted_bytes);
        job_free(job);
    }
}

static void control_flow(struct fixture *fixture)
{
    settler_limit_blamed(fixture->settler, flow_blamed_count(&fixture->flow),
                         flow_blamed_bytes(&fixture->flow));
    settler_limit_without_letter(fixture->settler, flow_without_letter_count(&fixture->flow));
    assert_int_equal(flow_release_held(&fixture->flow, fixture->transport,
                                       settler_room_without_letter(fixture->settler),
                                       fixture->clock.monotonic_ms, &fixture->error),
                     TRANSPORT_OK);
    assert_int_equal(flow_update(&fixture->flow, fixture->transport, false,
                                 fixture->clock.monotonic_ms, &fixture->error),
                     TRANSPORT_OK);
}

/* Lets the time pass. */
static void run(struct fixture *fixture, int64_t ms)
{
    const struct transport_handler handler = {fixture, handle};
    for (int64_t passed = 0; passed < ms; passed += STEP_MS) {
        int64_t wait_ms = 0;
        control_flow(fixture);
        assert_int_equal(
            fixture->transport->ops->poll(fixture->transport, 0, -1, &handler, &fixture->error),
            TRANSPORT_OK);
        assert_int_equal(settler_tick(fixture->settler, &wait_ms, &fixture->error), TRANSPORT_OK);
        refuse_letters(fixture);
        free_settled(fixture);
        fake_clock_advance(&fixture->clock, STEP_MS);
    }
}

static size_t replies(const struct fixture *fixture, const char *queue)
{
    return memory_broker_count(fixture->broker, queue);
}

static size_t unsettled(const struct fixture *fixture)
{
    return memory_broker_unacked(fixture->broker);
}

/* --- a queue that does not confirm ---------------------------------------------------------- */

static void test_a_silent_queue_stops_nobody_else(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", 40);
    send(fixture, "victim", "victim.replies", 40);
    run(fixture, 3000);
    assert_int_equal(unsettled(fixture), 40); /* the culprit's */
    send(fixture, "victim", "victim.replies", 40);
    run(fixture, 200);
    assert_int_equal(unsettled(fixture), 40);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 80);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
}

/* A publish that makes the broker's channel wait also holds back the confirms before it. */
static void test_an_innocent_oldest_reply_is_not_taken_for_the_silent_one(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "victim.replies", true);
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "victim", "victim.replies", 1);
    send(fixture, "culprit", "culprit.replies", 40);
    run(fixture, 1100); /* until the main route has begun anew */
    memory_broker_silence(fixture->broker, "victim.replies", false);
    run(fixture, 2500);
    assert_int_equal(unsettled(fixture), 40);
    send(fixture, "victim", "victim.replies", 40);
    run(fixture, 200);
    assert_int_equal(unsettled(fixture), 40);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
}

static void test_a_queue_that_confirms_again_gets_all_its_replies(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", 40);
    run(fixture, 5000);
    memory_broker_silence(fixture->broker, "culprit.replies", false);
    run(fixture, 5000);
    assert_int_equal(unsettled(fixture), 0);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 40);
    assert_true(replies(fixture, "culprit.replies") >= 40);
}

static void test_a_silent_queue_is_given_up_after_max_attempts(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", 1);
    run(fixture, CONFIRM_MS * ATTEMPTS / 2);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
    run(fixture, CONFIRM_MS * ATTEMPTS);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 1);
    assert_int_equal(unsettled(fixture), 0);
}

static void test_a_silent_queue_has_one_message_on_each_other_route(void **state)
{
    enum { FLOW_PENDING = 12 }; /* on the main route, before it was restarted */
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", 40);
    run(fixture, CONFIRM_MS - 1000);
    assert_int_equal(replies(fixture, "culprit.replies"), FLOW_PENDING + 2);
}

static void test_replies_to_silent_queues_never_fill_the_prefetch(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", 2 * PREFETCH);
    run(fixture, 3000);
    assert_true(unsettled(fixture) <= BLAMED_MAX + 1);
    send(fixture, "victim", "victim.replies", 1);
    run(fixture, 200);
    assert_int_equal(replies(fixture, "victim.replies"), 1);
}

static void test_replies_that_are_given_up_do_not_flood_the_log(void **state)
{
    struct fixture *fixture = *state;
    static struct captured_log captured;
    log_configure(LOG_LEVEL_WARNING, LOG_FORMAT_JSON, "settler test");
    captured_log_begin(&captured);
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", 4 * PREFETCH);
    run(fixture, 15000);
    size_t lines = occurrences(captured_log_read(&captured), "\"reply.unroutable\"");
    captured_log_end(&captured);
    assert_true(count(fixture, COUNTER_REPLIES_UNROUTABLE) >= 4 * PREFETCH - BLAMED_MAX);
    assert_int_equal(lines, 2);
}

/* Flow control has cut the prefetch, and does not raise it again. */
static void cut_prefetch(struct fixture *fixture, uint16_t prefetch)
{
    fixture->flow.prefetch = prefetch;
    fixture->flow.grow_at_ms = INT64_MAX;
}

static void test_replies_to_silent_queues_never_fill_a_cut_prefetch(void **state)
{
    struct fixture *fixture = *state;
    cut_prefetch(fixture, 8);
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", 40);
    run(fixture, 3000);
    assert_int_equal(unsettled(fixture), 4);
    send(fixture, "victim", "victim.replies", 1);
    run(fixture, 200);
    assert_int_equal(replies(fixture, "victim.replies"), 1);
}

static void test_with_a_prefetch_of_1_a_silent_queue_has_its_attempts(void **state)
{
    struct fixture *fixture = *state;
    cut_prefetch(fixture, 1);
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", 1);
    run(fixture, CONFIRM_MS);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
    memory_broker_silence(fixture->broker, "culprit.replies", false);
    run(fixture, 200);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 1);
}

static void test_large_commands_of_silent_queues_never_stop_the_consumer(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send_large(fixture, "culprit", "culprit.replies", 60);
    run(fixture, 3000); /* until the destination is blamed */
    assert_true(fixture->flow.bytes <= BYTES_MAX / 4);
    uint64_t pauses = count(fixture, COUNTER_FLOW_PAUSES);
    for (size_t i = 0; i < 100; i++) {
        send_large(fixture, "culprit", "culprit.replies", 2);
        send(fixture, "victim", "victim.replies", 1);
        run(fixture, 300);
        assert_true(fixture->flow.consuming);
        assert_int_equal(replies(fixture, "victim.replies"), i + 1);
    }
    assert_int_equal(count(fixture, COUNTER_FLOW_PAUSES), pauses);
}

static void test_small_replies_are_not_given_up_for_large_ones(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_declare(fixture->broker, "small.replies");
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    memory_broker_silence(fixture->broker, "small.replies", true);
    send(fixture, "victim", "small.replies", 40);
    send_large(fixture, "culprit", "culprit.replies", 14);
    run(fixture, 6000);
    assert_true(fixture->flow.bytes <= BYTES_MAX / 4);
    assert_int_equal(count(fixture, COUNTER_FLOW_PAUSES), 0);
    memory_broker_silence(fixture->broker, "small.replies", false);
    run(fixture, 1000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 40);
}

static void test_a_single_large_command_of_a_silent_queue_has_its_attempts(void **state)
{
    struct fixture *fixture = *state;
    flow_init(&fixture->flow, 2 * BODY_BYTES_MAX, PREFETCH, &fixture->budget, &fixture->counters);
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send_large(fixture, "culprit", "culprit.replies", 1);
    run(fixture, CONFIRM_MS);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
}

/* A suspect is not blamed: its replies wait for their turn, and soon leave. */
static void test_replies_of_suspects_do_not_count(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", BLAMED_MAX * 3 / 4);
    run(fixture, 3000);
    send(fixture, "victim", "victim.replies", 1); /* the main route is confirmed again */
    run(fixture, 200);
    memory_broker_silence(fixture->broker, "victim.replies", true);
    send(fixture, "victim", "victim.replies", BLAMED_MAX * 3 / 4);
    run(fixture, 1500); /* until they wait as suspects */
    memory_broker_silence(fixture->broker, "victim.replies", false);
    run(fixture, 1000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 1 + BLAMED_MAX * 3 / 4);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
}

/* Two destinations that are isolated, with one waiting reply each. */
static void isolate_two(struct isolation *isolation, struct job *jobs[2])
{
    for (size_t i = 0; i < 2; i++) {
        struct delivery delivery = {.tag = i + 1};
        jobs[i] = job_new(arena_new(0), &delivery, 1);
        jobs[i]->decoded.request.principal = text_of(i == 0 ? "culprit" : "victim");
        jobs[i]->decoded.request.reply_to = text_of("replies");
        isolation_add(isolation, jobs[i]);
        isolation_doubt(isolation, jobs[i]->destination);
        isolation_wait(isolation, jobs[i]);
    }
}

/* Whatever becomes of it, the count of blamed replies follows. */
static void test_blame_counts_all_replies_of_its_destination(void **state)
{
    (void)state;
    struct isolation isolation = {0};
    struct job_queue free_again = {0};
    struct job *jobs[2];
    isolate_two(&isolation, jobs);
    assert_int_equal(isolation.blamed.count, 0);
    isolation_silence(&isolation, jobs[0]->destination, 0);
    assert_int_equal(isolation.blamed.count, 1);
    assert_ptr_equal(isolation_next(&isolation, false, 0), jobs[1]);
    isolation_take(&isolation, false, jobs[1]);
    jobs[1]->closes = ISOLATION_CLOSES_MAX - 1;
    assert_true(isolation_charge(&isolation, jobs[1], 0));
    assert_int_equal(isolation.blamed.count, 2);
    isolation_withdraw(&isolation, jobs[1]);
    isolation_remove(&isolation, jobs[1]);
    assert_int_equal(isolation.blamed.count, 1);
    assert_ptr_equal(isolation_next(&isolation, true, 0), jobs[0]);
    isolation_take(&isolation, true, jobs[0]);
    isolation_resolved(&isolation, jobs[0], false, 0, &free_again);
    assert_int_equal(isolation.blamed.count, 0);
    job_free(jobs[0]);
    job_free(jobs[1]);
    isolation_clear(&isolation);
}

/* The turn of a destination ends also if its replies were given up before they were published. */
static void test_a_turn_without_replies_ends(void **state)
{
    (void)state;
    struct isolation isolation = {0};
    struct job *jobs[2];
    isolate_two(&isolation, jobs);
    struct job *first = isolation_next(&isolation, false, 0);
    assert_ptr_equal(first, jobs[0]);
    isolation_silence(&isolation, first->destination, 0);
    assert_ptr_equal(isolation_next(&isolation, true, 0), first);
    assert_ptr_equal(isolation_give_up(&isolation, false), first);
    assert_ptr_equal(isolation_next(&isolation, false, 0), jobs[1]);
    isolation_silence(&isolation, jobs[1]->destination, 0);
    assert_ptr_equal(isolation_next(&isolation, true, 0), jobs[1]);
    job_free(first);
    isolation_clear(&isolation);
}

static void test_a_turn_whose_next_reply_pauses_ends(void **state)
{
    (void)state;
    struct isolation isolation = {0};
    struct job *jobs[2];
    isolate_two(&isolation, jobs);
    assert_ptr_equal(isolation_next(&isolation, false, 0), jobs[0]);
    jobs[0]->due_ms = 100;
    assert_ptr_equal(isolation_next(&isolation, false, 99), jobs[1]);
    jobs[1]->due_ms = 200;
    assert_null(isolation_next(&isolation, false, 99));
    assert_ptr_equal(isolation_next(&isolation, false, 100), jobs[0]);
    isolation_clear(&isolation);
}

/* The pause holds also while another reply of the same turn is unconfirmed. */
static void test_a_nacked_reply_pauses_in_isolation(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", 1);
    run(fixture, 3000);
    memory_broker_silence(fixture->broker, "culprit.replies", false);
    run(fixture, 200);
    for (size_t i = 0; i < 4; i++) { /* its groups grow again */
        send(fixture, "culprit", "culprit.replies", 1);
        run(fixture, 200);
    }
    size_t before = replies(fixture, "culprit.replies");
    fixture->faults->nack_publish = 1;
    fixture->faults->swallow_confirm = 1;
    send(fixture, "culprit", "culprit.replies", 2);
    run(fixture, 2 * STEP_MS); /* published; then nacked */
    assert_int_equal(replies(fixture, "culprit.replies"), before + 1);
    int64_t wait_ms = -1;
    assert_int_equal(settler_tick(fixture->settler, &wait_ms, &fixture->error), TRANSPORT_OK);
    assert_in_range(wait_ms, 1, 100);
    assert_int_equal(replies(fixture, "culprit.replies"), before + 1);
    run(fixture, 100);
    assert_int_equal(replies(fixture, "culprit.replies"), before + 2);
}

static void test_a_broker_that_confirms_nothing_for_a_while_costs_no_reply(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    memory_broker_silence(fixture->broker, "victim.replies", true);
    send(fixture, "culprit", "culprit.replies", 30);
    send(fixture, "victim", "victim.replies", 30);
    run(fixture, 6000);
    memory_broker_silence(fixture->broker, "culprit.replies", false);
    memory_broker_silence(fixture->broker, "victim.replies", false);
    run(fixture, 6000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 60);
    assert_int_equal(unsettled(fixture), 0);
}

/* --- patience ------------------------------------------------------------------------------- */

/* How long others wait when a queue becomes silent, which none was before: one second on the main
   route, one for the silent destination alone, and then it is the victim's turn. */
static void assert_others_wait_no_longer(struct fixture *fixture)
{
    size_t before = replies(fixture, "victim.replies");
    memory_broker_declare(fixture->broker, "new.replies");
    memory_broker_silence(fixture->broker, "new.replies", true);
    send(fixture, "newcomer", "new.replies", 20); /* the broker stops reading the main route */
    send(fixture, "victim", "victim.replies", 1);
    run(fixture, 2300);
    assert_int_equal(replies(fixture, "victim.replies"), before + 1);
}

static void make_late(struct fixture *fixture, const char *queue, unsigned ms)
{
    memory_broker_slow_down(fixture->broker, queue, ms / STEP_MS);
}

/* Sends one reply at a time, each confirmed a little later than the one before. */
static void send_later_and_later(struct fixture *fixture)
{
    for (unsigned ms = 500; ms < CONFIRM_MS; ms += ms / 4) {
        make_late(fixture, "culprit.replies", ms);
        send(fixture, "culprit", "culprit.replies", 1);
        run(fixture, 2 * ms + 4000);
        assert_int_equal(unsettled(fixture), 0);
    }
}

static void test_a_slow_queue_does_not_let_others_wait(void **state)
{
    struct fixture *fixture = *state;
    make_late(fixture, "culprit.replies", 9000);
    send(fixture, "culprit", "culprit.replies", 3);
    run(fixture, 60000);
    assert_int_equal(unsettled(fixture), 0);
    assert_others_wait_no_longer(fixture);
}

static void test_a_queue_that_slows_down_does_not_let_others_wait(void **state)
{
    struct fixture *fixture = *state;
    send_later_and_later(fixture);
    assert_others_wait_no_longer(fixture);
}

/* As above, but from the start it is isolated, and alone on its route. */
static void test_an_isolated_queue_that_slows_down_does_not_let_others_wait(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", 1);
    run(fixture, 3000);
    memory_broker_silence(fixture->broker, "culprit.replies", false);
    run(fixture, 200);
    send_later_and_later(fixture);
    assert_others_wait_no_longer(fixture);
}

static void test_a_queue_that_is_silent_again_and_again_does_not_let_others_wait(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    for (size_t i = 0; i < 6; i++) {
        send(fixture, "culprit", "culprit.replies", 1);
        run(fixture, ATTEMPTS * CONFIRM_MS + ISOLATION_SILENT_MS + 10000);
        assert_int_equal(unsettled(fixture), 0);
    }
    assert_others_wait_no_longer(fixture);
}

/* Sends a command each to both queues, every two seconds. */
static void send_both(struct fixture *fixture, int64_t ms)
{
    for (int64_t passed = 0; passed < ms; passed += 2000) {
        send(fixture, "culprit", "culprit.replies", 1);
        send(fixture, "victim", "victim.replies", 1);
        run(fixture, 2000);
    }
}

static size_t repetitions(const struct fixture *fixture)
{
    return replies(fixture, "culprit.replies") + replies(fixture, "victim.replies") - fixture->sent;
}

/* Its destinations are tried one by one, but then it gets the time that it needs. */
static void test_a_broker_that_is_slow_as_a_whole_is_not_restarted_forever(void **state)
{
    struct fixture *fixture = *state;
    make_late(fixture, "culprit.replies", 1500);
    make_late(fixture, "victim.replies", 1500);
    send_both(fixture, 30000);
    size_t before = repetitions(fixture);
    send_both(fixture, 200000);
    assert_int_equal(repetitions(fixture), before);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
}

/* Nothing says whether the queue is slow or the broker, but its replies arrive. */
static void test_a_slow_queue_on_its_own_is_not_restarted_forever(void **state)
{
    struct fixture *fixture = *state;
    make_late(fixture, "culprit.replies", 1500);
    send(fixture, "culprit", "culprit.replies", 100);
    run(fixture, 20000);
    size_t before = repetitions(fixture);
    send(fixture, "culprit", "culprit.replies", 200);
    run(fixture, 10000);
    assert_int_equal(unsettled(fixture), 0);
    assert_int_equal(repetitions(fixture), before);
}

/* --- a reply that closes its connection ----------------------------------------------------- */

static void test_only_the_reply_that_closes_the_connection_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_close_over(fixture->broker, DEADLY);
    send(fixture, "victim", "victim.replies", 50);
    send(fixture, "culprit", DEADLY "key", 1);
    send(fixture, "victim", "victim.replies", 50);
    run(fixture, 3000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 1);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 100);
    assert_int_equal(unsettled(fixture), 0);
    assert_int_equal(count(fixture, COUNTER_ROUTES_CLOSED), 1 + ISOLATION_CLOSES_MAX);
}

static void test_a_reply_that_is_alone_closes_two_connections(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_close_over(fixture->broker, DEADLY);
    send(fixture, "culprit", DEADLY "key", 1);
    run(fixture, 3000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 1);
    assert_int_equal(count(fixture, COUNTER_ROUTES_CLOSED), ISOLATION_CLOSES_MAX);
}

static void test_a_group_with_one_guilty_reply_loses_this_one_only(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_close_over(fixture->broker, DEADLY);
    send(fixture, "culprit", GOOD "key", 5);
    send(fixture, "culprit", DEADLY "key", 1);
    send(fixture, "culprit", GOOD "key", 5);
    run(fixture, 3000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 1);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 10);
}

static void test_a_convicted_principal_closes_the_main_route_no_more(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_close_over(fixture->broker, DEADLY);
    send(fixture, "culprit", DEADLY "key", 1);
    run(fixture, 3000);
    uint64_t closed = count(fixture, COUNTER_ROUTES_CLOSED);
    for (size_t i = 0; i < 20; i++) {
        send(fixture, "culprit", DEADLY "other", 1);
        send(fixture, "victim", "victim.replies", 5);
    }
    run(fixture, 5000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 21);
    assert_int_equal(replies(fixture, "victim.replies"), 100); /* none was published twice */
    assert_int_equal(count(fixture, COUNTER_ROUTES_CLOSED), closed + 20);
}

static void test_a_good_reply_of_a_convicted_principal_arrives(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_close_over(fixture->broker, DEADLY);
    send(fixture, "culprit", DEADLY "key", 3);
    run(fixture, 3000);
    memory_broker_close_over(fixture->broker, NULL);
    send(fixture, "culprit", DEADLY "key", 3); /* direct reply-to: confirmed, though nobody reads */
    send(fixture, "culprit", "culprit.replies", 3);
    run(fixture, 1000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 6);
    assert_int_equal(replies(fixture, "culprit.replies"), 3);
}

static void test_another_principal_with_the_same_address_is_not_charged(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_close_over(fixture->broker, DEADLY);
    send(fixture, "culprit", DEADLY "key", 1);
    run(fixture, 3000);
    memory_broker_close_over(fixture->broker, NULL);
    uint64_t closed = count(fixture, COUNTER_ROUTES_CLOSED);
    send(fixture, "victim", DEADLY "good", 10);
    run(fixture, 1000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 10);
    assert_int_equal(count(fixture, COUNTER_ROUTES_CLOSED), closed);
}

static void test_a_failure_whose_reply_closes_the_connection_is_dead_lettered(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_close_over(fixture->broker, DEADLY);
    send_code(fixture, "culprit", DEADLY "key", VERDICT_MALFORMED);
    run(fixture, 3000);
    assert_int_equal(unsettled(fixture), 0);
    assert_int_equal(replies(fixture, "allot.dead"), 1);
}

/* --- what blames nobody --------------------------------------------------------------------- */

static void test_a_route_that_ends_for_an_outside_reason_costs_no_attempt(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 10; i++) {
        fixture->faults->lose_route = 1;
        send(fixture, "victim", "victim.replies", 3);
        run(fixture, 200);
    }
    assert_int_equal(count(fixture, COUNTER_ROUTES_CLOSED), 10);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 30);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
}

static void test_outside_ends_leave_a_reply_all_its_attempts(void **state)
{
    struct fixture *fixture = *state;
    send(fixture, "victim", "victim.replies", 1);
    for (int i = 0; i < 2 * ATTEMPTS; i++) {
        fixture->faults->lose_route = 1;
        run(fixture, STEP_MS);
    }
    fixture->faults->lose_route = 0;
    fixture->faults->nack_publish = 1;
    run(fixture, 1000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 1);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
}

/* No confirm can come while the broker blocks the connection. */
static void test_the_time_of_a_block_is_no_silence(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "victim.replies", true);
    send(fixture, "victim", "victim.replies", 3);
    run(fixture, 100);
    memory_broker_block(fixture->broker, "memory");
    run(fixture, 5000);
    memory_broker_block(fixture->broker, NULL);
    run(fixture, 500);
    memory_broker_silence(fixture->broker, "victim.replies", false);
    run(fixture, 100);
    assert_int_equal(unsettled(fixture), 0);
    assert_int_equal(replies(fixture, "victim.replies"), 3); /* none was published twice */
}

static void test_a_missing_permission_blames_no_isolated_reply(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "culprit.replies", true);
    send(fixture, "culprit", "culprit.replies", 3);
    run(fixture, 3000);
    memory_broker_forbid_replies(fixture->broker, true);
    memory_broker_silence(fixture->broker, "culprit.replies", false);
    send(fixture, "culprit", "culprit.replies", 3);
    run(fixture, 20000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
    memory_broker_forbid_replies(fixture->broker, false);
    run(fixture, 5000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 6);
}

static void test_a_missing_permission_is_an_outage_of_replies(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_forbid_replies(fixture->broker, true);
    send(fixture, "victim", "victim.replies", 200);
    run(fixture, 60000);
    assert_int_equal(unsettled(fixture), 200);
    memory_broker_forbid_replies(fixture->broker, false);
    run(fixture, 5000);
    assert_int_equal(count(fixture, COUNTER_REPLIES_PUBLISHED), 200);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
    assert_int_equal(unsettled(fixture), 0);
}

/* --- dead letters --------------------------------------------------------------------------- */

static void send_garbage(struct fixture *fixture, size_t times)
{
    for (size_t i = 0; i < times; i++)
        send_code(fixture, "culprit", "culprit.replies", VERDICT_MALFORMED);
}

static void test_dead_letters_that_are_not_accepted_stop_no_reply(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_bind_dead(fixture->broker, false); /* they come back as unroutable */
    send_garbage(fixture, 50);
    run(fixture, 5000);
    assert_true(count(fixture, COUNTER_PUBLISHES_FAILED) <= 50 + 10); /* then one at a time */
    send(fixture, "victim", "victim.replies", 50);
    run(fixture, 200);
    assert_int_equal(replies(fixture, "victim.replies"), 50);
    assert_int_equal(unsettled(fixture), 50);
    memory_broker_bind_dead(fixture->broker, true);
    run(fixture, 15000);
    assert_int_equal(replies(fixture, "allot.dead"), 50);
    assert_int_equal(unsettled(fixture), 0);
}

static void test_a_silent_dead_letter_queue_stops_no_reply(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_silence(fixture->broker, "allot.dead", true);
    send_garbage(fixture, 50);
    run(fixture, 5000);
    send(fixture, "victim", "victim.replies", 50);
    run(fixture, 200);
    assert_int_equal(replies(fixture, "victim.replies"), 50);
    memory_broker_silence(fixture->broker, "allot.dead", false);
    run(fixture, 30000);
    assert_true(replies(fixture, "allot.dead") >= 50);
    assert_int_equal(unsettled(fixture), 0);
}

static void test_a_dead_letter_that_was_nacked_waits_behind_the_others(void **state)
{
    struct fixture *fixture = *state;
    fixture->faults->nack_publish = 1;
    send_code(fixture, "culprit", "nowhere", VERDICT_MALFORMED);
    run(fixture, 100);
    send_garbage(fixture, 20);
    run(fixture, 5000);
    assert_int_equal(unsettled(fixture), 0);
    assert_int_equal(replies(fixture, "allot.dead"), 21);
}

/* `kept` commands wait for their dead letters, and no other command is in memory. */
static void assert_kept_without_letter(struct fixture *fixture, size_t sent, size_t kept)
{
    assert_int_equal(settler_without_letter(fixture->settler), kept);
    assert_int_equal(settler_count(fixture->settler), kept);
    assert_int_equal(fixture->flow.count, kept);
    assert_int_equal(count(fixture, COUNTER_DELIVERIES_HELD), sent - kept);
    assert_int_equal(unsettled(fixture), sent);
    send(fixture, "victim", "victim.replies", 50);
    run(fixture, 200);
    assert_int_equal(replies(fixture, "victim.replies"), 50);
    memory_broker_bind_dead(fixture->broker, true);
    run(fixture, 60000);
    assert_int_equal(replies(fixture, "allot.dead"), sent);
    assert_int_equal(unsettled(fixture), 0);
}

static void test_few_dead_letters_without_a_letter_wait_in_memory(void **state)
{
    enum { SENT = 2 * PREFETCH };
    struct fixture *fixture = *state;
    size_t most = PREFETCH / 4 < 64 ? PREFETCH / 4 : 64;
    memory_broker_bind_dead(fixture->broker, false);
    send_garbage(fixture, SENT);
    run(fixture, 5000);
    assert_kept_without_letter(fixture, SENT, most);
}

static void test_few_bytes_of_dead_letters_without_a_letter_wait_in_memory(void **state)
{
    static const char zeros[BODY_BYTES_MAX];
    enum { SENT = 2 * LETTERS_BYTES_MAX / BODY_BYTES_MAX };
    struct fixture *fixture = *state;
    memory_broker_bind_dead(fixture->broker, false);
    for (size_t i = 0; i < SENT; i++)
        send_command(fixture, "culprit", "culprit.replies", text_view(zeros, sizeof zeros),
                     VERDICT_MALFORMED);
    run(fixture, 5000);
    size_t kept = settler_without_letter(fixture->settler);
    assert_in_range(kept, 1, LETTERS_BYTES_MAX / BODY_BYTES_MAX);
    assert_kept_without_letter(fixture, SENT, kept);
}

/* Else no sweep could ever publish it. */
static void test_a_stored_letter_over_the_limit_is_published_alone(void **state)
{
    enum { LETTERS = 3 };
    struct fixture *fixture = *state;
    const struct letter letter = {.id = text_of("0123456789abcdef0123456789abcdef"),
                                  .times = 1,
                                  .reason = text_of("malformed"),
                                  .queue = text_of("allot.commands"),
                                  .body = text_of("large")};
    for (size_t i = 0; i < LETTERS; i++) {
        struct job *job = job_of_letter(&letter, 1);
        job->counted_bytes = LETTERS_BYTES_MAX + 1;
        flow_add(&fixture->flow, job->counted_bytes);
        settler_publish(fixture->settler, job);
        run(fixture, 100);
        assert_int_equal(replies(fixture, "allot.dead"), i + 1);
    }
}

/* It would hold the memory of many commands as long as the broker takes no dead letters. */
static void test_a_stored_letter_over_the_limit_does_not_wait_in_memory(void **state)
{
    struct fixture *fixture = *state;
    const struct letter letter = {.id = text_of("0123456789abcdef0123456789abcdef"), .times = 1};
    struct job *job = job_of_letter(&letter, 1);
    memory_broker_bind_dead(fixture->broker, false);
    job->counted_bytes = LETTERS_BYTES_MAX + 1;
    flow_add(&fixture->flow, job->counted_bytes);
    settler_publish(fixture->settler, job);
    run(fixture, 1000);
    assert_int_equal(settler_publishing(fixture->settler), 0);
    assert_int_equal(fixture->flow.bytes, 0);
}

/* --- one producer with many queues ---------------------------------------------------------- */

enum { SILENT_QUEUES = 40 };

/* Sends so many commands for each of many silent queues of the culprit. */
static void send_to_silent_queues(struct fixture *fixture, size_t each)
{
    static char names[SILENT_QUEUES][16];
    for (size_t i = 0; i < SILENT_QUEUES; i++) {
        (void)snprintf(names[i], sizeof names[i], "culprit.%zu", i);
        memory_broker_declare(fixture->broker, names[i]);
        memory_broker_silence(fixture->broker, names[i], true);
        send(fixture, "culprit", names[i], each);
    }
}

static void test_many_silent_queues_of_one_producer_cost_others_one_turn(void **state)
{
    struct fixture *fixture = *state;
    send_to_silent_queues(fixture, 1);
    send(fixture, "victim", "victim.replies", 1);
    run(fixture, 3000);
    assert_int_equal(replies(fixture, "victim.replies"), 1);
    assert_int_equal(count(fixture, COUNTER_REPLIES_UNROUTABLE), 0);
}

static void test_many_silent_queues_of_one_producer_never_fill_the_prefetch(void **state)
{
    struct fixture *fixture = *state;
    send_to_silent_queues(fixture, 2 * PREFETCH / SILENT_QUEUES);
    run(fixture, 1500);
    send(fixture, "victim", "victim.replies", 1);
    run(fixture, 3000);
    assert_int_equal(replies(fixture, "victim.replies"), 1);
}

static void test_two_slow_queues_of_one_producer_let_nobody_wait(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_declare(fixture->broker, "culprit.2");
    memory_broker_declare(fixture->broker, "culprit.3");
    make_late(fixture, "culprit.replies", 9000);
    make_late(fixture, "culprit.2", 9000);
    send(fixture, "culprit", "culprit.replies", 2);
    send(fixture, "culprit", "culprit.2", 2);
    run(fixture, 90000);
    assert_int_equal(unsettled(fixture), 0);
    memory_broker_silence(fixture->broker, "culprit.3", true);
    send(fixture, "culprit", "culprit.3", 20);
    send(fixture, "victim", "victim.replies", 1);
    run(fixture, 5000);
    assert_int_equal(replies(fixture, "victim.replies"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_silent_queue_stops_nobody_else),
        TEST(test_an_innocent_oldest_reply_is_not_taken_for_the_silent_one),
        TEST(test_a_queue_that_confirms_again_gets_all_its_replies),
        TEST(test_a_silent_queue_is_given_up_after_max_attempts),
        TEST(test_a_silent_queue_has_one_message_on_each_other_route),
        TEST(test_replies_to_silent_queues_never_fill_the_prefetch),
        TEST(test_replies_that_are_given_up_do_not_flood_the_log),
        TEST(test_replies_to_silent_queues_never_fill_a_cut_prefetch),
        TEST(test_with_a_prefetch_of_1_a_silent_queue_has_its_attempts),
        TEST(test_large_commands_of_silent_queues_never_stop_the_consumer),
        TEST(test_small_replies_are_not_given_up_for_large_ones),
        TEST(test_a_single_large_command_of_a_silent_queue_has_its_attempts),
        TEST(test_replies_of_suspects_do_not_count),
        TEST(test_blame_counts_all_replies_of_its_destination),
        TEST(test_a_turn_without_replies_ends),
        TEST(test_a_turn_whose_next_reply_pauses_ends),
        TEST(test_a_nacked_reply_pauses_in_isolation),
        TEST(test_a_broker_that_confirms_nothing_for_a_while_costs_no_reply),
        TEST(test_a_slow_queue_does_not_let_others_wait),
        TEST(test_many_silent_queues_of_one_producer_cost_others_one_turn),
        TEST(test_many_silent_queues_of_one_producer_never_fill_the_prefetch),
        TEST(test_two_slow_queues_of_one_producer_let_nobody_wait),
        TEST(test_a_queue_that_slows_down_does_not_let_others_wait),
        TEST(test_an_isolated_queue_that_slows_down_does_not_let_others_wait),
        TEST(test_a_queue_that_is_silent_again_and_again_does_not_let_others_wait),
        TEST(test_a_broker_that_is_slow_as_a_whole_is_not_restarted_forever),
        TEST(test_a_slow_queue_on_its_own_is_not_restarted_forever),
        TEST(test_only_the_reply_that_closes_the_connection_is_given_up),
        TEST(test_a_reply_that_is_alone_closes_two_connections),
        TEST(test_a_group_with_one_guilty_reply_loses_this_one_only),
        TEST(test_a_convicted_principal_closes_the_main_route_no_more),
        TEST(test_a_good_reply_of_a_convicted_principal_arrives),
        TEST(test_another_principal_with_the_same_address_is_not_charged),
        TEST(test_a_failure_whose_reply_closes_the_connection_is_dead_lettered),
        TEST(test_a_route_that_ends_for_an_outside_reason_costs_no_attempt),
        TEST(test_outside_ends_leave_a_reply_all_its_attempts),
        TEST(test_the_time_of_a_block_is_no_silence),
        TEST(test_a_missing_permission_blames_no_isolated_reply),
        TEST(test_a_missing_permission_is_an_outage_of_replies),
        TEST(test_dead_letters_that_are_not_accepted_stop_no_reply),
        TEST(test_a_silent_dead_letter_queue_stops_no_reply),
        TEST(test_few_dead_letters_without_a_letter_wait_in_memory),
        TEST(test_a_stored_letter_over_the_limit_is_published_alone),
        TEST(test_a_stored_letter_over_the_limit_does_not_wait_in_memory),
        TEST(test_few_bytes_of_dead_letters_without_a_letter_wait_in_memory),
        TEST(test_a_dead_letter_that_was_nacked_waits_behind_the_others),
    };
#undef TEST
    return cmocka_run_group_tests_name("settler", tests, NULL, NULL) != 0;
}
