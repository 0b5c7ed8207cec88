/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the desk with 10,000 letters: they are listed, grouped, planned, and replayed by a run that
   is killed and continued. That lists and groups come from an index is tested in
   tests/contract/test_store_letters_plans.c. */
#include "tests/system/worker_run.h"

#include <signal.h>

#include "tests/system/worker_database.h"

enum { LETTERS = 10000, KILLED_AT = 3000 };

static void test_10000_letters_are_replayed_by_a_run_that_is_killed(void **state)
{
    (void)state;
    pid_t worker = start_with_providers();
    store_claims(LETTERS);
    json_t *group = last_object(run_reader(0, "letter groups --json"));
    expect_number(group, "count", LETTERS);
    json_decref(group);
    expect_output(run_reader(0, "letter list --limit 20"), "there are more letters");
    json_t *totals =
        last_object(run_operator(0, "letter replay --all --dry-run --json | tail -n 1"));
    expect_number(json_object_get(totals, "totals"), "would_succeed", LETTERS);
    expect_number(totals, "snapshots", 20);
    json_decref(totals);

    pid_t pid = start_run("letter replay --all --yes --rate 5000");
    await_letters("{\"replay.phase\": \"sent\"}", KILLED_AT);
    assert_int_equal(kill(pid, SIGKILL), 0);
    (void)await_run(pid);
    assert_true(count_letters("{\"replay.phase\": \"selected\"}") > 0);
    json_t *end = last_object(
        run_operator(0, "letter replay --continue %s --rate 5000 --json", run_of_letters()));
    expect_number(end, "sent", LETTERS);
    expect_number(end, "succeeded", LETTERS);
    json_decref(end);
    expect_all_done(LETTERS);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_10000_letters_are_replayed_by_a_run_that_is_killed),
    };
    return cmocka_run_group_tests_name("worker: many replays", tests, NULL, remove_run_output) != 0;
}
