/* SPDX-License-Identifier: Apache-2.0 */
/* Tests `allotctl audit` on documents that the test has changed directly in the database. */
#include "tests/system/worker_fixture.h"
#include "tests/system/worker_database.h"

#include <mongoc/mongoc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { OUTPUT_ROOM = 16384, CLAIMS = 8 };

/* Runs `allotctl audit` on the test's database. Returns its exit status and its output. */
static int run_audit(const char *option, char output[OUTPUT_ROOM])
{
    char command[512];
    (void)snprintf(command, sizeof command,
                   "ALLOT_MONGODB_DATABASE='%.64s' '%.256s' audit %.16s 2>&1", fixture_database(),
                   ALLOTCTL, option);
    FILE *pipe = popen(command, "r"); // NOLINT: all of the command is the test's own text
    assert_non_null(pipe);
    size_t length = fread(output, 1, OUTPUT_ROOM - 1, pipe);
    output[length] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect_audit(const char *option, int status, const char *part)
{
    char output[OUTPUT_ROOM];
    assert_int_equal(run_audit(option, output), status);
    if (strstr(output, part) == NULL)
        fail_msg("'%s' is missing in the output:\n%s", part, output);
}

static void change_documents(const char *json)
{
    run_on_database(fixture_database(), json);
}

/* Makes claims with a worker, then ends the worker: from then on only the test writes. */
static void make_claims(void)
{
    static unsigned char answered[CLAIMS];
    memset(answered, 0, sizeof answered);
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    make_providers(&producer);
    send_claims(&producer, 0, CLAIMS);
    (void)receive_claims(&producer, answered, CLAIMS, SIZE_MAX);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

static void test_a_consistent_database_has_no_discrepancies(void **state)
{
    (void)state;
    make_claims();
    expect_audit("", 0, "4 providers, 8 consumers, 16 outcomes: 0 discrepancies");
}

static void test_a_wrong_usage_counter_is_reported_and_repaired(void **state)
{
    (void)state;
    make_claims();
    change_documents("{\"update\":\"providers\",\"updates\":[{\"q\":{\"name\":\"host-1\"},\"u\":"
                     "{\"$inc\":{\"inventories.VCPU.used\":{\"$numberLong\":\"5\"}}}}]}");
    expect_audit("", 1,
                 "provider 00000000-0000-4000-8000-000000000001: usage of VCPU is 9, its "
                 "consumers' allocations add up to 4");
    expect_audit("--repair", 0,
                 "repaired: provider 00000000-0000-4000-8000-000000000001: usage of VCPU changed "
                 "from 9 to 4");
    expect_audit("", 0, "0 discrepancies");
}

static void test_a_consumer_without_allocations_is_reported(void **state)
{
    (void)state;
    make_claims();
    change_documents("{\"insert\":\"consumers\",\"bypassDocumentValidation\":true,\"documents\":[{"
                     "\"_id\":{\"$binary\":{\"base64\":\"AAAAAAAAQACAAAAAAAAAAQ==\","
                     "\"subType\":\"04\"}},\"project_id\":\"p\",\"user_id\":\"u\","
                     "\"consumer_type\":\"T\",\"generation\":{\"$numberLong\":\"1\"},"
                     "\"rev\":{\"$numberLong\":\"0\"},\"allocations\":[]}]}");
    expect_audit("", 1, "malformed document in collection 'consumers'");
    expect_audit("--repair", 1, "1 discrepancies, 0 repaired"); /* only counters are repaired */
}

static void test_allocations_on_a_missing_provider_are_reported(void **state)
{
    (void)state;
    make_claims();
    change_documents("{\"delete\":\"providers\",\"deletes\":[{\"q\":{\"name\":\"host-2\"},"
                     "\"limit\":1}]}");
    expect_audit("", 1,
                 "consumers have 4 VCPU allocated on provider "
                 "00000000-0000-4000-8000-000000000002, which does not exist");
}

static void test_allocations_of_a_class_without_inventory_are_reported(void **state)
{
    (void)state;
    make_claims();
    change_documents("{\"update\":\"providers\",\"updates\":[{\"q\":{\"name\":\"host-3\"},\"u\":"
                     "{\"$set\":{\"inventories\":{}}}}]}");
    expect_audit("", 1, "which has no inventory of this class");
}

static void test_an_inconsistent_provider_tree_is_reported(void **state)
{
    (void)state;
    make_claims();
    change_documents("{\"update\":\"providers\",\"updates\":[{\"q\":{\"name\":\"host-0\"},\"u\":"
                     "{\"$set\":{\"root\":{\"$binary\":{\"base64\":\"AAAAAAAAQACAAAAAAAAAAQ==\","
                     "\"subType\":\"04\"}}}}}]}");
    expect_audit("", 1, "has no parent, but its root is another provider");
}

static void test_generations_and_outcomes_out_of_range_are_reported(void **state)
{
    (void)state;
    make_claims();
    change_documents("{\"update\":\"consumers\",\"updates\":[{\"q\":{},\"u\":{\"$set\":"
                     "{\"generation\":{\"$numberLong\":\"0\"}}}}]}");
    change_documents("{\"update\":\"outcomes\",\"updates\":[{\"q\":{\"_id.key\":\"claim-0\"},"
                     "\"u\":{\"$set\":{\"fingerprint\":{\"$binary\":{\"base64\":\"AAAA\","
                     "\"subType\":\"00\"}}}}}]}");
    expect_audit("", 1, "has a generation below 1");
    expect_audit("", 1, "outcome with an invalid fingerprint, expiry or body");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_consistent_database_has_no_discrepancies),
        WORKER_TEST(test_a_wrong_usage_counter_is_reported_and_repaired),
        WORKER_TEST(test_a_consumer_without_allocations_is_reported),
        WORKER_TEST(test_allocations_on_a_missing_provider_are_reported),
        WORKER_TEST(test_allocations_of_a_class_without_inventory_are_reported),
        WORKER_TEST(test_an_inconsistent_provider_tree_is_reported),
        WORKER_TEST(test_generations_and_outcomes_out_of_range_are_reported),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
