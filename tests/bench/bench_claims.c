/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const claim_classes[CLAIM_CLASSES] = {"VCPU", "MEMORY_MB"};

static const uint8_t provider_prefix[] = {0xa1, 0x10, 0x70, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0};

int64_t claim_amount(size_t resource_class)
{
    return resource_class == 0 ? CLAIM_AMOUNT_FIRST : CLAIM_AMOUNT_SECOND;
}

/* splitmix64: a good spread from consecutive numbers. */
static uint64_t spread(uint64_t number)
{
    uint64_t z = number * 0x9e3779b97f4a7c15ULL + 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static struct uuid random_uuid(uint64_t seed)
{
    struct uuid uuid;
    uint64_t halves[2] = {spread(seed), spread(~seed)};
    memcpy(uuid.bytes, halves, sizeof uuid.bytes);
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x40);
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
    return uuid;
}

struct bench_claim claim_number(uint64_t number, uint32_t provider_count)
{
    uint64_t draw = spread(number * 4 + 2);
    uint32_t first = (uint32_t)(draw % provider_count);
    uint32_t step = 1 + (uint32_t)((draw >> 32) % (provider_count - 1));
    return (struct bench_claim){
        .consumer = random_uuid(number * 4),
        .key = random_uuid(number * 4 + 1),
        .providers = {first, (first + step) % provider_count},
    };
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

size_t claim_body(const struct bench_claim *claim, char body[CLAIM_BODY_MAX])
{
    int length = snprintf(
        body, CLAIM_BODY_MAX,
        "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":\"%s\","
        "\"project_id\":\"" CLAIM_PROJECT "\",\"user_id\":\"" CLAIM_USER "\","
        "\"consumer_generation\":null,\"consumer_type\":\"" CLAIM_TYPE "\",\"allocations\":{"
        "\"%s\":{\"resources\":{\"VCPU\":%d,\"MEMORY_MB\":%d}},"
        "\"%s\":{\"resources\":{\"VCPU\":%d,\"MEMORY_MB\":%d}}}}}",
        uuid_format(claim->consumer).chars, uuid_format(claim_provider(claim->providers[0])).chars,
        CLAIM_AMOUNT_FIRST, CLAIM_AMOUNT_SECOND,
        uuid_format(claim_provider(claim->providers[1])).chars, CLAIM_AMOUNT_FIRST,
        CLAIM_AMOUNT_SECOND);
    return (size_t)length;
}

size_t claim_reply(const struct bench_claim *claim, const int64_t generations[CLAIM_PROVIDERS],
                   char body[CLAIM_BODY_MAX])
{
    int length = snprintf(
        body, CLAIM_BODY_MAX,
        "{\"version\":1,\"command\":\"allocation.set\",\"message_id\":\"%s\","
        "\"status\":\"success\",\"result\":{\"consumer_uuid\":\"%s\",\"consumer_generation\":1,"
        "\"resource_provider_generations\":{\"%s\":%lld,\"%s\":%lld}}}",
        uuid_format(claim->key).chars, uuid_format(claim->consumer).chars,
        uuid_format(claim_provider(claim->providers[0])).chars, (long long)generations[0],
        uuid_format(claim_provider(claim->providers[1])).chars, (long long)generations[1]);
    return (size_t)length;
}

double bench_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

size_t bench_count(const char *argument)
{
    char *end = NULL;
    size_t count = strtoul(argument, &end, 10);
    if (*end != '\0' || count == 0)
        bench_die("not a number from 1 on: %s", argument);
    return count;
}

void bench_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}
