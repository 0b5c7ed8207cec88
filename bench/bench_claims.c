/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_claims.h"

#include <stdio.h>
#include <string.h>

enum { AMOUNT_FIRST = 2, AMOUNT_SECOND = 4096 };
/* Distance of the seeds of two claims. A claim has three: of its consumer, key and providers. */
enum { SEEDS = 4 };
/* The bytes of an allocation.set with two providers, without its mappings. */
enum { ENVELOPE_BYTES = 480 };

const char *const claim_classes[CLAIM_CLASSES_MAX] = {"VCPU", "MEMORY_MB"};

/* The first bytes of every provider's UUID; the last four are its index, so UUIDs sort by index. */
static const uint8_t provider_prefix[] = {0xa1, 0x10, 0x70, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0};

struct shape shape_default(void)
{
    return (struct shape){.providers = 1000,
                          .hot = 1000,
                          .partitions = 1,
                          .claim_providers = 2,
                          .classes = CLAIM_CLASSES_MAX,
                          .projects = 1000};
}

void shape_check(const struct shape *shape)
{
    if (shape->hot > shape->providers || shape->hot / shape->partitions < shape->claim_providers)
        bench_die("too few providers: %u in %u partitions, for claims of %u", shape->hot,
                  shape->partitions, shape->claim_providers);
    if (shape->classes > CLAIM_CLASSES_MAX || shape->claim_providers > CLAIM_PROVIDERS_MAX)
        bench_die("claim too large: %u classes of %u providers (limit %d of %d)", shape->classes,
                  shape->claim_providers, CLAIM_CLASSES_MAX, CLAIM_PROVIDERS_MAX);
}

int64_t claim_amount(size_t resource_class)
{
    return resource_class == 0 ? AMOUNT_FIRST : AMOUNT_SECOND;
}

static struct uuid random_uuid(uint64_t seed)
{
    struct uuid uuid;
    uint64_t halves[2] = {bench_mix(seed), bench_mix(~seed)};
    memcpy(uuid.bytes, halves, sizeof uuid.bytes);
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x40);
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
    return uuid;
}

struct uuid claim_key(uint64_t number)
{
    return random_uuid(number * SEEDS + 1);
}

/* The step is so short that no provider of the span is drawn twice. */
struct bench_claim claim_draw(const struct shape *shape, uint64_t number, uint32_t version)
{
    uint32_t span = shape->hot / shape->partitions, others = shape->claim_providers - 1;
    uint64_t draw = bench_mix(bench_mix(number * SEEDS + 2) + version);
    return (struct bench_claim){
        .number = number,
        .consumer = random_uuid(number * SEEDS),
        .base = (uint32_t)(number % shape->partitions) * span,
        .span = span,
        .first = (uint32_t)(draw % span),
        .step = others == 0 ? 0 : 1 + (uint32_t)((draw >> 32) % ((span - 1) / others)),
    };
}

uint32_t claim_provider_at(const struct bench_claim *claim, uint32_t i)
{
    return claim->base + (uint32_t)((claim->first + (uint64_t)i * claim->step) % claim->span);
}

struct uuid claim_provider(uint32_t index)
{
    struct uuid uuid;
    memcpy(uuid.bytes, provider_prefix, sizeof provider_prefix);
    for (size_t i = 0; i < 4; i++)
        uuid.bytes[sizeof provider_prefix + i] = (uint8_t)(index >> (24 - 8 * i));
    return uuid;
}

uint32_t claim_provider_index(const uint8_t bytes[UUID_BYTES])
{
    uint32_t index = 0;
    if (memcmp(bytes, provider_prefix, sizeof provider_prefix) != 0)
        return UINT32_MAX;
    for (size_t i = sizeof provider_prefix; i < UUID_BYTES; i++)
        index = index << 8 | bytes[i];
    return index;
}

void claim_project(const struct shape *shape, uint64_t number, char ret_text[CLAIM_TEXT])
{
    (void)snprintf(ret_text, CLAIM_TEXT, "5f2d7f2ab4a24c31a3ce9d1d%08x",
                   (unsigned)(number % shape->projects));
}

/* --- commands --- */

char *claim_mappings(size_t bytes)
{
    struct buffer mappings = {0};
    buffer_add(&mappings, "{\"pad\":[\"%s\"", uuid_format(random_uuid(0)).chars);
    while (mappings.length + ENVELOPE_BYTES + UUID_TEXT_LENGTH < bytes)
        buffer_add(&mappings, ",\"%s\"", uuid_format(random_uuid(mappings.length)).chars);
    buffer_add(&mappings, "]}");
    return mappings.bytes;
}

static void add_allocations(struct buffer *body, const struct shape *shape,
                            const struct bench_claim *claim, bool too_much)
{
    for (uint32_t i = 0; i < shape->claim_providers; i++) {
        struct uuid provider = claim_provider(claim_provider_at(claim, i));
        buffer_add(body, "%s\"%s\":{\"resources\":{", i > 0 ? "," : "",
                   uuid_format(provider).chars);
        for (uint32_t k = 0; k < shape->classes && k < CLAIM_CLASSES_MAX; k++)
            buffer_add(body, "%s\"%s\":%lld", k > 0 ? "," : "", claim_classes[k],
                       too_much ? CLAIM_TOO_MUCH : (long long)claim_amount(k));
        buffer_add(body, "}}");
    }
}

void claim_add_params(struct buffer *body, const struct shape *shape,
                      const struct bench_claim *claim, uint32_t generation, bool too_much)
{
    char project[CLAIM_TEXT], generation_text[16] = "null";
    claim_project(shape, claim->number, project);
    if (generation > 0)
        (void)snprintf(generation_text, sizeof generation_text, "%u", generation);
    buffer_add(body,
               "\"project_id\":\"%s\",\"user_id\":\"" CLAIM_USER "\",\"consumer_generation\":%s,"
               "\"consumer_type\":\"" CLAIM_TYPE "\",",
               project, generation_text);
    if (shape->mappings != NULL)
        buffer_add(body, "\"mappings\":%s,", shape->mappings);
    buffer_add(body, "\"allocations\":{");
    add_allocations(body, shape, claim, too_much);
    buffer_add(body, "}");
}

void claim_add_set(struct buffer *body, const struct shape *shape, const struct bench_claim *claim,
                   uint32_t generation, bool too_much)
{
    buffer_add(
        body, "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":\"%s\",",
        uuid_format(claim->consumer).chars);
    claim_add_params(body, shape, claim, generation, too_much);
    buffer_add(body, "}}");
}
