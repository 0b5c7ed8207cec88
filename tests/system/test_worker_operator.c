/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the commands of allotctl that go through the queue (ctl/request), with a real worker: each
 * with success and with a failure that is typical of it, as a table, wide and in JSON, and what the
 * database has then.
 *
 * They are sent as the broker's user `operator`, whom config/policy.example.yaml allows everything.
 * Where the policy forbids something, the user is `team-blue`.
 *
 * Not here: the form of the arguments (tests/unit/test_resource_argument.c), and the policy
 * (test_allotctl_policy, tests/unit/test_policy_explanation.c).
 */
#include "tests/system/worker_fixture.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/worker_database.h"

#define CONSUMER "c0ffee00-1b7d-4f0e-8d11-3a52f8f0a001"
#define FIRST "5a4f0e1c-8a2b-4b6e-9c57-0d6a3b1f2e01"
#define SECOND "5a4f0e1c-8a2b-4b6e-9c57-0d6a3b1f2e02"
#define OWNER " --project blue-7 --user ann --type INSTANCE"
#define CREATE "provider create first --uuid " FIRST

enum { ROOM = 64 * 1024, COMMAND_ROOM = 4096 };

/* --- allotctl ------------------------------------------------------------------------------- */

/* Runs a line of the shell, fails unless it exits with `status`, and returns what it printed;
   static, until the next call. */
static const char *run_line(const char *line, int status)
{
    static char output[ROOM];
    FILE *pipe = popen(line, "r"); /* NOLINT(cert-env33-c): the test's own command line */
    assert_non_null(pipe);
    size_t length = fread(output, 1, sizeof output - 1, pipe);
    output[length] = '\0';
    int ended = pclose(pipe);
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) != status)
        fail_msg("%s: status %d: %s", line, WEXITSTATUS(ended), output);
    return output;
}

/* Runs allotctl as the user of a variable. Returns what it printed on both streams. */
static const char *run_as(const char *uri_variable, const char *arguments, int status)
{
    char line[COMMAND_ROOM];
    assert_in_range(snprintf(line, sizeof line, "ALLOT_AMQP_URI=\"$%s\" '%s' %s 2>&1", uri_variable,
                             ALLOTCTL, arguments),
                    1, sizeof line - 1);
    return run_line(line, status);
}

static const char *run(const char *arguments, int status)
{
    return run_as("ALLOT_AMQP_URI_OPERATOR", arguments, status);
}

static void assert_has(const char *output, const char *part)
{
    if (strstr(output, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, output);
}

static void assert_lacks(const char *output, const char *part)
{
    if (strstr(output, part) != NULL)
        fail_msg("\"%s\" in: %s", part, output);
}

/* Runs a command and fails unless the output has the part. */
static void expect_output(const char *arguments, int status, const char *part)
{
    assert_has(run(arguments, status), part);
}

static void assert_documents(const char *collection, const char *filter, int64_t count)
{
    int64_t found = count_documents(collection, filter);
    if (found != count)
        fail_msg("%lld documents of %s fit %s", (long long)found, collection, filter);
}

/* Two providers: `first` with 8 VCPU, `second` with 16 VCPU and a disk. */
static void make_two(void)
{
    expect_output(CREATE, 0, "created provider first " FIRST ", generation 0\n");
    (void)run("provider create second --uuid " SECOND, 0);
    (void)run("provider set-inventory first --resource VCPU=8", 0);
    (void)run("provider set-inventory second --resource VCPU=16 --resource DISK_GB=100", 0);
}

/* --- providers ------------------------------------------------------------------------------ */

static void test_providers_are_created_listed_and_deleted(void **state)
{
    (void)state;
    pid_t worker = start_worker();
    (void)run(CREATE, 0);
    expect_output("provider create child --parent first --json", 0,
                  "\"parent_provider_uuid\":\"" FIRST "\"");
    (void)run("provider create other", 0);
    assert_documents("providers", "{\"name\": {\"$in\": [\"first\", \"child\", \"other\"]}}", 3);
    assert_documents("providers", "{\"name\": \"child\", \"parent\": {\"$ne\": null}}", 1);

    const char *list = run("provider list", 0);
    assert_has(list, "first\t" FIRST "\t0\t-\n");
    assert_true(strstr(list, "child\t") < strstr(list, "first\t") &&
                strstr(list, "first\t") < strstr(list, "other\t"));
    assert_has(run("provider list --output wide", 0), "first\t" FIRST "\t0\t-\t" FIRST "\n");
    expect_output("provider list --prefix fir --json", 0,
                  "{\"uuid\":\"" FIRST "\",\"name\":\"first\",\"parent_provider_uuid\":null,"
                  "\"root_provider_uuid\":\"" FIRST "\",\"generation\":0}\n");
    assert_lacks(run("provider list --prefix fir", 0), "other");
    list = run("provider list --limit 2", 0);
    assert_has(list, "there are more providers; see --limit");
    assert_lacks(list, "other\t");
    assert_lacks(run("provider list --limit 3", 0), "more providers");

    expect_output("provider create first", 1, "provider_name_taken: ");
    expect_output("provider create x --parent nowhere", 1, "no provider has the name 'nowhere'");
    expect_output("provider delete first --yes", 1, "provider_has_children: ");
    expect_output("provider delete nowhere --yes", 1, "no provider has the name 'nowhere'");
    expect_output("provider delete other", 1, "give --yes to go on");
    assert_documents("providers", "{\"name\": \"other\"}", 1);
    expect_output("provider delete other --yes", 0, "deleted provider ");
    expect_output("provider delete child --yes --json", 0, "{}\n");
    expect_output("provider delete " FIRST " --yes", 0, "deleted provider " FIRST "\n");
    assert_documents("providers", "{\"name\": {\"$exists\": true}}", 0);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* More than a page of 1000. */
static void test_a_list_has_all_pages(void **state)
{
    (void)state;
    char line[COMMAND_ROOM];
    pid_t worker = start_worker();
    (void)run(CREATE, 0); /* the worker has prepared the database */
    run_on_database(fixture_database(),
                    "{\"aggregate\": \"providers\", \"cursor\": {}, \"pipeline\": ["
                    "{\"$match\": {\"name\": \"first\"}},"
                    "{\"$set\": {\"n\": {\"$range\": [0, 1500]}}}, {\"$unwind\": \"$n\"},"
                    "{\"$set\": {\"name\": {\"$concat\": [\"made-\", {\"$toString\": \"$n\"}]},"
                    "\"_id\": {\"$function\": {\"lang\": \"js\", \"args\": [\"$n\"], \"body\": "
                    "\"function(n) { return HexData(4, ('00000000000000000000000000000000' + "
                    "n.toString(16)).slice(-32)); }\"}}}}, {\"$unset\": \"n\"},"
                    "{\"$merge\": \"providers\"}]}");
    (void)snprintf(line, sizeof line,
                   "ALLOT_AMQP_URI=\"$ALLOT_AMQP_URI_OPERATOR\" '%s' provider list --limit 5000 | "
                   "wc -l",
                   ALLOTCTL);
    assert_int_equal(strtol(run_line(line, 0), NULL, 10), 1501);
    (void)snprintf(line, sizeof line,
                   "ALLOT_AMQP_URI=\"$ALLOT_AMQP_URI_OPERATOR\" '%s' provider list --limit 1200 "
                   "2>/dev/null | sort | uniq | wc -l",
                   ALLOTCTL);
    assert_int_equal(strtol(run_line(line, 0), NULL, 10), 1200);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

static void test_an_inventory_is_replaced_and_the_changes_are_told(void **state)
{
    (void)state;
    pid_t worker = start_worker();
    (void)run(CREATE, 0);
    const char *output = run("provider set-inventory first --resource VCPU=16:allocation_ratio=0.57"
                             " --resource MEMORY_MB=1000:reserved=10",
                             0);
    assert_has(output, "provider " FIRST ", generation 1\n");
    assert_has(output, "VCPU\tadded\t16\t0\t0.57\n");
    assert_has(output, "MEMORY_MB\tadded\t1000\t10\t1.0\n");
    output = run("provider set-inventory first --resource VCPU=16:allocation_ratio=0.57 --resource "
                 "DISK_GB=5 --output wide",
                 0);
    assert_has(output, "VCPU\tsame\t16\t0\t0.57\t1\t2147483647\t1\n");
    assert_has(output, "DISK_GB\tadded\t5");
    assert_has(output, "MEMORY_MB\tremoved\t1000");
    output = run("provider set-inventory first --resource VCPU=17 --resource DISK_GB=5 --json", 0);
    assert_has(output, "\"resource_provider_generation\":3");
    assert_documents("providers",
                     "{\"name\": \"first\", \"generation\": 3, \"inventories.VCPU.total\": 17, "
                     "\"inventories.DISK_GB.total\": 5, \"inventories.MEMORY_MB\": "
                     "{\"$exists\": false}}",
                     1);
    expect_output("provider set-inventory first --resource VCPU=1 --generation 1", 1,
                  "provider_generation_conflict: ");
    expect_output("provider set-inventory first --resource VCPU=18 --generation 3", 0,
                  "VCPU\tset\t18");
    expect_output("provider set-inventory first --resource VCPU=1:reserved=2", 1, "invalid: ");
    expect_output("provider set-inventory first --resource VCPU=x", 2,
                  "allotctl: --resource 'VCPU=x': expected CLASS=TOTAL");
    expect_output("provider set-inventory first", 1, "give --yes to go on");
    expect_output("provider set-inventory first --yes", 0, "VCPU\tremoved\t18");
    assert_documents("providers", "{\"name\": \"first\", \"inventories\": {}}", 1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

static void test_a_provider_is_shown_with_what_is_free(void **state)
{
    (void)state;
    pid_t worker = start_worker();
    (void)run(CREATE, 0);
    (void)run("provider set-inventory first --resource VCPU=8:reserved=1,allocation_ratio=1.5", 0);
    (void)run("allocate " CONSUMER " --resource VCPU=3 --provider first" OWNER, 0);
    const char *output = run("provider show first", 0);
    assert_has(output, "name         first\n");
    assert_has(output, "uuid         " FIRST "\n");
    assert_has(output, "generation   2\n");
    assert_has(output, "VCPU\t8\t1\t1.5\t3\t7\n");
    assert_lacks(output, CONSUMER);
    output = run("provider show " FIRST " --output wide", 0);
    assert_has(output, "VCPU\t8\t1\t1.5\t3\t7\t1\t2147483647\t1\n");
    assert_has(output, CONSUMER "\t1\tVCPU\t3\n");
    expect_output("provider show first --json", 0, "\"usages\":{\"VCPU\":3}");
    expect_output("provider show nowhere", 1, "no provider has the name 'nowhere'");
    expect_output("provider show " SECOND, 1, "provider_not_found: ");
    expect_output("provider show " SECOND " --json", 1,
                  "{\"error\":{\"code\":\"provider_not_found\"");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* --- consumers ------------------------------------------------------------------------------ */

static void test_allocations_are_set_shown_and_released(void **state)
{
    (void)state;
    pid_t worker = start_worker();
    make_two();
    const char *output = run("allocate " CONSUMER " --resource VCPU=2 --provider first" OWNER, 0);
    assert_has(output, "generation   1\n");
    assert_has(output, "first\t" FIRST "\tVCPU\t2\n");
    assert_documents("consumers", "{\"allocations.resources.VCPU\": 2, \"generation\": 1}", 1);
    assert_documents("providers", "{\"name\": \"first\", \"inventories.VCPU.used\": 2}", 1);
    expect_output("allocate " CONSUMER " --resource VCPU=2 --provider first" OWNER, 1,
                  "consumer_generation_conflict: ");

    /* of a consumer that exists, the owner stays */
    expect_output("allocate " CONSUMER " --generation 1 --provider first --resource VCPU=3 "
                  "--provider second --resource VCPU=1 --resource DISK_GB=10",
                  0, "second\t" SECOND "\tDISK_GB\t10\n");
    output = run("consumer show " CONSUMER, 0);
    assert_has(output, "project      blue-7\nuser         ann\ntype         INSTANCE\n"
                       "generation   2\n\n");
    assert_has(output, "first\t" FIRST "\tVCPU\t3\n");
    assert_has(output, "second\t" SECOND "\tVCPU\t1\n");
    expect_output("consumer show " CONSUMER " --json", 0, "\"consumer_generation\":2");

    output = run("allocate " CONSUMER " --generation 2 --provider first --resource VCPU=9", 1);
    assert_has(output, "allotctl: capacity_exceeded: ");
    assert_has(output, "  requested: 9\n");
    assert_has(output, "what to do: it does not fit there");
    expect_output("allocate " CONSUMER " --generation 2 --provider first --resource DISK_GB=1", 1,
                  "inventory_not_found: ");
    expect_output("allocate " CONSUMER " --generation 2 --provider first --resource VCPU=1 "
                  "--provider " FIRST " --resource VCPU=1",
                  1, "given twice, by name and by UUID");
    expect_output("allocate " CONSUMER " --provider first --resource VCPU=1", 2,
                  "missing option --project");
    expect_output("allocate nobody --provider first --resource VCPU=1", 2, "expected a UUID");
    assert_documents("consumers", "{\"generation\": 2}", 1);

    expect_output("usage blue-7", 0, "INSTANCE\t1\tVCPU\t4\n");
    expect_output("usage blue-7 --user ann --type all --json", 0,
                  "{\"usages\":{\"all\":{\"consumer_count\":1,\"DISK_GB\":10,\"VCPU\":4}}}\n");
    assert_string_equal(run("usage blue-7 --user bob --output wide", 0), "");
    expect_output("usage blue-7 --type lower", 1, "invalid: ");

    expect_output("release " CONSUMER " --generation 1 --yes", 1, "consumer_generation_conflict: ");
    expect_output("release " CONSUMER, 1, "nothing is changed");
    assert_documents("consumers", "{\"generation\": 2}", 1);
    expect_output("release " CONSUMER " --generation 2 --yes", 0,
                  "released all allocations of consumer " CONSUMER "\n");
    expect_output("release " CONSUMER " --yes --json", 1, "\"code\":\"consumer_not_found\"");
    expect_output("consumer show " CONSUMER, 1, "there is no consumer " CONSUMER);
    assert_documents("consumers", "{\"generation\": {\"$exists\": true}}", 0);
    assert_documents("providers", "{\"inventories.VCPU.used\": {\"$gt\": 0}}", 0);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* Stores mappings, which no option of allotctl can. */
static void set_mappings(void)
{
    char line[COMMAND_ROOM];
    (void)snprintf(line, sizeof line,
                   "echo '{\"version\":1,\"command\":\"allocation.set\",\"params\":{"
                   "\"consumer_uuid\":\"" CONSUMER
                   "\",\"project_id\":\"blue-7\",\"user_id\":\"ann\","
                   "\"consumer_generation\":null,\"consumer_type\":\"INSTANCE\",\"allocations\":{"
                   "\"" FIRST "\":{\"resources\":{\"VCPU\":2}},\"" SECOND "\":{\"resources\":{"
                   "\"VCPU\":1,\"DISK_GB\":5}}},\"mappings\":{\"\":[\"" FIRST "\",\"" SECOND "\"],"
                   "\"a\":[\"" FIRST "\"]}}}' | "
                   "ALLOT_AMQP_URI=\"$ALLOT_AMQP_URI_OPERATOR\" '%s' send",
                   ALLOTCTL);
    assert_has(run_line(line, 0), "\"status\":\"success\"");
}

static void test_a_move_adds_up_and_takes_the_mappings_along(void **state)
{
    (void)state;
    pid_t worker = start_worker();
    make_two();
    set_mappings();
    expect_output("move " CONSUMER " --to second", 1, "say with --from which of them");
    expect_output("move " CONSUMER " --to second --from nowhere", 1, "no provider has the name");
    expect_output("move " CONSUMER " --to second --from second", 1, "already; nothing is moved");
    expect_output("move " CONSUMER " --from second --to first", 1, "inventory_not_found: ");
    expect_output("move " CONSUMER, 2, "missing option --to");
    const char *output = run("move " CONSUMER " --from first --to second", 0);
    assert_has(output, "second\t" SECOND "\tVCPU\t3\n");
    assert_has(output, "mappings     {\"\":[\"" SECOND "\"],\"a\":[\"" SECOND "\"]}\n");
    assert_lacks(output, FIRST);
    assert_documents("consumers",
                     "{\"generation\": 2, \"allocations\": {\"$size\": 1}, "
                     "\"allocations.resources.VCPU\": 3, \"allocations.resources.DISK_GB\": 5}",
                     1);
    assert_documents("providers", "{\"name\": \"first\", \"inventories.VCPU.used\": 0}", 1);
    expect_output("move " CONSUMER " --from first --to second", 1, "has no allocations on");
    (void)run("allocate " CONSUMER " --generation 2 --provider second --resource VCPU=1", 0);
    expect_output("move " CONSUMER " --to first --json", 0, "\"consumer_generation\":4");
    expect_output("move 00000000-0000-4000-8000-000000000000 --to first", 1,
                  "there is no consumer");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* --- keys ----------------------------------------------------------------------------------- */

#define REPLAYED "this is the recorded answer"

static void test_a_key_gives_the_same_answer_and_takes_effect_once(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "provider create third --uuid 5a4f0e1c-8a2b-4b6e-9c57-0d6a3b1f2e03 --key k1 --json",
        "provider set-inventory third --generation 0 --resource VCPU=4 --key k2 --json",
        "allocate " CONSUMER " --resource VCPU=2 --provider third --key k3 --json" OWNER,
        "allocate " CONSUMER " --generation 1 --resource VCPU=3 --provider third --key k4 --json",
        "release " CONSUMER " --yes --key k5 --json",
        "provider delete 5a4f0e1c-8a2b-4b6e-9c57-0d6a3b1f2e03 --yes --key k6 --json",
    };
    pid_t worker = start_worker();
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char first[COMMAND_ROOM];
        (void)snprintf(first, sizeof first, "%s", run(commands[i], 0));
        assert_lacks(first, REPLAYED);
        const char *second = run(commands[i], 0);
        assert_has(second, first);
        assert_has(second, REPLAYED);
        assert_documents("outcomes", "{\"code\": {\"$exists\": true}}", (int64_t)i + 1);
    }
    const char *failing =
        "allocate " CONSUMER " --resource VCPU=1 --key k7 --provider " FIRST OWNER;
    assert_lacks(run(failing, 1), "nothing was tried again");
    (void)run(CREATE, 0);
    expect_output(failing, 1, "nothing was tried again");
    expect_output("release " CONSUMER " --yes --key k7", 1, "idempotency_key_reused: ");
    expect_output("provider create x --key k8", 2, "--key needs --uuid");
    expect_output("release " CONSUMER " --yes --key 'k 8'", 2, "for --key");
    assert_documents("outcomes", "{\"code\": {\"$exists\": true}}", 8);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* Copies what stands in `text` behind `before`, up to the end of the line or `end`. */
static void copy_behind(const char *text, const char *before, char end, char *copy, size_t room)
{
    assert_has(text, before);
    const char *from = strstr(text, before) + strlen(before);
    size_t length = strcspn(from, (char[]){end, '\n', '\0'});
    assert_in_range(length, 1, room - 1);
    (void)snprintf(copy, room, "%.*s", (int)length, from);
}

static void test_without_a_worker_the_error_says_how_to_learn_the_answer(void **state)
{
    (void)state;
    char options[256], arguments[COMMAND_ROOM];
    const char *output = run("provider create late --timeout 1s", 1);
    assert_has(output, "allotctl: no reply to provider.create within 1s\n");
    assert_has(output, "nothing is known about the command with the key ");
    copy_behind(output, "repeat it with ", ';', options, sizeof options);
    assert_has(options, "--key ");
    assert_has(options, " --uuid ");
    assert_lacks(run("provider list --timeout 1s", 1), "--key"); /* a read has nothing to learn */
    pid_t worker = start_worker();
    (void)snprintf(arguments, sizeof arguments, "provider create late %s", options);
    expect_output(arguments, 0, "created provider late ");
    expect_output(arguments, 0, REPLAYED);
    assert_documents("providers", "{\"name\": \"late\"}", 1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* A move reads the consumer, which is another one after it: so the error has the very bytes. */
static void test_an_unanswered_move_can_be_sent_again_as_it_was(void **state)
{
    (void)state;
    char echo[COMMAND_ROOM], line[2 * COMMAND_ROOM];
    pid_t worker = start_worker();
    make_two();
    (void)run("allocate " CONSUMER " --resource VCPU=2 --provider first" OWNER, 0);
    struct held_document *held = hold_document("consumers", "{\"generation\": 1}");
    const char *output = run("move " CONSUMER " --to second --timeout 2s", 1);
    copy_behind(output, "send the same command under the same key:\n  echo ", '|', echo,
                sizeof echo);
    release_document(held);
    assert_in_range(snprintf(line, sizeof line,
                             "echo %s | ALLOT_AMQP_URI=\"$ALLOT_AMQP_URI_OPERATOR\" '%s' send",
                             echo, ALLOTCTL),
                    1, sizeof line - 1);
    assert_has(run_line(line, 0), "\"status\":\"success\"");
    assert_has(run_line(line, 0), "\"replayed\":true");
    assert_documents("consumers", "{\"generation\": 2}", 1);
    assert_documents("providers", "{\"name\": \"second\", \"inventories.VCPU.used\": 2}", 1);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* --- rights --------------------------------------------------------------------------------- */

static const char *run_as_team(const char *arguments, int status)
{
    return run_as("ALLOT_AMQP_URI_TEAM_BLUE", arguments, status);
}

static void test_the_policy_applies_to_an_operator(void **state)
{
    (void)state;
    pid_t worker = start_worker();
    make_two();
    const char *output = run_as_team("provider list", 1);
    assert_has(output, "allotctl: forbidden: principal 'team-blue'");
    assert_has(output, "'allotctl policy test'");
    assert_has(run_as_team("allocate " CONSUMER " --resource VCPU=1 --provider first" OWNER, 1),
               "the name 'first' cannot be looked up, since that lists providers; give the "
               "provider's UUID");
    /* With the UUID it may; the name is not shown, since it may not see that. */
    output = run_as_team("allocate " CONSUMER " --resource VCPU=1 --provider " FIRST OWNER, 0);
    assert_has(output, "\n-\t" FIRST "\tVCPU\t1\n");
    assert_lacks(output, "forbidden");
    assert_has(run_as_team("usage blue-7", 1), "forbidden: ");
    assert_has(run_as_team("allocate 00000000-0000-4000-8000-000000000000 --project red --user u "
                           "--type X --resource VCPU=1 --provider " FIRST,
                           1),
               "  project_id: red\n");
    assert_documents("consumers", "{\"generation\": {\"$exists\": true}}", 1);
    assert_has(run_as("ALLOT_AMQP_URI", "provider list", 1),
               "the broker's user 'worker' needs the permissions configure and read on "
               "'worker.allotctl.*'");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* --- on a terminal -------------------------------------------------------------------------- */

/* Runs allotctl on a terminal of its own, with this answer. */
static const char *run_on_terminal(const char *answer, const char *arguments, int status)
{
    char line[COMMAND_ROOM];
    (void)snprintf(line, sizeof line,
                   "echo %s | ALLOT_AMQP_URI=\"$ALLOT_AMQP_URI_OPERATOR\" NO_COLOR=1 PAGER=cat "
                   "TERM=xterm script -qec \"'%s' %s\" /dev/null",
                   answer, ALLOTCTL, arguments);
    return run_line(line, status);
}

static void test_a_terminal_is_asked_and_gets_titles(void **state)
{
    (void)state;
    pid_t worker = start_worker();
    (void)run(CREATE, 0);
    const char *output = run_on_terminal("y", "provider list", 0);
    assert_has(output, "NAME   UUID                                  GENERATION  PARENT\r\n"
                       "first  " FIRST "           0  -\r\n");
    output = run_on_terminal("n", "provider delete first", 1);
    assert_has(output, "Delete the provider " FIRST " (first)? [y/N]");
    assert_has(output, "nothing is changed");
    assert_documents("providers", "{\"name\": \"first\"}", 1);
    assert_has(run_on_terminal("y", "provider delete first", 0), "deleted provider " FIRST);
    assert_documents("providers", "{\"name\": \"first\"}", 0);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_providers_are_created_listed_and_deleted),
        WORKER_TEST(test_a_list_has_all_pages),
        WORKER_TEST(test_an_inventory_is_replaced_and_the_changes_are_told),
        WORKER_TEST(test_a_provider_is_shown_with_what_is_free),
        WORKER_TEST(test_allocations_are_set_shown_and_released),
        WORKER_TEST(test_a_move_adds_up_and_takes_the_mappings_along),
        WORKER_TEST(test_a_key_gives_the_same_answer_and_takes_effect_once),
        WORKER_TEST(test_without_a_worker_the_error_says_how_to_learn_the_answer),
        WORKER_TEST(test_an_unanswered_move_can_be_sent_again_as_it_was),
        WORKER_TEST(test_the_policy_applies_to_an_operator),
        WORKER_TEST(test_a_terminal_is_asked_and_gets_titles),
    };
    return cmocka_run_group_tests(tests, declare_topology, NULL) != 0;
}
