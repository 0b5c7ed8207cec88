/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/host/system_clock.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/settings.h"

static void print_discrepancy(void *context, const char *text)
{
    (void)context;
    print_printable_line(stdout, text_of(text));
}

static void print_repair(void *context, const char *text)
{
    (void)context;
    (void)fputs("repaired: ", stdout);
    print_printable_line(stdout, text_of(text));
}

/* Returns success only if every discrepancy was a counter, and every counter was repaired. */
static int print_summary(const struct audit_result *result)
{
    (void)printf("%" PRId64 " providers, %" PRId64 " consumers, %" PRId64 " outcomes: %" PRId64
                 " discrepancies, %" PRId64 " repaired\n",
                 result->providers, result->consumers, result->outcomes, result->discrepancies,
                 result->repaired);
    return result->discrepancies == result->repaired ? EXIT_SUCCESS : EXIT_FAILED;
}

static int audit_pool(struct mongo_pool *pool, bool repair)
{
    struct error error = {""};
    struct audit_options audit = {repair, NULL, print_discrepancy, print_repair};
    struct audit_result result = {0};
    struct store *store = mongo_store_new(pool, &error);
    if (store == NULL)
        return fail_with(&error);
    enum store_status status = mongo_audit(store, &audit, &result, &error);
    store->ops->free(store);
    return status == STORE_OK ? print_summary(&result) : fail_with(&error);
}

static int audit_database(const struct settings *settings, bool repair)
{
    struct error error = {""};
    struct mongo_options database = {
        .uri = settings->mongodb_uri,
        .database = settings->mongodb_database,
        .timeout_ms = settings->mongodb_timeout_ms,
        .retention_ms = settings->idempotency_retention_ms,
        .letters_retention_ms = settings->letters_retention_ms,
        .worker = text_of("allotctl"),
        .clock = system_clock(),
    };
    struct mongo_pool *pool = mongo_pool_new(&database, &error);
    if (pool == NULL)
        return fail_with(&error);
    int status = audit_pool(pool, repair);
    mongo_pool_free(pool);
    return status;
}

int audit_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct error error = {""};
    if (!database_settings_load(options, arena, &settings, &error))
        return fail_with(&error);
    mongo_library_init();
    int status = audit_database(&settings, options->repair);
    mongo_library_cleanup();
    return status;
}
