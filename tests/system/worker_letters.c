/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/system/worker_letters.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "common/host/system_clock.h"
#include "common/mongo/libmongoc.h"
#include "common/mongo/mongo_store.h"
#include "tests/system/worker_fixture.h"

enum { LETTERS_PER_TRANSACTION = 500 };

const char *run_allotctl(const char *arguments, int status)
{
    return run_allotctl_as("ALLOT_AMQP_URI", arguments, status);
}

const char *run_allotctl_as(const char *uri_variable, const char *arguments, int status)
{
    static char output[OUTPUT_MAX];
    char command[OUTPUT_MAX];
    (void)snprintf(command, sizeof command, "ALLOT_AMQP_URI=\"$%s\" '%s' %s 2>&1", uri_variable,
                   ALLOTCTL, arguments);
    FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c): the test's own command line */
    assert_non_null(pipe);
    size_t length = fread(output, 1, sizeof output - 1, pipe);
    output[length] = '\0';
    int ended = pclose(pipe);
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) != status)
        fail_msg("allotctl %s: status %d: %s", arguments, WEXITSTATUS(ended), output);
    return output;
}

static void write_block(struct store *store, const struct letter *letters, size_t count)
{
    struct error error = {""};
    enum store_status status = store->ops->begin(store, &error);
    if (status == STORE_OK)
        status = store->ops->write_letters(store, letters, count, &error);
    if (status == STORE_OK)
        status = store->ops->commit(store, &error);
    store->ops->end(store);
    if (status != STORE_OK)
        fail_msg("%s", error.text);
}

void store_letters(const struct letter *letters, size_t count)
{
    struct error error = {""};
    struct mongo_options options = {.uri = text_of(getenv("ALLOT_MONGODB_URI")),
                                    .database = text_of(fixture_database()),
                                    .timeout_ms = WAIT_MS,
                                    .retention_ms = 1000000,
                                    .letters_retention_ms = 1000000000,
                                    .worker = text_of(FIXTURE_WORKER),
                                    .clock = system_clock()};
    struct mongo_pool *pool = mongo_pool_new(&options, &error);
    assert_non_null(pool);
    struct store *store = mongo_store_new(pool, &error);
    assert_non_null(store);
    if (store->ops->prepare(store, &error) != STORE_OK)
        fail_msg("%s", error.text);
    for (size_t i = 0; i < count; i += LETTERS_PER_TRANSACTION) {
        size_t left = count - i;
        write_block(store, letters + i,
                    left < LETTERS_PER_TRANSACTION ? left : (size_t)LETTERS_PER_TRANSACTION);
    }
    store->ops->free(store);
    mongo_pool_free(pool);
}

void store_letter(const struct letter *letter)
{
    store_letters(letter, 1);
}

int64_t count_letters(const char *query)
{
    bson_t filter;
    bson_error_t error;
    char without_sentinel[512];
    (void)snprintf(without_sentinel, sizeof without_sentinel,
                   "{\"$and\": [%s, {\"_id\": {\"$ne\": \"allotd.sentinel\"}}]}", query);
    assert_true(bson_init_from_json(&filter, without_sentinel, -1, &error));
    mongoc_client_t *client = mongoc_client_new(getenv("ALLOT_MONGODB_URI"));
    assert_non_null(client);
    mongoc_collection_t *letters =
        mongoc_client_get_collection(client, fixture_database(), "letters");
    int64_t count = mongoc_collection_count_documents(letters, &filter, NULL, NULL, NULL, &error);
    mongoc_collection_destroy(letters);
    mongoc_client_destroy(client);
    bson_destroy(&filter);
    assert_true(count >= 0);
    return count;
}
