/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the server runs what the worker asks of it: with the profiler on, a worker gets commands of
 * every kind; no entry of the profile may be a scan of a collection, and `explain` of each kind of
 * query names the index and what it examined. Also: the documents that the yardstick writes are the
 * worker's. Usage: bench_plans ALLOTD
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench_database.h"
#include "tests/bench/bench_documents.h"
#include "tests/bench/bench_plans.h"
#include "tests/bench/bench_process.h"
#include "tests/bench/bench_topology.h"

enum { PROVIDERS = 200, CONSUMERS = 5000, PROJECTS = 100, KINDS_MAX = 64, TEXT = 256 };
enum { PROFILE_BYTES = 64 * 1024 * 1024, FREE_DOCUMENTS = 2 };

/* One kind of query: the same collection, operation and plan. */
struct kind {
    char name[TEXT];
    char plan[TEXT];
    bson_t *command; /* one of them, to be explained; NULL where it is a write */
    int64_t count;
};

struct plans {
    struct database database;
    struct kind kinds[KINDS_MAX];
    size_t kind_count;
    int passed, failed;
};

static void check(struct plans *plans, const char *claim, bool holds)
{
    (void)printf("[ RUN      ] %s\n%s %s\n", claim, holds ? "[       OK ]" : "[  FAILED  ]", claim);
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

/* What explain takes of a find or an aggregate as the profile shows it; NULL of anything else. */
static bson_t *to_be_explained(const bson_t *entry)
{
    static const char *const parts[] = {"find",       "aggregate", "filter",  "sort",
                                        "projection", "limit",     "pipeline"};
    bson_iter_t iter, part;
    bson_t cursor = BSON_INITIALIZER;
    bson_t *command = bson_new();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char path[TEXT];
        (void)snprintf(path, sizeof path, "command.%s", parts[i]);
        if (bson_iter_init(&iter, entry) && bson_iter_find_descendant(&iter, path, &part))
            (void)bson_append_iter(command, parts[i], -1, &part);
    }
    if (bson_has_field(command, "aggregate"))
        BSON_APPEND_DOCUMENT(command, "cursor", &cursor);
    if (!bson_has_field(command, "find") && !bson_has_field(command, "aggregate")) {
        bson_destroy(command);
        return NULL;
    }
    return command;
}

static struct kind *kind_of(struct plans *plans, const char *name, const char *plan)
{
    for (size_t i = 0; i < plans->kind_count; i++)
        if (strcmp(plans->kinds[i].name, name) == 0 && strcmp(plans->kinds[i].plan, plan) == 0)
            return &plans->kinds[i];
    if (plans->kind_count == KINDS_MAX)
        bench_die("more than %d kinds of queries", KINDS_MAX);
    struct kind *kind = &plans->kinds[plans->kind_count++];
    (void)snprintf(kind->name, sizeof kind->name, "%s", name);
    (void)snprintf(kind->plan, sizeof kind->plan, "%s", plan);
    return kind;
}

static void take_entry(struct plans *plans, const bson_t *entry)
{
    char name[TEXT];
    const char *plan = text_in(entry, "planSummary");
    const char *collection = strchr(text_in(entry, "ns"), '.');
    if (collection == NULL || *plan == '\0' || strncmp(collection, ".system", 7) == 0)
        return;
    const char *operation = text_in(entry, "op");
    if (*text_in(entry, "command.aggregate") != '\0')
        operation = "aggregate";
    (void)snprintf(name, sizeof name, "%s of %s", operation, collection + 1);
    struct kind *kind = kind_of(plans, name, plan);
    if (kind->count++ == 0)
        kind->command = to_be_explained(entry);
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
        take_entry(plans, entry);
    if (mongoc_cursor_error(cursor, &error))
        bench_die("%s", error.message);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(profile);
    bson_destroy(&all);
}

/* --- explain --- */

static void explain(struct plans *plans, const struct kind *kind)
{
    char claim[2 * TEXT + 32];
    bson_t command = BSON_INITIALIZER, reply;
    BSON_APPEND_DOCUMENT(&command, "explain", kind->command);
    BSON_APPEND_UTF8(&command, "verbosity", "executionStats");
    database_command(&plans->database, plans->database.name, &command, &reply);
    char *text = bson_as_relaxed_extended_json(&reply, NULL);
    const char *prefix = bson_has_field(&reply, "executionStats")
                             ? "executionStats"
                             : "stages.0.$cursor.executionStats";
    char path[TEXT];
    (void)snprintf(path, sizeof path, "%s.totalDocsExamined", prefix);
    int64_t examined = integer_in(&reply, path);
    (void)snprintf(path, sizeof path, "%s.nReturned", prefix);
    int64_t returned = integer_in(&reply, path);
    (void)snprintf(path, sizeof path, "%s.totalKeysExamined", prefix);
    (void)printf("  %-28s %-45s keys %lld, documents %lld, returned %lld\n", kind->name, kind->plan,
                 (long long)integer_in(&reply, path), (long long)examined, (long long)returned);
    (void)snprintf(claim, sizeof claim, "%s by %s examines what it returns", kind->name,
                   kind->plan);
    check(plans, claim, strstr(text, "COLLSCAN") == NULL && examined <= returned + FREE_DOCUMENTS);
    bson_free(text);
    bson_destroy(&reply);
    bson_destroy(&command);
}

static void check_kinds(struct plans *plans)
{
    char claim[2 * TEXT + 32];
    bool more = false;
    for (size_t i = 0; i < plans->kind_count; i++) {
        struct kind *kind = &plans->kinds[i];
        more = more || strncmp(kind->name, "getmore", strlen("getmore")) == 0;
        (void)snprintf(claim, sizeof claim, "%s by %s is no scan (%lld times)", kind->name,
                       kind->plan, (long long)kind->count);
        check(plans, claim, strstr(kind->plan, "COLLSCAN") == NULL);
        if (kind->command != NULL)
            explain(plans, kind);
        bson_destroy(kind->command);
    }
    check(plans, "no query takes a second round trip for its rows", !more);
    check(plans, "the profile shows queries of every collection", plans->kind_count >= 8);
}

/* An index that no query asks for is no failure, but a price without a use. */
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

/* The same names in the same order, of the same types. */
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

static void compare(struct plans *plans, mongoc_collection_t *collection, const bson_t *model,
                    comparison same, const char *claim)
{
    bson_t selector = BSON_INITIALIZER, document;
    bson_iter_t iter;
    bool holds = false;
    if (bson_iter_init_find(&iter, model, "_id"))
        (void)bson_append_iter(&selector, "_id", -1, &iter);
    if (find_one(collection, &selector, &document)) {
        holds = same(&document, model);
        bson_destroy(&document);
    }
    check(plans, claim, holds);
    bson_destroy(&selector);
}

/* The last claim of the burst; the generations in its reply have one digit each. */
static void check_documents(struct plans *plans)
{
    const struct shape *shape = &plans->database.shape;
    struct bench_claim claim = claim_draw(shape, PLANS_BURST - 1, 0);
    uint32_t first = claim_provider_at(&claim, 0);
    int64_t generations[CLAIM_PROVIDERS_MAX] = {0};
    bson_t consumer = BSON_INITIALIZER, outcome = BSON_INITIALIZER, provider = BSON_INITIALIZER;
    for (uint32_t i = 0; i < shape->claim_providers; i++)
        generations[i] = plans->database.touched[claim_provider_at(&claim, i)];
    documents_consumer(&consumer, shape, &claim);
    documents_outcome(&outcome, shape, &claim, generations);
    documents_provider(&provider, shape, first, 0);
    compare(plans, plans->database.consumers, &consumer, is_equal,
            "the yardstick's consumer is the worker's");
    compare(plans, plans->database.outcomes, &outcome, is_outcome,
            "the yardstick's outcome has the form and size of the worker's");
    compare(plans, plans->database.providers, &provider, has_form,
            "the yardstick's provider has the form of the worker's");
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
