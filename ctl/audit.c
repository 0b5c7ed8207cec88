/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/letter_check.h"
#include "ctl/commands.h"
#include "ctl/database.h"
#include "ctl/output.h"
#include "ctl/settings.h"

/* The context of the audit's callbacks. */
struct audience {
    const struct settings *settings;
    int64_t now_ms; /* by the database's clock */
};

/* Without publishing, letters are marked as published at once; so one that is not is left over. */
static enum audit_finding judge_letter(void *context, const struct letter_record *record,
                                       struct error *ret_why)
{
    const struct audience *audience = context;
    if (!letter_check(record, ret_why))
        return AUDIT_WRONG;
    if (!audience->settings->letters_publish || !letter_is_overdue(record, audience->now_ms))
        return AUDIT_RIGHT;
    error_set(ret_why, "its dead letter has waited for more than an hour to be published");
    return AUDIT_WARNING;
}

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
    (void)printf("%" PRId64 " letters, %" PRId64 " warnings\n", result->letters, result->warnings);
    return result->discrepancies == result->repaired ? EXIT_SUCCESS : EXIT_FAILED;
}

static int audit_database(const struct database *database, const struct settings *settings,
                          bool repair)
{
    struct error error = {""};
    struct audience audience = {.settings = settings};
    struct audit_options audit = {
        .repair = repair,
        .context = &audience,
        .found = print_discrepancy,
        .repaired = print_repair,
        .letter = judge_letter,
    };
    struct audit_result result = {0};
    enum store_status status = mongo_read_clock(database->store, &audience.now_ms, &error);
    if (status == STORE_OK)
        status = mongo_audit(database->store, &audit, &result, &error);
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
                     ? audit_database(&database, &settings, options->repair)
                     : fail_with(&error);
    database_close(&database);
    return status;
}
