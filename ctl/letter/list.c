/* SPDX-License-Identifier: Apache-2.0 */
/* The command `letter list`. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/text_cut.h"
#include "ctl/commands.h"
#include "ctl/desk_session.h"
#include "ctl/json_member.h"
#include "ctl/letter/json.h"
#include "ctl/letter/listing.h"
#include "ctl/letter/query.h"
#include "ctl/letter/text.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/time_text.h"

static enum tone state_tone(enum letter_state state)
{
    switch (state) {
    case LETTER_OPEN: return TONE_BAD;
    case LETTER_REPLAYED: return TONE_WARNING;
    case LETTER_RESOLVED: return TONE_GOOD;
    case LETTER_DISCARDED: return TONE_FAINT;
    }
    return TONE_PLAIN;
}

static void print_table(const struct options *options, const struct letter_record *records,
                        size_t count, int64_t now_ms, struct arena *arena)
{
    static const struct table_column columns[] = {
        {.title = "AGE"},
        {.title = "ID"},
        {.title = "STATE"},
        {.title = "REASON"},
        {.title = "PRINCIPAL"},
        {.title = "COMMAND"},
        {.title = "COUNT", .is_number = true},
        {.title = "DEAD LETTER"},
        {.title = "PROJECT", .is_wide = true},
        {.title = "MESSAGE ID", .is_wide = true},
        {.title = "LAST TIME", .is_wide = true},
        {.title = "DETAIL", .may_cut = true},
    };
    struct table *table = table_new(arena, columns, sizeof columns / sizeof columns[0], options);
    for (size_t i = 0; i < count; i++) {
        const struct letter_record *record = &records[i];
        const struct letter *letter = &record->letter;
        struct time_text age = time_format_age(record->last_at_ms, now_ms);
        struct time_text last = time_format_local(record->last_at_ms);
        table_cell(table, text_of(age.chars), TONE_PLAIN);
        table_cell(table, text_cut(letter->id, LETTER_SHORT_ID_DIGITS), TONE_PLAIN);
        table_cell(table, text_of(letter_state_name(record->state)), state_tone(record->state));
        table_cell(table, letter->reason, TONE_PLAIN);
        table_cell(table, letter->principal, TONE_PLAIN);
        table_cell(table, letter->command, TONE_PLAIN);
        table_number(table, record->count);
        table_cell(table, text_of(letter_publication(record)), TONE_PLAIN);
        table_cell(table, letter->project, TONE_PLAIN);
        table_cell(table, letter->key, TONE_PLAIN);
        table_cell(table, text_of(last.chars), TONE_PLAIN);
        table_cell(table, letter_listing_detail(letter->detail, arena), TONE_PLAIN);
    }
    table_end(table);
}

static void print_letters(const struct options *options, struct letter_listing *listing,
                          int64_t now_ms)
{
    size_t limit = (size_t)options->limit;
    size_t count = listing->count < limit ? listing->count : limit;
    if (options->json) {
        for (size_t i = 0; i < count; i++)
            print_json_line(stdout, letter_json(listing->arena, &listing->records[i], false));
    } else {
        print_table(options, listing->records, count, now_ms, listing->arena);
    }
    if (listing->count > limit)
        (void)fputs("allotctl: there are more letters; see --limit\n", stderr);
}

static bool list_letters(const struct options *options, const struct desk_session *session,
                         struct arena *arena, struct error *error)
{
    struct letter_query query;
    struct letter_query_end end;
    struct letter_listing listing = {.arena = arena, .limit = (size_t)options->limit + 1};
    struct store *store = session->desk.store;
    if (!letter_query_read(options, store, session->now_ms, arena, &query, error))
        return false;
    query.filter.limit = listing.limit;
    if (!letter_query_each(&query, store, false, letter_listing_add, &listing, &end, error) ||
        !desk_session_settle(session, listing.records, listing.count, arena, error))
        return false;
    print_letters(options, &listing, session->now_ms);
    letter_query_print_end(&query, &end);
    return true;
}

/* --- the command ---------------------------------------------------------------------------- */

/* The filters are a query of the database; the broker has no such thing. */
static bool accept_for_queue(const struct options *options)
{
    if (!letter_query_has_filters(options))
        return true;
    (void)fputs("allotctl: --from-queue lists all dead letters, so it takes no filter\n", stderr);
    return false;
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
    if (options->from_queue)
        return accept_for_queue(options) ? dead_list_command(options, arena) : EXIT_USAGE;
    if (!accept_for_database(options))
        return EXIT_USAGE;
    if (!letter_query_check(options))
        return EXIT_USAGE;
    struct desk_session session;
    struct error error = {""};
    bool done = desk_session_open(options, DESK_DATABASE, arena, &session, &error) &&
                list_letters(options, &session, arena, &error);
    desk_session_close(&session);
    return done ? EXIT_SUCCESS : fail_with(&error);
}
