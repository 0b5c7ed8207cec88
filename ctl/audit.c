/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/commands.h"
#include "ctl/database.h"
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

static int audit_database(const struct database *database, bool repair)
{
    struct error error = {""};
    struct audit_options audit = {repair, NULL, print_discrepancy, print_repair};
    struct audit_result result = {0};
    enum store_status status = mongo_audit(database->store, &audit, &result, &error);
    return status == STORE_OK ? print_summary(&result) : fail_with(&error);
}

int audit_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct error error = {""};
    struct database database;
    if (!database_settings_load(options, arena, &settings, &error))
        return fail_with(&error);
    int status = database_open(&settings, &database, &error)
                     ? audit_database(&database, options->repair)
                     : fail_with(&error);
    database_close(&database);
    return status;
}
