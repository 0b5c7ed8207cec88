/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what a worker says of its database server at its start. */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/system/worker_database.h"

static void set_ttl_pause(const char *seconds)
{
    char json[128];
    (void)snprintf(json, sizeof json, "{\"setParameter\": 1, \"ttlMonitorSleepSecs\": %s}",
                   seconds);
    run_on_database("admin", json);
}

/* As script/stack has it. */
static int restore(void **state)
{
    set_ttl_pause("1");
    return drop_database(state);
}

static void test_a_slow_ttl_monitor_is_a_warning_with_its_remedy(void **state)
{
    char log[] = "/tmp/allot-log-XXXXXX";
    int fd = mkstemp(log);
    (void)state;
    assert_true(fd >= 0 && close(fd) == 0);
    set_worker("ALLOT_LOG_LEVEL", "warning");
    set_ttl_pause("60");
    pid_t worker = start_worker_with_log(log);
    await_log_event(log, "\"event\":\"storage.warning\"");
    await_log_event(log, "ttlMonitorSleepSecs is 60 (recommended: 1)");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    assert_int_equal(unlink(log), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_slow_ttl_monitor_is_a_warning_with_its_remedy,
                                        fresh_database, restore),
    };
    return cmocka_run_group_tests_name("worker: start", tests, declare_topology, NULL) != 0;
}
