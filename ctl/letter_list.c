/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/letters_read.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/commands.h"
#include "ctl/database.h"
#include "ctl/letter_json.h"
#include "ctl/letter_text.h"
#include "ctl/output.h"
#include "ctl/settings.h"
#include "ctl/time_text.h"

static bool read_state(const char *given, struct letter_filter *filter)
{
    filter->has_state = given != NULL;
    if (given == NULL || letter_state_parse(text_of(given), &filter->state))
        return true;
    (void)fprintf(stderr,
                  "allotctl: invalid value '%s' for --state: expected open, replayed, resolved or "
                  "discarded\n",
                  given);
    return false;
}

static bool read_time(const char *name, const char *given, int64_t now_ms, int64_t *ret_ms)
{
    if (given == NULL || time_parse(given, now_ms, ret_ms))
        return true;
    (void)fprintf(stderr,
                  "allotctl: invalid value '%s' for --%s: expected a time in UTC "
                  "(2026-01-31T23:59:59Z), a date, or a duration before now (2h)\n",
                  given, name);
    return false;
}

static bool read_times(const struct options *options, int64_t now_ms, struct letter_filter *filter)
{
    return read_time("since", options->since, now_ms, &filter->since_ms) &&
           read_time("until", options->until, now_ms, &filter->until_ms);
}

/* The times are only checked, before there is a connection: now is a time of the database. */
static bool read_filter(const struct options *options, struct letter_filter *ret_filter)
{
    struct letter_filter filter = {
        .reason = text_of(options->reason),
        .principal = text_of(options->principal),
        .command = text_of(options->command),
        .project = text_of(options->project),
        .limit = (size_t)options->limit + 1, /* one more tells whether there are more */
    };
    bool valid = read_state(options->state, &filter) && read_times(options, INT64_MAX, &filter);
    *ret_filter = filter;
    return valid;
}

static void print_letters(const struct options *options, const struct letter_record *records,
                          size_t count, int64_t now_ms, struct arena *arena)
{
    size_t limit = (size_t)options->limit;
    for (size_t i = 0; i < count && i < limit; i++) {
        if (options->json)
            print_json_line(stdout, letter_json(arena, &records[i], false));
        else
            letter_text_print_line(&records[i], now_ms);
    }
    if (count > limit)
        (void)fputs("allotctl: there are more letters; see --limit\n", stderr);
}

static int list_letters(const struct options *options, struct store *store,
                        struct letter_filter *filter, struct arena *arena)
{
    struct error error = {""};
    int64_t now_ms = 0;
    struct letter_record *records = NULL;
    size_t count = 0;
    if (mongo_read_clock(store, &now_ms, &error) != STORE_OK)
        return fail_with(&error);
    if (!read_times(options, now_ms, filter))
        return EXIT_USAGE;
    if (mongo_letters_read(store, filter, LETTER_NEWEST_FIRST, false, arena, &records, &count, &error) != STORE_OK)
        return fail_with(&error);
    print_letters(options, records, count, now_ms, arena);
    return EXIT_SUCCESS;
}

/* The filters are a query of the database; the broker has no such thing. */
static bool accept_for_queue(const struct options *options)
{
    const char *const filters[] = {options->reason,  options->principal, options->command,
                                   options->project, options->state,     options->since,
                                   options->until};
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        if (filters[i] == NULL)
            continue;
        (void)fputs("allotctl: --from-queue lists all dead letters; it takes none of --reason, "
                    "--principal, --command, --project, --state, --since and --until\n",
                    stderr);
        return false;
    }
    return true;
}

static bool accept_for_database(const struct options *options)
{
    if (options->queue == NULL)
        return true;
    (void)fputs("allotctl: --queue needs --from-queue\n", stderr);
    return false;
}

int letter_list_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct error error = {""};
    struct letter_filter filter;
    struct database database;
    if (options->from_queue)
        return accept_for_queue(options) ? dead_list_command(options, arena) : EXIT_USAGE;
    if (!accept_for_database(options) || !read_filter(options, &filter))
        return EXIT_USAGE;
    if (!database_settings_load(options, arena, &settings, &error))
        return fail_with(&error);
    int status = database_open(&settings, &database, &error)
                     ? list_letters(options, database.store, &filter, arena)
                     : fail_with(&error);
    database_close(&database);
    return status;
}
