/* SPDX-License-Identifier: Apache-2.0 */
/* The commands `letter list` and `letter groups`. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/letter_build.h"
#include "common/codec/text_cut.h"
#include "ctl/commands.h"
#include "ctl/desk_session.h"
#include "ctl/json_member.h"
#include "ctl/letter_json.h"
#include "ctl/letter_query.h"
#include "ctl/letter_text.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/time_text.h"

enum { DETAIL_BYTES_MAX = 80 };

/* Letters that are collected before they are printed. */
struct listing {
    struct arena *arena;
    struct letter_record *records;
    size_t count;
    size_t capacity;
    size_t limit;
};

static bool collect(void *context, const struct letter_record *record, struct arena *arena)
{
    struct listing *listing = context;
    (void)arena;
    listing->records = arena_grown(listing->arena, listing->records, listing->count,
                                   &listing->capacity, sizeof *listing->records);
    listing->records[listing->count++] = letter_record_copy(listing->arena, record);
    return listing->count < listing->limit;
}

/* Cuts what is not printed in a table; on a terminal the table itself cuts. */
static struct text short_detail(struct text detail, struct arena *arena)
{
    struct text cut = text_cut(detail, DETAIL_BYTES_MAX);
    if (terminal_is_open() || cut.length == detail.length)
        return detail;
    return text_format(arena, "%.*s...", TEXT_ARGS(cut));
}

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
        table_cell(table, short_detail(letter->detail, arena), TONE_PLAIN);
    }
    table_end(table);
}

static void print_letters(const struct options *options, struct listing *listing, int64_t now_ms)
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
    struct listing listing = {.arena = arena, .limit = (size_t)options->limit + 1};
    struct store *store = session->desk.store;
    if (!letter_query_read(options, store, session->now_ms, arena, &query, error))
        return false;
    query.filter.limit = listing.limit;
    if (!letter_query_each(&query, store, false, collect, &listing, &end, error) ||
        !desk_session_settle(session, listing.records, listing.count, arena, error))
        return false;
    print_letters(options, &listing, session->now_ms);
    letter_query_print_end(&query, &end);
    return true;
}

/* --- groups --------------------------------------------------------------------------------- */

static void print_group_json(const struct letter_group_row *row, struct arena *arena)
{
    struct json_writer writer = json_writer_new(arena);
    json_write_open(&writer, '{');
    json_member_text(&writer, "reason", row->reason);
    json_member_text(&writer, "command", row->command);
    json_member_text(&writer, "detail", row->detail);
    json_member_integer(&writer, "count", row->count);
    json_member_integer(&writer, "first_at_ms", row->first_at_ms);
    json_member_integer(&writer, "last_at_ms", row->last_at_ms);
    json_member_text(&writer, "sample", row->sample);
    json_write_close(&writer, '}');
    print_json_line(stdout, json_writer_text(&writer));
}

static void print_groups(const struct options *options, const struct letter_group_row *rows,
                         size_t count, int64_t now_ms, struct arena *arena)
{
    static const struct table_column columns[] = {{.title = "COUNT", .is_number = true},
                                                  {.title = "FIRST"},
                                                  {.title = "LAST"},
                                                  {.title = "SAMPLE"},
                                                  {.title = "REASON"},
                                                  {.title = "COMMAND"},
                                                  {.title = "DETAIL", .may_cut = true}};
    struct table *table = table_new(arena, columns, sizeof columns / sizeof columns[0], options);
    for (size_t i = 0; i < count; i++) {
        const struct letter_group_row *row = &rows[i];
        struct time_text first = time_format_age(row->first_at_ms, now_ms);
        struct time_text last = time_format_age(row->last_at_ms, now_ms);
        table_number(table, row->count);
        table_cell(table, text_of(first.chars), TONE_PLAIN);
        table_cell(table, text_of(last.chars), TONE_PLAIN);
        table_cell(table, text_cut(row->sample, LETTER_SHORT_ID_DIGITS), TONE_PLAIN);
        table_cell(table, row->reason, TONE_PLAIN);
        table_cell(table, row->command, TONE_PLAIN);
        table_cell(table, short_detail(row->detail, arena), TONE_PLAIN);
    }
    table_end(table);
}

/* Groups count open letters, unless a state is asked for. What has succeeded since is closed
   before. */
static bool settle_open(const struct desk_session *session, const struct letter_query *query,
                        struct arena *arena, struct error *error)
{
    struct listing listing = {.arena = arena, .limit = LETTER_TEXT_MAX};
    struct letter_query limited = *query;
    struct letter_query_end end;
    limited.filter.limit = listing.limit;
    return letter_query_each(&limited, session->desk.store, false, collect, &listing, &end,
                             error) &&
           desk_session_settle(session, listing.records, listing.count, arena, error);
}

static bool list_groups(const struct options *options, const struct desk_session *session,
                        struct arena *arena, struct error *error)
{
    struct letter_query query;
    struct letter_group_row *rows = NULL;
    struct store *store = session->desk.store;
    size_t count = 0, limit = (size_t)options->limit;
    if (!letter_query_read(options, store, session->now_ms, arena, &query, error))
        return false;
    if (options->state == NULL) {
        query.filter.has_state = true;
        query.filter.state = LETTER_OPEN;
    }
    if (query.filter.state == LETTER_OPEN && !settle_open(session, &query, arena, error))
        return false;
    query.filter.limit = limit + 1;
    if (mongo_letter_groups(store, &query.filter, arena, &rows, &count, error) != STORE_OK)
        return false;
    size_t shown = count < limit ? count : limit;
    for (size_t i = 0; options->json && i < shown; i++)
        print_group_json(&rows[i], arena);
    if (!options->json)
        print_groups(options, rows, shown, session->now_ms, arena);
    if (count > limit)
        (void)fputs("allotctl: there are more groups; see --limit\n", stderr);
    return true;
}

/* --- the commands --------------------------------------------------------------------------- */

static int run_list(const struct options *options, struct arena *arena,
                    bool (*list)(const struct options *, const struct desk_session *,
                                 struct arena *, struct error *))
{
    struct desk_session session;
    struct error error = {""};
    if (!letter_query_check(options))
        return EXIT_USAGE;
    bool done = desk_session_open(options, DESK_DATABASE, arena, &session, &error) &&
                list(options, &session, arena, &error);
    desk_session_close(&session);
    return done ? EXIT_SUCCESS : fail_with(&error);
}

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
    return run_list(options, arena, list_letters);
}

int letter_groups_command(const struct options *options, struct arena *arena)
{
    return run_list(options, arena, list_groups);
}
