/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/system/worker_storage.h"

#include <mongoc/mongoc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/system/worker_fixture.h"

enum { COMMAND_MAX = 2048 };

static int64_t met_before; /* the server counts from its start on */

static mongoc_client_t *open_storage(void)
{
    mongoc_client_t *client = mongoc_client_new(getenv("ALLOT_MONGODB_URI"));
    assert_non_null(client);
    return client;
}

/* --- what is there ---------------------------------------------------------------------------- */

/* The one number that a pipeline gives, under "n"; 0 where it gives nothing. */
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

void audit(int64_t consumers, int64_t outcomes)
{
    mongoc_client_t *client = open_storage();
    int64_t used = aggregate(client, "providers",
                             "[{\"$group\":{\"_id\":null,\"n\":{\"$sum\":"
                             "\"$inventories.VCPU.used\"}}}]");
    int64_t held = aggregate(client, "consumers",
                             "[{\"$unwind\":\"$allocations\"},{\"$group\":{\"_id\":null,\"n\":"
                             "{\"$sum\":\"$allocations.resources.VCPU\"}}}]");
    int64_t idle =
        aggregate(client, "consumers", "[{\"$match\":{\"allocations\":[]}},{\"$count\":\"n\"}]");
    int64_t there = aggregate(client, "consumers", "[{\"$count\":\"n\"}]");
    int64_t recorded = aggregate(client, "outcomes", "[{\"$count\":\"n\"}]");
    mongoc_client_destroy(client);
    assert_int_equal(used, held);
    assert_int_equal(held, 2 * consumers);
    assert_int_equal(idle, 0);
    assert_int_equal(there, consumers);
    assert_int_equal(recorded, outcomes);
}

/* An integer of the command's reply, by its path; -1 where there is none. */
static int64_t run_for_integer(const char *database, const char *json, const char *path)
{
    bson_t command, reply;
    bson_error_t error;
    bson_iter_t iter, found;
    if (!bson_init_from_json(&command, json, -1, &error))
        fail_msg("%s: %s", json, error.message);
    mongoc_client_t *client = open_storage();
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

int64_t transactions_committed(void)
{
    return run_for_integer("admin", "{\"serverStatus\": 1}", "transactions.totalCommitted");
}

void run_on_storage(const char *database, const char *json)
{
    (void)run_for_integer(database, json, "ok");
}

/* --- what breaks it --------------------------------------------------------------------------- */

void fail_commands(const char *commands, int times, const char *how)
{
    char json[COMMAND_MAX], mode[64];
    (void)snprintf(mode, sizeof mode, times > 0 ? "{\"times\": %d}" : "\"alwaysOn\"", times);
    (void)snprintf(json, sizeof json,
                   "{\"configureFailPoint\": \"failCommand\", \"mode\": %s, \"data\": "
                   "{\"failCommands\": [%s], \"appName\": \"allotd:" FIXTURE_WORKER "\", %s}}",
                   mode, commands, how);
    met_before = run_for_integer("admin", json, "count");
}

int64_t clear_storage_faults(void)
{
    int64_t met = run_for_integer(
        "admin", "{\"configureFailPoint\": \"failCommand\", \"mode\": \"off\"}", "count");
    return met - met_before;
}

void signal_storage(int signal_number)
{
    const char *files = getenv("ALLOT_STACK_MONGOD_PIDFILES");
    assert_non_null(files); /* a stack of our own: only its servers may be frozen */
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
