/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_documents.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RETENTION_DAYS = 7, FINGERPRINT = 32, DAY_MS = 86400000, NAME = 32 };

void documents_append_uuid(bson_t *parent, const char *name, struct uuid uuid)
{
    BSON_APPEND_BINARY(parent, name, BSON_SUBTYPE_UUID, uuid.bytes, UUID_BYTES);
}

void documents_append_key(bson_t *parent, const char *name, uint64_t number)
{
    bson_t id;
    bson_append_document_begin(parent, name, -1, &id);
    BSON_APPEND_UTF8(&id, "principal", CLAIM_PRINCIPAL);
    BSON_APPEND_UTF8(&id, "key", uuid_format(claim_key(number)).chars);
    bson_append_document_end(parent, &id);
}

/* --- providers --- */

static void append_record(bson_t *inventories, size_t resource_class, int64_t used)
{
    bson_t record;
    BSON_APPEND_DOCUMENT_BEGIN(inventories, claim_classes[resource_class], &record);
    BSON_APPEND_INT64(&record, "total", INT32_MAX);
    BSON_APPEND_INT64(&record, "reserved", 1);
    BSON_APPEND_INT64(&record, "min_unit", 1);
    BSON_APPEND_INT64(&record, "max_unit", INT32_MAX);
    BSON_APPEND_INT64(&record, "step_size", 1);
    BSON_APPEND_INT64(&record, "ratio", 1000000);
    BSON_APPEND_INT64(&record, "used", used);
    bson_append_document_end(inventories, &record);
}

void documents_provider(bson_t *document, const struct shape *shape, uint32_t index,
                        uint32_t claims)
{
    char name[NAME];
    bson_t inventories;
    struct uuid id = claim_provider(index);
    (void)snprintf(name, sizeof name, "host-%u", index);
    documents_append_uuid(document, "_id", id);
    BSON_APPEND_UTF8(document, "name", name);
    BSON_APPEND_NULL(document, "parent");
    documents_append_uuid(document, "root", id);
    BSON_APPEND_INT64(document, "generation", claims);
    BSON_APPEND_INT64(document, "rev", 0);
    BSON_APPEND_DOCUMENT_BEGIN(document, "inventories", &inventories);
    for (size_t i = 0; i < CLAIM_CLASSES_MAX; i++)
        append_record(&inventories, i, i < shape->classes ? claims * claim_amount(i) : 0);
    bson_append_document_end(document, &inventories);
}

/* --- consumers --- */

static int compare_indexes(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The worker stores allocations in order of the providers' UUIDs, which is the order of the
 * indexes. */
static void sorted_providers(const struct shape *shape, const struct bench_claim *claim,
                             uint32_t ret_indexes[CLAIM_PROVIDERS_MAX])
{
    for (uint32_t i = 0; i < shape->claim_providers; i++)
        ret_indexes[i] = claim_provider_at(claim, i);
    qsort(ret_indexes, shape->claim_providers, sizeof *ret_indexes, compare_indexes);
}

/* Appends the classes in order of their names: MEMORY_MB is before VCPU. */
static void append_resources(bson_t *allocation, const struct shape *shape)
{
    bson_t resources;
    bson_append_document_begin(allocation, "resources", -1, &resources);
    for (size_t i = shape->classes; i > 0; i--)
        BSON_APPEND_INT64(&resources, claim_classes[i - 1], claim_amount(i - 1));
    bson_append_document_end(allocation, &resources);
}

static void append_allocations(bson_t *document, const struct shape *shape,
                               const struct bench_claim *claim)
{
    uint32_t indexes[CLAIM_PROVIDERS_MAX];
    bson_t allocations, allocation;
    char room[16];
    const char *name = NULL;
    sorted_providers(shape, claim, indexes);
    array_begin(document, "allocations", &allocations);
    for (uint32_t i = 0; i < shape->claim_providers; i++) {
        (void)bson_uint32_to_string(i, &name, room, sizeof room);
        bson_append_document_begin(&allocations, name, -1, &allocation);
        documents_append_uuid(&allocation, "provider", claim_provider(indexes[i]));
        append_resources(&allocation, shape);
        bson_append_document_end(&allocations, &allocation);
    }
    bson_append_array_end(document, &allocations);
}

void documents_consumer(bson_t *document, const struct shape *shape,
                        const struct bench_claim *claim)
{
    char project[CLAIM_TEXT];
    claim_project(shape, claim->number, project);
    documents_append_uuid(document, "_id", claim->consumer);
    BSON_APPEND_UTF8(document, "project_id", project);
    BSON_APPEND_UTF8(document, "user_id", CLAIM_USER);
    BSON_APPEND_UTF8(document, "consumer_type", CLAIM_TYPE);
    BSON_APPEND_INT64(document, "generation", 1);
    append_allocations(document, shape, claim);
    BSON_APPEND_INT64(document, "rev", 0);
}

/* --- outcomes --- */

static void append_reply(bson_t *document, const struct shape *shape,
                         const struct bench_claim *claim, const int64_t *generations)
{
    struct buffer body = {0};
    buffer_add(&body,
               "{\"version\":1,\"command\":\"allocation.set\",\"message_id\":\"%s\","
               "\"status\":\"success\",\"result\":{\"consumer_uuid\":\"%s\","
               "\"consumer_generation\":1,\"resource_provider_generations\":{",
               uuid_format(claim_key(claim->number)).chars, uuid_format(claim->consumer).chars);
    for (uint32_t i = 0; i < shape->claim_providers; i++)
        buffer_add(&body, "%s\"%s\":%lld", i > 0 ? "," : "",
                   uuid_format(claim_provider(claim_provider_at(claim, i))).chars,
                   (long long)generations[i]);
    buffer_add(&body, "}}}");
    bson_append_utf8(document, "body", -1, body.bytes, (int)body.length);
    free(body.bytes);
}

void documents_outcome(bson_t *document, const struct shape *shape, const struct bench_claim *claim,
                       const int64_t *generations)
{
    static const uint8_t fingerprint[FINGERPRINT] = {1};
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    documents_append_key(document, "_id", claim->number);
    BSON_APPEND_BINARY(document, "fingerprint", BSON_SUBTYPE_BINARY, fingerprint, FINGERPRINT);
    BSON_APPEND_UTF8(document, "code", "success");
    BSON_APPEND_UTF8(document, "command", "allocation.set");
    append_reply(document, shape, claim, generations);
    BSON_APPEND_DATE_TIME(document, "at", now_ms);
    BSON_APPEND_DATE_TIME(document, "expires_at", now_ms + (int64_t)RETENTION_DAYS * DAY_MS);
}
