/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mongo/libmongoc.h"

enum { COMMAND_MAX = 2048, WAIT_MS = 120000, PAUSE_MS = 50 };

static int64_t failed_before; /* how many commands had failed when the fail point was set */

static bson_t *parse_json(const char *json)
{
    bson_error_t error;
    bson_t *document = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (document == NULL)
        fail_msg("%s: %s", json, error.message);
    return document;
}

/* `ret_reply` is owned by the caller. */
static void run_command(const char *database, const char *json, bson_t *ret_reply)
{
    bson_error_t error;
    bson_t *command = parse_json(json);
    mongoc_client_t *client = mongoc_client_new(getenv("ALLOT_MONGODB_URI"));
    bool ok = mongoc_client_command_simple(client, database, command, NULL, ret_reply, &error);
    mongoc_client_destroy(client);
    bson_destroy(command);
    if (!ok)
        fail_msg("%s: %s", json, error.message);
}

void admin_run(const char *database, const char *json)
{
    bson_t reply;
    run_command(database, json, &reply);
    bson_destroy(&reply);
}

static int64_t run_for_integer(const char *database, const char *json, const char *field)
{
    bson_t reply;
    bson_iter_t iter;
    run_command(database, json, &reply);
    int64_t value = bson_iter_init_find(&iter, &reply, field) ? bson_iter_as_int64(&iter) : -1;
    bson_destroy(&reply);
    return value;
}

int64_t admin_parameter(const char *name)
{
    char json[COMMAND_MAX];
    (void)snprintf(json, sizeof json, "{\"getParameter\": 1, \"%s\": 1}", name);
    return run_for_integer("admin", json, name);
}

void admin_set_parameter(const char *name, int64_t value)
{
    char json[COMMAND_MAX];
    (void)snprintf(json, sizeof json, "{\"setParameter\": 1, \"%s\": %lld}", name,
                   (long long)value);
    admin_run("admin", json);
}

int64_t admin_now_ms(void)
{
    bson_t reply;
    bson_iter_t iter;
    run_command("admin", "{\"hello\": 1}", &reply);
    int64_t now_ms =
        bson_iter_init_find(&iter, &reply, "localTime") ? bson_iter_date_time(&iter) : 0;
    bson_destroy(&reply);
    return now_ms;
}

int64_t admin_count(const char *database, const char *collection, const char *filter)
{
    char json[COMMAND_MAX];
    (void)snprintf(json, sizeof json,
                   "{\"count\": \"%s\", \"query\": {\"$and\": [{\"_id\": {\"$ne\": "
                   "\"allotd.sentinel\"}}, %s]}}",
                   collection, filter);
    return run_for_integer(database, json, "n");
}

/* Returns the `n` that an aggregate ends with, by $count; 0 if it counts nothing. */
static int64_t run_for_count(const char *database, const char *json)
{
    bson_t reply;
    bson_iter_t iter, found;
    run_command(database, json, &reply);
    bool any = bson_iter_init(&iter, &reply) &&
               bson_iter_find_descendant(&iter, "cursor.firstBatch.0.n", &found);
    int64_t count = any ? bson_iter_as_int64(&found) : 0;
    bson_destroy(&reply);
    return count;
}

void admin_await_waiting_drop(const char *database)
{
    char json[COMMAND_MAX];
    (void)snprintf(json, sizeof json,
                   "{\"aggregate\": 1, \"cursor\": {}, \"pipeline\": [{\"$currentOp\": {}}, "
                   "{\"$match\": {\"waitingForLock\": true, \"command.drop\": {\"$exists\": true}, "
                   "\"command.$db\": \"%s\"}}, {\"$count\": \"n\"}]}",
                   database);
    for (int waited_ms = 0; run_for_count("admin", json) == 0; waited_ms += PAUSE_MS) {
        assert_true(waited_ms < WAIT_MS);
        (void)poll(NULL, 0, PAUSE_MS);
    }
}

/* $indexStats has the specification of each index as `spec`. */
int64_t admin_index_count(const char *database, const char *collection, const char *filter)
{
    char json[COMMAND_MAX];
    (void)snprintf(json, sizeof json,
                   "{\"aggregate\": \"%s\", \"pipeline\": [{\"$indexStats\": {}}, "
                   "{\"$replaceWith\": \"$spec\"}, {\"$match\": %s}, {\"$count\": \"n\"}], "
                   "\"cursor\": {}}",
                   collection, filter);
    return run_for_count(database, json);
}

void admin_await_no_transaction(void)
{
    static const char open[] =
        "{\"aggregate\": 1, \"pipeline\": [{\"$currentOp\": {\"allUsers\": true, "
        "\"idleSessions\": true}}, {\"$match\": {\"appName\": \"allotd:contract\", "
        "\"transaction\": {\"$exists\": true}}}, {\"$count\": \"n\"}], \"cursor\": {}}";
    for (int waits = 0; run_for_count("admin", open) > 0; waits++) {
        if (waits >= WAIT_MS / PAUSE_MS)
            fail_msg("the server has open transactions after %d ms", WAIT_MS);
        (void)poll(NULL, 0, PAUSE_MS);
    }
}

/* The application name limits the fail point to the stores under test: other clients of the server,
   such as admin_run() itself, are not disturbed. */
static void set_fail_point(const char *mode, const char *commands, const char *how)
{
    char json[COMMAND_MAX];
    (void)snprintf(json, sizeof json,
                   "{\"configureFailPoint\": \"failCommand\", \"mode\": %s, \"data\": "
                   "{\"failCommands\": [%s], \"appName\": \"allotd:contract\", %s}}",
                   mode, commands, how);
    failed_before = run_for_integer("admin", json, "count");
}

void admin_fail(const char *commands, int times, const char *how)
{
    char mode[64];
    (void)snprintf(mode, sizeof mode, times > 0 ? "{\"times\": %d}" : "\"alwaysOn\"", times);
    set_fail_point(mode, commands, how);
}

void admin_fail_after_first(const char *commands, const char *how)
{
    set_fail_point("{\"skip\": 1}", commands, how);
}

void admin_await_fault(void)
{
    char json[COMMAND_MAX];
    (void)snprintf(json, sizeof json,
                   "{\"waitForFailPoint\": \"failCommand\", \"timesEntered\": %lld, "
                   "\"maxTimeMS\": %d}",
                   (long long)failed_before + 1, WAIT_MS);
    admin_run("admin", json);
}

void admin_clear_faults(void)
{
    admin_run("admin", "{\"configureFailPoint\": \"failCommand\", \"mode\": \"off\"}");
}

int admin_tear_down(void **state)
{
    (void)state;
    admin_clear_faults();
    return 0;
}
