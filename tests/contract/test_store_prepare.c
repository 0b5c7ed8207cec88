/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on MongoDB how a store starts: `prepare` with collections, indexes and validators, and the
 * URIs and servers that a pool gets. Tests that change the schema use a database of their own,
 * made by use_database().
 *
 * What `prepare` promises: several workers may call it at the same time, and while others work; it
 * restores a validator that was changed; it returns MISCONFIGURED, with an error that says what is
 * wrong, where only an operator can help (another kind of index, duplicate names, a wrong
 * password); it warns, once, of a transaction lifetime that is too long, and of a TTL monitor that
 * deletes too seldom. A server that cannot be reached is UNAVAILABLE. Options in the URI cannot
 * weaken read and write concern. No error contains a password.
 *
 * Most tests store their results first, free and drop everything, and check at the end. So a check
 * that fails leaves no database on the server.
 *
 * Not here: a server that is not a member of a replica set, and too old servers.
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/system_clock.h"

#define LIFETIME "transactionLifetimeLimitSeconds"
#define TTL_PAUSE "ttlMonitorSleepSecs"

/* Makes `other` a world with a database of its own, to be dropped by drop(). */
static void use_database(struct store_world *other, const struct store_world *world,
                         const char *suffix)
{
    *other = *world;
    (void)snprintf(other->database, sizeof other->database, "%.40s_%.16s", world->database, suffix);
    other->pool = store_world_pool(other, 5000);
    assert_non_null(other->pool);
}

static void drop(struct store_world *other)
{
    mongo_pool_free(other->pool);
    admin_run(other->database, "{\"dropDatabase\": 1}");
}

struct preparing {
    struct store_world *world;
    enum store_status status;
    struct error error;
};

static void *prepare_in_thread(void *context)
{
    struct preparing *preparing = context;
    struct store *store = mongo_store_new(preparing->world->pool, &preparing->error);
    preparing->status = STORE_UNAVAILABLE;
    for (int round = 0; store != NULL && round < 2; round++)
        preparing->status = store->ops->prepare(store, &preparing->error);
    if (store != NULL)
        store->ops->free(store);
    return NULL;
}

static void test_workers_may_prepare_at_the_same_time(void **state)
{
    enum { WORKERS = 4 };
    struct store_world other;
    struct preparing workers[WORKERS] = {0};
    pthread_t threads[WORKERS];
    use_database(&other, *state, "together");
    for (int i = 0; i < WORKERS; i++) {
        workers[i].world = &other;
        assert_int_equal(pthread_create(&threads[i], NULL, prepare_in_thread, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    drop(&other);
    for (int i = 0; i < WORKERS; i++) {
        if (workers[i].status != STORE_OK)
            print_error("%s\n", workers[i].error.text);
        assert_int_equal(workers[i].status, STORE_OK);
    }
}

/* A worker that starts must not abort the transactions of the others. */
static void test_prepare_does_not_disturb_an_open_transaction(void **state)
{
    struct store_world *world = *state;
    struct session working = session_open(world), starting = session_open(world);
    struct provider content = plain_provider(world);
    stage_provider(&working, &content);
    assert_status(&working, STORE_OK, session_write(&working));
    assert_status(&starting, STORE_OK, session_prepare(&starting));
    assert_status(&working, STORE_OK, session_commit(&working));
    session_close(&starting);
    session_close(&working);
}

static void test_the_error_names_an_index_of_another_kind(void **state)
{
    struct store_world other;
    use_database(&other, *state, "index");
    admin_run(other.database, "{\"createIndexes\": \"providers\", \"indexes\": [{\"key\": "
                              "{\"name\": 1}, \"name\": \"name\"}]}");
    struct session session = session_open(&other);
    enum store_status status = session_prepare(&session);
    session_close(&session);
    drop(&other);
    assert_status(&session, STORE_MISCONFIGURED, status);
    assert_non_null(strstr(session.error.text, "providers"));
    assert_non_null(strstr(session.error.text, "name"));
}

static void test_duplicate_names_are_misconfigured(void **state)
{
    struct store_world other;
    use_database(&other, *state, "names");
    admin_run(other.database, "{\"insert\": \"providers\", \"documents\": [{\"name\": \"a\"}, "
                              "{\"name\": \"a\"}]}");
    struct session session = session_open(&other);
    enum store_status status = session_prepare(&session);
    session_close(&session);
    drop(&other);
    assert_status(&session, STORE_MISCONFIGURED, status);
}

static enum store_status write_generation(struct session *session, struct uuid id,
                                          int64_t generation)
{
    struct provider *slot = open_provider(session, id);
    slot->generation = generation;
    slot->state.dirty = true;
    enum store_status status = session_write(session);
    if (status == STORE_OK)
        status = session_commit(session);
    session_restart(session);
    return status;
}

static void test_prepare_restores_a_changed_validator(void **state)
{
    struct store_world other;
    use_database(&other, *state, "rule");
    struct session session = session_open(&other);
    assert_status(&session, STORE_OK, session_prepare(&session));
    struct provider content = plain_provider(&other);
    world_add_provider(&other, &content);
    admin_run(other.database, "{\"collMod\": \"providers\", \"validator\": {\"generation\": "
                              "{\"$lt\": 5}}}");
    enum store_status allowed = write_generation(&session, content.id, 4);
    enum store_status refused = write_generation(&session, content.id, 5);
    enum store_status prepared = session_prepare(&session);
    enum store_status again = write_generation(&session, content.id, 5);
    session_close(&session);
    drop(&other);
    assert_status(&session, STORE_OK, allowed);
    assert_status(&session, STORE_REFUSED, refused);
    assert_status(&session, STORE_OK, prepared);
    assert_status(&session, STORE_OK, again);
}

/* A malformed letter can be changed by all who may write letters. */
static void test_prepare_restores_a_changed_level_of_validation(void **state)
{
    struct store_world other;
    use_database(&other, *state, "level");
    struct session session = session_open(&other);
    assert_status(&session, STORE_OK, session_prepare(&session));
    admin_run(other.database, "{\"collMod\": \"letters\", \"validationLevel\": \"strict\"}");
    assert_status(&session, STORE_OK, session_prepare(&session));
    admin_run(other.database, "{\"insert\": \"letters\", \"bypassDocumentValidation\": true, "
                              "\"documents\": [{\"_id\": \"malformed\"}]}");
    admin_run(other.database,
              "{\"update\": \"letters\", \"updates\": [{\"q\": {\"_id\": \"malformed\"}, \"u\": "
              "{\"$set\": {\"body_dropped\": true}}}]}");
    int64_t changed = admin_count(other.database, "letters", "{\"body_dropped\": true}");
    session_close(&session);
    drop(&other);
    assert_int_equal(changed, 1);
}

/* Makes a pool whose URI is the suite's, with `user` before its hosts and `options` at its end. */
static struct mongo_pool *pool_with(const struct store_world *world, const char *user,
                                    const char *options)
{
    static const char scheme[] = "mongodb://";
    const char *uri = getenv("ALLOT_MONGODB_URI");
    const char *after =
        strncmp(uri, scheme, sizeof scheme - 1) == 0 ? uri + sizeof scheme - 1 : uri;
    char changed[1024], *before = strdup(uri);
    (void)snprintf(changed, sizeof changed, "%s%s%s%s", scheme, user, after, options);
    (void)setenv("ALLOT_MONGODB_URI", changed, 1);
    struct mongo_pool *pool = store_world_pool(world, 2000);
    (void)setenv("ALLOT_MONGODB_URI", before, 1);
    free(before);
    return pool;
}

static void test_a_wrong_password_is_misconfigured_in_prepare_and_unavailable_in_begin(void **state)
{
    struct store_world other = *(struct store_world *)*state;
    other.run = ~other.run; /* the same database, but other ids */
    other.pool = pool_with(&other, "nobody:wrong@", "");
    assert_non_null(other.pool);
    struct session session = session_open(&other);
    enum store_status prepared = session_prepare(&session);
    enum store_status begun = session.store->ops->begin(session.store, &session.error);
    session_close(&session);
    mongo_pool_free(other.pool);
    assert_status(&session, STORE_MISCONFIGURED, prepared);
    assert_status(&session, STORE_UNAVAILABLE, begun);
    assert_null(strstr(session.error.text, "wrong"));
}

/* Reads from a secondary or unacknowledged writes would lose or repeat the effects of commands. */
static void test_the_uri_cannot_weaken_the_concerns(void **state)
{
    struct store_world other = *(struct store_world *)*state;
    other.run = ~other.run; /* the same database, but other ids */
    other.pool = pool_with(&other, "", "&w=0&readPreference=secondary&readConcernLevel=local");
    assert_non_null(other.pool);
    struct session session = session_open(&other);
    enum store_status prepared = session_prepare(&session);
    struct provider content = plain_provider(&other);
    world_add_provider(&other, &content);
    struct provider *slot = open_provider(&session, content.id);
    bool exists = slot->state.exists;
    session_close(&session);
    mongo_pool_free(other.pool);
    assert_status(&session, STORE_OK, prepared);
    assert_true(exists);
}

static void test_an_invalid_uri_gives_an_error(void **state)
{
    struct store_world *world = *state;
    struct error error = {""};
    struct mongo_options options = {.uri = text_of("http://example"),
                                    .database = text_of(world->database),
                                    .timeout_ms = 100,
                                    .worker = text_of("contract")};
    assert_null(mongo_pool_new(&options, &error));
    assert_true(strlen(error.text) > 0);
}

static void test_an_unreachable_server_is_unavailable(void **state)
{
    struct store_world *world = *state;
    struct error error = {""};
    struct mongo_options options = {
        .uri = text_of("mongodb://127.0.0.1:1/?replicaSet=allot&serverSelectionTimeoutMS=200"),
        .database = text_of(world->database),
        .timeout_ms = 5000,
        .worker = text_of("contract"),
        .clock = system_clock()};
    struct mongo_pool *pool = mongo_pool_new(&options, &error);
    assert_non_null(pool);
    struct store *store = mongo_store_new(pool, &error);
    assert_non_null(store);
    enum store_status prepared = store->ops->prepare(store, &error);
    enum store_status begun = store->ops->begin(store, &error);
    store->ops->renew(store);
    store->ops->free(store);
    mongo_pool_free(pool);
    assert_int_equal(prepared, STORE_UNAVAILABLE);
    assert_int_equal(begun, STORE_UNAVAILABLE);
    assert_non_null(strstr(error.text, "mongodb"));
}

/* The warnings of a store: how many, and the last. */
struct warnings {
    int count;
    struct error last;
};

/* A function for mongo_set_log(). */
static void keep_warning(void *context, int level, const char *domain, const char *message)
{
    struct warnings *warnings = context;
    if (level == 2 && strcmp(domain, MONGO_WARNING_DOMAIN) == 0) {
        warnings->count++;
        error_set(&warnings->last, "%s", message);
    }
}

/* Prepares two stores of one pool while the server's parameter has this value. */
static struct warnings warnings_with(const struct store_world *world, const char *parameter,
                                     int64_t value)
{
    struct store_world other;
    struct warnings warnings = {0};
    int64_t before = admin_parameter(parameter);
    use_database(&other, world, "warning");
    struct session first = session_open(&other), second = session_open(&other);
    admin_set_parameter(parameter, value);
    mongo_set_log(keep_warning, &warnings);
    enum store_status prepared = session_prepare(&first), again = session_prepare(&second);
    mongo_set_log(NULL, NULL);
    admin_set_parameter(parameter, before);
    session_close(&first);
    session_close(&second);
    drop(&other);
    assert_status(&first, STORE_OK, prepared);
    assert_status(&second, STORE_OK, again);
    return warnings;
}

static void test_a_long_transaction_lifetime_is_one_warning(void **state)
{
    struct warnings warnings = warnings_with(*state, LIFETIME, 21);
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.last.text, LIFETIME " is 21 "));
}

static void test_rare_deletes_of_what_is_expired_are_one_warning(void **state)
{
    struct warnings warnings = warnings_with(*state, TTL_PAUSE, 6);
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.last.text, TTL_PAUSE " is 6 "));
    assert_non_null(
        strstr(warnings.last.text, "db.adminCommand({setParameter: 1, " TTL_PAUSE ": 1})"));
}

static void test_the_recommended_parameters_have_no_warning(void **state)
{
    assert_int_equal(warnings_with(*state, LIFETIME, 20).count, 0);
    assert_int_equal(warnings_with(*state, TTL_PAUSE, 5).count, 0);
}

/* A user with few rights may prepare the database, but not read parameters. */
static void test_parameters_that_cannot_be_read_have_no_warning(void **state)
{
    struct warnings warnings = {0};
    struct session session = session_open(*state);
    int64_t before = admin_parameter(TTL_PAUSE);
    admin_set_parameter(TTL_PAUSE, 60);
    admin_fail("\"getParameter\"", 1, "\"errorCode\": 13");
    mongo_set_log(keep_warning, &warnings);
    enum store_status prepared = session_prepare(&session);
    mongo_set_log(NULL, NULL);
    admin_clear_faults();
    admin_set_parameter(TTL_PAUSE, before);
    session_close(&session);
    assert_status(&session, STORE_OK, prepared);
    assert_int_equal(warnings.count, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_workers_may_prepare_at_the_same_time),
    cmocka_unit_test(test_prepare_does_not_disturb_an_open_transaction),
    cmocka_unit_test(test_the_error_names_an_index_of_another_kind),
    cmocka_unit_test(test_duplicate_names_are_misconfigured),
    cmocka_unit_test(test_prepare_restores_a_changed_validator),
    cmocka_unit_test(test_prepare_restores_a_changed_level_of_validation),
    cmocka_unit_test(test_a_wrong_password_is_misconfigured_in_prepare_and_unavailable_in_begin),
    cmocka_unit_test(test_the_uri_cannot_weaken_the_concerns),
    cmocka_unit_test(test_an_invalid_uri_gives_an_error),
    cmocka_unit_test(test_an_unreachable_server_is_unavailable),
    cmocka_unit_test(test_a_long_transaction_lifetime_is_one_warning),
    cmocka_unit_test(test_rare_deletes_of_what_is_expired_are_one_warning),
    cmocka_unit_test(test_the_recommended_parameters_have_no_warning),
    cmocka_unit_test(test_parameters_that_cannot_be_read_have_no_warning),
};

int main(void)
{
    return cmocka_run_group_tests_name("store: start on MongoDB", tests, store_world_mongo,
                                       store_world_end) != 0;
}
