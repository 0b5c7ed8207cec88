/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The lists below name the texts of a letter, each with its member and its field. Writing
 * and reading go through the same lists. Sections: writing, reading.
 *
 * Guarantees. Numbers are 64-bit integers. A number without a sign (`body_size`, `timestamp`) is
 * stored as the signed number with the same bits, and comes back as it was. The update sets a value
 * literally, whatever it looks like, since it has operators and is no pipeline, in which "$x" would
 * name a field.
 *
 * Times. All are the database's. Operators can set a field of the document to the time of the write
 * ($currentDate), but no field of an array element, and none only on insert. So only `last_at`,
 * which the sweep compares, is exact; the writer computes the others (database_clock.c): `first_at`
 * and the times of the history (`at_ms`), and the expiry of a letter that is written as published.
 */
#include "common/mongo/letter_document.h"

#include "common/base/utf8.h"
#include "common/mongo/document.h"
#include "common/mongo/list.h"

/* X(member, field): written with the first dead letter, and kept. */
#define KEPT_TEXTS(X)                                                                              \
    X(principal, "principal")                                                                      \
    X(key, "key")                                                                                  \
    X(command, "command")                                                                          \
    X(project, "project")                                                                          \
    X(queue, "queue")                                                                              \
    X(traceparent, "traceparent")                                                                  \
    X(body_sha256, "body_sha256")

/* X(member, field): written with each dead letter, also to the history. */
#define LATEST_TEXTS(X)                                                                            \
    X(reason, "reason")                                                                            \
    X(detail, "detail")                                                                            \
    X(worker, "worker")

/* X(member, field): of an entry of the history that a worker did not make. */
#define ACTION_TEXTS(X)                                                                            \
    X(by, "by")                                                                                    \
    X(note, "note")                                                                                \
    X(key, "key")

/* --- writing -------------------------------------------------------------------------------- */

static void append_binary(bson_t *document, const char *key, struct text value)
{
    if (text_present(value))
        BSON_ASSERT(bson_append_binary(document, key, -1, BSON_SUBTYPE_BINARY,
                                       (const uint8_t *)value.bytes, (uint32_t)value.length));
}

void letter_append_text(bson_t *document, const char *key, struct text value)
{
    if (!utf8_valid(value))
        append_binary(document, key, value);
    else if (text_present(value))
        document_append_text(document, key, value);
}

static void append_uuids(bson_t *document, const char *key, const struct uuid *uuids, size_t count)
{
    struct list list;
    if (count == 0)
        return;
    list_begin(&list, document, key);
    for (size_t i = 0; i < count; i++)
        list_add_uuid(&list, uuids[i]);
    list_end(&list, document);
}

static void append_properties(bson_t *document, const struct properties *properties)
{
    bson_t part = BSON_INITIALIZER;
#define X(member, constant) letter_append_text(&part, #member, properties->member);
    TEXT_PROPERTIES(X)
#undef X
    if (properties->has_priority)
        BSON_APPEND_INT64(&part, "priority", properties->priority);
    if (properties->has_timestamp)
        BSON_APPEND_INT64(&part, "timestamp", (int64_t)properties->timestamp);
    if (!bson_empty(&part))
        BSON_APPEND_DOCUMENT(document, "properties", &part);
    bson_destroy(&part);
}

static void append_kept(bson_t *document, const struct letter *letter)
{
    BSON_APPEND_UTF8(document, "source", letter_source_name(letter->source));
#define X(member, field) letter_append_text(document, field, letter->member);
    KEPT_TEXTS(X)
#undef X
    append_uuids(document, "consumers", letter->consumers, letter->consumer_count);
    append_uuids(document, "providers", letter->providers, letter->provider_count);
    BSON_APPEND_INT64(document, "attempts", letter->attempts);
    append_properties(document, &letter->properties);
    BSON_APPEND_INT64(document, "body_size", (int64_t)letter->body_size);
    BSON_APPEND_DATE_TIME(document, "first_at", letter->at_ms);
}

static void append_latest(bson_t *document, const struct letter *letter)
{
#define X(member, field) letter_append_text(document, field, letter->member);
    LATEST_TEXTS(X)
#undef X
}

/* Appends the group, what makes most of the size, and the size: so these always fit the latest
   reason. */
static void append_content(bson_t *document, const struct letter *letter)
{
    letter_append_text(document, "group", letter->group);
    append_binary(document, "headers", letter->raw_headers);
    append_binary(document, "body", letter->body);
    BSON_APPEND_BOOL(document, "body_dropped", letter->body_dropped);
    BSON_APPEND_INT64(document, "bytes", letter_bytes(letter));
}

/* Names the fields that the letter must not have after the write. */
static void append_removed(bson_t *document, const struct letter *letter)
{
    static const char *const removed[] = {"claimed_by", "claimed_until", "refused"};
    for (size_t i = 0; i < sizeof removed / sizeof removed[0]; i++)
        BSON_APPEND_UTF8(document, removed[i], "");
    if (letter->published) {
        BSON_APPEND_UTF8(document, "unpublished", "");
    } else {
        BSON_APPEND_UTF8(document, "published_at", "");
        BSON_APPEND_UTF8(document, "expires_at", "");
    }
    if (!text_present(letter->raw_headers))
        BSON_APPEND_UTF8(document, "headers", "");
    if (!text_present(letter->body))
        BSON_APPEND_UTF8(document, "body", "");
#define X(member, field)                                                                           \
    if (!text_present(letter->member))                                                             \
        BSON_APPEND_UTF8(document, field, "");
    LATEST_TEXTS(X)
#undef X
}

/* Appends {history: {$each: [entry], $slice: -20}}. */
static void append_push(bson_t *document, const struct letter *letter)
{
    struct list list;
    bson_t history, entry;
    bson_append_document_begin(document, "history", -1, &history);
    list_begin(&list, &history, "$each");
    bson_append_document_begin(&list.array, list_next(&list), -1, &entry);
    BSON_APPEND_DATE_TIME(&entry, "at", letter->at_ms);
    append_latest(&entry, letter);
    bson_append_document_end(&list.array, &entry);
    list_end(&list, &history);
    BSON_APPEND_INT32(&history, "$slice", -LETTER_HISTORY_MAX);
    bson_append_document_end(document, &history);
}

static void append_publishing(bson_t *document, const struct letter *letter, int64_t now_ms,
                              int64_t retention_ms)
{
    if (!letter->published) {
        BSON_APPEND_BOOL(document, "unpublished", true);
        return;
    }
    BSON_APPEND_DATE_TIME(document, "published_at", now_ms);
    BSON_APPEND_DATE_TIME(document, "expires_at", now_ms + retention_ms);
}

void letter_append_upsert(bson_t *update, const struct letter *letter, int64_t now_ms,
                          int64_t retention_ms)
{
    bson_t part;
    bson_append_document_begin(update, "$setOnInsert", -1, &part);
    append_kept(&part, letter);
    bson_append_document_end(update, &part);
    bson_append_document_begin(update, "$set", -1, &part);
    append_latest(&part, letter);
    append_content(&part, letter);
    BSON_APPEND_UTF8(&part, "state", letter_state_name(LETTER_OPEN));
    append_publishing(&part, letter, now_ms, retention_ms);
    bson_append_document_end(update, &part);
    bson_append_document_begin(update, "$unset", -1, &part);
    append_removed(&part, letter);
    bson_append_document_end(update, &part);
    bson_append_document_begin(update, "$inc", -1, &part);
    BSON_APPEND_INT64(&part, "count", (int64_t)letter->times);
    bson_append_document_end(update, &part);
    bson_append_document_begin(update, "$push", -1, &part);
    append_push(&part, letter);
    bson_append_document_end(update, &part);
    bson_append_document_begin(update, "$currentDate", -1, &part);
    BSON_APPEND_BOOL(&part, "last_at", true);
    bson_append_document_end(update, &part);
}

static void append_event(bson_t *entry, const struct letter_event *event)
{
    BSON_APPEND_DATE_TIME(entry, "at", event->at_ms);
    if (event->action != LETTER_ACTION_NONE)
        BSON_APPEND_UTF8(entry, "action", letter_action_name(event->action));
#define X(member, field) letter_append_text(entry, field, event->member);
    LATEST_TEXTS(X)
    ACTION_TEXTS(X)
#undef X
}

void letter_append_action(bson_t *push, const struct letter_event *event)
{
    struct list list;
    bson_t history, entry;
    bson_append_document_begin(push, "history", -1, &history);
    list_begin(&list, &history, "$each");
    bson_append_document_begin(&list.array, list_next(&list), -1, &entry);
    append_event(&entry, event);
    bson_append_document_end(&list.array, &entry);
    list_end(&list, &history);
    BSON_APPEND_INT32(&history, "$slice", -LETTER_HISTORY_MAX);
    bson_append_document_end(push, &history);
}

static void append_history(bson_t *document, const struct letter_record *record)
{
    struct list list;
    list_begin(&list, document, "history");
    for (size_t i = 0; i < record->history_count; i++) {
        bson_t entry;
        bson_append_document_begin(&list.array, list_next(&list), -1, &entry);
        append_event(&entry, &record->history[i]);
        bson_append_document_end(&list.array, &entry);
    }
    list_end(&list, document);
}

static void append_replay(bson_t *document, const struct letter_record *record)
{
    const struct letter_replay *replay = &record->replay;
    bson_t part;
    if (replay->phase != LETTER_PHASE_NONE) {
        bson_append_document_begin(document, "replay", -1, &part);
        letter_append_text(&part, "run", replay->run);
        BSON_APPEND_INT64(&part, "place", replay->place);
        BSON_APPEND_UTF8(&part, "phase", letter_phase_name(replay->phase));
        BSON_APPEND_DATE_TIME(&part, "at", replay->at_ms);
        letter_append_text(&part, "by", replay->by);
        bson_append_document_end(document, &part);
    }
    letter_append_text(document, "new_key", record->new_key);
    if (record->new_key_at_ms != 0)
        BSON_APPEND_DATE_TIME(document, "new_key_at", record->new_key_at_ms);
    letter_append_text(document, "edited_key", record->edited_key);
    letter_append_text(document, "edited_to", record->edited_to);
}

void letter_append_record(bson_t *document, const struct letter_record *record, int64_t now_ms,
                          int64_t retention_ms)
{
    struct letter kept = record->letter;
    kept.at_ms = record->first_at_ms;
    append_kept(document, &kept);
    append_latest(document, &record->letter);
    append_content(document, &record->letter);
    BSON_APPEND_UTF8(document, "state", letter_state_name(record->state));
    BSON_APPEND_INT64(document, "count", record->count);
    BSON_APPEND_DATE_TIME(document, "last_at", record->last_at_ms);
    append_history(document, record);
    append_replay(document, record);
    letter_append_text(document, "refused", record->refused);
    BSON_APPEND_DATE_TIME(document, "published_at", now_ms);
    BSON_APPEND_DATE_TIME(document, "expires_at", now_ms + retention_ms);
}

/* --- reading -------------------------------------------------------------------------------- */

bool letter_read_text(const bson_iter_t *iter, struct text *ret_borrowed)
{
    uint32_t length = 0;
    if (BSON_ITER_HOLDS_UTF8(iter)) {
        const char *bytes = bson_iter_utf8(iter, &length);
        *ret_borrowed = text_view(bytes, length);
        return true;
    }
    if (!BSON_ITER_HOLDS_BINARY(iter))
        return false;
    const uint8_t *bytes = NULL;
    bson_iter_binary(iter, NULL, &length, &bytes);
    *ret_borrowed = text_view((const char *)bytes, length);
    return true;
}

/* Each of these leaves what it sets as it was if the field is missing. It returns false only if the
   field has another type. */

static bool read_text(const bson_t *document, const char *key, struct arena *arena,
                      struct text *ret_copy)
{
    bson_iter_t iter;
    struct text borrowed;
    if (!bson_iter_init_find(&iter, document, key))
        return true;
    if (!letter_read_text(&iter, &borrowed))
        return false;
    *ret_copy = text_copy(arena, borrowed);
    return true;
}

static bool read_integer(const bson_t *document, const char *key, int64_t *ret_value)
{
    bson_iter_t iter;
    return !bson_iter_init_find(&iter, document, key) || document_integer(&iter, ret_value);
}

static bool read_unsigned(const bson_t *document, const char *key, uint64_t *ret_value)
{
    int64_t value = (int64_t)*ret_value;
    bool valid = read_integer(document, key, &value);
    *ret_value = (uint64_t)value;
    return valid;
}

static bool read_boolean(const bson_t *document, const char *key, bool *ret_value)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, document, key))
        return true;
    *ret_value = bson_iter_as_bool(&iter);
    return BSON_ITER_HOLDS_BOOL(&iter);
}

static bool read_time(const bson_t *document, const char *key, int64_t *ret_ms)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, document, key))
        return true;
    if (!BSON_ITER_HOLDS_DATE_TIME(&iter))
        return false;
    *ret_ms = bson_iter_date_time(&iter);
    return true;
}

/* Sets `ret_count` to the number of elements if the field is an array, and `ret_items` to them. */
static bool read_list(const bson_t *document, const char *key, bson_t *ret_items, size_t *ret_count)
{
    bson_iter_t iter;
    *ret_count = 0;
    if (!bson_iter_init_find(&iter, document, key))
        return true;
    if (!BSON_ITER_HOLDS_ARRAY(&iter) || !document_view(&iter, ret_items))
        return false;
    *ret_count = bson_count_keys(ret_items);
    return true;
}

static bool read_uuids(const bson_t *document, const char *key, struct arena *arena,
                       const struct uuid **ret_uuids, size_t *ret_count)
{
    bson_t items;
    bson_iter_t iter;
    if (!read_list(document, key, &items, ret_count))
        return false;
    struct uuid *uuids = ARENA_ARRAY(arena, struct uuid, *ret_count);
    *ret_uuids = uuids;
    if (*ret_count == 0)
        return true;
    bool valid = bson_iter_init(&iter, &items);
    for (size_t i = 0; valid && i < *ret_count; i++)
        valid = bson_iter_next(&iter) && document_uuid(&iter, &uuids[i]);
    return valid;
}

static bool read_properties(const bson_t *document, struct arena *arena,
                            struct properties *ret_properties)
{
    bson_iter_t iter;
    bson_t part;
    int64_t priority = 0;
    if (!bson_iter_init_find(&iter, document, "properties"))
        return true;
    if (!document_view(&iter, &part))
        return false;
    ret_properties->has_priority = bson_has_field(&part, "priority");
    ret_properties->has_timestamp = bson_has_field(&part, "timestamp");
    bool valid = read_integer(&part, "priority", &priority) && priority >= 0 &&
                 priority <= UINT8_MAX &&
                 read_unsigned(&part, "timestamp", &ret_properties->timestamp);
    ret_properties->priority = (uint8_t)priority;
#define X(member, constant)                                                                        \
    valid = valid && read_text(&part, #member, arena, &ret_properties->member);
    TEXT_PROPERTIES(X)
#undef X
    return valid;
}

static bool read_event(const bson_iter_t *iter, struct arena *arena, struct letter_event *ret_event)
{
    bson_t entry;
    struct text action = TEXT_NONE;
    bool valid = document_view(iter, &entry) && read_time(&entry, "at", &ret_event->at_ms) &&
                 read_text(&entry, "action", arena, &action) &&
                 (!text_present(action) || letter_action_parse(action, &ret_event->action));
#define X(member, field) valid = valid && read_text(&entry, field, arena, &ret_event->member);
    LATEST_TEXTS(X)
    ACTION_TEXTS(X)
#undef X
    return valid;
}

/* A letter that was never replayed has none. */
static bool read_replay(const bson_t *document, struct arena *arena,
                        struct letter_replay *ret_replay)
{
    bson_iter_t iter;
    bson_t part;
    struct text phase = TEXT_NONE;
    if (!bson_iter_init_find(&iter, document, "replay"))
        return true;
    return document_view(&iter, &part) && read_text(&part, "run", arena, &ret_replay->run) &&
           read_integer(&part, "place", &ret_replay->place) &&
           read_text(&part, "phase", arena, &phase) &&
           letter_phase_parse(phase, &ret_replay->phase) &&
           read_time(&part, "at", &ret_replay->at_ms) &&
           read_text(&part, "by", arena, &ret_replay->by);
}

static bool read_history(const bson_t *document, struct arena *arena,
                         struct letter_record *ret_record)
{
    bson_t items;
    bson_iter_t iter;
    if (!read_list(document, "history", &items, &ret_record->history_count))
        return false;
    struct letter_event *history =
        ARENA_ARRAY(arena, struct letter_event, ret_record->history_count);
    ret_record->history = history;
    if (ret_record->history_count == 0)
        return true;
    bool valid = bson_iter_init(&iter, &items);
    for (size_t i = 0; valid && i < ret_record->history_count; i++)
        valid = bson_iter_next(&iter) && read_event(&iter, arena, &history[i]);
    return valid;
}

static bool read_letter(const bson_t *document, struct arena *arena, struct letter *ret_letter)
{
    struct text source = TEXT_NONE;
    bool valid = read_text(document, "_id", arena, &ret_letter->id) &&
                 text_present(ret_letter->id) && read_text(document, "source", arena, &source) &&
                 letter_source_parse(source, &ret_letter->source);
#define X(member, field) valid = valid && read_text(document, field, arena, &ret_letter->member);
    KEPT_TEXTS(X)
    LATEST_TEXTS(X)
#undef X
    ret_letter->times = 1;
    return valid &&
           read_uuids(document, "consumers", arena, &ret_letter->consumers,
                      &ret_letter->consumer_count) &&
           read_uuids(document, "providers", arena, &ret_letter->providers,
                      &ret_letter->provider_count) &&
           read_integer(document, "attempts", &ret_letter->attempts) &&
           read_properties(document, arena, &ret_letter->properties) &&
           read_text(document, "group", arena, &ret_letter->group) &&
           read_text(document, "headers", arena, &ret_letter->raw_headers) &&
           read_text(document, "body", arena, &ret_letter->body) &&
           read_boolean(document, "body_dropped", &ret_letter->body_dropped) &&
           read_unsigned(document, "body_size", &ret_letter->body_size);
}

bool letter_read(const bson_t *document, struct arena *arena, struct letter_record *ret_record)
{
    struct text state = TEXT_NONE;
    *ret_record = (struct letter_record){.unpublished = bson_has_field(document, "unpublished")};
    return read_letter(document, arena, &ret_record->letter) &&
           read_text(document, "state", arena, &state) &&
           letter_state_parse(state, &ret_record->state) &&
           read_integer(document, "count", &ret_record->count) &&
           read_time(document, "first_at", &ret_record->first_at_ms) &&
           read_time(document, "last_at", &ret_record->last_at_ms) &&
           read_time(document, "last_at", &ret_record->letter.at_ms) &&
           read_history(document, arena, ret_record) &&
           read_integer(document, "bytes", &ret_record->bytes) &&
           read_time(document, "published_at", &ret_record->published_at_ms) &&
           read_time(document, "expires_at", &ret_record->expires_at_ms) &&
           read_text(document, "claimed_by", arena, &ret_record->claimed_by) &&
           read_time(document, "claimed_until", &ret_record->claimed_until_ms) &&
           read_text(document, "refused", arena, &ret_record->refused) &&
           read_replay(document, arena, &ret_record->replay) &&
           read_text(document, "new_key", arena, &ret_record->new_key) &&
           read_time(document, "new_key_at", &ret_record->new_key_at_ms) &&
           read_text(document, "edited_key", arena, &ret_record->edited_key) &&
           read_text(document, "edited_to", arena, &ret_record->edited_to);
}

bool letter_read_sighting(const bson_t *document, struct arena *arena,
                          struct letter_sighting *ret_sighting)
{
    struct text source = TEXT_NONE;
    *ret_sighting = (struct letter_sighting){.exists = true};
    return read_text(document, "source", arena, &source) &&
           letter_source_parse(source, &ret_sighting->source) &&
           read_text(document, "reason", arena, &ret_sighting->reason) &&
           read_text(document, "detail", arena, &ret_sighting->detail) &&
           read_text(document, "body_sha256", arena, &ret_sighting->body_sha256);
}
