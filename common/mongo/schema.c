/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/schema.h"

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
    "{\"$jsonSchema\": {\"bsonType\": \"object\", \"required\": [" required                        \
    "], \"properties\": {" properties "}, \"additionalProperties\": false}}"

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

#define EXPIRING(name)                                                                             \
    "[{\"key\": {\"expires_at\": 1}, \"name\": \"" name "\", \"expireAfterSeconds\": 0}]"

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
        return SCHEMA("\"_id\", \"n\"",
                      "\"_id\": {\"bsonType\": \"object\"}, \"n\": " COUNT ", \"holder\": " STRING);
    case MONGO_COLLECTION_COUNT: break;
    }
    return "{}";
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
    case MONGO_ATTEMPTS: return EXPIRING("expiry");
    case MONGO_FENCES:
    case MONGO_COLLECTION_COUNT: break;
    }
    return NULL;
}
