/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/commands.h"
#include "common/mongo/audit.h"
#include "common/host/system_clock.h"

static void print_found(void *context, const char *text)
{
    (void)context;
    (void)printf("%s\n", text);
}

static void print_repaired(void *context, const char *text)
{
    (void)context;
    (void)printf("repaired: %s\n", text);
}

/* Every counter that was off is one discrepancy; what is left is for people. */
static int print_summary(const struct audit_result *result)
{
    int64_t left = result->discrepancies - result->repaired;
    (void)printf("%" PRId64 " providers, %" PRId64 " consumers, %" PRId64 " outcomes: %" PRId64
                 " discrepancies, %" PRId64 " repaired\n",
                 result->providers, result->consumers, result->outcomes, result->discrepancies,
                 result->repaired);
    return finish_output(left == 0 ? EXIT_SUCCESS : EXIT_FAILED);
}

static int audit(struct mongo_pool *pool, const struct options *options)
{
    struct error error = {""};
    struct audit_options what = {options->repair, NULL, print_found, print_repaired};
    struct audit_result result = {0};
    struct store *store = mongo_store_new(pool, &error);
    if (store == NULL)
        return fail_with(&error);
    enum store_status status = mongo_audit(store, &what, &result, &error);
    store->ops->free(store);
    return status == STORE_OK ? print_summary(&result) : fail_with(&error);
}

static int run(const struct options *options, struct arena *arena)
{
    struct error error = {""};
    struct settings settings;
    if (!storage_settings_load(options, arena, &settings, &error))
        return fail_with(&error);
    struct mongo_options storage = {
        .uri = settings.mongodb_uri,
        .database = settings.mongodb_database,
        .timeout_ms = settings.mongodb_timeout_ms,
        .retention_ms = settings.idempotency_retention_ms,
        .worker = text_of("allotctl"),
        .clock = system_clock(),
    };
    struct mongo_pool *pool = mongo_pool_new(&storage, &error);
    if (pool == NULL)
        return fail_with(&error);
    int status = audit(pool, options);
    mongo_pool_free(pool);
    return status;
}

int audit_command(int argc, char **argv)
{
    struct options options;
    if (!options_read(argc, argv, "cuf", &options))
        return EXIT_USAGE;
    struct arena *arena = arena_new(0);
    mongo_library_init();
    int status = run(&options, arena);
    mongo_library_cleanup();
    arena_free(arena);
    return status;
}
