/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Each call opens a client of its own and closes it again: a test makes few of them, and
 * none has to survive a fault. Faults are fail points of mongod and signals to its processes;
 * clear_faults() ends all of them, also those that a failed test has left.
 *
 * Sections: content, faults, letters. The content is read without the worker's code, so that a
 * wrong document is not read back by the same mistake.
 */
#include "tests/system/worker_database.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mongo/libmongoc.h"
#include "tests/system/worker_fixture.h"

enum { COMMAND_MAX = 2048, PAUSE_US = 50000 };

#define FAIL_COMMAND "failCommand"
/* Counts the documents, without the sentinel. */
#define COUNT "[{\"$match\":{\"_id\":{\"$ne\":\"allotd.sentinel\"}}},{\"$count\":\"n\"}]"
/* commitTransaction waits at its beginning while this fail point is on. */
#define HOLD_COMMIT "hangBeforeCommitingTxn"

/*
 * mongod counts how often a fail point was met since mongod started. These are the counts when
 * fail_commands and hold_commits were called.
 */
static int64_t failed_before;
static int64_t held_before;

/* Servers that were frozen may need some seconds to elect a primary, so the client waits for it. */
static mongoc_client_t *open_database(void)
{
    mongoc_uri_t *uri = mongoc_uri_new(getenv("ALLOT_MONGODB_URI"));
    assert_non_null(uri);
    (void)mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, false);
    (void)mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, WAIT_MS);
    mongoc_client_t *client = mongoc_client_new_from_uri(uri);
    mongoc_uri_destroy(uri);
    assert_non_null(client);
    return client;
}

/* Runs a command and returns the integer at `path` in its reply; -1 if there is none. */
static int64_t run_for_integer(const char *database, const char *json, const char *path)
{
    bson_t command, reply;
    bson_error_t error;
    bson_iter_t iter, found;
    if (!bson_init_from_json(&command, json, -1, &error))
        fail_msg("%s: %s", json, error.message);
    mongoc_client_t *client = open_database();
    bool done = mongoc_client_command_simple(client, database, &command, NULL, &reply, &error);
    mongoc_client_destroy(client);
    bson_destroy(&command);
    if (!done)
        fail_msg("%s: %s", json, error.message);
    int64_t value = -1;
    if (bson_iter_init(&iter, &reply) && bson_iter_find_descendant(&iter, path, &found))
        value = bson_iter_as_int64(&found);
    bson_destroy(&reply);
    return value;
}

void run_on_database(const char *database, const char *json)
{
    (void)run_for_integer(database, json, "ok");
}

/* --- content ---------------------------------------------------------------------------------- */

/* Returns the number "n" of the pipeline's only row; 0 if there is no row. */
static int64_t aggregate(mongoc_client_t *client, const char *collection, const char *pipeline)
{
    bson_error_t error;
    bson_t stages;
    const bson_t *row = NULL;
    bson_iter_t iter;
    int64_t n = 0;
    assert_true(bson_init_from_json(&stages, pipeline, -1, &error));
    mongoc_collection_t *documents =
        mongoc_client_get_collection(client, fixture_database(), collection);
    mongoc_cursor_t *cursor =
        mongoc_collection_aggregate(documents, MONGOC_QUERY_NONE, &stages, NULL, NULL);
    if (mongoc_cursor_next(cursor, &row) && bson_iter_init_find(&iter, row, "n"))
        n = bson_iter_as_int64(&iter);
    assert_false(mongoc_cursor_error(cursor, &error));
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(documents);
    bson_destroy(&stages);
    return n;
}

void check_database(int64_t consumers, int64_t outcomes)
{
    mongoc_client_t *client = open_database();
    int64_t used = aggregate(client, "providers",
                             "[{\"$group\":{\"_id\":null,\"n\":{\"$sum\":"
                             "\"$inventories.VCPU.used\"}}}]");
    int64_t allocated = aggregate(client, "consumers",
                                  "[{\"$unwind\":\"$allocations\"},{\"$group\":{\"_id\":null,\"n\":"
                                  "{\"$sum\":\"$allocations.resources.VCPU\"}}}]");
    int64_t empty_consumers =
        aggregate(client, "consumers", "[{\"$match\":{\"allocations\":[]}},{\"$count\":\"n\"}]");
    int64_t consumer_count = aggregate(client, "consumers", COUNT);
    int64_t outcome_count = aggregate(client, "outcomes", COUNT);
    mongoc_client_destroy(client);
    assert_int_equal(used, allocated);
    assert_int_equal(allocated, 2 * consumers);
    assert_int_equal(empty_consumers, 0);
    assert_int_equal(consumer_count, consumers);
    assert_int_equal(outcome_count, outcomes);
}

static int64_t aggregate_once(const char *collection, const char *pipeline)
{
    mongoc_client_t *client = open_database();
    int64_t n = aggregate(client, collection, pipeline);
    mongoc_client_destroy(client);
    return n;
}

int64_t count_documents(const char *collection, const char *filter)
{
    char pipeline[COMMAND_MAX];
    assert_in_range(
        snprintf(pipeline, sizeof pipeline, "[{\"$match\": %s}, {\"$count\": \"n\"}]", filter), 1,
        sizeof pipeline - 1);
    return aggregate_once(collection, pipeline);
}

int64_t double_names(void)
{
    return aggregate_once("providers", "[{\"$group\":{\"_id\":\"$name\",\"n\":{\"$sum\":1}}},"
                                       "{\"$match\":{\"n\":{\"$gt\":1}}},{\"$count\":\"n\"}]");
}

bool has_validator(const char *collection)
{
    char json[COMMAND_MAX];
    (void)snprintf(json, sizeof json,
                   "{\"listCollections\":1,\"filter\":{\"name\":\"%s\",\"options.validationLevel\":"
                   "\"strict\",\"options.validationAction\":\"error\"}}",
                   collection);
    return run_for_integer(fixture_database(), json, "cursor.firstBatch.0.options.validator.$or") !=
           -1;
}

/* $indexStats has the specification of each index as `spec`. */
int64_t count_indexes(const char *collection, const char *filter)
{
    char pipeline[COMMAND_MAX];
    (void)snprintf(pipeline, sizeof pipeline,
                   "[{\"$indexStats\":{}},{\"$replaceWith\":\"$spec\"},{\"$match\":%s},"
                   "{\"$count\":\"n\"}]",
                   filter);
    return aggregate_once(collection, pipeline);
}

void await_document(const char *collection, const char *filter)
{
    for (int waited_us = 0; count_documents(collection, filter) == 0; waited_us += PAUSE_US) {
        if (waited_us / 1000 > WAIT_MS)
            fail_msg("no document of %s with %s", collection, filter);
        (void)usleep(PAUSE_US);
    }
}

const char *database_hash(void)
{
    static char hashes[2][512];
    static unsigned number;
    char *hash = hashes[++number % 2];
    static const char *const collections[] = {"letters", "outcomes", "providers", "consumers",
                                              "attempts"};
    bson_error_t error;
    bson_iter_t iter, found;
    bson_t reply, *command = BCON_NEW("dbHash", BCON_INT32(1));
    mongoc_client_t *client = open_database();
    if (!mongoc_client_command_simple(client, fixture_database(), command, NULL, &reply, &error))
        fail_msg("%s", error.message);
    *hash = '\0';
    for (size_t i = 0; i < sizeof collections / sizeof collections[0]; i++) {
        char path[64];
        size_t length = strlen(hash);
        (void)snprintf(path, sizeof path, "collections.%s", collections[i]);
        assert_true(bson_iter_init(&iter, &reply) &&
                    bson_iter_find_descendant(&iter, path, &found));
        (void)snprintf(hash + length, sizeof hashes[0] - length, "%s ",
                       bson_iter_utf8(&found, NULL));
    }
    mongoc_client_destroy(client);
    bson_destroy(&reply);
    bson_destroy(command);
    return hash;
}

int64_t transactions_committed(void)
{
    return run_for_integer("admin", "{\"serverStatus\": 1}", "transactions.totalCommitted");
}

/* --- faults ----------------------------------------------------------------------------------- */

/* Sets a fail point and returns how often it was met since mongod started. */
static int64_t set_fail_point(const char *name, const char *mode, const char *data)
{
    char json[COMMAND_MAX];
    assert_in_range(snprintf(json, sizeof json,
                             "{\"configureFailPoint\": \"%s\", \"mode\": %s, \"data\": {%s}}", name,
                             mode, data),
                    1, sizeof json - 1);
    return run_for_integer("admin", json, "count");
}

static void await_fail_point(const char *name, int64_t count)
{
    char json[COMMAND_MAX];
    (void)snprintf(json, sizeof json,
                   "{\"waitForFailPoint\": \"%s\", \"timesEntered\": {\"$numberLong\": \"%lld\"}, "
                   "\"maxTimeMS\": %d}",
                   name, (long long)count, WAIT_MS);
    run_on_database("admin", json);
}

void fail_commands(const char *commands, int times, const char *how)
{
    char mode[64], data[COMMAND_MAX];
    (void)snprintf(mode, sizeof mode, times > 0 ? "{\"times\": %d}" : "\"alwaysOn\"", times);
    (void)snprintf(data, sizeof data,
                   "\"failCommands\": [%s], \"appName\": \"allotd:" FIXTURE_WORKER "\", %s",
                   commands, how);
    failed_before = set_fail_point(FAIL_COMMAND, mode, data);
}

void await_failed_command(void)
{
    await_fail_point(FAIL_COMMAND, failed_before + 1);
}

void hold_commits(void)
{
    held_before = set_fail_point(HOLD_COMMIT, "\"alwaysOn\"", "");
}

void await_held_commit(void)
{
    await_fail_point(HOLD_COMMIT, held_before + 1);
}

void release_commits(void)
{
    (void)set_fail_point(HOLD_COMMIT, "\"off\"", "");
}

static void signal_each_mongod(const char *files, int signal_number)
{
    char copy[1024];
    assert_in_range(snprintf(copy, sizeof copy, "%s", files), 1, sizeof copy - 1);
    char *rest = NULL;
    for (char *path = strtok_r(copy, " ", &rest); path != NULL; path = strtok_r(NULL, " ", &rest)) {
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        int pid = 0;
        assert_int_equal(fscanf(file, "%d", &pid), 1);
        (void)fclose(file);
        assert_int_equal(kill(pid, signal_number), 0);
    }
}

struct held_document {
    mongoc_client_t *client;
    mongoc_client_session_t *session;
};

struct held_document *hold_document(const char *collection, const char *filter)
{
    bson_error_t error;
    bson_t selector, options = BSON_INITIALIZER, reply;
    bson_t *change = BCON_NEW("$inc", "{", "rev", BCON_INT64(1), "}");
    struct held_document *held = bson_malloc0(sizeof *held);
    held->client = open_database();
    held->session = mongoc_client_start_session(held->client, NULL, &error);
    assert_true(bson_init_from_json(&selector, filter, -1, &error));
    assert_true(mongoc_client_session_start_transaction(held->session, NULL, &error));
    assert_true(mongoc_client_session_append(held->session, &options, &error));
    mongoc_collection_t *documents =
        mongoc_client_get_collection(held->client, fixture_database(), collection);
    if (!mongoc_collection_update_many(documents, &selector, change, &options, &reply, &error))
        fail_msg("%s", error.message);
    mongoc_collection_destroy(documents);
    bson_destroy(&reply);
    bson_destroy(change);
    bson_destroy(&options);
    bson_destroy(&selector);
    return held;
}

void release_document(struct held_document *held)
{
    (void)mongoc_client_session_abort_transaction(held->session, NULL);
    mongoc_client_session_destroy(held->session);
    mongoc_client_destroy(held->client);
    bson_free(held);
}

void freeze_database(void)
{
    const char *files = getenv("ALLOT_STACK_MONGOD_PIDFILES");
    assert_non_null(files); /* only the servers of a private stack may be frozen */
    signal_each_mongod(files, SIGSTOP);
}

void thaw_database(void)
{
    const char *files = getenv("ALLOT_STACK_MONGOD_PIDFILES");
    if (files != NULL)
        signal_each_mongod(files, SIGCONT);
}

void await_no_command(void)
{
    static const char running[] =
        "{\"aggregate\": 1, \"cursor\": {}, \"pipeline\": [{\"$currentOp\": {}}, {\"$match\": "
        "{\"active\": true, \"appName\": \"allotd:" FIXTURE_WORKER "\", \"command.hello\": "
        "{\"$exists\": false}, \"command.isMaster\": {\"$exists\": false}}}, {\"$count\": \"n\"}]}";
    for (int waited_us = 0; run_for_integer("admin", running, "cursor.firstBatch.0.n") > 0;
         waited_us += PAUSE_US) {
        if (waited_us / 1000 > WAIT_MS)
            fail_msg("a command of the worker does not end");
        (void)usleep(PAUSE_US);
    }
}

int64_t clear_faults(void)
{
    thaw_database();
    release_commits();
    return set_fail_point(FAIL_COMMAND, "\"off\"", "") - failed_before;
}

/* --- letters ---------------------------------------------------------------------------------- */

struct found_letters database_letters(const char *filter)
{
    bson_error_t error;
    struct found_letters found = {0};
    mongoc_client_t *client = open_database();
    mongoc_collection_t *letters =
        mongoc_client_get_collection(client, fixture_database(), "letters");
    bson_t *query = bson_new_from_json((const uint8_t *)filter, -1, &error);
    assert_non_null(query);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(letters, query, NULL, NULL);
    const bson_t *document = NULL;
    while (mongoc_cursor_next(cursor, &document)) {
        bson_iter_t iter;
        assert_true(bson_iter_init_find(&iter, document, "_id"));
        if (strcmp(bson_iter_utf8(&iter, NULL), "allotd.sentinel") == 0)
            continue;
        (void)snprintf(found.id, sizeof found.id, "%s", bson_iter_utf8(&iter, NULL));
        found.count++;
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(query);
    mongoc_collection_destroy(letters);
    mongoc_client_destroy(client);
    return found;
}

void await_stored_letters(const char *filter, int64_t count)
{
    for (int waited_ms = 0; database_letters(filter).count != count; waited_ms += PAUSE_US / 1000) {
        if (waited_ms >= WAIT_MS)
            fail_msg("%lld letters fit %s, expected %lld",
                     (long long)database_letters(filter).count, filter, (long long)count);
        (void)usleep(PAUSE_US);
    }
}
