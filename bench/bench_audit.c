/* SPDX-License-Identifier: Apache-2.0 */
/* The reading half of bench_database: the audit of the database, and the server's counters. */
#include "bench/bench_database.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/bench_latency.h"

enum { PIPELINE_MAX = 1024, TRANSACTIONS_MAX = 1000000 };

static mongoc_cursor_t *aggregate(mongoc_collection_t *collection, const char *pipeline,
                                  const bson_t *options)
{
    bson_t stages;
    bson_error_t error;
    if (!bson_init_from_json(&stages, pipeline, -1, &error))
        bench_die("cannot parse a pipeline of the audit: %s", error.message);
    mongoc_cursor_t *cursor =
        mongoc_collection_aggregate(collection, MONGOC_QUERY_NONE, &stages, options, NULL);
    bson_destroy(&stages);
    return cursor;
}

static int64_t integer_in(const bson_t *document, const char *path)
{
    bson_iter_t iter, found;
    if (!bson_iter_init(&iter, document) || !bson_iter_find_descendant(&iter, path, &found))
        bench_die("missing field '%s' in a response of the server", path);
    return bson_iter_as_int64(&found);
}

static void close_cursor(mongoc_cursor_t *cursor)
{
    bson_error_t error;
    if (mongoc_cursor_error(cursor, &error))
        bench_die("cannot read from the database: %s", error.message);
    mongoc_cursor_destroy(cursor);
}

/* --- audit --- */

/* Runs a pipeline that returns one row, and returns its "n"; 0 if there is no row. `format` may
   hold one %s, for the resource class. */
static int64_t aggregate_number(mongoc_collection_t *collection, const char *format,
                                const char *resource_class)
{
    char pipeline[PIPELINE_MAX];
    const bson_t *row = NULL;
    int64_t n = 0;
    (void)snprintf(pipeline, sizeof pipeline, format, resource_class);
    mongoc_cursor_t *cursor = aggregate(collection, pipeline, NULL);
    if (mongoc_cursor_next(cursor, &row))
        n = integer_in(row, "n");
    close_cursor(cursor);
    return n;
}

static void expect(const char *what, int64_t found, int64_t expected)
{
    if (found != expected)
        bench_die("audit: wrong %s: %lld (expected %lld)", what, (long long)found,
                  (long long)expected);
}

void database_audit(struct database *database, const struct totals *totals)
{
    static const char count[] =
        "[{\"$match\":{\"_id\":{\"$ne\":\"allotd.sentinel\"}}},{\"$count\":\"n\"}]";
    static const char used[] =
        "[{\"$group\":{\"_id\":null,\"n\":{\"$sum\":\"$inventories.%s.used\"}}}]";
    static const char allocated[] = "[{\"$unwind\":\"$allocations\"},{\"$group\":{\"_id\":null,"
                                    "\"n\":{\"$sum\":\"$allocations.resources.%s\"}}}]";
    static const char generations[] =
        "[{\"$group\":{\"_id\":null,\"n\":{\"$sum\":\"$generation\"}}}]";
    int64_t seeded = (int64_t)database->seeded, each = database->shape.claim_providers;
    for (size_t i = 0; i < database->shape.classes; i++) {
        int64_t expected = (totals->consumers + seeded) * each * claim_amount(i);
        expect("usage", aggregate_number(database->providers, used, claim_classes[i]), expected);
        expect("sum of allocations",
               aggregate_number(database->consumers, allocated, claim_classes[i]), expected);
    }
    expect("number of consumers", aggregate_number(database->consumers, count, ""),
           totals->consumers + seeded);
    expect("number of outcomes", aggregate_number(database->outcomes, count, ""), totals->outcomes);
    expect("sum of generations", aggregate_number(database->providers, generations, ""),
           totals->generations + seeded * each);
}

/* --- counters --- */

/* Counts the commands of clients. getMore is left out: the secondaries follow the oplog with it. */
static int64_t count_commands(const bson_t *status)
{
    static const char *const names[] = {"find",   "aggregate",     "insert",           "update",
                                        "delete", "findAndModify", "commitTransaction"};
    char path[64];
    int64_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "metrics.commands.%s.total", names[i]);
        count += integer_in(status, path);
    }
    return count;
}

struct server_counters database_counters(struct database *database)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_iter_t iter;
    uint32_t seconds = 0, count = 0;
    BSON_APPEND_INT32(&command, "serverStatus", 1);
    database_command(database, "admin", &command, &reply);
    if (bson_iter_init_find(&iter, &reply, "operationTime"))
        bson_iter_timestamp(&iter, &seconds, &count);
    struct server_counters counters = {
        .started = integer_in(&reply, "transactions.totalStarted"),
        .committed = integer_in(&reply, "transactions.totalCommitted"),
        .aborted = integer_in(&reply, "transactions.totalAborted"),
        .commands = count_commands(&reply),
        .at_seconds = seconds,
        .at_count = count,
    };
    bson_destroy(&reply);
    bson_destroy(&command);
    return counters;
}

/* --- batches --- */

/* One row for each transaction: the outcomes that it inserted. A large transaction has several
   entries in the oplog, so they are grouped. */
static const char batches[] =
    "[{\"$match\":{\"ts\":{\"$gt\":{\"$timestamp\":{\"t\":%lld,\"i\":%lld}}},\"op\":\"c\","
    "\"o.applyOps.ns\":\"%s.outcomes\"}},"
    "{\"$project\":{\"lsid\":1,\"txnNumber\":1,\"n\":{\"$size\":{\"$filter\":{"
    "\"input\":\"$o.applyOps\",\"cond\":{\"$and\":[{\"$eq\":[\"$$this.ns\",\"%s.outcomes\"]},"
    "{\"$eq\":[\"$$this.op\",\"i\"]}]}}}}}},"
    "{\"$group\":{\"_id\":{\"s\":\"$lsid\",\"t\":\"$txnNumber\"},\"n\":{\"$sum\":\"$n\"}}}]";

static size_t read_batches(struct database *database, const struct server_counters *since,
                           double *ret_sizes)
{
    char pipeline[PIPELINE_MAX];
    const bson_t *row = NULL;
    size_t count = 0;
    (void)snprintf(pipeline, sizeof pipeline, batches, (long long)since->at_seconds,
                   (long long)since->at_count, database->name, database->name);
    mongoc_collection_t *oplog =
        mongoc_client_get_collection(database->client, "local", "oplog.rs");
    mongoc_cursor_t *cursor = aggregate(oplog, pipeline, NULL);
    while (count < TRANSACTIONS_MAX && mongoc_cursor_next(cursor, &row))
        ret_sizes[count++] = (double)integer_in(row, "n");
    close_cursor(cursor);
    mongoc_collection_destroy(oplog);
    return count;
}

void database_print_batches(struct database *database, const struct server_counters *since)
{
    double *sizes = bench_array(TRANSACTIONS_MAX, sizeof *sizes);
    size_t count = read_batches(database, since, sizes);
    sort_values(sizes, count);
    if (count > 0)
        (void)printf(" batch_p10=%.0f batch_p50=%.0f batch_p90=%.0f batch_max=%.0f",
                     percentile(sizes, count, 10), percentile(sizes, count, 50),
                     percentile(sizes, count, 90), percentile(sizes, count, 100));
    free(sizes);
}
