/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/base/uuid.h"

static const char canonical[] = "0123abcd-4567-89ef-fedc-ba9876543210";

static struct uuid parsed(const char *string)
{
    struct uuid uuid;
    if (!uuid_parse(text_of(string), &uuid))
        fail_msg("'%s' was rejected", string);
    return uuid;
}

static void assert_rejected(struct text text)
{
    struct uuid uuid, before;
    memset(&before, 0x5a, sizeof before);
    uuid = before;
    if (uuid_parse(text, &uuid))
        fail_msg("'%.*s' was accepted", TEXT_ARGS(text));
    assert_memory_equal(&uuid, &before, sizeof uuid);
}

static void test_all_spellings_of_one_uuid_are_equal(void **state)
{
    (void)state;
    struct uuid uuid = parsed(canonical);
    assert_true(uuid_equal(uuid, parsed("0123ABCD-4567-89EF-FEDC-BA9876543210")));
    assert_true(uuid_equal(uuid, parsed("0123abcd456789effedcba9876543210")));
    assert_true(uuid_equal(uuid, parsed("0123aBcD456789eFfEdCbA9876543210")));
}

static void test_each_digit_has_its_position(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x01, 0x23, 0xab, 0xcd, 0x45, 0x67, 0x89, 0xef,
                                    0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
    struct uuid uuid = parsed(canonical);
    assert_memory_equal(uuid.bytes, bytes, sizeof bytes);
}

static void test_it_is_formatted_in_lower_case_with_hyphens(void **state)
{
    (void)state;
    assert_string_equal(uuid_format(parsed("0123ABCD456789EFFEDCBA9876543210")).chars, canonical);
    assert_string_equal(uuid_format((struct uuid){{0}}).chars,
                        "00000000-0000-0000-0000-000000000000");
}

static void test_a_formatted_uuid_is_parsed_to_the_same_uuid(void **state)
{
    (void)state;
    struct uuid uuid;
    for (unsigned int seed = 0; seed < 1000; seed++) {
        for (size_t i = 0; i < UUID_BYTES; i++)
            uuid.bytes[i] = (uint8_t)((seed * 2654435761U + (unsigned int)i * 40503U) >> 7);
        assert_true(uuid_equal(parsed(uuid_format(uuid).chars), uuid));
    }
}

static void test_every_other_length_is_rejected(void **state)
{
    (void)state;
    char digits[80];
    memset(digits, 'a', sizeof digits);
    for (size_t length = 0; length < sizeof digits; length++) {
        if (length != 32)
            assert_rejected(text_view(digits, length));
    }
    assert_rejected(TEXT_NONE);
    assert_rejected(text_of("{0123abcd-4567-89ef-fedc-ba9876543210}"));
    assert_rejected(text_of("urn:uuid:0123abcd-4567-89ef-fedc-ba9876543210"));
}

static void test_all_hyphens_are_in_their_positions_or_there_are_none(void **state)
{
    (void)state;
    assert_rejected(text_of("0123abc-d4567-89ef-fedc-ba9876543210"));
    assert_rejected(text_of("0123abcd-4567-89ef-fedcba-9876543210"));
    assert_rejected(text_of("0123abcd-4567-89effedcba9876543210"));
    assert_rejected(text_of("----0123abcd456789effedcba9876543210"));
    assert_rejected(text_of("0123abcd 4567 89ef fedc ba9876543210"));
    assert_rejected(text_of("0123abcd-456789effedcba987654321"));
}

static void test_every_other_byte_is_rejected(void **state)
{
    (void)state;
    for (size_t position = 0; position < sizeof canonical - 1; position++) {
        char changed[sizeof canonical];
        for (int byte = 0; byte < 256; byte++) {
            memcpy(changed, canonical, sizeof changed);
            bool hyphen = canonical[position] == '-';
            bool valid = hyphen ? byte == '-'
                                : (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
                                      (byte >= 'A' && byte <= 'F');
            changed[position] = (char)byte;
            if (!valid)
                assert_rejected(text_view(changed, UUID_TEXT_LENGTH));
        }
    }
}

static void test_uuids_sort_as_their_texts(void **state)
{
    (void)state;
    static const char *const sorted[] = {
        "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-0000000000ff",
        "00000000-0000-0000-0000-000000000100", "0123abcd-4567-89ef-fedc-ba9876543210",
        "7fffffff-0000-0000-0000-000000000000", "80000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    };
    enum { COUNT = sizeof sorted / sizeof sorted[0] };
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < COUNT; k++) {
            int order = uuid_compare(parsed(sorted[i]), parsed(sorted[k]));
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
            assert_int_equal(uuid_equal(parsed(sorted[i]), parsed(sorted[k])), i == k);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_spellings_of_one_uuid_are_equal),
        cmocka_unit_test(test_each_digit_has_its_position),
        cmocka_unit_test(test_it_is_formatted_in_lower_case_with_hyphens),
        cmocka_unit_test(test_a_formatted_uuid_is_parsed_to_the_same_uuid),
        cmocka_unit_test(test_every_other_length_is_rejected),
        cmocka_unit_test(test_all_hyphens_are_in_their_positions_or_there_are_none),
        cmocka_unit_test(test_every_other_byte_is_rejected),
        cmocka_unit_test(test_uuids_sort_as_their_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
