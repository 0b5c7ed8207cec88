/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which hosts are this machine. What is logged is in tests/system/test_allotd_check. */
#include "tests/support/cmocka.h"

#include "worker/service/exposure.h"

static void check_hosts(const char *const *hosts, bool expected)
{
    for (; *hosts != NULL; hosts++) {
        if (exposure_is_local(text_of(*hosts)) != expected)
            fail_msg("%s: %s", *hosts, expected ? "expected local" : "expected not local");
    }
}

static void test_loopback_and_sockets_are_local(void **state)
{
    static const char *const hosts[] = {"localhost",
                                        "LocalHost",
                                        "db.localhost",
                                        "127.0.0.1",
                                        "127.255.255.254",
                                        "::1",
                                        "::ffff:127.0.0.1",
                                        "/tmp/mongodb-27017.sock",
                                        NULL};
    (void)state;
    check_hosts(hosts, true);
}

static void test_other_hosts_are_not(void **state)
{
    static const char *const hosts[] = {"broker.example.org",
                                        "127.example.org",
                                        "mylocalhost",
                                        "localhost.example.org",
                                        "128.0.0.1",
                                        "0.0.0.0",
                                        "10.127.0.1",
                                        "::",
                                        "::2",
                                        "fe80::1",
                                        "::ffff:10.0.0.1",
                                        "",
                                        NULL};
    (void)state;
    check_hosts(hosts, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loopback_and_sockets_are_local),
        cmocka_unit_test(test_other_hosts_are_not),
    };
    return cmocka_run_group_tests_name("exposure", tests, NULL, NULL) != 0;
}
