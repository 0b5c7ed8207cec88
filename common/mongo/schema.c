/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The validators and indexes of each collection.
 *
 * Design: the schema is JSON, as the server takes it, in string literals. The macros below are the
 * parts that several collections have in common. Two tables, by collection, hold the validators and
 * the indexes. Whether an index keeps a pattern unique is read from the same table, so that there
 * is no second list of unique indexes.
 */
#include "common/mongo/schema.h"

#include <string.h>

#include "common/mongo/document.h"

#define ID "\"_id\": {\"bsonType\": \"binData\"}"
#define COMMAND_ID                                                                                 \
    "\"_id\": {\"bsonType\": \"object\", \"required\": [\"principal\", \"key\"], "                 \
    "\"properties\": {\"principal\": {\"bsonType\": \"string\"}, "                                 \
    "\"key\": {\"bsonType\": \"string\"}}, \"additionalProperties\": false}"
#define COUNT "{\"bsonType\": \"long\", \"minimum\": 0}"
#define POSITIVE "{\"bsonType\": \"long\", \"minimum\": 1}"
#define STRING "{\"bsonType\": \"string\"}"
#define DATE "{\"bsonType\": \"date\"}"
#define UUID_FIELD "{\"bsonType\": \"binData\"}"

#define SCHEMA(required, properties)                                                               \
    "{\"$or\": [{\"_id\": \"" SCHEMA_SENTINEL "\"}, "                                              \
    "{\"$jsonSchema\": {\"bsonType\": \"object\", \"required\": [" required                        \
    "], \"properties\": {" properties "}, \"additionalProperties\": false}}]}"

/* One inventory record. A negative `used` can only come from a bug, and must not be stored. */
#define INVENTORY                                                                                  \
    "{\"bsonType\": \"object\", \"required\": [\"total\", \"reserved\", \"min_unit\", "            \
    "\"max_unit\", \"step_size\", \"ratio\", \"used\"], \"properties\": {"                         \
    "\"total\": " POSITIVE ", \"reserved\": " COUNT ", \"min_unit\": " POSITIVE ", "               \
    "\"max_unit\": " POSITIVE ", \"step_size\": " POSITIVE ", \"ratio\": " POSITIVE ", "           \
    "\"used\": " COUNT "}, \"additionalProperties\": false}"

#define ALLOCATION                                                                                 \
    "{\"bsonType\": \"object\", \"required\": [\"provider\", \"resources\"], \"properties\": {"    \
    "\"provider\": " UUID_FIELD ", \"resources\": {\"bsonType\": \"object\", "                     \
    "\"minProperties\": 1, \"additionalProperties\": " POSITIVE "}}, "                             \
    "\"additionalProperties\": false}"

/* A text that is not valid UTF-8 is a binary. */
#define ANY_TEXT "{\"bsonType\": [\"string\", \"binData\"]}"
#define BINARY "{\"bsonType\": \"binData\"}"
#define UUIDS "{\"bsonType\": \"array\", \"items\": " UUID_FIELD "}"
/* A 64-bit number without a sign, kept in one that has a sign. */
#define UNSIGNED "{\"bsonType\": \"long\"}"

#define LETTER_PROPERTIES                                                                          \
    "{\"bsonType\": \"object\", \"properties\": {\"content_type\": " ANY_TEXT ", "                 \
    "\"content_encoding\": " ANY_TEXT ", \"correlation_id\": " ANY_TEXT ", "                       \
    "\"reply_to\": " ANY_TEXT ", \"expiration\": " ANY_TEXT ", \"message_id\": " ANY_TEXT ", "     \
    "\"type\": " ANY_TEXT ", \"user_id\": " ANY_TEXT ", \"app_id\": " ANY_TEXT ", "                \
    "\"cluster_id\": " ANY_TEXT ", \"priority\": " COUNT ", \"timestamp\": " UNSIGNED "}, "        \
    "\"additionalProperties\": false}"

#define LETTER_HISTORY                                                                             \
    "{\"bsonType\": \"array\", \"maxItems\": 20, \"items\": {\"bsonType\": \"object\", "           \
    "\"required\": [\"at\"], \"properties\": {\"at\": " DATE ", \"reason\": " ANY_TEXT ", "        \
    "\"detail\": " ANY_TEXT ", \"worker\": " ANY_TEXT ", \"action\": {\"enum\": ["                 \
    "\"replayed\", \"edited\", \"succeeded\", \"failed\", \"resolved\", \"discarded\", "           \
    "\"reopened\"]}, \"by\": " ANY_TEXT ", \"note\": " ANY_TEXT ", \"key\": " ANY_TEXT "}, "       \
    "\"additionalProperties\": false}}"

#define LETTER_REPLAY                                                                              \
    "{\"bsonType\": \"object\", \"required\": [\"run\", \"place\", \"phase\", \"at\"], "           \
    "\"properties\": {\"run\": " STRING ", \"place\": " COUNT ", "                                 \
    "\"phase\": {\"enum\": [\"selected\", \"sending\", \"sent\"]}, \"at\": " DATE ", "             \
    "\"by\": " ANY_TEXT "}, \"additionalProperties\": false}"

#define LETTER                                                                                     \
    "\"_id\": {\"bsonType\": \"string\", \"pattern\": \"^[0-9a-f]{32}$\"}, "                       \
    "\"source\": {\"enum\": [\"worker\", \"broker\"]}, "                                           \
    "\"state\": {\"enum\": [\"open\", \"replayed\", \"resolved\", \"discarded\"]}, "               \
    "\"reason\": " ANY_TEXT ", \"detail\": " ANY_TEXT ", \"principal\": " ANY_TEXT ", "            \
    "\"key\": " ANY_TEXT ", \"command\": " ANY_TEXT ", \"project\": " ANY_TEXT ", "                \
    "\"consumers\": " UUIDS ", \"providers\": " UUIDS ", \"group\": " ANY_TEXT ", "                \
    "\"queue\": " ANY_TEXT ", \"worker\": " ANY_TEXT ", \"attempts\": " COUNT ", "                 \
    "\"traceparent\": " ANY_TEXT ", \"properties\": " LETTER_PROPERTIES ", "                       \
    "\"headers\": " BINARY ", \"body\": " BINARY ", \"body_size\": " UNSIGNED ", "                 \
    "\"body_dropped\": {\"bsonType\": \"bool\"}, \"bytes\": " COUNT ", "                           \
    "\"body_sha256\": " ANY_TEXT ", \"count\": " POSITIVE ", \"first_at\": " DATE ", "             \
    "\"last_at\": " DATE ", \"history\": " LETTER_HISTORY ", "                                     \
    "\"unpublished\": {\"enum\": [true]}, \"published_at\": " DATE ", "                            \
    "\"expires_at\": " DATE ", \"claimed_by\": " STRING ", \"claimed_until\": " DATE ", "          \
    "\"refused\": " ANY_TEXT ", \"replay\": " LETTER_REPLAY ", \"new_key\": " STRING ", "          \
    "\"new_key_at\": " DATE ", \"edited_key\": " STRING ", \"edited_to\": " STRING

/*
 * The sweep looks only at unpublished letters, which are few: hence a partial index. `allotctl`
 * lists letters newest first: those in a state (or in any: a scan of one range for each state), and
 * those of a principal, group or reason, of which there may be few among very many. A list by
 * command or project scans the letters in the order of time, so they need no index. The index
 * "bounds" has all that the sums of letter_bounds.c need, and the order of its cuts.
 */
#define LETTER_INDEXES                                                                             \
    "[{\"key\": {\"last_at\": 1}, \"name\": \"sweep\", "                                           \
    "\"partialFilterExpression\": {\"unpublished\": true}}, "                                      \
    "{\"key\": {\"expires_at\": 1}, \"name\": \"expiry\", \"expireAfterSeconds\": 0}, "            \
    "{\"key\": {\"state\": 1, \"last_at\": -1}, \"name\": \"state\"}, "                            \
    "{\"key\": {\"principal\": 1, \"last_at\": -1}, \"name\": \"principal\"}, "                    \
    "{\"key\": {\"group\": 1, \"last_at\": -1}, \"name\": \"group\"}, "                            \
    "{\"key\": {\"reason\": 1, \"last_at\": -1}, \"name\": \"reason\"}, "                          \
    "{\"key\": {\"state\": 1, \"group\": 1, \"last_at\": -1, \"first_at\": 1, \"_id\": 1}, "       \
    "\"name\": \"groups\"}, "                                                                      \
    "{\"key\": {\"replay.run\": 1, \"replay.place\": 1}, \"name\": \"run\", "                      \
    "\"partialFilterExpression\": {\"replay.run\": {\"$exists\": true}}}, "                        \
    "{\"key\": {\"edited_to\": 1}, \"name\": \"edited\", "                                         \
    "\"partialFilterExpression\": {\"edited_to\": {\"$exists\": true}}}, "                         \
    "{\"key\": {\"body_dropped\": 1, \"state\": 1, \"last_at\": 1, \"published_at\": 1, "          \
    "\"principal\": 1, \"bytes\": 1}, \"name\": \"bounds\"}]"

#define RATES "{\"bsonType\": \"object\", \"additionalProperties\": {\"bsonType\": \"double\"}}"

#define WORKER                                                                                     \
    "\"_id\": " STRING ", \"name\": " STRING ", \"version\": " STRING ", "                         \
    "\"schema\": " POSITIVE ", \"state\": {\"enum\": [\"running\", \"stopping\", \"stopped\"]}, "  \
    "\"lanes\": " COUNT ", \"clock_ahead_ms\": {\"bsonType\": \"long\"}, \"rates\": " RATES ", "   \
    "\"started_at\": " DATE ", \"at\": " DATE ", \"expires_at\": " DATE

/* Of a group, or of one of the two documents that are about none. */
#define NOTIFICATION                                                                               \
    "\"_id\": {\"bsonType\": \"object\", \"required\": [\"kind\"], \"properties\": {"              \
    "\"kind\": {\"enum\": [\"group\", \"rate\", \"seen\"]}, \"group\": " ANY_TEXT "}, "            \
    "\"additionalProperties\": false}, \"at\": " DATE ", \"due_at\": " DATE ", "                   \
    "\"claimed_by\": " STRING ", \"tries\": " COUNT ", \"letters\": " COUNT ", "                   \
    "\"over_until\": " DATE ", \"complete\": {\"bsonType\": \"bool\"}, \"sent_at\": " DATE ", "    \
    "\"expires_at\": " DATE

/* Few are to be sent at a time, among many groups: hence a partial index. */
#define NOTIFICATION_INDEXES                                                                       \
    "[{\"key\": {\"expires_at\": 1}, \"name\": \"expiry\", \"expireAfterSeconds\": 0}, "           \
    "{\"key\": {\"due_at\": 1}, \"name\": \"due\", "                                               \
    "\"partialFilterExpression\": {\"due_at\": {\"$exists\": true}}}]"

#define EXPIRING(name)                                                                             \
    "[{\"key\": {\"expires_at\": 1}, \"name\": \"" name "\", \"expireAfterSeconds\": 0}]"

bool schema_sentinel_is_read(enum mongo_collection collection)
{
    return collection == MONGO_PROVIDERS || collection == MONGO_CONSUMERS ||
           collection == MONGO_OUTCOMES || collection == MONGO_LETTERS;
}

const char *schema_validator(enum mongo_collection collection)
{
    switch (collection) {
    case MONGO_PROVIDERS:
        return SCHEMA(
            "\"_id\", \"name\", \"parent\", \"root\", \"generation\", \"rev\", \"inventories\"",
            ID ", \"name\": {\"bsonType\": \"string\", \"minLength\": 1}, "
               "\"parent\": {\"bsonType\": [\"binData\", \"null\"]}, \"root\": " UUID_FIELD ", "
               "\"generation\": " COUNT ", \"rev\": " COUNT ", "
               "\"inventories\": {\"bsonType\": \"object\", "
               "\"additionalProperties\": " INVENTORY "}");
    case MONGO_CONSUMERS:
        return SCHEMA("\"_id\", \"project_id\", \"user_id\", \"consumer_type\", \"generation\", "
                      "\"rev\", \"allocations\"",
                      ID ", \"project_id\": " STRING ", \"user_id\": " STRING ", "
                         "\"consumer_type\": " STRING ", \"generation\": " COUNT ", "
                         "\"rev\": " COUNT ", \"mappings\": " STRING ", "
                         "\"allocations\": {\"bsonType\": \"array\", \"minItems\": 1, "
                         "\"items\": " ALLOCATION "}");
    case MONGO_OUTCOMES:
        return SCHEMA("\"_id\", \"fingerprint\", \"code\", \"command\", \"body\", \"at\", "
                      "\"expires_at\"",
                      COMMAND_ID ", \"fingerprint\": {\"bsonType\": \"binData\"}, "
                                 "\"code\": " STRING ", \"command\": " STRING ", "
                                 "\"body\": " STRING ", \"at\": " DATE ", \"expires_at\": " DATE);
    case MONGO_ATTEMPTS:
        return SCHEMA("\"_id\", \"marks\", \"expires_at\"",
                      COMMAND_ID ", \"marks\": {\"bsonType\": \"array\", \"items\": " STRING "}, "
                                 "\"expires_at\": " DATE);
    case MONGO_FENCES:
        return SCHEMA("\"_id\", \"n\"", "\"_id\": {\"bsonType\": \"object\"}, \"n\": " COUNT
                                        ", \"holder\": " STRING ", "
                                        "\"expires_at\": " DATE);
    case MONGO_LETTERS:
        return SCHEMA("\"_id\", \"source\", \"state\", \"attempts\", \"body_size\", \"count\", "
                      "\"first_at\", \"last_at\", \"history\"",
                      LETTER);
    case MONGO_WORKERS:
        return SCHEMA("\"_id\", \"name\", \"version\", \"schema\", \"state\", \"lanes\", "
                      "\"clock_ahead_ms\", \"rates\", \"started_at\", \"at\", \"expires_at\"",
                      WORKER);
    case MONGO_NOTIFICATIONS: return SCHEMA("\"_id\", \"at\", \"expires_at\"", NOTIFICATION);
    case MONGO_COLLECTION_COUNT: break;
    }
    return "{}";
}

/* Workers update many letters in one command, which must not fail because one of them is malformed.
   With "moderate", MongoDB does not check updates of documents that violate the validator already.
   Workers may not bypass it: that takes a right of administrators. */
const char *schema_validation_level(enum mongo_collection collection)
{
    return collection == MONGO_LETTERS ? "moderate" : "strict";
}

const char *schema_indexes(enum mongo_collection collection)
{
    switch (collection) {
    case MONGO_PROVIDERS:
        return "[{\"key\": {\"name\": 1}, \"name\": \"name\", \"unique\": true}, "
               "{\"key\": {\"root\": 1}, \"name\": \"root\"}]";
    case MONGO_CONSUMERS:
        return "[{\"key\": {\"allocations.provider\": 1, \"_id\": 1}, \"name\": \"provider\"}, "
               "{\"key\": {\"project_id\": 1, \"user_id\": 1, \"consumer_type\": 1}, "
               "\"name\": \"owner\"}]";
    case MONGO_OUTCOMES:
    case MONGO_ATTEMPTS:
    case MONGO_FENCES: /* the advisory lock has no date, so it stays */
    case MONGO_WORKERS: return EXPIRING("expiry");
    case MONGO_LETTERS: return LETTER_INDEXES;
    case MONGO_NOTIFICATIONS: return NOTIFICATION_INDEXES;
    case MONGO_COLLECTION_COUNT: break;
    }
    return NULL;
}

bool schema_same_pattern(const bson_t *one, const bson_t *other)
{
    bson_iter_t a, b;
    if (bson_count_keys(one) != bson_count_keys(other) || !bson_iter_init(&a, one) ||
        !bson_iter_init(&b, other))
        return false;
    while (bson_iter_next(&a) && bson_iter_next(&b)) {
        if (strcmp(bson_iter_key(&a), bson_iter_key(&b)) != 0 ||
            bson_iter_as_int64(&a) != bson_iter_as_int64(&b))
            return false;
    }
    return true;
}

static bool has_unique(const bson_t *index, const bson_t *pattern)
{
    bson_iter_t iter;
    bson_t key;
    return bson_iter_init_find(&iter, index, "unique") && bson_iter_as_bool(&iter) &&
           bson_iter_init_find(&iter, index, "key") && document_view(&iter, &key) &&
           schema_same_pattern(&key, pattern);
}

static bool any_has_unique(const char *json, const bson_t *pattern)
{
    bson_iter_t iter;
    bson_t index;
    bool found = false;
    bson_t *indexes = document_from_json(json);
    BSON_ASSERT(bson_iter_init(&iter, indexes));
    while (!found && bson_iter_next(&iter) && document_view(&iter, &index))
        found = has_unique(&index, pattern);
    bson_destroy(indexes);
    return found;
}

bool schema_is_unique(const bson_t *pattern)
{
    bson_iter_t iter;
    if (bson_count_keys(pattern) == 1 && bson_iter_init_find(&iter, pattern, "_id"))
        return true;
    for (int i = 0; i < MONGO_COLLECTION_COUNT; i++) {
        const char *json = schema_indexes((enum mongo_collection)i);
        if (json != NULL && any_has_unique(json, pattern))
            return true;
    }
    return false;
}
