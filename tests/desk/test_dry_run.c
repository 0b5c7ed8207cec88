/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dry run on MongoDB.
 *
 * One test has letters of each kind in one call. The other executes the commands of the letters
 * after their dry run, one by one, and compares. Around each dry run the hash of the database is
 * taken (dbHash), which must stay the same. The database is one of this program's own, and the
 * commands take effect without a worker (tests/support/desk_letters.h).
 *
 * Not here: what is said in all other cases (tests/unit/test_dry_run.c).
 */
#include "tests/support/cmocka.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/host/system_clock.h"
#include "ctl/desk/dry_run.h"
#include "tests/support/desk_letters.h"

#define SET(consumer, provider, vcpu) SET_OF("p", consumer, provider, vcpu)

enum { RETENTION_MS = 3600 * 1000, RECORDS_MAX = 16, TIMEOUT_MS = 30000 };

static const struct text all = {"*", 1};

struct fixture {
    struct arena *arena;
    char database[64];
    struct mongo_pool *pool;
    struct policy_rule rule;
    struct policy_principal principal;
    struct policy policy;
    struct settings settings;
    struct desk_world world;
    struct desk desk;
    int64_t now_ms;
    struct letter_record records[RECORDS_MAX];
    struct dry_verdict verdicts[RECORDS_MAX];
    size_t count;
};

/* Runs a command on this test's database, and copies its reply into `ret_reply`. */
static void administer(const struct fixture *fixture, const char *name, bson_t *ret_reply)
{
    mongoc_client_t *client = mongoc_client_new(getenv("ALLOT_MONGODB_URI"));
    bson_t command = BSON_INITIALIZER;
    bson_error_t error;
    assert_non_null(client);
    BSON_APPEND_INT32(&command, name, 1);
    if (!mongoc_client_command_simple(client, fixture->database, &command, NULL, ret_reply, &error))
        fail_msg("%s", error.message);
    bson_destroy(&command);
    mongoc_client_destroy(client);
}

/* Returns the hash of all documents of the database, in the arena. */
static const char *hash_of_database(const struct fixture *fixture)
{
    bson_t reply;
    bson_iter_t iter;
    administer(fixture, "dbHash", &reply);
    assert_true(bson_iter_init_find(&iter, &reply, "md5"));
    const char *hash = text_copy(fixture->arena, text_of(bson_iter_utf8(&iter, NULL))).bytes;
    bson_destroy(&reply);
    return hash;
}

static void open_store(struct fixture *fixture)
{
    struct error error = {""};
    const struct mongo_options options = {
        .uri = text_of(getenv("ALLOT_MONGODB_URI")),
        .database = text_of(fixture->database),
        .timeout_ms = TIMEOUT_MS,
        .retention_ms = RETENTION_MS,
        .letters_retention_ms = RETENTION_MS,
        .worker = text_of("desk test"),
        .clock = system_clock(),
    };
    fixture->pool = mongo_pool_new(&options, &error);
    if (fixture->pool != NULL)
        fixture->world.store = mongo_store_new(fixture->pool, &error);
    if (fixture->world.store == NULL ||
        fixture->world.store->ops->prepare(fixture->world.store, &error) != STORE_OK ||
        mongo_read_clock(fixture->world.store, &fixture->now_ms, &error) != STORE_OK)
        fail_msg("%s", error.text);
}

/* The only principal may do everything. */
static void allow_all(struct fixture *fixture)
{
    const struct patterns patterns = {&all, 1};
    fixture->rule = (struct policy_rule){patterns, patterns, patterns};
    fixture->principal = (struct policy_principal){
        .name = text_of("root"), .rules = &fixture->rule, .rule_count = 1};
    fixture->policy = (struct policy){.principals = &fixture->principal, .count = 1};
}

static int setup(void **state)
{
    struct arena *arena = arena_new(0);
    struct fixture *fixture = ARENA_NEW(arena, struct fixture);
    assert_non_null(getenv("ALLOT_MONGODB_URI"));
    fixture->arena = fixture->world.arena = arena;
    (void)snprintf(fixture->database, sizeof fixture->database, "allot_desk_%d", (int)getpid());
    allow_all(fixture);
    open_store(fixture);
    fixture->world.policy = &fixture->policy;
    fixture->settings = (struct settings){.amqp_exchange = text_of("allot.commands"),
                                          .amqp_queue = text_of("allot.commands"),
                                          .delivery_max_attempts = 3,
                                          .idempotency_retention_ms = RETENTION_MS,
                                          .security_trust_user_id = true};
    fixture->desk = (struct desk){
        .store = fixture->world.store, .settings = &fixture->settings, .policy = &fixture->policy};
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    bson_t reply;
    fixture->world.store->ops->free(fixture->world.store);
    mongo_pool_free(fixture->pool);
    administer(fixture, "dropDatabase", &reply);
    bson_destroy(&reply);
    arena_free(fixture->arena);
    return 0;
}

static void execute(struct fixture *fixture, const char *key, const char *body)
{
    struct delivery delivery = desk_delivery("root", key, body);
    desk_expect(&fixture->world, &delivery, VERDICT_SUCCESS);
}

static struct letter_record *add(struct fixture *fixture, const char *key, const char *body)
{
    struct delivery delivery = desk_delivery("root", key, body);
    assert_true(fixture->count < RECORDS_MAX);
    struct letter_record *record = &fixture->records[fixture->count++];
    *record = desk_letter(&fixture->world, &delivery, fixture->now_ms);
    return record;
}

static void run(struct fixture *fixture)
{
    const struct replay_options options = {0};
    struct error error = {""};
    const char *before = hash_of_database(fixture);
    if (!dry_run(&fixture->desk, &options, fixture->records, fixture->count, fixture->arena,
                 fixture->verdicts, &error))
        fail_msg("%s", error.text);
    assert_string_equal(hash_of_database(fixture), before);
}

static void assert_verdict(const struct fixture *fixture, size_t index, enum dry_kind kind,
                           const char *code)
{
    const struct dry_verdict *verdict = &fixture->verdicts[index];
    if (verdict->kind != kind || !text_equal(verdict->code, text_of(code)))
        fail_msg("letter %zu: %s %.*s: %.*s", index, dry_kind_name(verdict->kind),
                 TEXT_ARGS(verdict->code), TEXT_ARGS(verdict->text));
}

static void test_a_dry_run_says_what_would_happen_and_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    execute(fixture, "create", CREATE(P1, "p1"));
    execute(fixture, "inventory", INVENTORY(P1, "10"));
    execute(fixture, "done", SET(C("09"), P1, "1"));
    (void)add(fixture, "k1", SET(C("01"), P1, "6"));
    (void)add(fixture, "k2", SET(C("02"), P1, "6"));
    (void)add(fixture, "k3", CREATE(P2, "p2"));
    (void)add(fixture, "k4", CREATE("00000000-0000-4000-8000-000000000003", "p2"));
    (void)add(fixture, "k5", INVENTORY(P2, "6"));
    (void)add(fixture, "k6", SET(C("02"), P2, "6"));
    (void)add(fixture, "done", SET(C("09"), P1, "1"));
    add(fixture, "old", SET(C("03"), P1, "1"))->last_at_ms -= RETENTION_MS;
    (void)add(fixture, "read", COMMAND("provider.get", "\"uuid\":\"" P1 "\""));
    add(fixture, "cut", SET(C("04"), P1, "1"))->letter.body_size++;
    run(fixture);
    assert_verdict(fixture, 0, DRY_SUCCEEDS, NULL);
    assert_verdict(fixture, 1, DRY_FAILS, "capacity_exceeded");
    assert_verdict(fixture, 2, DRY_SUCCEEDS, NULL);
    assert_verdict(fixture, 3, DRY_FAILS, "provider_name_taken");
    assert_verdict(fixture, 4, DRY_SUCCEEDS, NULL);
    assert_verdict(fixture, 5, DRY_SUCCEEDS, NULL);
    assert_verdict(fixture, 6, DRY_ANSWERED, "success");
    assert_verdict(fixture, 7, DRY_KEY_EXPIRED, NULL);
    assert_verdict(fixture, 8, DRY_NOT_REPLAYABLE, NULL);
    assert_verdict(fixture, 9, DRY_NOT_REPLAYABLE, NULL);
    assert_true(fixture->verdicts[6].recorded_at_ms >= fixture->now_ms);
}

/* The answers are those of the same commands when they are executed in this order. */
static void test_the_promises_are_kept(void **state)
{
    struct fixture *fixture = *state;
    static const char *const bodies[] = {
        CREATE(P1, "p1"),
        CREATE(P2, "p1"),
        INVENTORY(P1, "4"),
        SET(C("01"), P1, "3"),
        SET(C("02"), P1, "3"),
        SET(C("01"), P1, "1"),
        COMMAND("provider.delete", "\"uuid\":\"" P1 "\""),
        COMMAND("allocation.delete", "\"consumer_uuid\":\"" C("01") "\""),
        COMMAND("provider.delete", "\"uuid\":\"" P1 "\""),
        CREATE(P2, "p1")};
    static const enum verdict_code codes[] = {
        VERDICT_SUCCESS,           VERDICT_PROVIDER_NAME_TAKEN,
        VERDICT_SUCCESS,           VERDICT_SUCCESS,
        VERDICT_CAPACITY_EXCEEDED, VERDICT_CONSUMER_GENERATION_CONFLICT,
        VERDICT_PROVIDER_IN_USE,   VERDICT_SUCCESS,
        VERDICT_SUCCESS,           VERDICT_SUCCESS};
    enum { COUNT = sizeof bodies / sizeof bodies[0] };
    char keys[COUNT][8];
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "k%zu", i);
        (void)add(fixture, keys[i], bodies[i]);
    }
    run(fixture);
    for (size_t i = 0; i < COUNT; i++) {
        struct delivery delivery = desk_delivery("root", keys[i], bodies[i]);
        assert_verdict(fixture, i, codes[i] == VERDICT_SUCCESS ? DRY_SUCCEEDS : DRY_FAILS,
                       codes[i] == VERDICT_SUCCESS ? NULL : verdict_name(codes[i]));
        desk_expect(&fixture->world, &delivery, codes[i]);
    }
    run(fixture);
    for (size_t i = 0; i < COUNT; i++)
        assert_verdict(fixture, i, DRY_ANSWERED, verdict_name(codes[i]));
}

static int start_library(void **state)
{
    (void)state;
    mongo_library_init();
    return 0;
}

static int end_library(void **state)
{
    (void)state;
    mongo_library_cleanup();
    return 0;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_dry_run_says_what_would_happen_and_changes_nothing),
        TEST(test_the_promises_are_kept),
    };
    return cmocka_run_group_tests_name("dry run on MongoDB", tests, start_library, end_library) !=
           0;
}
