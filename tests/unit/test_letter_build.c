/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/codec/letter_build.h"

static int setup(void **state)
{
    *state = arena_new(0);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

/* --- the id --- */

static struct text id(struct arena *arena, const char *queue, const char *principal,
                      const char *key, const char *sha256)
{
    return letter_id(arena, text_of(queue), text_of(principal), text_of(key), text_of(sha256));
}

static void test_the_same_command_has_the_same_id(void **state)
{
    struct text first = id(*state, "queue", "blue", "key", "00");
    assert_int_equal(first.length, LETTER_ID_DIGITS);
    assert_true(text_equal(first, id(*state, "queue", "blue", "key", "00")));
}

static void test_each_part_makes_another_id(void **state)
{
    struct text first = id(*state, "queue", "blue", "key", "00");
    assert_false(text_equal(first, id(*state, "other", "blue", "key", "00")));
    assert_false(text_equal(first, id(*state, "queue", "red", "key", "00")));
    assert_false(text_equal(first, id(*state, "queue", "blue", "yek", "00")));
    assert_false(text_equal(first, id(*state, "queue", "blue", "key", "01")));
    assert_false(text_equal(first, id(*state, "queueb", "lue", "key", "00")));
}

/* --- the group --- */

static void assert_group(struct arena *arena, const char *detail, const char *expected)
{
    struct text group =
        letter_group(arena, text_of("invalid"), text_of("allocation.set"), text_of(detail));
    assert_string_equal(text_copy(arena, group).bytes, expected);
}

static void test_what_differs_from_letter_to_letter_is_replaced(void **state)
{
    assert_group(*state, "member 'amount' is 17, not 0 to 2147483647",
                 "invalid|allocation.set|member # is #, not # to #");
    assert_group(*state, "no provider 00000000-0000-4000-8000-000000000100 exists",
                 "invalid|allocation.set|no provider # exists");
    assert_group(*state, "it's open", "invalid|allocation.set|it's open");
    assert_group(*state, "", "invalid|allocation.set|");
}

static void test_a_group_has_no_command_or_detail_if_there_is_none(void **state)
{
    struct text group = letter_group(*state, text_of("malformed"), TEXT_NONE, TEXT_NONE);
    assert_true(text_is(group, "malformed||"));
}

/* --- the letter --- */

static struct delivery delivery_of(const char *key, const char *body)
{
    struct delivery delivery = {.body = text_of(body)};
    delivery.properties.message_id = text_of(key);
    delivery.properties.user_id = text_of("blue");
    return delivery;
}

static const struct letter_cause malformed = {.source = LETTER_SOURCE_WORKER,
                                              .reason = {"malformed", 9},
                                              .detail = {"no JSON", 7},
                                              .queue = {"allot.commands", 14},
                                              .worker = {"w1", 2}};

static void test_what_cannot_be_decoded_has_a_letter(void **state)
{
    struct delivery delivery = delivery_of("key", "no JSON");
    struct decoded decoded = {.accepted = false};
    struct letter letter = letter_build(*state, &delivery, &decoded, &malformed);
    assert_true(text_is(letter.principal, "blue"));
    assert_true(text_is(letter.key, "key"));
    assert_int_equal(letter.body_size, 7);
    assert_int_equal(letter.times, 1);
    assert_int_equal(letter.consumer_count + letter.provider_count, 0);
    assert_false(text_present(letter.command));
    assert_true(text_is(letter.body_sha256,
                        "29ecbeb830e3244605e5a88493e4088424a71780e5cf59bb3475f278f294335b"));
}

static void test_the_name_of_an_unknown_command_is_cut(void **state)
{
    char name[1000];
    memset(name, 'x', sizeof name);
    struct delivery delivery = delivery_of("key", "{}");
    struct decoded decoded = {.accepted = false, .command = text_view(name, sizeof name)};
    struct letter letter = letter_build(*state, &delivery, &decoded, &malformed);
    assert_int_equal(letter.command.length, 128);
    decoded.command.length = 128;
    assert_true(
        text_equal(letter.group, letter_build(*state, &delivery, &decoded, &malformed).group));
}

static void test_a_body_over_the_limit_is_known_by_its_whole_digest(void **state)
{
    struct delivery delivery = delivery_of("key", "kept");
    struct decoded decoded = {.accepted = false};
    delivery.cut_size = 5000000;
    delivery.body_sha256 = text_of("aa");
    struct letter letter = letter_build(*state, &delivery, &decoded, &malformed);
    assert_int_equal(letter.body_size, 5000000);
    assert_true(text_is(letter.body, "kept"));
    assert_true(text_is(letter.body_sha256, "aa"));
    assert_true(text_equal(letter.id, id(*state, "allot.commands", "blue", "key", "aa")));
}

enum { CLAIMS = 20 };

static void test_a_command_names_at_most_sixteen_of_each(void **state)
{
    struct claim claims[CLAIMS] = {0};
    struct named_provider providers[CLAIMS] = {0};
    for (size_t i = 0; i < CLAIMS; i++) {
        claims[i].consumer.bytes[0] = (uint8_t)i;
        providers[i].provider.bytes[0] = (uint8_t)(i / 2);
        claims[i].project_id = text_of(i == 0 ? "first" : "other");
        claims[i].providers = &providers[i];
        claims[i].provider_count = 1;
    }
    struct delivery delivery = delivery_of("key", "{}");
    struct decoded decoded = {.accepted = true};
    decoded.request.principal = text_of("default");
    decoded.request.command.kind = COMMAND_ALLOCATION_BATCH;
    decoded.request.command.params.change =
        (struct change_params){.claims = claims, .claim_count = CLAIMS};
    struct letter letter = letter_build(*state, &delivery, &decoded, &malformed);
    assert_int_equal(letter.consumer_count, LETTER_NAMES_MAX);
    assert_int_equal(letter.provider_count, CLAIMS / 2);
    assert_int_equal(letter.consumers[15].bytes[0], 15);
    assert_int_equal(letter.providers[9].bytes[0], 9);
    assert_true(text_is(letter.project, "first"));
    assert_true(text_is(letter.principal, "default"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_same_command_has_the_same_id),
        TEST(test_each_part_makes_another_id),
        TEST(test_what_differs_from_letter_to_letter_is_replaced),
        TEST(test_the_name_of_an_unknown_command_is_cut),
        TEST(test_a_group_has_no_command_or_detail_if_there_is_none),
        TEST(test_what_cannot_be_decoded_has_a_letter),
        TEST(test_a_body_over_the_limit_is_known_by_its_whole_digest),
        TEST(test_a_command_names_at_most_sixteen_of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
