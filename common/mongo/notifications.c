/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The collection `notifications` has three kinds of documents, by `_id.kind`:
 *   group  a group of letters that is known. It has `due_at` while its notification is to be sent
 *   rate   the notification of too many letters in a minute
 *   seen   up to when letters were looked at
 * Sections: the look, the rate, claims, ends.
 *
 * A look is one command: the server reads the groups of the newest letters from the index "group"
 * of `letters` (schema.c), without reading a letter, and merges them into the collection. So two
 * workers that look at the same time note a group once. The index begins with the group, so the
 * server jumps from group to group (DISTINCT_SCAN), and reads one key of each.
 *
 * `last_at` is set by the server within a transaction, and becomes visible with its commit. So a
 * look begins earlier than the last one ended, by the lifetime of a transaction and a minute. The
 * groups that it sees again are known.
 *
 * A group is known for one and a half times the retention of its last letter, or longer, so it is
 * not new again as long as it has letters that expire.
 *
 * The first look of all notes the groups that there are, without notifications. It fixes its time
 * before it begins, so whichever store ends it notes the same groups.
 *
 * A claim moves `due_at` to its end, so a claim of a worker that died is due by itself. Its name is
 * new for each call: an end that comes too late finds another name, and changes nothing.
 *
 * Not here: what is sent, and how (worker/service/notifier.c).
 */
#include "common/mongo/session.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/mongo/document.h"
#include "common/mongo/letter_document.h"

enum {
    JSON_MAX = 2048,
    DATE_MAX = 64,
    OVERLAP_MS = 60 * 1000,
    KEPT_MS = 24 * 3600 * 1000, /* what is about no group */
    CANDIDATES_MAX = NOTIFICATION_GROUPS_MAX + 1
};

struct date {
    char json[DATE_MAX];
};

static struct date date_of(int64_t time_ms)
{
    struct date date;
    (void)snprintf(date.json, sizeof date.json, "{\"$date\": {\"$numberLong\": \"%" PRId64 "\"}}",
                   time_ms);
    return date;
}

static void append_id(bson_t *document, const char *kind, struct text group)
{
    bson_t id;
    bson_append_document_begin(document, "_id", -1, &id);
    BSON_APPEND_UTF8(&id, "kind", kind);
    letter_append_text(&id, "group", group);
    bson_append_document_end(document, &id);
}

/* Updates one document, or all that match, and destroys filter and update. `ret_matched` may be
   NULL. */
static enum store_status update(struct mongo_store *store, bson_t *filter, bson_t *change,
                                bool many, bool upsert, int64_t *ret_matched, struct error *error)
{
    mongoc_collection_t *collection = store->collections[MONGO_NOTIFICATIONS];
    bson_t options = BSON_INITIALIZER, reply;
    bson_error_t cause;
    bson_iter_t iter;
    enum store_status status = STORE_OK;
    BSON_APPEND_BOOL(&options, "upsert", upsert);
    if (!(many ? mongoc_collection_update_many : mongoc_collection_update_one)(
            collection, filter, change, &options, &reply, &cause))
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    if (ret_matched != NULL)
        *ret_matched =
            bson_iter_init_find(&iter, &reply, "matchedCount") ? bson_iter_as_int64(&iter) : 0;
    bson_destroy(&reply);
    bson_destroy(&options);
    bson_destroy(change);
    bson_destroy(filter);
    return status;
}

/* Calls `row` for each document, and destroys filter and options. */
static enum store_status find(struct mongo_store *store, enum mongo_collection collection,
                              bson_t *filter, bson_t *options, mongo_row row, void *context,
                              struct error *error)
{
    BSON_APPEND_INT64(options, "maxTimeMS", store->pool->server_time_ms);
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collections[collection], filter, options, NULL);
    enum store_status status = mongo_each_row(store, PHASE_RUN, cursor, row, context, error);
    bson_destroy(options);
    bson_destroy(filter);
    return status;
}

static int64_t integer_in(const bson_t *document, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, document, key) ? bson_iter_as_int64(&iter) : 0;
}

static int64_t time_in(const bson_t *document, const char *key)
{
    bson_iter_t iter;
    bool found = bson_iter_init_find(&iter, document, key) && BSON_ITER_HOLDS_DATE_TIME(&iter);
    return found ? bson_iter_date_time(&iter) : 0;
}

/* --- the look ------------------------------------------------------------------------------- */

struct seen {
    bool exists;
    bool complete; /* the groups that there were at the first look are noted */
    int64_t at_ms;
};

static enum store_status seen_row(void *context, const bson_t *document, struct error *error)
{
    (void)error;
    *(struct seen *)context =
        (struct seen){true, integer_in(document, "complete") != 0, time_in(document, "at")};
    return STORE_OK;
}

static enum store_status read_seen(struct mongo_store *store, struct seen *ret_seen,
                                   struct error *error)
{
    bson_t *filter = bson_new();
    *ret_seen = (struct seen){.exists = false};
    append_id(filter, "seen", TEXT_NONE);
    return find(store, MONGO_NOTIFICATIONS, filter, bson_new(), seen_row, ret_seen, error);
}

/* Runs an update of the document, given as JSON. */
static enum store_status write_seen(struct mongo_store *store, const char *json,
                                    struct error *error)
{
    bson_t *filter = bson_new();
    append_id(filter, "seen", TEXT_NONE);
    return update(store, filter, document_from_json(json), false, true, NULL, error);
}

/* The time of the first look is that of the store that was first. */
static enum store_status begin_first(struct mongo_store *store, int64_t now_ms,
                                     struct seen *ret_seen, struct error *error)
{
    char json[JSON_MAX];
    (void)snprintf(json, sizeof json,
                   "{\"$setOnInsert\": {\"at\": %s, \"expires_at\": %s, \"complete\": false}}",
                   date_of(now_ms).json, date_of(now_ms + KEPT_MS).json);
    enum store_status status = write_seen(store, json, error);
    return status == STORE_OK ? read_seen(store, ret_seen, error) : status;
}

/* Runs an aggregation on the letters that ends with $merge. */
static enum store_status merge(struct mongo_store *store, const char *pipeline, struct error *error)
{
    bson_t *command =
        document_from_json("{\"aggregate\": \"letters\", \"cursor\": {}, \"hint\": \"group\"}");
    bson_t *stages = document_from_json(pipeline), reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    BSON_APPEND_ARRAY(command, "pipeline", stages);
    BSON_APPEND_INT64(command, "maxTimeMS", store->pool->server_time_ms);
    if (!mongoc_collection_write_command_with_opts(store->collections[MONGO_LETTERS], command, NULL,
                                                   &reply, &cause))
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    bson_destroy(&reply);
    bson_destroy(stages);
    bson_destroy(command);
    return status;
}

/* The condition on the group lets the server use the bounds of `last_at`. A group of another type
   than a text is of a malformed letter; its document would not fit the validator. A condition on
   the type would make the server read the letters. */
#define GROUPS                                                                                     \
    "[{\"$match\": {\"group\": {\"$ne\": null}, \"last_at\": {\"%s\": %s}}}, "                     \
    "{\"$group\": {\"_id\": \"$group\"}}, "                                                        \
    "{\"$replaceWith\": {\"_id\": {\"kind\": \"group\", \"group\": {\"$cond\": [{\"$in\": ["       \
    "{\"$type\": \"$_id\"}, [\"string\", \"binData\"]]}, \"$_id\", \"malformed\"]}}, "             \
    "\"at\": %s, \"expires_at\": %s%s}}, "                                                         \
    "{\"$merge\": {\"into\": \"notifications\", \"whenNotMatched\": \"insert\", "                  \
    "\"whenMatched\": %s}}]"

/* A document that has expired is as good as deleted. */
#define RENEW                                                                                      \
    "[{\"$replaceWith\": {\"$cond\": [{\"$lte\": [\"$expires_at\", %s]}, \"$$new\", "              \
    "{\"$mergeObjects\": [\"$$ROOT\", {\"$cond\": [{\"$lt\": [\"$expires_at\", %s]}, "             \
    "{\"expires_at\": %s}, {}]}]}]}}]"

/* Notes the groups that there were at the time of the first look, as known. */
static enum store_status note_known(struct mongo_store *store, int64_t first_ms,
                                    struct error *error)
{
    char json[JSON_MAX];
    int64_t expires_ms = first_ms + 2 * store->pool->letters_retention_ms;
    (void)snprintf(json, sizeof json, GROUPS, "$lte", date_of(first_ms).json,
                   date_of(first_ms).json, date_of(expires_ms).json, "", "\"keepExisting\"");
    enum store_status status = merge(store, json, error);
    return status == STORE_OK ? write_seen(store, "{\"$set\": {\"complete\": true}}", error)
                              : status;
}

/* Notes the groups that letters have come to since then. */
static enum store_status note_new(struct mongo_store *store, int64_t since_ms, int64_t now_ms,
                                  struct error *error)
{
    char json[JSON_MAX], due[2 * DATE_MAX], renew[JSON_MAX / 2];
    int64_t kept_ms = store->pool->letters_retention_ms;
    struct date now = date_of(now_ms), expiry = date_of(now_ms + 2 * kept_ms);
    (void)snprintf(due, sizeof due, ", \"due_at\": %s, \"tries\": {\"$toLong\": 0}", now.json);
    (void)snprintf(renew, sizeof renew, RENEW, now.json,
                   date_of(now_ms + kept_ms + kept_ms / 2).json, expiry.json);
    (void)snprintf(json, sizeof json, GROUPS, "$gte", date_of(since_ms).json, now.json, expiry.json,
                   due, renew);
    return merge(store, json, error);
}

static enum store_status end_look(struct mongo_store *store, int64_t now_ms, struct error *error)
{
    char json[JSON_MAX];
    (void)snprintf(json, sizeof json, "{\"$max\": {\"at\": %s, \"expires_at\": %s}}",
                   date_of(now_ms).json, date_of(now_ms + KEPT_MS).json);
    return write_seen(store, json, error);
}

/* --- the rate ------------------------------------------------------------------------------- */

static enum store_status count_letters(struct mongo_store *store, bson_t *filter, const char *index,
                                       int64_t *ret_count, struct error *error)
{
    bson_t options = BSON_INITIALIZER, reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    BSON_APPEND_UTF8(&options, "hint", index);
    BSON_APPEND_INT64(&options, "maxTimeMS", store->pool->server_time_ms);
    *ret_count = mongoc_collection_count_documents(store->collections[MONGO_LETTERS], filter,
                                                   &options, NULL, &reply, &cause);
    if (*ret_count < 0)
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    bson_destroy(&reply);
    bson_destroy(&options);
    bson_destroy(filter);
    return status;
}

/* `raised` is whether a notification begins: none is to be sent, and the last one is about an
   earlier time. */
#define RAISE                                                                                      \
    "[{\"$set\": {\"raised\": {\"$and\": [{\"$not\": [\"$due_at\"]}, {\"$or\": ["                  \
    "{\"$lte\": [\"$over_until\", %s]}, {\"$lte\": [\"$at\", %s]}]}]}}}, "                         \
    "{\"$set\": {\"at\": {\"$cond\": [\"$raised\", %s, \"$at\"]}, "                                \
    "\"due_at\": {\"$cond\": [\"$raised\", %s, \"$due_at\"]}, "                                    \
    "\"tries\": {\"$cond\": [\"$raised\", {\"$toLong\": 0}, \"$tries\"]}, "                        \
    "\"letters\": {\"$cond\": [\"$raised\", {\"$toLong\": \"%" PRId64 "\"}, \"$letters\"]}, "      \
    "\"over_until\": %s, \"expires_at\": %s}}, {\"$unset\": \"raised\"}]"

static enum store_status raise_rate(struct mongo_store *store, int64_t letters, int64_t now_ms,
                                    struct error *error)
{
    char json[JSON_MAX];
    bson_t *filter = bson_new();
    struct date now = date_of(now_ms);
    (void)snprintf(json, sizeof json, RAISE, now.json,
                   date_of(now_ms - NOTIFICATION_RATE_AGAIN_MS).json, now.json, now.json, letters,
                   date_of(now_ms + NOTIFICATION_RATE_MS).json, date_of(now_ms + KEPT_MS).json);
    append_id(filter, "rate", TEXT_NONE);
    return update(store, filter, document_from_json(json), false, true, NULL, error);
}

static enum store_status look_at_rate(struct mongo_store *store, int64_t rate, int64_t now_ms,
                                      struct error *error)
{
    char json[JSON_MAX];
    int64_t letters = 0;
    if (rate == 0)
        return STORE_OK;
    (void)snprintf(json, sizeof json, "{\"state\": \"open\", \"last_at\": {\"$gt\": %s}}",
                   date_of(now_ms - NOTIFICATION_RATE_MS).json);
    enum store_status status =
        count_letters(store, document_from_json(json), "state", &letters, error);
    if (status == STORE_OK && letters > rate)
        status = raise_rate(store, letters, now_ms, error);
    return status;
}

static enum store_status look(struct mongo_store *store, const struct seen *seen, int64_t rate,
                              int64_t now_ms, struct error *error)
{
    int64_t since_ms = seen->at_ms - store->pool->lifetime_ms - OVERLAP_MS;
    enum store_status status = note_new(store, since_ms, now_ms, error);
    if (status == STORE_OK)
        status = look_at_rate(store, rate, now_ms, error);
    if (status == STORE_OK)
        status = end_look(store, now_ms, error);
    return status;
}

enum store_status mongo_find_notifications(struct store *base, int64_t rate, int64_t pause_ms,
                                           struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct seen seen;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK)
        return status;
    int64_t now_ms = mongo_now_ms(base);
    status = read_seen(store, &seen, error);
    if (status == STORE_OK && !seen.exists)
        status = begin_first(store, now_ms, &seen, error);
    if (status == STORE_OK && !seen.complete)
        status = note_known(store, seen.at_ms, error);
    else if (status == STORE_OK && now_ms - seen.at_ms < pause_ms)
        return STORE_OK;
    return status == STORE_OK ? look(store, &seen, rate, now_ms, error) : status;
}

/* --- claims --------------------------------------------------------------------------------- */

struct candidate {
    enum notification_kind kind;
    struct text group;
    int64_t at_ms;
    int64_t tries;
    int64_t letters;
};

struct notification_claim {
    struct mongo_store *store;
    struct arena *arena;
    int64_t now_ms;
    int64_t until_ms;
    char name[80];
    struct candidate candidates[CANDIDATES_MAX];
    size_t count;
    size_t groups; /* of them */
    struct notification *notification;
};

static enum store_status candidate_row(void *context, const bson_t *document, struct error *error)
{
    struct notification_claim *claim = context;
    struct text group = TEXT_NONE;
    bson_iter_t iter, found;
    (void)error;
    if (bson_iter_init(&iter, document) && bson_iter_find_descendant(&iter, "_id.group", &found) &&
        !letter_read_text(&found, &group))
        return mongo_malformed(MONGO_NOTIFICATIONS, document, error);
    if (claim->count == CANDIDATES_MAX)
        return STORE_OK;
    claim->groups += text_present(group);
    claim->candidates[claim->count++] = (struct candidate){
        .kind = text_present(group) ? NOTIFICATION_GROUP : NOTIFICATION_RATE,
        .group = text_copy(claim->arena, group),
        .at_ms = time_in(document, "at"),
        .tries = integer_in(document, "tries") + 1,
        .letters = integer_in(document, "letters"),
    };
    return STORE_OK;
}

static void append_due(bson_t *filter, const struct notification_claim *claim)
{
    bson_t range;
    bson_append_document_begin(filter, "due_at", -1, &range);
    BSON_APPEND_DATE_TIME(&range, "$lte", claim->now_ms);
    bson_append_document_end(filter, &range);
}

static enum store_status find_due(struct notification_claim *claim, struct error *error)
{
    bson_t *filter = bson_new();
    bson_t *options = document_from_json("{\"sort\": {\"due_at\": 1}}");
    append_due(filter, claim);
    BSON_APPEND_INT64(options, "limit", CANDIDATES_MAX);
    return find(claim->store, MONGO_NOTIFICATIONS, filter, options, candidate_row, claim, error);
}

static enum store_status letter_row(void *context, const bson_t *document, struct error *error)
{
    const struct notification_claim *claim = context;
    struct notification *notification = claim->notification;
    struct {
        const char *field;
        struct text *text;
    } const texts[] = {
        {"_id", &notification->letter},
        {"reason", &notification->reason},
        {"command", &notification->command},
        {"detail", &notification->detail},
    };
    (void)error;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct text value = TEXT_NONE;
        bson_iter_t iter;
        if (bson_iter_init_find(&iter, document, texts[i].field) && letter_read_text(&iter, &value))
            *texts[i].text = text_copy(claim->arena, value);
    }
    return STORE_OK;
}

/* Sets what the newest letter of the group says, and how many there are. */
static enum store_status describe_group(struct notification_claim *claim, struct text group,
                                        struct error *error)
{
    bson_t *filter = bson_new();
    bson_t *options = document_from_json(
        "{\"sort\": {\"last_at\": -1}, \"limit\": 1, \"hint\": \"group\", \"projection\": "
        "{\"reason\": 1, \"command\": 1, \"detail\": 1}}");
    letter_append_text(filter, "group", group);
    bson_t *same = bson_copy(filter);
    enum store_status status =
        find(claim->store, MONGO_LETTERS, filter, options, letter_row, claim, error);
    if (status == STORE_OK)
        return count_letters(claim->store, same, "group", &claim->notification->letters, error);
    bson_destroy(same);
    return status;
}

static bson_t *new_claim_update(const struct notification_claim *claim)
{
    bson_t *change = bson_new(), part;
    bson_append_document_begin(change, "$set", -1, &part);
    BSON_APPEND_UTF8(&part, "claimed_by", claim->name);
    BSON_APPEND_DATE_TIME(&part, "due_at", claim->until_ms);
    bson_append_document_end(change, &part);
    bson_append_document_begin(change, "$inc", -1, &part);
    BSON_APPEND_INT64(&part, "tries", 1);
    bson_append_document_end(change, &part);
    return change;
}

/* Claims one, or all new groups. Sets how many were claimed. */
static enum store_status take(const struct notification_claim *claim,
                              const struct candidate *candidate, bool all, int64_t *ret_taken,
                              struct error *error)
{
    bson_t *filter = bson_new();
    if (all)
        BSON_APPEND_UTF8(filter, "_id.kind", "group");
    else
        append_id(filter, text_present(candidate->group) ? "group" : "rate", candidate->group);
    append_due(filter, claim);
    return update(claim->store, filter, new_claim_update(claim), all, false, ret_taken, error);
}

/* Sets how many were claimed: 0 if another store was faster. */
static enum store_status try_candidate(struct notification_claim *claim,
                                       const struct candidate *candidate, int64_t *ret_taken,
                                       struct error *error)
{
    bool group = candidate->kind == NOTIFICATION_GROUP;
    enum store_status status = STORE_OK;
    *claim->notification = (struct notification){.kind = candidate->kind,
                                                 .at_ms = candidate->at_ms,
                                                 .tries = candidate->tries,
                                                 .letters = candidate->letters};
    if (group)
        status = describe_group(claim, candidate->group, error);
    if (status == STORE_OK)
        status = take(claim, candidate, group && claim->groups > NOTIFICATION_GROUPS_MAX, ret_taken,
                      error);
    return status;
}

static enum store_status try_each(struct notification_claim *claim, bool *ret_found,
                                  struct error *error)
{
    enum store_status status = STORE_OK;
    int64_t taken = 0;
    for (size_t i = 0; status == STORE_OK && taken == 0 && i < claim->count; i++)
        status = try_candidate(claim, &claim->candidates[i], &taken, error);
    *ret_found = status == STORE_OK && taken > 0;
    if (*ret_found) {
        claim->notification->claim = text_copy(claim->arena, text_of(claim->name));
        claim->notification->others = taken - 1;
    }
    return status;
}

enum store_status mongo_claim_notification(struct store *base, int64_t claim_ms,
                                           struct arena *arena, bool *ret_found,
                                           struct notification *ret_notification,
                                           struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct notification_claim claim = {
        .store = store, .arena = arena, .notification = ret_notification};
    *ret_found = false;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK)
        return status;
    claim.now_ms = mongo_now_ms(base);
    claim.until_ms = claim.now_ms + claim_ms;
    (void)snprintf(claim.name, sizeof claim.name, "%s.%" PRIu64, store->name,
                   ++store->notification_claims);
    status = find_due(&claim, error);
    return status == STORE_OK ? try_each(&claim, ret_found, error) : status;
}

/* --- ends ----------------------------------------------------------------------------------- */

/* The index on `due_at` has only those that are to be sent. */
static bson_t *new_claimed_filter(const struct notification *notification)
{
    bson_t *filter =
        document_from_json("{\"due_at\": {\"$gt\": {\"$date\": {\"$numberLong\": \"0\"}}}}");
    document_append_text(filter, "claimed_by", notification->claim);
    return filter;
}

static bson_t *new_end_update(enum notification_end end, int64_t now_ms, int64_t pause_ms)
{
    char json[JSON_MAX];
    struct date date = date_of(end == NOTIFICATION_FAILED ? now_ms + pause_ms : now_ms);
    switch (end) {
    case NOTIFICATION_SENT:
        (void)snprintf(json, sizeof json,
                       "{\"$set\": {\"sent_at\": %s}, "
                       "\"$unset\": {\"due_at\": \"\", \"claimed_by\": \"\"}}",
                       date.json);
        break;
    case NOTIFICATION_FAILED:
        (void)snprintf(json, sizeof json,
                       "{\"$set\": {\"due_at\": %s}, \"$unset\": {\"claimed_by\": \"\"}}",
                       date.json);
        break;
    case NOTIFICATION_GIVEN_UP:
        (void)snprintf(json, sizeof json, "{\"$unset\": {\"due_at\": \"\", \"claimed_by\": \"\"}}");
        break;
    }
    return document_from_json(json);
}

enum store_status mongo_end_notification(struct store *base,
                                         const struct notification *notification,
                                         enum notification_end end, int64_t pause_ms,
                                         struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK)
        return status;
    return update(store, new_claimed_filter(notification),
                  new_end_update(end, mongo_now_ms(base), pause_ms), true, false, NULL, error);
}
