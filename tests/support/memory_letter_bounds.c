/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Both calls look at all letters, as they are committed. Sections: sums, cuts. The rule
 * itself is that of the core (letter_bounds.h), as on MongoDB; its own tests are in tests/unit.
 */
#include "tests/support/memory_document.h"

#include "common/base/array.h"

/* --- sums --- */

static bool is_published(const struct letter_record *record)
{
    return record->published_at_ms != 0;
}

static struct letter_share *share_of(struct letter_measure *measure, struct text principal)
{
    for (size_t i = 0; i < measure->count; i++) {
        if (text_equal(measure->shares[i].principal, principal))
            return &measure->shares[i];
    }
    measure->shares[measure->count].principal = principal;
    return &measure->shares[measure->count++];
}

static void add_letter(struct letter_share *share, const struct letter_record *record)
{
    share->bytes += record->bytes;
    if (!is_published(record))
        return;
    share->published += record->bytes;
    share->bodies += !record->letter.body_dropped;
    if (record->state != LETTER_OPEN)
        share->closed += record->bytes;
}

/* --- cuts --- */

/* Returns whether the cut concerns the letter, whatever its age. */
static bool is_concerned(const struct letter_cut *cut, const struct letter_record *record)
{
    if (!is_published(record) ||
        (cut->of_principal && !text_equal(cut->principal, record->letter.principal)))
        return false;
    if (cut->kind == LETTER_CUT_CLOSED)
        return record->state != LETTER_OPEN;
    if (cut->kind == LETTER_CUT_BODIES)
        return !record->letter.body_dropped;
    return cut->kind == LETTER_CUT_PUBLISHED;
}

static int compare_ages(const void *a, const void *b)
{
    const struct memory_document *const *x = a, *const *y = b;
    int64_t x_ms = memory_newest_letter(*x)->last_at_ms;
    int64_t y_ms = memory_newest_letter(*y)->last_at_ms;
    return (x_ms > y_ms) - (x_ms < y_ms);
}

/* Returns the letters that the cut concerns, oldest first, in `arena`. */
static struct memory_document **concerned(const struct memory_database *database,
                                          const struct letter_cut *cut, struct arena *arena,
                                          size_t *ret_count)
{
    const struct memory_table *table = &database->tables[KIND_LETTER];
    struct memory_document **found = ARENA_ARRAY(arena, struct memory_document *, table->count);
    *ret_count = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct letter_record *record = memory_newest_letter(table->items[i]);
        if (record != NULL && record->last_at_ms <= cut->until_ms && is_concerned(cut, record))
            found[(*ret_count)++] = table->items[i];
    }
    array_sort(found, *ret_count, sizeof(struct memory_document *), compare_ages);
    return found;
}

static int64_t freed_by(const struct letter_cut *cut, const struct letter_record *record)
{
    return cut->kind == LETTER_CUT_BODIES ? (int64_t)record->letter.body.length : record->bytes;
}

static void plan_cut(const struct memory_database *database, struct arena *arena,
                     struct letter_cut *cut)
{
    size_t count = 0;
    int64_t bytes = 0, until_ms = 0;
    cut->until_ms = INT64_MAX;
    struct memory_document **found = concerned(database, cut, arena, &count);
    for (size_t i = 0; i < count && bytes < cut->bytes; i++) {
        const struct letter_record *record = memory_newest_letter(found[i]);
        bytes += freed_by(cut, record);
        until_ms = record->last_at_ms;
    }
    cut->until_ms = until_ms;
}

void memory_measure_letters(const struct memory_database *database, int64_t max_bytes,
                            struct arena *arena, struct letter_measure *ret_measure)
{
    const struct memory_table *table = &database->tables[KIND_LETTER];
    ret_measure->shares = ARENA_ARRAY(arena, struct letter_share, table->count);
    for (size_t i = 0; i < table->count; i++) {
        const struct letter_record *record = memory_newest_letter(table->items[i]);
        if (record != NULL)
            add_letter(share_of(ret_measure, text_copy(arena, record->letter.principal)), record);
    }
    ret_measure->cut = letter_cut_choose(ret_measure->shares, ret_measure->count, max_bytes);
    if (ret_measure->cut.kind != LETTER_CUT_NONE)
        plan_cut(database, arena, &ret_measure->cut);
}

static void delete_letter(struct memory_database *database, struct memory_document *document)
{
    database->sequence++;
    memory_install(database, document, memory_version_new(false));
}

static void drop_body(struct memory_database *database, struct memory_document *document)
{
    struct letter_record *record = memory_change_letter(database, document);
    record->bytes -= (int64_t)record->letter.body.length;
    record->letter.body = TEXT_NONE;
    record->letter.body_dropped = true;
}

static void trim_letter(struct memory_database *database, const struct letter_cut *cut,
                        struct memory_document *document, struct letter_trimmed *trimmed)
{
    trimmed->bytes += freed_by(cut, memory_newest_letter(document));
    trimmed->letters++;
    if (cut->kind == LETTER_CUT_BODIES)
        drop_body(database, document);
    else
        delete_letter(database, document);
}

enum store_status memory_trim_letters(struct memory_database *database,
                                      const struct letter_cut *cut,
                                      struct letter_trimmed *ret_trimmed, struct error *error)
{
    struct arena *arena = arena_new(0);
    size_t count = 0, i = 0;
    enum store_status status = STORE_OK;
    struct memory_document **found = concerned(database, cut, arena, &count);
    for (; i < count && i < LETTER_TRIM_MAX && ret_trimmed->bytes < cut->bytes; i++) {
        if (found[i]->writer != NULL) {
            status = memory_letter_busy(error);
            break;
        }
        trim_letter(database, cut, found[i], ret_trimmed);
    }
    ret_trimmed->done = i == count || ret_trimmed->bytes >= cut->bytes;
    arena_free(arena);
    return status;
}
