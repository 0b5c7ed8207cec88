/* SPDX-License-Identifier: Apache-2.0 */
/* allotctl audit, on documents that are broken by hand behind the worker's back. */
#include "tests/system/worker_fixture.h"
#include "tests/system/worker_storage.h"

#include <mongoc/mongoc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { OUTPUT_ROOM = 16384, CLAIMS = 8 };

/* Runs it on the test's database; the exit status, and what it wrote. */
static int run_audit(const char *option, char output[OUTPUT_ROOM])
{
    char command[512];
    (void)snprintf(command, sizeof command,
                   "ALLOT_MONGODB_DATABASE='%.64s' '%.256s' audit %.16s 2>&1", fixture_database(),
                   ALLOTCTL, option);
    FILE *pipe = popen(command, "r"); // NOLINT: a shell of the test's own making
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
        fail_msg("\"%s\" is not in:\n%s", part, output);
}

static void break_documents(const char *json)
{
    run_on_storage(fixture_database(), json);
}

/* Claims of a worker that has ended: nobody writes while the test does. */
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

static void test_sound_books_are_said_to_be_so(void **state)
{
    (void)state;
    make_claims();
    expect_audit("", 0, "4 providers, 8 consumers, 16 outcomes: 0 discrepancies");
}

static void test_a_counter_that_is_off_is_named_and_repaired(void **state)
{
    (void)state;
    make_claims();
    break_documents("{\"update\":\"providers\",\"updates\":[{\"q\":{\"name\":\"host-1\"},\"u\":"
                    "{\"$inc\":{\"inventories.VCPU.used\":{\"$numberLong\":\"5\"}}}}]}");
    expect_audit("", 1,
                 "provider 00000000-0000-4000-8000-000000000001: usage of VCPU is 9, its "
                 "consumers' allocations add up to 4");
    expect_audit("--repair", 0,
                 "repaired: provider 00000000-0000-4000-8000-000000000001: usage of VCPU changed "
                 "from 9 to 4");
    expect_audit("", 0, "0 discrepancies");
}

static void test_a_consumer_without_allocations_is_named(void **state)
{
    (void)state;
    make_claims();
    break_documents("{\"insert\":\"consumers\",\"bypassDocumentValidation\":true,\"documents\":[{"
                    "\"_id\":{\"$binary\":{\"base64\":\"AAAAAAAAQACAAAAAAAAAAQ==\","
                    "\"subType\":\"04\"}},\"project_id\":\"p\",\"user_id\":\"u\","
                    "\"consumer_type\":\"T\",\"generation\":{\"$numberLong\":\"1\"},"
                    "\"rev\":{\"$numberLong\":\"0\"},\"allocations\":[]}]}");
    expect_audit("", 1, "malformed document in collection 'consumers'");
    expect_audit("--repair", 1, "1 discrepancies, 0 repaired"); /* only counters are repaired */
}

static void test_allocations_on_a_provider_that_is_gone_are_named(void **state)
{
    (void)state;
    make_claims();
    break_documents("{\"delete\":\"providers\",\"deletes\":[{\"q\":{\"name\":\"host-2\"},"
                    "\"limit\":1}]}");
    expect_audit("", 1,
                 "consumers have 4 VCPU allocated on provider "
                 "00000000-0000-4000-8000-000000000002, which does not exist");
}

static void test_allocations_of_a_class_without_inventory_are_named(void **state)
{
    (void)state;
    make_claims();
    break_documents("{\"update\":\"providers\",\"updates\":[{\"q\":{\"name\":\"host-3\"},\"u\":"
                    "{\"$set\":{\"inventories\":{}}}}]}");
    expect_audit("", 1, "which has no inventory of this class");
}

static void test_a_tree_that_does_not_fit_is_named(void **state)
{
    (void)state;
    make_claims();
    break_documents("{\"update\":\"providers\",\"updates\":[{\"q\":{\"name\":\"host-0\"},\"u\":"
                    "{\"$set\":{\"root\":{\"$binary\":{\"base64\":\"AAAAAAAAQACAAAAAAAAAAQ==\","
                    "\"subType\":\"04\"}}}}}]}");
    expect_audit("", 1, "has no parent, but its root is another provider");
}

static void test_generations_and_outcomes_out_of_range_are_named(void **state)
{
    (void)state;
    make_claims();
    break_documents("{\"update\":\"consumers\",\"updates\":[{\"q\":{},\"u\":{\"$set\":"
                    "{\"generation\":{\"$numberLong\":\"0\"}}}}]}");
    break_documents("{\"update\":\"outcomes\",\"updates\":[{\"q\":{\"_id.key\":\"claim-0\"},"
                    "\"u\":{\"$set\":{\"fingerprint\":{\"$binary\":{\"base64\":\"AAAA\","
                    "\"subType\":\"00\"}}}}}]}");
    expect_audit("", 1, "has a generation below 1");
    expect_audit("", 1, "outcome with an invalid fingerprint, expiry or body");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_sound_books_are_said_to_be_so),
        WORKER_TEST(test_a_counter_that_is_off_is_named_and_repaired),
        WORKER_TEST(test_a_consumer_without_allocations_is_named),
        WORKER_TEST(test_allocations_on_a_provider_that_is_gone_are_named),
        WORKER_TEST(test_allocations_of_a_class_without_inventory_are_named),
        WORKER_TEST(test_a_tree_that_does_not_fit_is_named),
        WORKER_TEST(test_generations_and_outcomes_out_of_range_are_named),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
