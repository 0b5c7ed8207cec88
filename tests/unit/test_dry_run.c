/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what a dry run says of letters, on a database in memory.
 *
 * Each test begins with the provider P1, which has 10 VCPU (setup_capacity). It adds letters
 * (add), gives all of them one dry run (run), and compares what is said of each (assert_verdict).
 * run() also checks that nothing was committed.
 *
 * Sections: the state; recorded answers; what cannot be replayed; options; snapshots; failures of
 * the database.
 *
 * Not here: MongoDB (tests/desk/test_dry_run.c), and whether what is said then happens
 * (tests/sim/test_one_snapshot.c).
 */
#include "tests/support/cmocka.h"

#include "common/codec/field_table.h"
#include "common/codec/policy_file.h"
#include "ctl/desk/dry_run.h"
#include "tests/support/desk_letters.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_store.h"

#define SET(consumer, vcpu) SET_OF("blue", consumer, P1, vcpu)
#define GET COMMAND("provider.get", "\"uuid\":\"" P1 "\"")

enum { NOW_MS = 1000000, RETENTION_MS = 60000, MANY = DRY_RUN_SNAPSHOT_MAX + 1 };

static const char policy_text[] = "version: 1\n"
                                  "principals:\n"
                                  "  - name: root\n"
                                  "    allow:\n"
                                  "      - {commands: ['*'], projects: ['*'], providers: ['*']}\n"
                                  "  - name: blue\n"
                                  "    allow:\n"
                                  "      - {commands: ['allocation.*'], projects: [blue],"
                                  " providers: ['*']}\n"
                                  "    reply_to: [replies]\n";

struct fixture {
    struct arena *arena;
    struct fake_clock clock;
    struct memory_database *database;
    struct policy policy;
    struct settings settings;
    struct desk_world world;
    struct desk desk;
    struct replay_options options;
    struct letter_record records[MANY];
    struct dry_verdict verdicts[MANY];
    size_t count;
};

static int setup(void **state)
{
    struct arena *arena = arena_new(0);
    struct fixture *fixture = ARENA_NEW(arena, struct fixture);
    struct error error = {""};
    fixture->arena = arena;
    fixture->clock = fake_clock_make();
    fixture->clock.wall_ms = NOW_MS;
    fixture->database = memory_database_new();
    memory_database_use_clock(fixture->database, &fixture->clock.base);
    if (!policy_read(text_of(policy_text), "policy", arena, &fixture->policy, &error))
        fail_msg("%s", error.text);
    fixture->settings = (struct settings){.amqp_exchange = text_of("allot.commands"),
                                          .amqp_queue = text_of("allot.commands"),
                                          .delivery_max_attempts = 3,
                                          .idempotency_retention_ms = RETENTION_MS,
                                          .security_trust_user_id = true};
    fixture->world = (struct desk_world){
        .store = memory_store_new(fixture->database), .policy = &fixture->policy, .arena = arena};
    fixture->desk = (struct desk){
        .store = fixture->world.store, .settings = &fixture->settings, .policy = &fixture->policy};
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    fixture->world.store->ops->free(fixture->world.store);
    memory_database_free(fixture->database);
    arena_free(fixture->arena);
    return 0;
}

static void execute(struct fixture *fixture, const char *principal, const char *key,
                    const char *body, enum verdict_code code)
{
    struct delivery delivery = desk_delivery(principal, key, body);
    desk_expect(&fixture->world, &delivery, code);
}

static int setup_capacity(void **state)
{
    (void)setup(state);
    execute(*state, "root", "create", CREATE(P1, "p1"), VERDICT_SUCCESS);
    execute(*state, "root", "inventory", INVENTORY(P1, "10"), VERDICT_SUCCESS);
    return 0;
}

static struct letter_record *add_delivery(struct fixture *fixture, const struct delivery *delivery)
{
    assert_true(fixture->count < MANY);
    struct letter_record *record = &fixture->records[fixture->count++];
    *record = desk_letter(&fixture->world, delivery, NOW_MS);
    return record;
}

static struct letter_record *add(struct fixture *fixture, const char *principal, const char *key,
                                 const char *body)
{
    struct delivery delivery = desk_delivery(principal, key, body);
    return add_delivery(fixture, &delivery);
}

/* Gives all letters a dry run, which must change nothing in the database. */
static void run(struct fixture *fixture)
{
    struct error error = {""};
    uint64_t before = memory_database_sequence(fixture->database);
    if (!dry_run(&fixture->desk, &fixture->options, fixture->records, fixture->count,
                 fixture->arena, fixture->verdicts, &error))
        fail_msg("%s", error.text);
    assert_true(memory_database_sequence(fixture->database) == before);
}

static void assert_verdict(const struct fixture *fixture, size_t index, enum dry_kind kind,
                           const char *code, const char *text)
{
    const struct dry_verdict *verdict = &fixture->verdicts[index];
    if (verdict->kind != kind || !text_equal(verdict->code, text_of(code)) ||
        (text != NULL && !text_is(verdict->text, text)))
        fail_msg("letter %zu: %s %.*s: %.*s", index, dry_kind_name(verdict->kind),
                 TEXT_ARGS(verdict->code), TEXT_ARGS(verdict->text));
}

/* --- the state ------------------------------------------------------------------------------ */

static void test_letters_that_compete_are_not_all_promised(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, "blue", "k1", SET(C("01"), "6"));
    (void)add(fixture, "blue", "k2", SET(C("02"), "6"));
    (void)add(fixture, "blue", "k3", SET(C("03"), "4"));
    run(fixture);
    assert_verdict(fixture, 0, DRY_SUCCEEDS, NULL,
                   "consumer " C("01") ": VCPU=6 on " P1 "; generation 1");
    assert_verdict(fixture, 1, DRY_FAILS, "capacity_exceeded",
                   "insufficient capacity of VCPU on provider " P1
                   ": the command requests 6, free 4");
    assert_verdict(fixture, 2, DRY_SUCCEEDS, NULL, NULL);
}

static void test_a_provider_of_one_letter_exists_for_the_next(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, "blue", "k1", SET_OF("blue", C("01"), P2, "1"));
    (void)add(fixture, "root", "k2", CREATE(P2, "p1"));
    (void)add(fixture, "root", "k3", CREATE(P2, "p2"));
    (void)add(fixture, "root", "k4", INVENTORY(P2, "1"));
    (void)add(fixture, "blue", "k5", SET_OF("blue", C("01"), P2, "1"));
    run(fixture);
    assert_verdict(fixture, 0, DRY_FAILS, "provider_not_found", NULL);
    assert_verdict(fixture, 1, DRY_FAILS, "provider_name_taken", NULL);
    assert_verdict(fixture, 2, DRY_SUCCEEDS, NULL, "provider " P2 ": created as 'p2', a root");
    assert_verdict(fixture, 3, DRY_SUCCEEDS, NULL, "provider " P2 ": VCPU 1; generation 1");
    assert_verdict(fixture, 4, DRY_SUCCEEDS, NULL, NULL);
}

static void test_a_letter_of_a_forbidden_command_would_fail(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, "blue", "k1", SET_OF("red", C("01"), P1, "1"));
    run(fixture);
    assert_verdict(fixture, 0, DRY_FAILS, "forbidden",
                   "principal 'blue' is not allowed to run 'allocation.set'");
}

/* --- recorded answers ----------------------------------------------------------------------- */

static void test_a_recorded_answer_would_be_given_again(void **state)
{
    struct fixture *fixture = *state;
    fixture->clock.wall_ms = NOW_MS - 500;
    execute(fixture, "blue", "k1", SET(C("01"), "6"), VERDICT_SUCCESS);
    execute(fixture, "blue", "k2", SET(C("02"), "6"), VERDICT_CAPACITY_EXCEEDED);
    fixture->clock.wall_ms = NOW_MS;
    (void)add(fixture, "blue", "k1", SET(C("01"), "6"));
    (void)add(fixture, "blue", "k2", SET(C("02"), "6"));
    (void)add(fixture, "blue", "k1", SET(C("01"), "7"));
    run(fixture);
    assert_verdict(fixture, 0, DRY_ANSWERED, "success", "the command has succeeded");
    assert_verdict(fixture, 1, DRY_ANSWERED, "capacity_exceeded",
                   "insufficient capacity of VCPU on provider " P1
                   ": the command requests 6, free 4");
    assert_verdict(fixture, 2, DRY_FAILS, "idempotency_key_reused", NULL);
    assert_int_equal(fixture->verdicts[0].recorded_at_ms, NOW_MS - 500);
    assert_int_equal(fixture->verdicts[2].recorded_at_ms, 0);
}

static void test_a_letter_with_the_key_of_one_before_it_gets_its_answer(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, "blue", "k1", SET(C("01"), "11"));
    (void)add(fixture, "blue", "k1", SET(C("01"), "11"));
    run(fixture);
    assert_verdict(fixture, 0, DRY_FAILS, "capacity_exceeded", NULL);
    assert_verdict(fixture, 1, DRY_ANSWERED, "capacity_exceeded",
                   "insufficient capacity of VCPU on provider " P1
                   ": the command requests 11, free 10");
    assert_int_equal(fixture->verdicts[1].recorded_at_ms, 0);
}

/* --- what cannot be replayed ---------------------------------------------------------------- */

static void test_a_letter_with_an_expired_key_needs_a_new_one(void **state)
{
    struct fixture *fixture = *state;
    execute(fixture, "blue", "k1", SET(C("02"), "1"), VERDICT_SUCCESS);
    add(fixture, "blue", "k1", SET(C("01"), "1"))->last_at_ms = NOW_MS - RETENTION_MS;
    (void)add(fixture, "blue", "no key", SET(C("03"), "1"));
    run(fixture);
    assert_verdict(fixture, 0, DRY_KEY_EXPIRED, NULL,
                   replay_obstacle_text(REPLAY_OBSTACLE_KEY_EXPIRED));
    assert_verdict(fixture, 1, DRY_NOT_REPLAYABLE, NULL,
                   replay_obstacle_text(REPLAY_OBSTACLE_NO_KEY));
    fixture->options.new_key = true;
    run(fixture);
    assert_verdict(fixture, 0, DRY_SUCCEEDS, NULL, NULL);
    assert_verdict(fixture, 1, DRY_SUCCEEDS, NULL, NULL);
}

static void test_without_a_policy_only_the_letters_are_judged(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, "blue", "k1", SET_OF("red", C("01"), P1, "1"));
    add(fixture, "blue", "k2", SET(C("01"), "1"))->last_at_ms = NOW_MS - RETENTION_MS;
    (void)add(fixture, "root", "k3", GET);
    fixture->desk.policy = NULL;
    run(fixture);
    assert_verdict(fixture, 0, DRY_SUCCEEDS, NULL, "can be sent");
    assert_verdict(fixture, 1, DRY_KEY_EXPIRED, NULL, NULL);
    assert_verdict(fixture, 2, DRY_NOT_REPLAYABLE, NULL,
                   replay_obstacle_text(REPLAY_OBSTACLE_READ));
}

static void test_reads_and_letters_without_their_body_are_not_replayed(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, "root", "k1", GET);
    add(fixture, "blue", "k2", SET(C("01"), "1"))->letter.body_size++;
    add(fixture, "blue", "k3", SET(C("01"), "1"))->letter.body_dropped = true;
    add(fixture, "blue", "k4", SET(C("01"), "1"))->state = LETTER_RESOLVED;
    (void)add(fixture, "blue", "k5", SET(C("01"), "1"));
    add(fixture, "root", "k6", GET)->letter.command = TEXT_NONE;
    run(fixture);
    assert_verdict(fixture, 0, DRY_NOT_REPLAYABLE, NULL,
                   replay_obstacle_text(REPLAY_OBSTACLE_READ));
    assert_verdict(fixture, 1, DRY_NOT_REPLAYABLE, NULL,
                   replay_obstacle_text(REPLAY_OBSTACLE_TRUNCATED));
    assert_verdict(fixture, 2, DRY_NOT_REPLAYABLE, NULL,
                   replay_obstacle_text(REPLAY_OBSTACLE_NO_BODY));
    assert_verdict(fixture, 3, DRY_NOT_REPLAYABLE, NULL,
                   replay_obstacle_text(REPLAY_OBSTACLE_CLOSED));
    assert_verdict(fixture, 4, DRY_SUCCEEDS, NULL, NULL);
    assert_verdict(fixture, 5, DRY_NOT_REPLAYABLE, NULL,
                   replay_obstacle_text(REPLAY_OBSTACLE_READ));
}

static void test_what_cannot_be_decoded_would_fail(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, "blue", "k1", "{not json");
    (void)add(fixture, "ghost", "k2", SET(C("01"), "1"));
    (void)add(fixture, "blue", "k3", COMMAND("allocation.delete", ""));
    run(fixture);
    assert_verdict(fixture, 0, DRY_FAILS, "malformed", NULL);
    assert_verdict(fixture, 1, DRY_FAILS, "unauthenticated", "unknown principal 'ghost'");
    assert_verdict(fixture, 2, DRY_FAILS, "invalid", NULL);
}

/* --- options -------------------------------------------------------------------------------- */

static void test_a_deadline_counts_only_if_it_is_kept(void **state)
{
    struct fixture *fixture = *state;
    const struct outgoing_header header = {
        .name = "x-allot-deadline", .kind = OUTGOING_INTEGER, .integer = NOW_MS - 1};
    struct delivery delivery = desk_delivery("blue", "k1", SET(C("01"), "1"));
    delivery.raw_headers = field_table_merge(fixture->arena, TEXT_NONE, &header, 1);
    field_table_read_delivery(&delivery);
    (void)add_delivery(fixture, &delivery);
    run(fixture);
    assert_verdict(fixture, 0, DRY_SUCCEEDS, NULL, NULL);
    fixture->options.keep_deadline = true;
    run(fixture);
    assert_verdict(fixture, 0, DRY_FAILS, "deadline_exceeded", NULL);
}

static void test_the_policy_is_asked_about_a_reply_to_that_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct delivery delivery = desk_delivery("blue", "k1", SET(C("01"), "1"));
    delivery.properties.reply_to = text_of("elsewhere");
    (void)add_delivery(fixture, &delivery);
    run(fixture);
    assert_verdict(fixture, 0, DRY_SUCCEEDS, NULL, NULL);
    fixture->options.keep_reply_to = true;
    run(fixture);
    assert_verdict(fixture, 0, DRY_FAILS, "forbidden", NULL);
}

static void test_the_default_principal_acts_where_user_id_is_not_trusted(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, "ghost", "k1", SET_OF("red", C("01"), P1, "1"));
    fixture->settings.security_trust_user_id = false;
    fixture->settings.security_default_principal = text_of("root");
    run(fixture);
    assert_verdict(fixture, 0, DRY_SUCCEEDS, NULL, NULL);
}

/* --- snapshots ------------------------------------------------------------------------------ */

static void test_a_snapshot_has_a_bounded_number_of_letters(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, "blue", "first", SET(C("01"), "6"));
    while (fixture->count < DRY_RUN_SNAPSHOT_MAX - 1) {
        const char *key = text_format(fixture->arena, "k%zu", fixture->count).bytes;
        (void)add(fixture, "root", key, CREATE(P1, "p1"));
    }
    (void)add(fixture, "blue", "last", SET(C("02"), "6"));
    (void)add(fixture, "blue", "next", SET(C("03"), "6"));
    run(fixture);
    assert_verdict(fixture, 0, DRY_SUCCEEDS, NULL, NULL);
    assert_verdict(fixture, DRY_RUN_SNAPSHOT_MAX - 1, DRY_FAILS, "capacity_exceeded", NULL);
    assert_verdict(fixture, DRY_RUN_SNAPSHOT_MAX, DRY_SUCCEEDS, NULL, NULL);
    assert_int_equal(fixture->verdicts[DRY_RUN_SNAPSHOT_MAX - 1].snapshot, 0);
    assert_int_equal(fixture->verdicts[DRY_RUN_SNAPSHOT_MAX].snapshot, 1);
}

static void test_letters_that_are_not_planned_take_no_place(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i + 1 < MANY; i++)
        (void)add(fixture, "root", text_format(fixture->arena, "k%zu", i).bytes, GET);
    (void)add(fixture, "blue", "last", SET(C("03"), "6"));
    run(fixture);
    assert_verdict(fixture, MANY - 1, DRY_SUCCEEDS, NULL, NULL);
    assert_int_equal(fixture->verdicts[MANY - 1].snapshot, 0);
}

static void refuse_load(struct fixture *fixture, const char *consumer, enum store_status status)
{
    struct uuid id;
    assert_true(uuid_parse(text_of(consumer), &id));
    memory_database_fail_load_of(fixture->database, id, status);
}

static void add_four(struct fixture *fixture)
{
    (void)add(fixture, "blue", "k1", SET(C("01"), "1"));
    (void)add(fixture, "blue", "k2", SET(C("02"), "1"));
    (void)add(fixture, "blue", "k3", SET(C("03"), "1"));
    (void)add(fixture, "blue", "k4", SET(C("04"), "1"));
}

static void test_a_letter_whose_documents_are_too_large_is_found_by_halving(void **state)
{
    struct fixture *fixture = *state;
    add_four(fixture);
    refuse_load(fixture, C("03"), STORE_TOO_LARGE);
    run(fixture);
    assert_verdict(fixture, 0, DRY_SUCCEEDS, NULL, NULL);
    assert_verdict(fixture, 1, DRY_SUCCEEDS, NULL, NULL);
    assert_verdict(fixture, 2, DRY_FAILS, "limit_exceeded", NULL);
    assert_verdict(fixture, 3, DRY_SUCCEEDS, NULL, NULL);
    assert_int_equal(fixture->verdicts[1].snapshot, 0);
    assert_int_equal(fixture->verdicts[2].snapshot, 1);
    assert_int_equal(fixture->verdicts[3].snapshot, 2);
}

static void test_a_letter_whose_documents_are_malformed_would_be_internal(void **state)
{
    struct fixture *fixture = *state;
    add_four(fixture);
    refuse_load(fixture, C("01"), STORE_REFUSED);
    run(fixture);
    assert_verdict(fixture, 0, DRY_FAILS, "internal", NULL);
    assert_verdict(fixture, 3, DRY_SUCCEEDS, NULL, NULL);
}

static void test_a_recorded_answer_needs_no_documents(void **state)
{
    struct fixture *fixture = *state;
    execute(fixture, "blue", "k1", SET(C("01"), "1"), VERDICT_SUCCESS);
    add_four(fixture);
    refuse_load(fixture, C("01"), STORE_TOO_LARGE);
    run(fixture);
    assert_verdict(fixture, 0, DRY_ANSWERED, "success", NULL);
    assert_verdict(fixture, 3, DRY_SUCCEEDS, NULL, NULL);
}

/* --- failures of the database --------------------------------------------------------------- */

static void test_a_short_outage_is_waited_out(void **state)
{
    struct fixture *fixture = *state;
    static const enum memory_call calls[] = {MEMORY_BEGIN, MEMORY_LOAD};
    static const enum store_status statuses[] = {STORE_CONFLICT, STORE_UNAVAILABLE,
                                                 STORE_UNEXPLAINED, STORE_EXPIRED};
    (void)add(fixture, "blue", "k1", SET(C("01"), "1"));
    for (size_t i = 0; i < 8; i++) {
        memory_database_fail(
            fixture->database,
            (struct memory_fault){.call = calls[i % 2], .times = 1, .status = statuses[i / 2]});
        fixture->verdicts[0] = (struct dry_verdict){.kind = DRY_FAILS};
        run(fixture);
        assert_verdict(fixture, 0, DRY_SUCCEEDS, NULL, NULL);
    }
}

static void assert_error(struct fixture *fixture, enum memory_call call, enum store_status status)
{
    struct error error = {""};
    memory_database_fail(fixture->database,
                         (struct memory_fault){.call = call, .times = 100, .status = status});
    assert_false(dry_run(&fixture->desk, &fixture->options, fixture->records, fixture->count,
                         fixture->arena, fixture->verdicts, &error));
    assert_string_equal(error.text, "cannot say what a replay would do: memory: injected fault");
    memory_database_clear_faults(fixture->database);
}

static void test_a_long_outage_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    add_four(fixture);
    assert_error(fixture, MEMORY_BEGIN, STORE_UNAVAILABLE);
    assert_error(fixture, MEMORY_LOAD, STORE_TIMED_OUT);
    assert_error(fixture, MEMORY_LOAD, STORE_REFUSED);
    run(fixture);
}

static void test_a_database_that_needs_an_operator_is_asked_once(void **state)
{
    struct fixture *fixture = *state;
    add_four(fixture);
    size_t before = memory_database_counters(fixture->database).calls[MEMORY_LOAD];
    assert_error(fixture, MEMORY_LOAD, STORE_MISCONFIGURED);
    assert_int_equal(memory_database_counters(fixture->database).calls[MEMORY_LOAD], before + 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup_capacity, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_letters_that_compete_are_not_all_promised),
        TEST(test_a_provider_of_one_letter_exists_for_the_next),
        TEST(test_a_letter_of_a_forbidden_command_would_fail),
        TEST(test_a_recorded_answer_would_be_given_again),
        TEST(test_a_letter_with_the_key_of_one_before_it_gets_its_answer),
        TEST(test_a_letter_with_an_expired_key_needs_a_new_one),
        TEST(test_without_a_policy_only_the_letters_are_judged),
        TEST(test_reads_and_letters_without_their_body_are_not_replayed),
        TEST(test_what_cannot_be_decoded_would_fail),
        TEST(test_a_deadline_counts_only_if_it_is_kept),
        TEST(test_the_policy_is_asked_about_a_reply_to_that_is_kept),
        TEST(test_the_default_principal_acts_where_user_id_is_not_trusted),
        TEST(test_a_snapshot_has_a_bounded_number_of_letters),
        TEST(test_letters_that_are_not_planned_take_no_place),
        TEST(test_a_letter_whose_documents_are_too_large_is_found_by_halving),
        TEST(test_a_letter_whose_documents_are_malformed_would_be_internal),
        TEST(test_a_recorded_answer_needs_no_documents),
        TEST(test_a_short_outage_is_waited_out),
        TEST(test_a_long_outage_is_an_error),
        TEST(test_a_database_that_needs_an_operator_is_asked_once),
    };
    return cmocka_run_group_tests_name("dry run", tests, NULL, NULL) != 0;
}
