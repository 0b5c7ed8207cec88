/* SPDX-License-Identifier: Apache-2.0 */
/* The command `letter groups`. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/text_cut.h"
#include "ctl/commands.h"
#include "ctl/desk_session.h"
#include "ctl/json_member.h"
#include "ctl/letter/listing.h"
#include "ctl/letter/query.h"
#include "ctl/letter/text.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/time_text.h"

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
        table_cell(table, letter_listing_detail(row->detail, arena), TONE_PLAIN);
    }
    table_end(table);
}

/* Groups count open letters, unless a state is asked for. What has succeeded since is closed
   before. If a text is asked for, the letters that have it are grouped by their ids. */
static bool prepare_groups(const struct desk_session *session, struct letter_query *query,
                           struct arena *arena, struct letter_query_end *ret_end,
                           struct error *error)
{
    struct letter_listing listing = {.arena = arena, .limit = LETTER_TEXT_MAX};
    *ret_end = (struct letter_query_end){0};
    if (query->filter.state != LETTER_OPEN && !text_present(query->text))
        return true;
    query->filter.limit = listing.limit;
    if (!letter_query_each(query, session->desk.store, false, letter_listing_add, &listing, ret_end,
                           error) ||
        !desk_session_settle(session, listing.records, listing.count, arena, error))
        return false;
    if (!text_present(query->text))
        return true;
    struct text *ids = ARENA_ARRAY(arena, struct text, listing.count);
    for (size_t i = 0; i < listing.count; i++)
        ids[i] = listing.records[i].letter.id;
    query->filter.ids = ids;
    query->filter.id_count = listing.count;
    return true;
}

/* Without ids a filter would ask for all letters. */
static bool finds_nothing(const struct letter_query *query)
{
    return text_present(query->text) && query->filter.id_count == 0;
}

static bool list_groups(const struct options *options, const struct desk_session *session,
                        struct arena *arena, struct error *error)
{
    struct letter_query query;
    struct letter_query_end end;
    struct letter_group_row *rows = NULL;
    struct store *store = session->desk.store;
    size_t count = 0, limit = (size_t)options->limit;
    if (!letter_query_read(options, store, session->now_ms, arena, &query, error))
        return false;
    if (options->state == NULL) {
        query.filter.has_state = true;
        query.filter.state = LETTER_OPEN;
    }
    if (!prepare_groups(session, &query, arena, &end, error))
        return false;
    query.filter.limit = limit + 1;
    if (!finds_nothing(&query) &&
        mongo_letter_groups(store, &query.filter, arena, &rows, &count, error) != STORE_OK)
        return false;
    size_t shown = count < limit ? count : limit;
    for (size_t i = 0; options->json && i < shown; i++)
        print_group_json(&rows[i], arena);
    if (!options->json)
        print_groups(options, rows, shown, session->now_ms, arena);
    if (count > limit)
        (void)fputs("allotctl: there are more groups; see --limit\n", stderr);
    letter_query_print_end(&query, &end);
    return true;
}

int letter_groups_command(const struct options *options, struct arena *arena)
{
    struct desk_session session;
    struct error error = {""};
    if (!letter_query_check(options))
        return EXIT_USAGE;
    bool done = desk_session_open(options, DESK_DATABASE, arena, &session, &error) &&
                list_groups(options, &session, arena, &error);
    desk_session_close(&session);
    return done ? EXIT_SUCCESS : fail_with(&error);
}
