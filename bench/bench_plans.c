/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks how the server runs the worker's queries. Usage: bench_plans ALLOTD
 *
 * It seeds a database, turns the server's profiler on, and sends commands of every kind to a worker
 * (bench_plans_commands.c). Then it reads the profile:
 *
 * - Profile: no operation of any collection may be a collection scan, and none may need a second
 *   round trip (getMore) for its rows.
 * - Loads: a load is one aggregate with a $lookup for each query. Each kind of $lookup is explained
 *   once ("executionStats"): it must use an index, and examine no more documents than it returns.
 *   Every kind that the worker has must occur in the profile.
 * - Documents: those that the baseline writes are compared with the worker's.
 * - Indexes that no query used are printed; they are no failure.
 *
 * The checks do not depend on time, so the program is a test (ctest bench/plans) with result lines
 * like those of the other tests. Nothing is measured here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_database.h"
#include "bench/bench_documents.h"
#include "bench/bench_plans.h"
#include "bench/bench_process.h"
#include "bench/bench_topology.h"

enum { PROVIDERS = 200, CONSUMERS = 5000, PROJECTS = 100, KINDS_MAX = 64, TEXT = 256 };
enum { PROFILE_BYTES = 64 * 1024 * 1024 };
/* Documents that a load may examine beyond those that it returns. */
enum { EXTRA_DOCUMENTS = 2 };

#define SCAN "COLLSCAN"

/* Queries with the same operation, collection and plan. */
struct query_kind {
    char name[TEXT];
    char plan[TEXT];
    int64_t count;
};

struct plans {
    struct database database;
    struct query_kind kinds[KINDS_MAX];
    size_t kind_count;
    int passed, failed;
};

/* Counts one check, and prints its result as the other tests do. */
static void check(struct plans *plans, const char *name, bool holds)
{
    (void)printf("[ RUN      ] %s\n%s %s\n", name, holds ? "[       OK ]" : "[  FAILED  ]", name);
    plans->passed += holds;
    plans->failed += !holds;
}

/* --- the profile --- */

static void set_profile(struct plans *plans, int level)
{
    bson_t create = BSON_INITIALIZER, command = BSON_INITIALIZER, reply;
    if (level > 0) {
        BSON_APPEND_UTF8(&create, "create", "system.profile");
        BSON_APPEND_BOOL(&create, "capped", true);
        BSON_APPEND_INT64(&create, "size", PROFILE_BYTES);
        database_command(&plans->database, plans->database.name, &create, &reply);
        bson_destroy(&reply);
    }
    BSON_APPEND_INT32(&command, "profile", level);
    database_command(&plans->database, plans->database.name, &command, &reply);
    bson_destroy(&reply);
    bson_destroy(&command);
    bson_destroy(&create);
}

static const char *text_in(const bson_t *document, const char *path)
{
    bson_iter_t iter, found;
    if (!bson_iter_init(&iter, document) || !bson_iter_find_descendant(&iter, path, &found) ||
        !BSON_ITER_HOLDS_UTF8(&found))
        return "";
    return bson_iter_utf8(&found, NULL);
}

static int64_t integer_in(const bson_t *document, const char *path)
{
    bson_iter_t iter, found;
    if (!bson_iter_init(&iter, document) || !bson_iter_find_descendant(&iter, path, &found))
        return 0;
    return bson_iter_as_int64(&found);
}

static struct query_kind *kind_of(struct plans *plans, const char *name, const char *plan)
{
    for (size_t i = 0; i < plans->kind_count; i++)
        if (strcmp(plans->kinds[i].name, name) == 0 && strcmp(plans->kinds[i].plan, plan) == 0)
            return &plans->kinds[i];
    if (plans->kind_count == KINDS_MAX)
        bench_die("too many kinds of queries (limit %d)", KINDS_MAX);
    struct query_kind *kind = &plans->kinds[plans->kind_count++];
    (void)snprintf(kind->name, sizeof kind->name, "%s", name);
    (void)snprintf(kind->plan, sizeof kind->plan, "%s", plan);
    return kind;
}

static bool has_kind(const struct plans *plans, const char *name)
{
    for (size_t i = 0; i < plans->kind_count; i++)
        if (strcmp(plans->kinds[i].name, name) == 0)
            return true;
    return false;
}

/* --- loads: an aggregate with a $lookup for each query --- */

static bool sub_document(const bson_t *document, const char *path, bson_t *ret_view)
{
    bson_iter_t iter, found;
    const uint8_t *bytes = NULL;
    uint32_t length = 0;
    if (!bson_iter_init(&iter, document) || !bson_iter_find_descendant(&iter, path, &found))
        return false;
    if (BSON_ITER_HOLDS_ARRAY(&found))
        bson_iter_array(&found, &length, &bytes);
    else if (BSON_ITER_HOLDS_DOCUMENT(&found))
        bson_iter_document(&found, &length, &bytes);
    return bytes != NULL && bson_init_static(ret_view, bytes, length);
}

/* Appends the bounds of a range, such as " $gt $lt"; nothing for a list of values. */
static void append_bounds(const bson_iter_t *field, char *name, size_t size)
{
    bson_iter_t bound;
    if (!BSON_ITER_HOLDS_DOCUMENT(field) || !bson_iter_recurse(field, &bound))
        return;
    while (bson_iter_next(&bound)) {
        size_t length = strlen(name);
        if (strcmp(bson_iter_key(&bound), "$in") != 0)
            (void)snprintf(name + length, size - length, " %s", bson_iter_key(&bound));
    }
}

/* Names the kind of a stage: the collection of its $lookup, and the first field that it matches,
   with the bounds of its range. Returns false if the stage is no $lookup. */
static bool name_lookup(const bson_t *stage, char *ret_name, size_t size)
{
    bson_t match;
    bson_iter_t iter;
    if (!sub_document(stage, "$lookup.pipeline.0.$match", &match) || !bson_iter_init(&iter, &match))
        return false;
    bool has_field = bson_iter_next(&iter);
    (void)snprintf(ret_name, size, "load of %s by %s", text_in(stage, "$lookup.from"),
                   has_field ? bson_iter_key(&iter) : "no field");
    if (has_field)
        append_bounds(&iter, ret_name, size);
    return true;
}

/* Returns whether the pipeline has a kind of $lookup that is not explained yet. */
static bool has_new_kind(const struct plans *plans, const bson_t *pipeline)
{
    char name[TEXT], number[16];
    bson_t stage;
    for (uint32_t i = 0; i < bson_count_keys(pipeline); i++) {
        (void)snprintf(number, sizeof number, "%u", i);
        if (sub_document(pipeline, number, &stage) && name_lookup(&stage, name, sizeof name) &&
            !has_kind(plans, name))
            return true;
    }
    return false;
}

/* Records the plan of one explained $lookup. Returns the documents that it examined, or 0 if it
   groups them: such a query examines more than it returns. */
static int64_t record_lookup(struct plans *plans, const bson_t *stage)
{
    char name[TEXT], plan[TEXT];
    if (!name_lookup(stage, name, sizeof name))
        return 0;
    int64_t examined = integer_in(stage, "totalDocsExamined");
    (void)snprintf(plan, sizeof plan, "%s",
                   integer_in(stage, "collectionScans") > 0 ? SCAN
                                                            : text_in(stage, "indexesUsed.0"));
    kind_of(plans, name, plan)->count++;
    (void)printf("  %-45s index %-10s keys %lld, documents %lld\n", name, plan,
                 (long long)integer_in(stage, "totalKeysExamined"), (long long)examined);
    bson_t grouped;
    return sub_document(stage, "$lookup.pipeline.4.$group", &grouped) ? 0 : examined;
}

static void explain(struct plans *plans, const bson_t *pipeline)
{
    bson_t command = BSON_INITIALIZER, aggregate, cursor = BSON_INITIALIZER, reply, stages, stage;
    bson_append_document_begin(&command, "explain", -1, &aggregate);
    BSON_APPEND_INT32(&aggregate, "aggregate", 1);
    BSON_APPEND_ARRAY(&aggregate, "pipeline", pipeline);
    BSON_APPEND_DOCUMENT(&aggregate, "cursor", &cursor);
    bson_append_document_end(&command, &aggregate);
    BSON_APPEND_UTF8(&command, "verbosity", "executionStats");
    database_command(&plans->database, plans->database.name, &command, &reply);
    int64_t examined = 0, returned = 0;
    if (!sub_document(&reply, "stages", &stages))
        bench_die("missing field 'stages' in the response to explain");
    for (uint32_t i = 0; i < bson_count_keys(&stages); i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%u", i);
        if (!sub_document(&stages, number, &stage))
            continue;
        examined += record_lookup(plans, &stage);
        returned = integer_in(&stage, "nReturned");
    }
    check(plans, "a load examines what it returns", examined <= returned + EXTRA_DOCUMENTS);
    bson_destroy(&reply);
    bson_destroy(&command);
}

static void handle_load(struct plans *plans, const bson_t *entry)
{
    bson_t pipeline;
    if (!sub_document(entry, "command.pipeline", &pipeline))
        bench_die("missing field 'command.pipeline' in a load of the profile");
    if (has_new_kind(plans, &pipeline))
        explain(plans, &pipeline);
}

/* --- entries --- */

static bool is_system_entry(const bson_t *entry)
{
    const char *collection = strchr(text_in(entry, "ns"), '.');
    return collection == NULL || strncmp(collection, ".system", 7) == 0;
}

static void handle_entry(struct plans *plans, const bson_t *entry)
{
    char name[TEXT];
    const char *plan = text_in(entry, "planSummary");
    if (is_system_entry(entry))
        return;
    if (integer_in(entry, "command.aggregate") == 1)
        handle_load(plans, entry);
    if (*plan == '\0')
        return;
    (void)snprintf(name, sizeof name, "%s of %s", text_in(entry, "op"),
                   strchr(text_in(entry, "ns"), '.') + 1);
    kind_of(plans, name, plan)->count++;
}

static void read_profile(struct plans *plans)
{
    const bson_t *entry = NULL;
    bson_error_t error;
    bson_t all = BSON_INITIALIZER;
    mongoc_collection_t *profile =
        mongoc_database_get_collection(plans->database.handle, "system.profile");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(profile, &all, NULL, NULL);
    while (mongoc_cursor_next(cursor, &entry))
        handle_entry(plans, entry);
    if (mongoc_cursor_error(cursor, &error))
        bench_die("cannot read the profile: %s", error.message);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(profile);
    bson_destroy(&all);
}

static void check_kinds(struct plans *plans)
{
    static const char *const loads[] = {
        "load of outcomes by _id",
        "load of consumers by _id",
        "load of consumers by allocations.provider",
        "load of consumers by project_id",
        "load of providers by _id",
        "load of providers by $or", /* ids and names */
        "load of providers by root",
        /* Pages of provider.list: the first one, the next, and the same with a prefix. */
        "load of providers by name $gte",
        "load of providers by name $gte $gt",
        "load of providers by name $gte $lt",
        "load of providers by name $gte $lt $gt",
    };
    char name[2 * TEXT + 32];
    bool has_getmore = false;
    for (size_t i = 0; i < plans->kind_count; i++) {
        struct query_kind *kind = &plans->kinds[i];
        has_getmore = has_getmore || strncmp(kind->name, "getmore", strlen("getmore")) == 0;
        (void)snprintf(name, sizeof name, "%s by %s is no scan (%lld times)", kind->name,
                       kind->plan, (long long)kind->count);
        check(plans, name, strstr(kind->plan, SCAN) == NULL);
    }
    check(plans, "no query takes a second round trip for its rows", !has_getmore);
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        (void)snprintf(name, sizeof name, "the profile has a %s", loads[i]);
        check(plans, name, has_kind(plans, loads[i]));
    }
}

/* Prints the indexes that no query used. Such an index costs time at each write and helps nothing;
   but another server version may use it, so it is no failure. */
static void list_unused(mongoc_collection_t *collection, const char *name)
{
    const bson_t *row = NULL;
    bson_t stages = BSON_INITIALIZER, stage, nothing = BSON_INITIALIZER;
    bson_append_document_begin(&stages, "0", -1, &stage);
    BSON_APPEND_DOCUMENT(&stage, "$indexStats", &nothing);
    bson_append_document_end(&stages, &stage);
    mongoc_cursor_t *cursor =
        mongoc_collection_aggregate(collection, MONGOC_QUERY_NONE, &stages, NULL, NULL);
    while (mongoc_cursor_next(cursor, &row))
        if (integer_in(row, "accesses.ops") == 0)
            (void)printf("  index %s of %s is used by no query\n", text_in(row, "name"), name);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&stages);
}

/* --- documents --- */

static bool find_one(mongoc_collection_t *collection, const bson_t *selector, bson_t *ret_document)
{
    const bson_t *row = NULL;
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, selector, NULL, NULL);
    bool found = mongoc_cursor_next(cursor, &row);
    if (found)
        bson_copy_to(row, ret_document);
    mongoc_cursor_destroy(cursor);
    return found;
}

/* Compares the fields: the same names and types, in the same order. */
static bool has_form(const bson_t *document, const bson_t *model)
{
    bson_iter_t one, other;
    if (!bson_iter_init(&one, document) || !bson_iter_init(&other, model))
        return false;
    while (bson_iter_next(&one)) {
        if (!bson_iter_next(&other) || strcmp(bson_iter_key(&one), bson_iter_key(&other)) != 0 ||
            bson_iter_type(&one) != bson_iter_type(&other))
            return false;
    }
    return !bson_iter_next(&other);
}

typedef bool (*comparison)(const bson_t *document, const bson_t *model);

static bool is_equal(const bson_t *document, const bson_t *model)
{
    return bson_equal(document, model);
}

static bool is_outcome(const bson_t *document, const bson_t *model)
{
    return has_form(document, model) && document->len == model->len;
}

/* Compares the stored document with the `_id` of `model` with it. */
static void compare(struct plans *plans, mongoc_collection_t *collection, const bson_t *model,
                    comparison matches, const char *name)
{
    bson_t selector = BSON_INITIALIZER, document;
    bson_iter_t iter;
    bool holds = false;
    if (bson_iter_init_find(&iter, model, "_id"))
        (void)bson_append_iter(&selector, "_id", -1, &iter);
    if (find_one(collection, &selector, &document)) {
        holds = matches(&document, model);
        bson_destroy(&document);
    }
    check(plans, name, holds);
    bson_destroy(&selector);
}

/* Compares the documents of the burst's last claim. Only the size of its outcome is compared, so
   the generations need the same number of digits only. */
static void check_documents(struct plans *plans)
{
    const struct shape *shape = &plans->database.shape;
    struct bench_claim claim = claim_draw(shape, PLANS_BURST - 1, 0);
    uint32_t first = claim_provider_at(&claim, 0);
    int64_t generations[CLAIM_PROVIDERS_MAX] = {0};
    bson_t consumer = BSON_INITIALIZER, outcome = BSON_INITIALIZER, provider = BSON_INITIALIZER;
    for (uint32_t i = 0; i < shape->claim_providers; i++)
        generations[i] = plans->database.provider_claims[claim_provider_at(&claim, i)];
    documents_consumer(&consumer, shape, &claim);
    documents_outcome(&outcome, shape, &claim, generations);
    documents_provider(&provider, shape, first, 0);
    compare(plans, plans->database.consumers, &consumer, is_equal,
            "the baseline's consumer is the worker's");
    compare(plans, plans->database.outcomes, &outcome, is_outcome,
            "the baseline's outcome has the form and size of the worker's");
    compare(plans, plans->database.providers, &provider, has_form,
            "the baseline's provider has the form of the worker's");
    bson_destroy(&provider);
    bson_destroy(&outcome);
    bson_destroy(&consumer);
}

static void run_worker(const struct plans *plans, const char *program)
{
    struct processes_options options = {.program = program, .count = 1, .queues = 1};
    (void)setenv("ALLOT_MONGODB_DATABASE", plans->database.name, 1);
    struct processes *processes = processes_start(&options);
    plans_send_all(&plans->database.shape);
    processes_end(processes);
}

int main(int argc, char **argv)
{
    struct plans plans = {0};
    struct shape shape = shape_default();
    if (argc != 2)
        bench_die("usage: bench_plans ALLOTD");
    shape.providers = shape.hot = PROVIDERS;
    shape.projects = PROJECTS;
    mongoc_init();
    topology_prepare(0);
    plans.database = database_open("plans", &shape, CONSUMERS);
    set_profile(&plans, 2);
    run_worker(&plans, argv[1]);
    set_profile(&plans, 0);
    read_profile(&plans);
    check_kinds(&plans);
    check_documents(&plans);
    list_unused(plans.database.providers, "providers");
    list_unused(plans.database.consumers, "consumers");
    list_unused(plans.database.outcomes, "outcomes");
    database_drop(&plans.database);
    mongoc_cleanup();
    (void)printf("%d passed, %d failed\n", plans.passed, plans.failed);
    return plans.failed > 0;
}
