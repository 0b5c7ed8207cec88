/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which features of a broker are required at the login. */
#include "tests/support/cmocka.h"

#include "common/amqp/login.h"

enum { FEATURES = 4 };

static const char *const names[FEATURES] = {"publisher_confirms", "basic.nack",
                                            "consumer_cancel_notify", "connection.blocked"};

static void fill(amqp_table_entry_t features[FEATURES])
{
    for (size_t i = 0; i < FEATURES; i++) {
        features[i] = (amqp_table_entry_t){.key = amqp_cstring_bytes(names[i])};
        features[i].value.kind = AMQP_FIELD_KIND_BOOLEAN;
        features[i].value.value.boolean = 1;
    }
}

static const char *missing_of(amqp_table_entry_t *features, int count)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes("capabilities")};
    entry.value.kind = AMQP_FIELD_KIND_TABLE;
    entry.value.value.table = (amqp_table_t){count, features};
    amqp_table_t properties = {1, &entry};
    return login_missing_feature(&properties);
}

static void test_a_broker_with_all_features_is_accepted(void **state)
{
    (void)state;
    amqp_table_entry_t features[FEATURES];
    fill(features);
    assert_null(missing_of(features, FEATURES));
}

static void test_a_missing_feature_is_named(void **state)
{
    (void)state;
    amqp_table_entry_t features[FEATURES];
    for (size_t i = 0; i < FEATURES; i++) {
        fill(features);
        features[i].value.value.boolean = 0;
        assert_string_equal(missing_of(features, FEATURES), names[i]);
        fill(features);
        features[i].value.kind = AMQP_FIELD_KIND_UTF8;
        features[i].value.value.bytes = amqp_cstring_bytes("true");
        assert_string_equal(missing_of(features, FEATURES), names[i]);
    }
    assert_string_equal(missing_of(features, 0), names[0]);
    assert_string_equal(login_missing_feature(&amqp_empty_table), names[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broker_with_all_features_is_accepted),
        cmocka_unit_test(test_a_missing_feature_is_named),
    };
    return cmocka_run_group_tests_name("amqp_login", tests, NULL, NULL) != 0;
}
