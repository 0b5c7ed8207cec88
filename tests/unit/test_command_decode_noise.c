/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the decoder with randomly damaged bodies: it accepts each, or gives one of the failures
 * that the decoder may give.
 */
#include "tests/unit/test_command_decode.h"

#include <stdlib.h>

#include "common/codec/reply_encode.h"

enum { VARIANTS = 24000, DAMAGE_MAX = 4, BODY_ROOM = 2048 };

#define OWNER "\"project_id\":\"p\",\"user_id\":\"u\",\"consumer_type\":\"T\""
#define SET(more)                                                                                  \
    "{" OWNER ",\"consumer_generation\":null,\"allocations\":{\"" UUID_B                           \
    "\":{\"resources\":{\"VCPU\":1,\"CUSTOM_A\":2},\"generation\":3}},\"mappings\":{\"\":["        \
    "\"" UUID_B "\"]}" more "}"
#define BODY(command, params) "{\"version\":1,\"command\":\"" command "\",\"params\":" params "}"
#define RECORD                                                                                     \
    "{\"resource_provider_generation\":1,\"inventories\":{\"VCPU\":{\"total\":8,\"reserved\":1,"   \
    "\"min_unit\":1,\"max_unit\":4,\"step_size\":1,\"allocation_ratio\":1.5}}}"

static const char *const seeds[] = {
    BODY("provider.create", "{\"uuid\":\"" UUID_A
                            "\",\"name\":\"\\u00e9\\ud83d\\ude00\",\"parent_provider_uuid\":null}"),
    BODY("provider.update", "{\"uuid\":\"" UUID_A "\",\"name\":\"n\",\"parent_provider_uuid\":"
                            "\"" UUID_B "\"}"),
    BODY("provider.delete", "{\"uuid\":\"" UUID_A "\"}"),
    BODY("provider.get", "{\"uuid\":\"" UUID_A "\"}"),
    BODY("provider.allocations", "{\"uuid\":\"" UUID_A "\",\"limit\":10,\"after\":\"" UUID_B "\"}"),
    BODY("inventory.set", "{\"uuid\":\"" UUID_A "\",\"resource_provider_generation\":1,"
                          "\"inventories\":{\"VCPU\":{\"total\":8,\"allocation_ratio\":0.57}}}"),
    BODY("allocation.set", SET(",\"consumer_uuid\":\"" UUID_A "\"")),
    BODY("allocation.batch",
         "{\"consumers\":{\"" UUID_A "\":" SET("") ",\"" UUID_C "\":" SET("") "}}"),
    BODY("allocation.delete", "{\"consumer_uuid\":\"" UUID_A "\",\"consumer_generation\":1}"),
    BODY("allocation.get", "{\"consumer_uuid\":\"" UUID_A "\"}"),
    BODY("usage.get", "{\"project_id\":\"p\",\"user_id\":\"u\",\"consumer_type\":\"all\"}"),
    BODY("reshape", "{\"inventories\":{\"" UUID_B "\":" RECORD "},\"allocations\":{\"" UUID_A
                    "\":" SET("") "}}"),
};

enum { SEEDS = sizeof seeds / sizeof *seeds };

/* xorshift64*: the same sequence on every machine. */
static uint64_t next_random(uint64_t *random)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return *random * 0x2545F4914F6CDD1DULL;
}

/* Returns a random number from 0 to `limit` - 1. */
static size_t below(uint64_t *random, size_t limit)
{
    return (size_t)(next_random(random) >> 33) % limit;
}

/* Returns a random byte; two of three have a meaning in JSON. */
static char random_byte(uint64_t *random)
{
    static const char meaningful[] = "{}[]\",:\\/u0019-+.eE ~\x80\xC3\xED\xF4\xFF";
    if (below(random, 3) == 0)
        return (char)below(random, 256);
    return meaningful[below(random, sizeof meaningful)];
}

static size_t insert_byte(char *body, size_t length, size_t at, char byte)
{
    if (length == BODY_ROOM)
        return length;
    memmove(body + at + 1, body + at, length - at);
    body[at] = byte;
    return length + 1;
}

/* Repeats a few bytes at `at`. Returns the new length. */
static size_t copy_run(uint64_t *random, char *body, size_t length, size_t at)
{
    size_t run = 1 + below(random, 40);
    if (at + run > length || length + run > BODY_ROOM)
        return length;
    memmove(body + at + run, body + at, length - at);
    return length + run;
}

/* Changes, cuts or extends the body in one random place. Returns the new length. */
static size_t damage(uint64_t *random, char *body, size_t length)
{
    if (length == 0)
        return length;
    size_t at = below(random, length);
    switch (below(random, 6)) {
    case 0: body[at] = (char)(body[at] ^ (1 << below(random, 8))); return length;
    case 1: body[at] = random_byte(random); return length;
    case 2: return at;
    case 3: memmove(body + at, body + at + 1, length - at - 1); return length - 1;
    case 4: return copy_run(random, body, length, at);
    default: return insert_byte(body, length, at, random_byte(random));
    }
}

/* Asserts success, or a failure that the decoder may give for a body. */
static void assert_own_answer(const struct decoded *decoded)
{
    if (decoded->accepted) {
        assert_int_equal(decoded->verdict.code, VERDICT_SUCCESS);
        return;
    }
    switch ((int)decoded->verdict.code) {
    case VERDICT_MALFORMED:
    case VERDICT_UNSUPPORTED_VERSION:
    case VERDICT_UNKNOWN_COMMAND:
    case VERDICT_INVALID: break;
    default: fail_msg("unexpected '%s'", verdict_name(decoded->verdict.code));
    }
    assert_true(decoded->verdict.message.length > 0);
    assert_true(decoded->verdict.reply_allowed);
}

/* Checks with the decoder itself that the reply is JSON, whatever bytes it quotes. */
static void assert_answerable(struct arena *arena, const struct decoded *decoded)
{
    if (decoded->accepted)
        return;
    struct text reply = reply_encode(arena, decoded->command, COMMAND_PROVIDER_GET,
                                     decoded->request.key, &decoded->verdict);
    struct decoded again = decode_delivery(arena, delivery_of(reply));
    assert_int_not_equal(again.verdict.code, VERDICT_MALFORMED);
}

static void test_damaged_bodies_get_one_of_the_decoders_answers(void **state)
{
    struct arena *arena = *state;
    uint64_t random = 20240229;
    size_t accepted = 0;
    print_message("random seed %llu\n", (unsigned long long)random);
    for (size_t i = 0; i < VARIANTS; i++) {
        const char *seed = seeds[i % SEEDS];
        size_t length = strlen(seed);
        char body[BODY_ROOM];
        memcpy(body, seed, length);
        for (size_t n = 1 + below(&random, DAMAGE_MAX); n > 0; n--)
            length = damage(&random, body, length);
        /* A heap block of the exact length lets the sanitizer see a byte read too far. */
        char *exact = malloc(length > 0 ? length : 1);
        assert_non_null(exact);
        memcpy(exact, body, length);
        struct decoded decoded = decode_delivery(arena, delivery_of(text_view(exact, length)));
        free(exact);
        assert_own_answer(&decoded);
        assert_answerable(arena, &decoded);
        accepted += decoded.accepted;
        arena_reset(arena);
    }
    /* If fewer were accepted, most would only test the JSON parser; if more, the damage would be
       too small to test anything. */
    assert_in_range(accepted, VARIANTS / 100, VARIANTS / 2);
}

static void test_every_beginning_of_a_body_is_malformed(void **state)
{
    struct arena *arena = *state;
    for (size_t i = 0; i < SEEDS; i++) {
        struct decoded whole = decode_text(arena, seeds[i]);
        assert_accepted(&whole);
        for (size_t length = 0; length < strlen(seeds[i]); length++) {
            struct decoded decoded =
                decode_delivery(arena, delivery_of(text_view(seeds[i], length)));
            assert_code(&decoded, VERDICT_MALFORMED);
        }
        arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(test_damaged_bodies_get_one_of_the_decoders_answers),
        ARENA_TEST(test_every_beginning_of_a_body_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
