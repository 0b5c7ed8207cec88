/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the classes of errors against the list of all errors of MongoDB 6.0.5
 * (tests/data/server-errors-6.0.5.tsv): each name of the table is the server's, and each error that
 * the table does not have is UNEXPLAINED. The first test prints those, so that a new list shows
 * what to look at.
 *
 * What the server does with these errors in real calls is in tests/contract/test_store_faults.c.
 */
#include "tests/support/cmocka.h"

#include "common/mongo/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 200, ERRORS_MIN = 350 };

static enum store_status status_of(uint32_t code, enum mongo_phase phase, const bson_t *reply)
{
    bson_error_t cause = {.domain = MONGOC_ERROR_SERVER, .code = code};
    struct error error;
    struct mongo_failure failure = {.cause = &cause, .reply = reply, .phase = phase};
    return mongo_status(&failure, &error);
}

struct server_error {
    uint32_t code;
    char name[LINE_BYTES];
};

/* Reads the next error of the list. Returns false at its end. */
static bool next_error(FILE *list, struct server_error *ret_error)
{
    char line[LINE_BYTES];
    while (fgets(line, sizeof line, list) != NULL) {
        char *name = strchr(line, '\t');
        if (line[0] == '#' || name == NULL)
            continue;
        name[strcspn(name, "\n")] = '\0';
        ret_error->code = (uint32_t)strtoul(line, NULL, 10);
        (void)snprintf(ret_error->name, sizeof ret_error->name, "%s", name + 1);
        return true;
    }
    return false;
}

static void test_each_error_of_the_server_has_a_class(void **state)
{
    struct server_error error;
    size_t count = 0, known = 0;
    FILE *list = fopen("tests/data/server-errors-6.0.5.tsv", "re");
    (void)state;
    assert_non_null(list);
    print_message("not in the table, so UNEXPLAINED:");
    for (; next_error(list, &error); count++) {
        const char *name = mongo_error_name(error.code);
        enum store_status status = status_of(error.code, PHASE_RUN, NULL);
        if (name != NULL) {
            assert_string_equal(name, error.name);
            assert_int_not_equal(status, STORE_UNEXPLAINED);
            known++;
        } else if (status == STORE_UNEXPLAINED) {
            print_message(" %s", error.name);
        } else {
            fail_msg("%s has another class than the table says", error.name);
        }
    }
    print_message("\n%zu errors, %zu of them in the table\n", count, known);
    (void)fclose(list);
    assert_true(count > ERRORS_MIN && known > 0);
}

static void test_a_code_that_nobody_knows_is_unexplained(void **state)
{
    (void)state;
    assert_int_equal(status_of(7654321, PHASE_RUN, NULL), STORE_UNEXPLAINED);
    assert_int_equal(status_of(7654321, PHASE_COMMIT, NULL), STORE_UNKNOWN);
    assert_int_equal(status_of(7654321, PHASE_PREPARE, NULL), STORE_UNAVAILABLE);
}

/* Returns the status of a code that nobody knows, with this label. */
static enum store_status labelled(const char *label, enum mongo_phase phase, uint32_t domain)
{
    bson_t reply = BSON_INITIALIZER, labels = BSON_INITIALIZER;
    bson_error_t cause = {.domain = domain, .code = 7654321};
    struct error error;
    struct mongo_failure failure = {.cause = &cause, .reply = &reply, .phase = phase};
    BSON_APPEND_UTF8(&labels, "0", label);
    BSON_APPEND_ARRAY(&reply, "errorLabels", &labels);
    enum store_status status = mongo_status(&failure, &error);
    bson_destroy(&labels);
    bson_destroy(&reply);
    return status;
}

static void test_labels_of_the_server_explain_codes_of_later_versions(void **state)
{
    (void)state;
    assert_int_equal(labelled("TransientTransactionError", PHASE_RUN, MONGOC_ERROR_SERVER),
                     STORE_CONFLICT);
    assert_int_equal(labelled("TransientTransactionError", PHASE_COMMIT, MONGOC_ERROR_SERVER),
                     STORE_CONFLICT);
    assert_int_equal(labelled("SystemOverloadedError", PHASE_RUN, MONGOC_ERROR_SERVER),
                     STORE_UNAVAILABLE);
    assert_int_equal(labelled("SystemOverloadedError", PHASE_COMMIT, MONGOC_ERROR_SERVER),
                     STORE_UNKNOWN);
    assert_int_equal(labelled("RetryableWriteError", PHASE_RUN, MONGOC_ERROR_SERVER),
                     STORE_UNEXPLAINED);
    /* A broken connection, which libmongoc has labelled itself. */
    assert_int_equal(labelled("TransientTransactionError", PHASE_RUN, MONGOC_ERROR_STREAM),
                     STORE_UNEXPLAINED);
}

static void test_codes_of_later_versions_have_a_class(void **state)
{
    (void)state;
    assert_int_equal(status_of(450, PHASE_RUN, NULL), STORE_UNAVAILABLE);
    assert_int_equal(status_of(462, PHASE_RUN, NULL), STORE_UNAVAILABLE);
    assert_int_equal(status_of(411, PHASE_RUN, NULL), STORE_UNAVAILABLE);
    assert_int_equal(status_of(411, PHASE_PREPARE, NULL), STORE_MISCONFIGURED);
    assert_int_equal(status_of(10045600, PHASE_RUN, NULL), STORE_CONFLICT);
}

/* Returns the status of a duplicate key on an index with this pattern. */
static enum store_status duplicate(const char *reply)
{
    bson_error_t error;
    bson_t *document = bson_new_from_json((const uint8_t *)reply, -1, &error);
    assert_non_null(document);
    enum store_status status = status_of(11000, PHASE_RUN, document);
    bson_destroy(document);
    return status;
}

static void test_a_duplicate_key_is_a_conflict_on_indexes_of_the_schema_only(void **state)
{
    (void)state;
    assert_int_equal(duplicate("{\"writeErrors\": [{\"keyPattern\": {\"_id\": 1}}]}"),
                     STORE_CONFLICT);
    assert_int_equal(duplicate("{\"keyPattern\": {\"_id\": 1}}"), STORE_CONFLICT);
    assert_int_equal(duplicate("{\"keyPattern\": {\"name\": 1}}"), STORE_CONFLICT);
    assert_int_equal(duplicate("{\"keyPattern\": {\"name\": 1, \"root\": 1}}"), STORE_REFUSED);
    assert_int_equal(duplicate("{\"keyPattern\": {\"root\": 1}}"), STORE_REFUSED);
    assert_int_equal(duplicate("{\"keyPattern\": {\"_id\": 1, \"name\": 1}}"), STORE_REFUSED);
    assert_int_equal(duplicate("{\"writeErrors\": [{\"keyPattern\": {\"user_id\": 1}}]}"),
                     STORE_REFUSED);
    assert_int_equal(duplicate("{\"ok\": 0}"), STORE_UNEXPLAINED);
    assert_int_equal(duplicate("{\"keyPattern\": {\"name\": 1.0}}"), STORE_CONFLICT);
    assert_int_equal(duplicate("{\"keyPattern\": {\"name\": -1}}"), STORE_REFUSED);
    assert_int_equal(duplicate("{\"writeErrors\": [{\"keyPattern\": {\"name\": 1}, "
                               "\"collation\": {\"locale\": \"en\"}}]}"),
                     STORE_REFUSED);
}

/* Returns the status of an error of libmongoc itself. */
static enum store_status library_error(uint32_t domain, uint32_t code)
{
    bson_error_t cause = {.domain = domain, .code = code};
    struct error error;
    struct mongo_failure failure = {.cause = &cause, .phase = PHASE_RUN};
    return mongo_status(&failure, &error);
}

static void
test_a_connection_that_breaks_is_unexplained_and_one_that_cannot_be_opened_is_not(void **state)
{
    (void)state;
    assert_int_equal(library_error(MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET),
                     STORE_UNEXPLAINED);
    assert_int_equal(library_error(MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_CONNECT),
                     STORE_UNAVAILABLE);
    assert_int_equal(
        library_error(MONGOC_ERROR_SERVER_SELECTION, MONGOC_ERROR_SERVER_SELECTION_FAILURE),
        STORE_UNAVAILABLE);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_each_error_of_the_server_has_a_class),
    cmocka_unit_test(test_a_code_that_nobody_knows_is_unexplained),
    cmocka_unit_test(test_labels_of_the_server_explain_codes_of_later_versions),
    cmocka_unit_test(test_codes_of_later_versions_have_a_class),
    cmocka_unit_test(test_a_duplicate_key_is_a_conflict_on_indexes_of_the_schema_only),
    cmocka_unit_test(
        test_a_connection_that_breaks_is_unexplained_and_one_that_cannot_be_opened_is_not),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
