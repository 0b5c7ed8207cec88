/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Tests `allotctl audit` on documents that the test has changed directly in the database.
 * Sections: schema, allocations, letters. Each test lets a worker write what is right, ends the
 * worker, and plants one error after another; the validator is bypassed where it would refuse that.
 *
 * The audit's exit status and a part of its output are compared.
 *
 * Not here: which letters are consistent, case by case (tests/unit/test_letter_check.c).
 */
#include "tests/system/worker_fixture.h"
#include "tests/system/worker_database.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/mongo/libmongoc.h"

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

/* --- schema --- */

static void test_missing_parts_of_the_database_are_reported(void **state)
{
    (void)state;
    make_claims();
    change_documents("{\"dropIndexes\":\"providers\",\"index\":\"root\"}");
    change_documents("{\"collMod\":\"consumers\",\"validationLevel\":\"off\"}");
    change_documents("{\"collMod\":\"letters\",\"validator\":{}}");
    change_documents("{\"delete\":\"outcomes\",\"deletes\":[{\"q\":{\"_id\":"
                     "\"allotd.sentinel\"},\"limit\":1}]}");
    change_documents("{\"drop\":\"attempts\"}");
    expect_audit("", 1, "missing or different in the database: providers: index 'root'\n");
    expect_audit("", 1, "missing or different in the database: consumers: validator\n");
    expect_audit("", 1, "missing or different in the database: letters: validator\n");
    expect_audit("", 1, "missing or different in the database: outcomes: sentinel\n");
    expect_audit("", 1, "missing or different in the database: attempts: the collection\n");
    expect_audit("", 1, "5 discrepancies");
}

static void test_a_name_of_two_providers_is_reported(void **state)
{
    (void)state;
    make_claims();
    change_documents("{\"dropIndexes\":\"providers\",\"index\":\"name\"}");
    change_documents("{\"update\":\"providers\",\"updates\":[{\"q\":{\"name\":\"host-2\"},\"u\":"
                     "{\"$set\":{\"name\":\"host-1\"}}}]}");
    expect_audit("", 1, "2 providers have the name 'host-1'");
    expect_audit("", 1, "missing or different in the database: providers: index 'name'\n");
    expect_audit("", 1, "2 discrepancies");
}

/* --- allocations --- */

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
    change_documents("{\"update\":\"consumers\",\"updates\":[{\"q\":{\"generation\":{\"$exists\":"
                     "true}},\"u\":{\"$set\":"
                     "{\"generation\":{\"$numberLong\":\"0\"}}}}]}");
    change_documents("{\"update\":\"outcomes\",\"updates\":[{\"q\":{\"_id.key\":\"claim-0\"},"
                     "\"u\":{\"$set\":{\"fingerprint\":{\"$binary\":{\"base64\":\"AAAA\","
                     "\"subType\":\"00\"}}}}}]}");
    expect_audit("", 1, "has a generation below 1");
    expect_audit("", 1, "outcome with an invalid fingerprint, expiry or body");
}

/* --- letters --- */

#define LETTER_ID "0123456789abcdef0123456789abcdef"
#define HELLO_SHA256 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

/* Sends two commands that are dead-lettered, with a worker that publishes their letters. */
static void make_letters(void)
{
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = start_worker();
    send_body(&producer, "garbage-1", "no JSON");
    send_body(&producer, "garbage-2", "");
    for (size_t i = 0; i < 2; i++) {
        struct client_message dead = take_dead_letter();
        arena_free(dead.arena);
    }
    await_stored_letters("{\"published_at\": {\"$exists\": true}}", 2);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    client_close(producer.client);
}

/* Changes the letter `garbage-1`, past its validator. */
static void change_letter(const char *update)
{
    char json[512];
    (void)snprintf(json, sizeof json,
                   "{\"update\":\"letters\",\"bypassDocumentValidation\":true,\"updates\":[{\"q\":"
                   "{\"key\":\"garbage-1\"},\"u\":%s}]}",
                   update);
    change_documents(json);
}

static void test_letters_of_a_worker_are_right(void **state)
{
    (void)state;
    make_letters();
    expect_audit("", 0, "0 discrepancies, 0 repaired\n2 letters, 0 warnings\n");
}

static void test_letters_that_do_not_fit_their_validator_are_reported(void **state)
{
    static const char *const updates[] = {
        "{\"$set\":{\"state\":\"lost\"}}",
        "{\"$set\":{\"count\":{\"$numberLong\":\"0\"}}}",
        "[{\"$set\":{\"count\":{\"$numberLong\":\"1\"},\"history\":{\"$map\":{\"input\":{\"$"
        "range\":"
        "[0,21]},\"in\":{\"at\":\"$$NOW\"}}}}}]",
        "{\"$unset\":{\"source\":\"\"}}",
    };
    (void)state;
    make_letters();
    for (size_t i = 0; i < sizeof updates / sizeof updates[0]; i++) {
        change_letter(updates[i]);
        expect_audit("", 1, "malformed document in collection 'letters'");
        change_letter("{\"$set\":{\"state\":\"open\"}}");
    }
}

static void test_letters_whose_fields_do_not_fit_are_reported(void **state)
{
    static const struct {
        const char *update;
        const char *undo;
        const char *part;
    } cases[] = {
        {"{\"$unset\":{\"published_at\":\"\"}}", "[{\"$set\":{\"published_at\":\"$$NOW\"}}]",
         "it has an expires_at, but no published_at"},
        {"{\"$set\":{\"unpublished\":true}}", "{\"$unset\":{\"unpublished\":\"\"}}",
         "it has a published_at, but is to be published"},
        {"[{\"$set\":{\"kept\":\"$bytes\"}},{\"$unset\":\"bytes\"}]",
         "[{\"$set\":{\"bytes\":\"$kept\"}}]", NULL},
        {"{\"$unset\":{\"bytes\":\"\",\"kept\":\"\"}}",
         "{\"$set\":{\"bytes\":{\"$numberLong\":\"3000\"}}}",
         "it has no bytes, so it does not count in letters.max_bytes"},
        {"{\"$set\":{\"body_size\":{\"$numberLong\":\"6\"}}}",
         "{\"$set\":{\"body_size\":{\"$numberLong\":\"7\"}}}",
         "its body is longer than its body_size"},
        {"{\"$set\":{\"body_size\":{\"$numberLong\":\"8\"}}}",
         "{\"$set\":{\"body_size\":{\"$numberLong\":\"7\"}}}",
         "its body is shorter than its body_size"},
        {"{\"$set\":{\"body_dropped\":true}}", "{\"$set\":{\"body_dropped\":false}}",
         "it has a body, but also the mark that the body was dropped"},
        {"{\"$set\":{\"queue\":\"another\"}}", "{\"$set\":{\"queue\":\"allot.commands\"}}",
         "its id is not the digest of queue, principal, key and body_sha256"},
        {"{\"$set\":{\"body_sha256\":\"" HELLO_SHA256 "\"}}",
         "{\"$set\":{\"count\":"
         "{\"$numberLong\":\"1\"}}}",
         "its body_sha256 is not the digest of its body"},
    };
    (void)state;
    make_letters();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        change_letter(cases[i].update);
        if (cases[i].part != NULL)
            expect_audit("", 1, cases[i].part);
        change_letter(cases[i].undo);
    }
}

/* That is no fault of the letter: the broker may refuse dead letters for long. */
static void test_a_letter_that_waits_for_long_is_a_warning(void **state)
{
    static const char waits[] =
        "[{\"$set\":{\"unpublished\":true,\"last_at\":{\"$subtract\":[\"$$NOW\",3700000]}}},"
        "{\"$unset\":[\"published_at\",\"expires_at\"]}]";
    (void)state;
    make_letters();
    change_letter(waits);
    expect_audit("", 0, "its dead letter has waited for more than an hour to be published");
    expect_audit("", 0, "2 letters, 1 warnings");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_consistent_database_has_no_discrepancies),
        WORKER_TEST(test_missing_parts_of_the_database_are_reported),
        WORKER_TEST(test_a_name_of_two_providers_is_reported),
        WORKER_TEST(test_a_wrong_usage_counter_is_reported_and_repaired),
        WORKER_TEST(test_a_consumer_without_allocations_is_reported),
        WORKER_TEST(test_allocations_on_a_missing_provider_are_reported),
        WORKER_TEST(test_allocations_of_a_class_without_inventory_are_reported),
        WORKER_TEST(test_an_inconsistent_provider_tree_is_reported),
        WORKER_TEST(test_generations_and_outcomes_out_of_range_are_reported),
        WORKER_TEST(test_letters_of_a_worker_are_right),
        WORKER_TEST(test_letters_that_do_not_fit_their_validator_are_reported),
        WORKER_TEST(test_letters_whose_fields_do_not_fit_are_reported),
        WORKER_TEST(test_a_letter_that_waits_for_long_is_a_warning),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, declare_topology, NULL);
    mongoc_cleanup();
    return failed != 0;
}
