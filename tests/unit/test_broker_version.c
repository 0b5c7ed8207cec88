/* SPDX-License-Identifier: Apache-2.0 */
/* Tests how the version of a broker is read and compared. */
#include "tests/support/cmocka.h"

#include "common/amqp/broker_version.h"

static void test_major_and_minor_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int major, minor;
    } rows[] = {{"3.10.8", 3, 10}, {"4.0.5", 4, 0}, {"4.1.0-beta.4", 4, 1},
                {"5.0", 5, 0},     {"", 0, 0},      {NULL, 0, 0},
                {"4", 0, 0},       {"4.", 0, 0},    {"v4.1", 0, 0},
                {"99999.1", 0, 0}, {"4.x", 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct broker_version version = broker_version_read(text_of(rows[i].text));
        assert_int_equal(version.major, rows[i].major);
        assert_int_equal(version.minor, rows[i].minor);
    }
}

static void test_a_later_version_counts_too(void **state)
{
    (void)state;
    struct broker_version version = {3, 12};
    assert_true(broker_version_from(version, 3, 12));
    assert_true(broker_version_from(version, 3, 10));
    assert_true(broker_version_from(version, 2, 99));
    assert_false(broker_version_from(version, 3, 13));
    assert_false(broker_version_from(version, 4, 0));
    assert_true(broker_version_from((struct broker_version){4, 0}, 3, 12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_major_and_minor_are_read),
        cmocka_unit_test(test_a_later_version_counts_too),
    };
    return cmocka_run_group_tests_name("broker_version", tests, NULL, NULL) != 0;
}
