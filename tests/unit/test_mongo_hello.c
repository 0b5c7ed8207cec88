/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which servers a store works with. There is no mongos in the tests with real servers. */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/mongo/hello.h"

static void assert_hello(const char *json, enum store_status expected, const char *words)
{
    bson_error_t cause;
    struct error error = {""};
    bson_t *hello = bson_new_from_json((const uint8_t *)json, -1, &cause);
    assert_non_null(hello);
    assert_int_equal(hello_check(hello, &error), expected);
    assert_non_null(strstr(error.text, words));
    bson_destroy(hello);
}

static void test_the_primary_of_a_replica_set_is_accepted(void **state)
{
    (void)state;
    static const int versions[] = {17, 21, 25, 27, 40}; /* 6.0, 7.0, 8.0, 8.2, a later one */
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        char json[128];
        (void)snprintf(json, sizeof json,
                       "{\"setName\": \"rs\", \"isWritablePrimary\": true, "
                       "\"maxWireVersion\": %d}",
                       versions[i]);
        assert_hello(json, STORE_OK, "");
    }
}

static void test_other_servers_are_refused_with_the_reason(void **state)
{
    (void)state;
    assert_hello("{\"msg\": \"isdbgrid\", \"isWritablePrimary\": true, \"maxWireVersion\": 25}",
                 STORE_MISCONFIGURED, "mongos");
    assert_hello("{\"isWritablePrimary\": true, \"maxWireVersion\": 17}", STORE_MISCONFIGURED,
                 "not a replica set member");
    assert_hello("{\"setName\": \"rs\", \"isWritablePrimary\": true, \"maxWireVersion\": 13}",
                 STORE_MISCONFIGURED, "too old");
    assert_hello("{\"setName\": \"rs\", \"isWritablePrimary\": true}", STORE_MISCONFIGURED,
                 "too old");
}

static void test_a_secondary_is_not_available(void **state)
{
    (void)state;
    assert_hello("{\"setName\": \"rs\", \"isWritablePrimary\": false, \"maxWireVersion\": 17}",
                 STORE_UNAVAILABLE, "not the primary");
    assert_hello("{\"setName\": \"rs\", \"maxWireVersion\": 17}", STORE_UNAVAILABLE,
                 "not the primary");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_primary_of_a_replica_set_is_accepted),
        cmocka_unit_test(test_other_servers_are_refused_with_the_reason),
        cmocka_unit_test(test_a_secondary_is_not_available),
    };
    return cmocka_run_group_tests_name("mongo_hello", tests, NULL, NULL) != 0;
}
