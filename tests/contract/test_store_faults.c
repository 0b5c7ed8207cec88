/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on MongoDB which status the store returns when a query or a write fails, and that nothing
 * of a failed call remains: no slot is loaded, no document is stored, and the same store can go on.
 * Sections: loads, writes.
 *
 * Most faults are fail points of the server (store_admin.h), which close the connection or answer
 * with an error code. The others are real: a document that another client made malformed, and one
 * that is larger than the server accepts. The tables of error codes have codes of each class that
 * common/mongo/status.c knows.
 *
 * Guarantee for later tests: admin_tear_down() clears the fail points after each test.
 *
 * Not here: commits, time limits and attempt records (test_store_commits.c); a server that cannot
 * be reached at all, and wrong credentials (test_store_prepare.c).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_world.h"

#include <stdio.h>
#include <string.h>

/* Returns `how` for admin_fail(), valid until the next call. */
static const char *error_code(int number)
{
    static char how[64];
    (void)snprintf(how, sizeof how, "\"errorCode\": %d", number);
    return how;
}

/* --- loads --- */

/* Loads the provider and the consumer with this id. */
static enum store_status load_both(struct session *session, struct uuid id)
{
    session_begin(session);
    snapshot_want_provider(session->snapshot, id);
    snapshot_want_consumer(session->snapshot, id);
    return session_try_load(session);
}

/* If an outage looked like an absent document, the worker would answer that it does not exist. */
static void test_a_cut_connection_is_never_an_empty_slot(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    admin_fail("\"aggregate\"", 1, ADMIN_CUT);
    assert_status(&session, STORE_UNEXPLAINED, load_both(&session, content.id));
    admin_clear_faults();
    assert_false(snapshot_provider(session.snapshot, content.id)->state.loaded);
    assert_false(snapshot_consumer(session.snapshot, content.id)->state.loaded);
    session_restart(&session);
    assert_status(&session, STORE_OK, load_both(&session, content.id));
    assert_same_provider(&content, snapshot_provider(session.snapshot, content.id));
    session_close(&session);
}

/* 250 usages do not fit into one command. The second command is cut, so the answer of the first one
   must not be used. */
static void test_a_connection_cut_within_a_load_fills_no_slot(void **state)
{
    enum { USAGES = 250 };
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    session_begin(&session);
    snapshot_want_provider(session.snapshot, content.id);
    for (size_t i = 0; i < USAGES; i++)
        snapshot_want_usage(session.snapshot, i, (struct usage_params){.project_id = text_of("p")});
    admin_fail_after_first("\"aggregate\"", ADMIN_CUT);
    assert_status(&session, STORE_UNEXPLAINED, session_try_load(&session));
    admin_clear_faults();
    assert_false(snapshot_provider(session.snapshot, content.id)->state.loaded);
    for (size_t i = 0; i < USAGES; i++)
        assert_false(session.snapshot->usages[i].loaded);
    session_close(&session);
}

static void test_lists_are_not_loaded_by_a_query_that_failed(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (int list = 0; list < 3; list++) {
        session_begin(&session);
        if (list == 0)
            snapshot_want_tree(session.snapshot, world_uuid(world));
        if (list == 1)
            snapshot_want_page(session.snapshot, 0, (struct page_params){.limit = 5});
        if (list == 2)
            snapshot_want_usage(session.snapshot, 0,
                                (struct usage_params){.project_id = text_of("p")});
        admin_fail("\"aggregate\"", 1, ADMIN_CUT);
        assert_status(&session, STORE_UNEXPLAINED, session_try_load(&session));
        assert_false(session.snapshot->roots_loaded);
        assert_false(list == 1 && session.snapshot->pages[0].loaded);
        assert_false(list == 2 && session.snapshot->usages[0].loaded);
        session_restart(&session);
    }
    session_close(&session);
}

struct expectation {
    int code;
    enum store_status status;
};

static void test_error_codes_of_a_query_become_statuses(void **state)
{
    static const struct expectation cases[] = {
        {112, STORE_CONFLICT},        {246, STORE_CONFLICT},      {24, STORE_CONFLICT},
        {251, STORE_CONFLICT},        {50, STORE_TIMED_OUT},      {91, STORE_UNAVAILABLE},
        {189, STORE_UNAVAILABLE},     {10107, STORE_UNAVAILABLE}, {11602, STORE_UNAVAILABLE},
        {13436, STORE_UNAVAILABLE},   {13, STORE_UNAVAILABLE},    {18, STORE_UNAVAILABLE},
        {8, STORE_UNEXPLAINED},       {4568, STORE_TOO_LARGE},    {262, STORE_TIMED_OUT},
        {292, STORE_REFUSED},         {388, STORE_REFUSED},       {14031, STORE_UNAVAILABLE},
        {7654321, STORE_UNEXPLAINED},
    };
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        admin_fail("\"aggregate\"", 1, error_code(cases[i].code));
        enum store_status status = load_both(&session, world_uuid(world));
        if (status != cases[i].status)
            print_error("code %d\n", cases[i].code);
        assert_status(&session, cases[i].status, status);
        assert_true(strlen(session.error.text) > 0);
        session_restart(&session);
    }
    session_close(&session);
}

static void test_the_error_of_a_malformed_document_names_its_collection(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    admin_run(world->database,
              "{\"update\": \"providers\", \"bypassDocumentValidation\": true, \"updates\": [{"
              "\"q\": {\"generation\": {\"$exists\": true}}, \"u\": {\"$set\": {\"generation\": "
              "\"seven\"}}, \"multi\": true}]}");
    assert_status(&session, STORE_REFUSED, load_both(&session, content.id));
    assert_non_null(strstr(session.error.text, "providers"));
    assert_false(snapshot_provider(session.snapshot, content.id)->state.loaded);
    session_close(&session);
    admin_run(world->database, "{\"delete\": \"providers\", \"deletes\": [{\"q\": {\"generation\": "
                               "\"seven\"}, \"limit\": 0}]}");
}

enum { LARGE_CONSUMERS = 130, LARGE_MAPPINGS = 960 * 1000, LARGE_AT_ONCE = 10 };

/* Stores consumers that are together larger than one query may return. */
static void add_large_consumers(struct store_world *world, struct uuid *ret_ids)
{
    struct session session = session_open(world);
    char *mappings = ARENA_ARRAY(world->arena, char, LARGE_MAPPINGS);
    memset(mappings, 'x', LARGE_MAPPINGS);
    for (size_t first = 0; first < LARGE_CONSUMERS; first += LARGE_AT_ONCE) {
        session_begin(&session);
        for (size_t i = 0; i < LARGE_AT_ONCE; i++) {
            ret_ids[first + i] = world_uuid(world);
            snapshot_want_consumer(session.snapshot, ret_ids[first + i]);
        }
        session_load(&session);
        for (size_t i = 0; i < LARGE_AT_ONCE; i++) {
            struct consumer consumer = plain_consumer(world, world_uuid(world), 1);
            consumer.id = ret_ids[first + i];
            consumer.mappings = text_view(mappings, LARGE_MAPPINGS);
            put_consumer(&session, &consumer);
        }
        session_save(&session);
    }
    session_close(&session);
}

static void test_consumers_with_large_mappings_are_loaded_without_them(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct uuid ids[LARGE_CONSUMERS];
    add_large_consumers(world, ids);
    session_begin(&session);
    for (size_t i = 0; i < LARGE_CONSUMERS; i++)
        snapshot_want_consumer(session.snapshot, ids[i]);
    session.snapshot->mappings_wanted = true;
    assert_status(&session, STORE_TOO_LARGE, session_try_load(&session));
    session_restart(&session);
    session_begin(&session);
    for (size_t i = 0; i < LARGE_CONSUMERS; i++)
        snapshot_want_consumer(session.snapshot, ids[i]);
    session_load(&session);
    for (size_t i = 0; i < LARGE_CONSUMERS; i++)
        assert_true(snapshot_consumer(session.snapshot, ids[i])->state.exists);
    session_close(&session);
}

/* --- writes --- */

static void test_error_codes_of_a_write_become_statuses(void **state)
{
    static const struct expectation cases[] = {
        {112, STORE_CONFLICT},      {251, STORE_CONFLICT},   {290, STORE_CONFLICT},
        {10334, STORE_REFUSED},     {17280, STORE_REFUSED},  {17419, STORE_REFUSED},
        {257, STORE_REFUSED},       {13, STORE_UNAVAILABLE}, {50, STORE_TIMED_OUT},
        {10107, STORE_UNAVAILABLE}, {8, STORE_UNEXPLAINED},
    };
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct provider content = plain_provider(world);
        stage_provider(&session, &content);
        admin_fail("\"insert\"", 1, error_code(cases[i].code));
        enum store_status status = session_write(&session);
        if (status != cases[i].status)
            print_error("code %d\n", cases[i].code);
        assert_status(&session, cases[i].status, status);
        session_restart(&session);
        assert_false(open_provider(&session, content.id)->state.exists);
        session_restart(&session);
    }
    session_close(&session);
}

/* An administrator may add an index, whose violation is no conflict with another worker. */
static void test_a_duplicate_key_of_an_index_of_somebody_else_is_refused(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider provider = plain_provider(world);
    world_add_provider(world, &provider);
    struct consumer first = plain_consumer(world, provider.id, 1);
    struct consumer second = plain_consumer(world, provider.id, 1);
    world_add_consumer(world, &first);
    admin_run(world->database,
              "{\"createIndexes\": \"consumers\", \"indexes\": [{\"key\": {\"user_id\": 1}, "
              "\"name\": \"one_per_user\", \"unique\": true, \"partialFilterExpression\": "
              "{\"generation\": {\"$gte\": 0}}}]}");
    (void)open_consumer(&session, second.id);
    put_consumer(&session, &second);
    enum store_status status = session_write(&session);
    admin_run(world->database, "{\"dropIndexes\": \"consumers\", \"index\": \"one_per_user\"}");
    assert_status(&session, STORE_REFUSED, status);
    assert_non_null(strstr(session.error.text, "one_per_user"));
    session_close(&session);
}

static void test_a_write_conflict_of_an_update_is_a_conflict(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    world_add_provider(world, &content);
    open_provider(&session, content.id)->state.dirty = true;
    admin_fail("\"update\"", 1, error_code(112));
    assert_status(&session, STORE_CONFLICT, session_write(&session));
    session_restart(&session);
    open_provider(&session, content.id)->state.dirty = true;
    session_save(&session);
    session_close(&session);
}

static void test_a_connection_cut_in_a_write_leaves_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    stage_provider(&session, &content);
    admin_fail("\"insert\"", 1, ADMIN_CUT);
    assert_status(&session, STORE_UNEXPLAINED, session_write(&session));
    session_restart(&session);
    stage_provider(&session, &content); /* the same store works on, without a conflict */
    session_save(&session);
    session_close(&session);
}

/* The insert into the first collection is answered, the one into the second fails. */
static void test_a_failure_half_way_through_the_collections_leaves_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider provider = plain_provider(world);
    struct text key = world_text(world, "key");
    snapshot_want_outcome(session.snapshot, conductor(), key);
    stage_provider(&session, &provider);
    put_outcome(&session, conductor(), key, "{}");
    admin_fail_after_first("\"insert\"", error_code(50));
    assert_status(&session, STORE_TIMED_OUT, session_write(&session));
    admin_clear_faults();
    session_restart(&session);
    snapshot_want_outcome(session.snapshot, conductor(), key);
    assert_false(open_provider(&session, provider.id)->state.exists);
    assert_false(snapshot_outcome(session.snapshot, conductor(), key)->state.exists);
    session_close(&session);
}

static void test_a_document_larger_than_the_server_accepts_is_refused(void **state)
{
    enum { TOO_LARGE = 16 * 1024 * 1024 };
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text key = world_text(world, "key");
    char *body = arena_alloc(session.arena, TOO_LARGE + 1);
    memset(body, 'x', TOO_LARGE);
    (void)open_outcome(&session, conductor(), key);
    put_outcome(&session, conductor(), key, body);
    assert_status(&session, STORE_REFUSED, session_write(&session));
    session_restart(&session);
    assert_false(open_outcome(&session, conductor(), key)->state.exists);
    session_close(&session);
}

#define FAULT_TEST(test) cmocka_unit_test_teardown(test, admin_tear_down)

static const struct CMUnitTest tests[] = {
    FAULT_TEST(test_a_cut_connection_is_never_an_empty_slot),
    FAULT_TEST(test_a_connection_cut_within_a_load_fills_no_slot),
    FAULT_TEST(test_lists_are_not_loaded_by_a_query_that_failed),
    FAULT_TEST(test_error_codes_of_a_query_become_statuses),
    FAULT_TEST(test_the_error_of_a_malformed_document_names_its_collection),
    FAULT_TEST(test_error_codes_of_a_write_become_statuses),
    FAULT_TEST(test_a_duplicate_key_of_an_index_of_somebody_else_is_refused),
    FAULT_TEST(test_a_write_conflict_of_an_update_is_a_conflict),
    FAULT_TEST(test_a_connection_cut_in_a_write_leaves_nothing),
    FAULT_TEST(test_a_failure_half_way_through_the_collections_leaves_nothing),
    FAULT_TEST(test_a_document_larger_than_the_server_accepts_is_refused),
    FAULT_TEST(test_consumers_with_large_mappings_are_loaded_without_them),
};

int main(void)
{
    return cmocka_run_group_tests_name("store faults on MongoDB", tests, store_world_mongo,
                                       store_world_end) != 0;
}
