/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/selection.h"

#include <string.h>

#include "common/base/array.h"
#include "common/mongo/letters_read.h"
#include "ctl/web/filter.h"

enum { BLOCK = 50 }; /* letters that are loaded at a time */

/* --- ids of the form ------------------------------------------------------------------------ */

static void add_id(struct selection *selection, struct text id)
{
    if (!letter_id_is_valid(id))
        return;
    selection->cut = selection->count == SELECTION_MAX;
    if (!selection->cut)
        selection->ids[selection->count++] = id;
}

static void add_ids(struct selection *selection, struct text list)
{
    while (list.length > 0 && !selection->cut) {
        const char *comma = memchr(list.bytes, ',', list.length);
        size_t length = comma != NULL ? (size_t)(comma - list.bytes) : list.length;
        size_t skipped = length + (comma != NULL);
        add_id(selection, text_view(list.bytes, length));
        list = text_view(list.bytes + skipped, list.length - skipped);
    }
}

struct selection selection_of_form(const struct form *form, struct arena *arena)
{
    struct selection selection = {.ids = ARENA_ARRAY(arena, struct text, SELECTION_MAX)};
    for (size_t i = 0; i < form->count && !selection.cut; i++) {
        if (text_is(form->fields[i].name, "id"))
            add_id(&selection, form->fields[i].value);
        else if (text_is(form->fields[i].name, "ids"))
            add_ids(&selection, form->fields[i].value);
    }
    return selection;
}

/* --- letters of the database ---------------------------------------------------------------- */

static int compare_age(const void *a, const void *b)
{
    const struct letter_record *x = a, *y = b;
    if (x->last_at_ms != y->last_at_ms)
        return x->last_at_ms < y->last_at_ms ? -1 : 1;
    return text_compare(x->letter.id, y->letter.id);
}

/* Puts the letters that exist into the order of a replay, without their bodies. */
static bool find(const struct site *site, const struct web_request *request,
                 struct selection *ret_selection, struct error *error)
{
    const struct form *form = &request->form;
    struct selection given = selection_of_form(form, request->arena);
    struct letter_filter filter = {.ids = given.ids, .id_count = given.count};
    struct letter_list list;
    bool all = form_given(form, "all");
    if (all)
        filter = filter_read(form, request->arena);
    *ret_selection =
        (struct selection){.ids = ARENA_ARRAY(request->arena, struct text, SELECTION_MAX)};
    if (!all && given.count == 0)
        return true;
    filter.limit = SELECTION_MAX + 1;
    if (mongo_letters_read(site->store, &filter, LETTER_OLDEST_FIRST, false, request->arena, &list,
                           error) != STORE_OK)
        return false;
    array_sort(list.records, list.count, sizeof *list.records, compare_age);
    for (size_t i = 0; i < list.count && i < SELECTION_MAX; i++)
        ret_selection->ids[ret_selection->count++] = list.records[i].letter.id;
    ret_selection->cut = given.cut || list.count > SELECTION_MAX;
    return true;
}

/* Loads a block of the selection; a letter that is gone by now is left out. */
static bool load_block(const struct site *site, struct arena *arena, struct selection *selection,
                       size_t first, size_t *count, struct error *error)
{
    size_t left = selection->count - first;
    struct letter_filter filter = {
        .ids = selection->ids + first, .id_count = left < BLOCK ? left : BLOCK, .limit = BLOCK};
    struct letter_list list;
    if (mongo_letters_read(site->store, &filter, LETTER_OLDEST_FIRST, true, arena, &list, error) !=
        STORE_OK)
        return false;
    for (size_t i = 0; i < list.count; i++) {
        selection->records[*count] = list.records[i];
        selection->ids[(*count)++] = list.records[i].letter.id;
    }
    return true;
}

/* In blocks, so that the bodies of all together are bounded. */
static bool load(const struct site *site, struct arena *arena, struct selection *selection,
                 struct error *error)
{
    size_t count = 0;
    selection->records = ARENA_ARRAY(arena, struct letter_record, selection->count);
    for (size_t first = 0; first < selection->count; first += BLOCK) {
        if (arena_bytes(arena) > SELECTION_BYTES_MAX) {
            selection->cut = true;
            break;
        }
        if (!load_block(site, arena, selection, first, &count, error))
            return false;
    }
    selection->count = count;
    return true;
}

bool selection_read(const struct site *site, const struct web_request *request,
                    struct selection *ret_selection, struct error *error)
{
    return find(site, request, ret_selection, error) &&
           load(site, request->arena, ret_selection, error);
}
