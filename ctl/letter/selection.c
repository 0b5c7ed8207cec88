/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/letter/selection.h"

#include <stdio.h>

#include "ctl/letter/query.h"

enum { BLOCK_BYTES_MAX = 64 * 1024 * 1024 };

bool letter_selection_check(const struct options *options)
{
    bool filtered = letter_query_has_filters(options) || options->all;
    if (options->operand_count > 0 && filtered) {
        (void)fputs("allotctl: give either ids, or filters, or --all\n", stderr);
        return false;
    }
    if (options->operand_count == 0 && !filtered) {
        (void)fputs("allotctl: which letters? give ids, filters such as --reason, or --all\n",
                    stderr);
        return false;
    }
    return letter_query_check(options);
}

static void add(struct letter_selection *selection, const struct letter_record *record)
{
    size_t count = selection->count;
    selection->ids = arena_grown(selection->arena, selection->ids, count, &selection->capacity,
                                 sizeof *selection->ids);
    selection->bytes = arena_grown(selection->arena, selection->bytes, count,
                                   &selection->bytes_capacity, sizeof *selection->bytes);
    selection->ids[count] = text_copy(selection->arena, record->letter.id);
    selection->bytes[count] = record->bytes;
    selection->count++;
}

static bool add_visited(void *context, const struct letter_record *record, struct arena *arena)
{
    (void)arena;
    add(context, record);
    return true;
}

static bool is_selected(const struct letter_selection *selection, struct text id)
{
    for (size_t i = 0; i < selection->count; i++) {
        if (text_equal(selection->ids[i], id))
            return true;
    }
    return false;
}

static bool read_ids(const struct options *options, const struct desk_session *session,
                     struct letter_selection *selection, struct error *error)
{
    for (size_t i = 0; i < options->operand_count; i++) {
        struct letter_record record;
        struct text id;
        if (!letter_id_read(options->operands[i], selection->arena, &id)) {
            error_set(error, "invalid id '%s'", options->operands[i]);
            return false;
        }
        struct arena *arena = arena_new(0);
        bool found = letter_find_one(session->desk.store, id, arena, &record, error);
        if (found && !is_selected(selection, record.letter.id))
            add(selection, &record);
        arena_free(arena);
        if (!found)
            return false;
    }
    return true;
}

bool letter_selection_read(const struct options *options, const struct desk_session *session,
                           struct arena *arena, struct letter_selection *ret_selection,
                           struct error *error)
{
    struct letter_query query;
    struct letter_query_end end = {0};
    struct store *store = session->desk.store;
    *ret_selection = (struct letter_selection){.arena = arena};
    if (options->operand_count > 0)
        return read_ids(options, session, ret_selection, error);
    if (!letter_query_read(options, store, session->now_ms, arena, &query, error))
        return false;
    if (options->state == NULL) {
        query.filter.has_state = true;
        query.filter.state = LETTER_OPEN;
    }
    query.order = LETTER_OLDEST_FIRST;
    query.filter.limit = SELECTION_MAX;
    if (!letter_query_each(&query, store, false, add_visited, ret_selection, &end, error))
        return false;
    letter_query_print_end(&query, &end);
    return true;
}

/* --- blocks --------------------------------------------------------------------------------- */

/* Returns how many letters from `first` on make a block. */
static size_t block_size(const struct letter_selection *selection, size_t first)
{
    int64_t bytes = 0;
    size_t count = 0;
    while (first + count < selection->count && count < SELECTION_BLOCK_MAX) {
        bytes += selection->bytes[first + count];
        if (bytes > BLOCK_BYTES_MAX && count > 0)
            break;
        count++;
    }
    return count;
}

bool letter_selection_each(const struct letter_selection *selection, struct store *store,
                           letter_block block, void *context, struct error *error)
{
    bool done = true;
    for (size_t first = 0, size; done && first < selection->count; first += size) {
        struct arena *arena = arena_new(0);
        struct letter_list list = {0};
        size = block_size(selection, first);
        const struct text *ids = selection->ids + first;
        struct letter_filter filter = {.ids = ids, .id_count = size, .limit = size};
        done = mongo_letters_read(store, &filter, LETTER_OLDEST_FIRST, true, arena, &list, error) ==
               STORE_OK;
        done = done && block(context, list.records, list.count, arena, error);
        arena_free(arena);
    }
    return done;
}
