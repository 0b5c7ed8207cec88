/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/letter/query.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "ctl/time_text.h"

bool letter_query_has_filters(const struct options *options)
{
    const char *const filters[] = {
        options->reason, options->principal, options->command, options->project, options->provider,
        options->group,  options->state,     options->since,   options->until,   options->text};
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        if (filters[i] != NULL)
            return true;
    }
    return false;
}

/* --- values --------------------------------------------------------------------------------- */

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
                  "allotctl: invalid value '%s' for --%s: expected a time (2026-01-31T23:59:59, "
                  "with a Z for UTC), a date, or a duration before now (2h)\n",
                  given, name);
    return false;
}

static bool read_provider(const char *given, struct letter_filter *filter)
{
    filter->has_provider = given != NULL;
    if (given == NULL || uuid_parse(text_of(given), &filter->provider))
        return true;
    (void)fprintf(stderr, "allotctl: invalid value '%s' for --provider: expected a UUID\n", given);
    return false;
}

static bool read_values(const struct options *options, int64_t now_ms, struct letter_filter *filter)
{
    return read_state(options->state, filter) && read_provider(options->provider, filter) &&
           read_time("since", options->since, now_ms, &filter->since_ms) &&
           read_time("until", options->until, now_ms, &filter->until_ms);
}

/* The times are only checked: now is a time of the database. */
bool letter_query_check(const struct options *options)
{
    struct letter_filter filter;
    struct arena *arena = arena_new(0);
    struct text id;
    bool valid = read_values(options, INT64_MAX, &filter) &&
                 (options->group == NULL || letter_id_read(options->group, arena, &id));
    arena_free(arena);
    return valid;
}

/* --- the query ------------------------------------------------------------------------------ */

static bool read_group(const char *given, struct store *store, struct arena *arena,
                       struct text *ret_group, struct error *error)
{
    struct letter_record record;
    struct text id;
    if (given == NULL)
        return true;
    if (!letter_id_read(given, arena, &id) || !letter_find_one(store, id, arena, &record, error)) {
        error_prefix(error, "--group");
        return false;
    }
    *ret_group = text_present(record.letter.group) ? record.letter.group : text_of("");
    return true;
}

bool letter_query_read(const struct options *options, struct store *store, int64_t now_ms,
                       struct arena *arena, struct letter_query *ret_query, struct error *error)
{
    *ret_query = (struct letter_query){
        .filter = {.reason = text_of(options->reason),
                   .principal = text_of(options->principal),
                   .command = text_of(options->command),
                   .project = text_of(options->project)},
        .text = text_of(options->text),
    };
    if (!read_values(options, now_ms, &ret_query->filter)) {
        error_set(error, "invalid filter"); /* it was checked before, so this is a time after now */
        return false;
    }
    return read_group(options->group, store, arena, &ret_query->filter.group, error);
}

struct text_search {
    struct text text;
    letter_visit visit;
    void *context;
    size_t left; /* letters that may still be visited */
    size_t seen;
    int64_t last_at;
};

static bool contains(struct text where, struct text what)
{
    return text_present(where) &&
           memmem(where.bytes, where.length, what.bytes, what.length) != NULL;
}

static bool search_text(void *context, const struct letter_record *record, struct arena *arena)
{
    struct text_search *search = context;
    const struct letter *letter = &record->letter;
    search->seen++;
    search->last_at = record->last_at_ms;
    if (!contains(letter->detail, search->text) && !contains(letter->key, search->text) &&
        !contains(letter->body, search->text))
        return true;
    search->left--;
    return search->visit(search->context, record, arena) && search->left > 0;
}

bool letter_query_each(const struct letter_query *query, struct store *store, bool whole,
                       letter_visit visit, void *context, struct letter_query_end *ret_end,
                       struct error *error)
{
    struct letter_filter filter = query->filter;
    struct text_search search = {
        .text = query->text, .visit = visit, .context = context, .left = filter.limit};
    *ret_end = (struct letter_query_end){0};
    if (!text_present(query->text))
        return mongo_letters_each(store, &filter, query->order, whole, visit, context, error) ==
               STORE_OK;
    filter.limit = LETTER_TEXT_MAX;
    if (mongo_letters_each(store, &filter, query->order, true, search_text, &search, error) !=
        STORE_OK)
        return false;
    ret_end->stopped = search.seen == LETTER_TEXT_MAX && search.left > 0;
    ret_end->last_at = search.last_at;
    return true;
}

void letter_query_print_end(const struct letter_query *query, const struct letter_query_end *end)
{
    if (!end->stopped)
        return;
    (void)fprintf(stderr,
                  "allotctl: --text stopped after %d letters, at %s; with %s it looks at others\n",
                  LETTER_TEXT_MAX, time_format(end->last_at).chars,
                  query->order == LETTER_NEWEST_FIRST ? "--until" : "--since");
}

/* --- one letter ----------------------------------------------------------------------------- */

bool letter_id_read(const char *given, struct arena *arena, struct text *ret_id)
{
    size_t length = given != NULL ? strlen(given) : 0;
    char *id = arena_alloc(arena, length + 1);
    bool valid = length >= LETTER_PREFIX_DIGITS_MIN && length <= LETTER_ID_DIGITS;
    for (size_t i = 0; i < length; i++) {
        id[i] = (char)tolower((unsigned char)given[i]);
        valid = valid && isxdigit((unsigned char)given[i]) != 0;
    }
    *ret_id = text_view(id, length);
    if (!valid)
        (void)fprintf(stderr,
                      "allotctl: expected the id of a letter, or its first %d or more hexadecimal "
                      "digits\n",
                      LETTER_PREFIX_DIGITS_MIN);
    return valid;
}

bool letter_find_one(struct store *store, struct text id, struct arena *arena,
                     struct letter_record *ret_record, struct error *error)
{
    size_t matches = 0;
    if (mongo_letter_find(store, id, arena, ret_record, &matches, error) != STORE_OK)
        return false;
    if (matches == 0)
        error_set(error, "no letter has an id that begins with '%.*s'", TEXT_ARGS(id));
    else if (matches > 1)
        error_set(error, "two or more letters begin with %.*s; give more digits", TEXT_ARGS(id));
    return matches == 1;
}
