/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "common/codec/traceparent.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define ZEROS_16 "0000000000000000"

static bool well_formed(const char *string)
{
    return traceparent_well_formed(text_of(string));
}

static void test_the_form_of_version_00_is_accepted(void **state)
{
    (void)state;
    assert_true(well_formed("00-" TRACE "-" PARENT "-01"));
    assert_true(well_formed("00-" TRACE "-" PARENT "-00"));
    assert_true(well_formed("00-" TRACE "-" PARENT "-ff"));
}

static void test_version_00_ends_after_the_flags(void **state)
{
    (void)state;
    assert_false(well_formed("00-" TRACE "-" PARENT "-01-"));
    assert_false(well_formed("00-" TRACE "-" PARENT "-01-more"));
    assert_false(well_formed("00-" TRACE "-" PARENT "-0"));
    assert_false(traceparent_well_formed(
        text_view("00-" TRACE "-" PARENT "-01\0", sizeof "00-" TRACE "-" PARENT "-01")));
}

static void test_a_later_version_may_go_on_after_a_hyphen(void **state)
{
    (void)state;
    assert_true(well_formed("01-" TRACE "-" PARENT "-01"));
    assert_true(well_formed("cc-" TRACE "-" PARENT "-01-what-the-future-brings"));
    assert_false(well_formed("cc-" TRACE "-" PARENT "-01.what"));
    assert_false(well_formed("cc-" TRACE "-" PARENT "-012"));
}

static void test_version_ff_and_zero_ids_are_refused(void **state)
{
    (void)state;
    assert_false(well_formed("ff-" TRACE "-" PARENT "-01"));
    assert_false(well_formed("00-" ZEROS_16 ZEROS_16 "-" PARENT "-01"));
    assert_false(well_formed("00-" TRACE "-" ZEROS_16 "-01"));
    assert_true(well_formed("00-" ZEROS_16 "0000000000000001-" PARENT "-01"));
}

static void test_any_other_byte_in_any_place_is_refused(void **state)
{
    (void)state;
    char valid[] = "00-" TRACE "-" PARENT "-01";
    const char wrong[] = {'g', 'A', '_', ' ', '\0', '\xff'};
    for (size_t i = 0; i < sizeof valid - 1; i++) {
        for (size_t k = 0; k < sizeof wrong; k++) {
            char kept = valid[i];
            valid[i] = wrong[k];
            assert_false(traceparent_well_formed(text_view(valid, sizeof valid - 1)));
            valid[i] = kept;
        }
    }
}

static void test_an_absent_and_every_shorter_text_are_refused(void **state)
{
    (void)state;
    const char valid[] = "00-" TRACE "-" PARENT "-01";
    assert_false(traceparent_well_formed(TEXT_NONE));
    for (size_t length = 0; length < sizeof valid - 1; length++)
        assert_false(traceparent_well_formed(text_view(valid, length)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_form_of_version_00_is_accepted),
        cmocka_unit_test(test_version_00_ends_after_the_flags),
        cmocka_unit_test(test_a_later_version_may_go_on_after_a_hyphen),
        cmocka_unit_test(test_version_ff_and_zero_ids_are_refused),
        cmocka_unit_test(test_any_other_byte_in_any_place_is_refused),
        cmocka_unit_test(test_an_absent_and_every_shorter_text_are_refused),
    };
    return cmocka_run_group_tests_name("traceparent", tests, NULL, NULL) != 0;
}
