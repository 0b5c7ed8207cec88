/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A letter is a document like all others, so memory_acquire() finds its write conflicts.
 * Sections: copies; the write in a transaction; the calls outside of a transaction, each of which
 * commits at once (change_letter).
 *
 * A call outside of a transaction meets letters that an open transaction has written. The server
 * would wait for that transaction, up to the time limit of the call. There is nothing to wait for
 * in one thread, so the call ends with UNAVAILABLE at once, and changes nothing.
 *
 * Not here: bounds (memory_letter_bounds.c), and expiry. A letter with `expires_at_ms` in the past
 * stays.
 */
#include "tests/support/memory_document.h"

#include <string.h>

#include "common/base/array.h"

/* --- copies --- */

static void copy_properties(struct arena *arena, struct properties *properties)
{
    struct text *const texts[] = {
        &properties->content_type, &properties->content_encoding, &properties->correlation_id,
        &properties->reply_to,     &properties->expiration,       &properties->message_id,
        &properties->type,         &properties->user_id,          &properties->app_id,
        &properties->cluster_id,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = text_copy(arena, *texts[i]);
}

static const struct uuid *copy_uuids(struct arena *arena, const struct uuid *from, size_t count)
{
    struct uuid *copy = ARENA_ARRAY(arena, struct uuid, count);
    for (size_t i = 0; i < count; i++)
        copy[i] = from[i];
    return copy;
}

/* Returns a deep copy, as a store returns letters. */
static struct letter copy_letter(struct arena *arena, const struct letter *from)
{
    struct letter copy = *from;
    struct text *const texts[] = {
        &copy.id,      &copy.reason,      &copy.detail,      &copy.principal,   &copy.key,
        &copy.command, &copy.project,     &copy.group,       &copy.queue,       &copy.worker,
        &copy.body,    &copy.traceparent, &copy.raw_headers, &copy.body_sha256,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = text_copy(arena, *texts[i]);
    copy_properties(arena, &copy.properties);
    copy.consumers = copy_uuids(arena, from->consumers, from->consumer_count);
    copy.providers = copy_uuids(arena, from->providers, from->provider_count);
    copy.times = 1;
    return copy;
}

static struct letter_event copy_event(struct arena *arena, const struct letter_event *from)
{
    return (struct letter_event){.at_ms = from->at_ms,
                                 .reason = text_copy(arena, from->reason),
                                 .detail = text_copy(arena, from->detail),
                                 .worker = text_copy(arena, from->worker)};
}

static struct letter_record copy_record(struct arena *arena, const struct letter_record *from)
{
    struct letter_record copy = *from;
    struct letter_event *history = ARENA_ARRAY(arena, struct letter_event, from->history_count);
    for (size_t i = 0; i < from->history_count; i++)
        history[i] = copy_event(arena, &from->history[i]);
    copy.history = history;
    copy.letter = copy_letter(arena, &from->letter);
    copy.claimed_by = text_copy(arena, from->claimed_by);
    copy.refused = text_copy(arena, from->refused);
    return copy;
}

/* --- the write in a transaction --- */

/* Replaces the history by one that ends with `event`, without the oldest entry if it is full. */
static void add_event(struct letter_record *record, struct arena *arena, struct letter_event event)
{
    size_t dropped = record->history_count == LETTER_HISTORY_MAX ? 1 : 0;
    size_t kept = record->history_count - dropped;
    struct letter_event *history = ARENA_ARRAY(arena, struct letter_event, kept + 1);
    for (size_t i = 0; i < kept; i++)
        history[i] = record->history[dropped + i];
    history[kept] = event;
    record->history = history;
    record->history_count = kept + 1;
}

/* Returns what is stored under the id of `letter`, as this transaction sees it; a new record if
   there is nothing. */
static struct letter_record record_before(const struct memory_transaction *transaction,
                                          const struct memory_document *document,
                                          struct arena *arena, const struct letter *letter)
{
    const struct memory_version *seen = document->pending != NULL
                                            ? document->pending
                                            : memory_visible(document, transaction->snapshot);
    if (seen != NULL)
        return copy_record(arena, &seen->letter);
    struct letter_record fresh = {.letter = *letter, .first_at_ms = letter->at_ms};
    return copy_record(arena, &fresh);
}

static void add_dead_letter(struct letter_record *record, struct arena *arena,
                            const struct letter *letter, int64_t now)
{
    record->letter.reason = text_copy(arena, letter->reason);
    record->letter.detail = text_copy(arena, letter->detail);
    record->letter.worker = text_copy(arena, letter->worker);
    record->letter.group = text_copy(arena, letter->group);
    record->letter.raw_headers = text_copy(arena, letter->raw_headers);
    record->letter.body = text_copy(arena, letter->body);
    record->letter.body_dropped = letter->body_dropped;
    record->bytes = letter_bytes(letter);
    record->state = LETTER_OPEN;
    record->count += (int64_t)letter->times;
    record->last_at_ms = record->letter.at_ms = now;
    record->unpublished = !letter->published;
    record->published_at_ms = letter->published ? now : 0;
    record->expires_at_ms = letter->published ? now + MEMORY_LETTERS_RETENTION_MS : 0;
    record->claimed_until_ms = 0;
    record->claimed_by = record->refused = TEXT_NONE;
    add_event(record, arena,
              (struct letter_event){.at_ms = letter->at_ms,
                                    .reason = record->letter.reason,
                                    .detail = record->letter.detail,
                                    .worker = record->letter.worker});
}

static enum store_status write_letter(struct memory_transaction *transaction,
                                      const struct letter *letter, struct error *error)
{
    struct memory_document *document =
        memory_find_or_add(transaction->database, KIND_LETTER, letter->id);
    enum store_status status = memory_acquire(transaction, document, error);
    if (status != STORE_OK)
        return status;
    if (!letter_id_is_valid(letter->id) || letter->times < 1 || letter->attempts < 0) {
        error_set(error, "memory: refused: a letter with an invalid id or number");
        return STORE_REFUSED;
    }
    struct memory_version *version = memory_version_new(true);
    version->letter = record_before(transaction, document, version->arena, letter);
    add_dead_letter(&version->letter, version->arena, letter, memory_now_ms(transaction->database));
    memory_version_free(document->pending);
    document->pending = version;
    return STORE_OK;
}

enum store_status memory_write_letters(struct memory_transaction *transaction,
                                       const struct letter *letters, size_t count,
                                       struct error *error)
{
    enum store_status status = STORE_OK;
    memory_transaction_take_snapshot(transaction);
    for (size_t i = 0; status == STORE_OK && i < count; i++)
        status = write_letter(transaction, &letters[i], error);
    if (status != STORE_OK)
        memory_transaction_abort(transaction, STORE_CONFLICT);
    return status;
}

/* --- outside of a transaction --- */

const struct letter_record *memory_newest_letter(const struct memory_document *document)
{
    bool exists = document != NULL && document->newest != NULL && document->newest->exists;
    return exists ? &document->newest->letter : NULL;
}

enum store_status memory_letter_busy(struct error *error)
{
    error_set(error, "memory: an open transaction wrote this letter");
    return STORE_UNAVAILABLE;
}

struct letter_record *memory_change_letter(struct memory_database *database,
                                           struct memory_document *document)
{
    struct memory_version *version = memory_version_new(true);
    version->letter = copy_record(version->arena, memory_newest_letter(document));
    database->sequence++;
    memory_install(database, document, version);
    return &version->letter;
}

void memory_database_set_letter_state(struct memory_database *database, struct text id,
                                      enum letter_state new_state)
{
    memory_change_letter(database, memory_find(database, KIND_LETTER, id))->state = new_state;
}

static void end_publishing(struct letter_record *record)
{
    record->unpublished = false;
    record->claimed_by = TEXT_NONE;
    record->claimed_until_ms = 0;
}

enum store_status memory_mark_published(struct memory_database *database, const struct text *ids,
                                        size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct memory_document *document = memory_find(database, KIND_LETTER, ids[i]);
        const struct letter_record *stored = memory_newest_letter(document);
        if (stored == NULL || stored->published_at_ms != 0)
            continue;
        if (document->writer != NULL)
            return memory_letter_busy(error);
        struct letter_record *record = memory_change_letter(database, document);
        end_publishing(record);
        record->refused = TEXT_NONE;
        record->published_at_ms = memory_now_ms(database);
        record->expires_at_ms = record->published_at_ms + MEMORY_LETTERS_RETENTION_MS;
    }
    return STORE_OK;
}

enum store_status memory_mark_refused(struct memory_database *database, struct text id,
                                      struct text reason, struct error *error)
{
    struct memory_document *document = memory_find(database, KIND_LETTER, id);
    const struct letter_record *stored = memory_newest_letter(document);
    if (stored == NULL || !stored->unpublished)
        return STORE_OK;
    if (document->writer != NULL)
        return memory_letter_busy(error);
    struct letter_record *record = memory_change_letter(database, document);
    end_publishing(record);
    record->refused = text_copy(document->newest->arena, reason);
    return STORE_OK;
}

static int compare_ages(const void *a, const void *b)
{
    const struct memory_document *const *x = a, *const *y = b;
    int64_t x_ms = memory_newest_letter(*x)->last_at_ms,
            y_ms = memory_newest_letter(*y)->last_at_ms;
    return (x_ms > y_ms) - (x_ms < y_ms);
}

/* Returns all letters that `name` may claim, oldest first, in `arena`. */
static struct memory_document **find_claimable(const struct memory_database *database,
                                               struct text name, struct arena *arena,
                                               size_t *ret_count)
{
    const struct memory_table *table = &database->tables[KIND_LETTER];
    struct memory_document **found = ARENA_ARRAY(arena, struct memory_document *, table->count);
    int64_t now = memory_now_ms(database);
    *ret_count = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct letter_record *record = memory_newest_letter(table->items[i]);
        if (record != NULL && record->unpublished &&
            record->last_at_ms <= now - LETTER_SWEEP_AFTER_MS &&
            (record->claimed_until_ms <= now || text_equal(record->claimed_by, name)))
            found[(*ret_count)++] = table->items[i];
    }
    array_sort(found, *ret_count, sizeof(struct memory_document *), compare_ages);
    return found;
}

/* Returns how many of the letters, which are sorted, one call may claim. */
static size_t count_fitting(struct memory_document *const *found, size_t count, size_t max,
                            size_t bytes_max)
{
    size_t bytes = 0, fitting = 0;
    while (fitting < count && fitting < max) {
        const struct letter *letter = &memory_newest_letter(found[fitting])->letter;
        bytes += letter->raw_headers.length + letter->body.length;
        if (fitting > 0 && bytes > bytes_max)
            break;
        fitting++;
    }
    return fitting;
}

enum store_status memory_claim_letters(struct memory_database *database, struct text name,
                                       size_t max, size_t bytes_max, struct arena *arena,
                                       struct letter **ret_letters, size_t *ret_count,
                                       struct error *error)
{
    size_t found_count = 0;
    struct memory_document **found = find_claimable(database, name, arena, &found_count);
    size_t count = count_fitting(found, found_count, max, bytes_max);
    struct letter *letters = ARENA_ARRAY(arena, struct letter, count);
    for (size_t i = 0; i < count; i++) {
        if (found[i]->writer != NULL)
            return memory_letter_busy(error);
    }
    for (size_t i = 0; i < count; i++) {
        struct letter_record *record = memory_change_letter(database, found[i]);
        record->claimed_by = text_copy(found[i]->newest->arena, name);
        record->claimed_until_ms = memory_now_ms(database) + LETTER_CLAIM_MS;
        letters[i] = copy_letter(arena, &record->letter);
    }
    *ret_letters = letters;
    *ret_count = count;
    return STORE_OK;
}

void memory_find_letters(const struct memory_database *database, const struct text *ids,
                         size_t count, struct arena *arena, struct letter_sighting *ret_sightings)
{
    for (size_t i = 0; i < count; i++) {
        const struct letter_record *record =
            memory_newest_letter(memory_find(database, KIND_LETTER, ids[i]));
        ret_sightings[i] = (struct letter_sighting){0};
        if (record == NULL)
            continue;
        ret_sightings[i] =
            (struct letter_sighting){.exists = true,
                                     .source = record->letter.source,
                                     .reason = text_copy(arena, record->letter.reason),
                                     .detail = text_copy(arena, record->letter.detail),
                                     .body_sha256 = text_copy(arena, record->letter.body_sha256)};
    }
}
