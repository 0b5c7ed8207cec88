/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proof that the database works: a small transaction that reads, inserts, updates, deletes and
 * commits, as a batch does, in a session of its own. A ping would prove nothing, since a primary
 * without a majority, or with a full disk, answers pings. The document that it writes is gone at
 * its end. It gives up after mongodb.timeout: a database that takes longer is no proof, and the
 * apply thread has other things to do.
 */
#include "common/mongo/session.h"

#include "common/mongo/document.h"

/* The last bytes of an election id are the term, in network order. */
enum { TERM_FIRST = 4, TERM_BYTES = 8 };

struct probe {
    struct mongo_store *store;
    mongoc_client_session_t *session;
    mongoc_collection_t *attempts;
    bson_t id;      /* {_id: ...} of the document that is written */
    bson_t options; /* with the session */
    int64_t began_ms;
    struct error *error;
};

static enum store_status ignore_row(void *context, const bson_t *document, struct error *error)
{
    (void)context;
    (void)document;
    (void)error;
    return STORE_OK;
}

static enum store_status read_something(struct probe *probe)
{
    bson_t options;
    bson_t *pipeline = document_from_json("[{\"$limit\": 1}, {\"$project\": {\"_id\": 1}}]");
    bson_copy_to(&probe->options, &options);
    BSON_APPEND_INT64(&options, "maxTimeMS", probe->store->pool->server_time_ms);
    mongoc_cursor_t *cursor = mongoc_collection_aggregate(
        probe->store->collections[MONGO_PROVIDERS], MONGOC_QUERY_NONE, pipeline, &options, NULL);
    enum store_status status =
        mongo_each_row(probe->store, PHASE_RUN, cursor, ignore_row, NULL, probe->error);
    bson_destroy(&options);
    bson_destroy(pipeline);
    return status;
}

/* Returns the status of a write that returned `done`, and destroys its reply. */
static enum store_status written(struct probe *probe, bool done, const bson_error_t *cause,
                                 bson_t *reply)
{
    enum store_status status =
        done ? STORE_OK : mongo_failed(probe->store, PHASE_RUN, cause, reply, probe->error);
    bson_destroy(reply);
    return status;
}

static enum store_status insert(struct probe *probe)
{
    bson_t document, marks, reply;
    bson_error_t cause;
    bson_copy_to(&probe->id, &document);
    array_begin(&document, "marks", &marks);
    bson_append_array_end(&document, &marks);
    BSON_APPEND_DATE_TIME(&document, "expires_at", 0);
    bool done =
        mongoc_collection_insert_one(probe->attempts, &document, &probe->options, &reply, &cause);
    bson_destroy(&document);
    return written(probe, done, &cause, &reply);
}

static enum store_status update(struct probe *probe)
{
    bson_t reply;
    bson_error_t cause;
    bson_t *change = document_from_json("{\"$push\": {\"marks\": \"proof\"}}");
    bool done = mongoc_collection_update_one(probe->attempts, &probe->id, change, &probe->options,
                                             &reply, &cause);
    bson_destroy(change);
    return written(probe, done, &cause, &reply);
}

static enum store_status remove_again(struct probe *probe)
{
    bson_t reply;
    bson_error_t cause;
    bool done =
        mongoc_collection_delete_one(probe->attempts, &probe->id, &probe->options, &reply, &cause);
    return written(probe, done, &cause, &reply);
}

static enum store_status commit(struct probe *probe)
{
    bson_t reply;
    bson_error_t cause;
    bool done = mongoc_client_session_commit_transaction(probe->session, &reply, &cause);
    return written(probe, done, &cause, &reply);
}

static enum store_status check_time(const struct probe *probe)
{
    int64_t took_ms = mongo_monotonic_ms(probe->store) - probe->began_ms;
    if (took_ms <= probe->store->pool->timeout_ms)
        return STORE_OK;
    error_set(probe->error, "mongodb: a small transaction took more than %lld ms",
              (long long)took_ms);
    return STORE_UNAVAILABLE;
}

static enum store_status run_transaction(struct probe *probe)
{
    static enum store_status (*const steps[])(struct probe *) = {read_something, insert, update,
                                                                 remove_again, commit};
    bson_error_t cause;
    enum store_status status = STORE_OK;
    if (!mongoc_client_session_start_transaction(probe->session, probe->store->transaction_options,
                                                 &cause) ||
        !mongoc_client_session_append(probe->session, &probe->options, &cause))
        return mongo_failed(probe->store, PHASE_RUN, &cause, NULL, probe->error);
    for (size_t i = 0; status == STORE_OK && i < sizeof steps / sizeof *steps; i++) {
        status = check_time(probe);
        if (status == STORE_OK)
            status = steps[i](probe);
    }
    if (mongoc_client_session_in_transaction(probe->session))
        (void)mongoc_client_session_abort_transaction(probe->session, NULL);
    return status;
}

static enum store_status run_probe(struct mongo_store *store, struct error *error)
{
    bson_error_t cause;
    struct probe probe = {.store = store, .attempts = store->collections[MONGO_ATTEMPTS]};
    probe.error = error;
    probe.began_ms = mongo_monotonic_ms(store);
    probe.session = mongoc_client_start_session(store->client, NULL, &cause);
    if (probe.session == NULL)
        return mongo_failed(store, PHASE_RUN, &cause, NULL, error);
    bson_init(&probe.id);
    bson_init(&probe.options);
    document_command_id(&probe.id, text_of(""), text_of(store->name)); /* no message has this */
    enum store_status status = run_transaction(&probe);
    bson_destroy(&probe.options);
    bson_destroy(&probe.id);
    mongoc_client_session_destroy(probe.session);
    return status;
}

static bool read_term(const bson_t *hello, uint64_t *ret_term)
{
    bson_iter_t iter;
    *ret_term = 0;
    if (!bson_iter_init_find(&iter, hello, "electionId") || !BSON_ITER_HOLDS_OID(&iter))
        return false;
    const bson_oid_t *id = bson_iter_oid(&iter);
    for (int i = TERM_FIRST; i < TERM_FIRST + TERM_BYTES; i++)
        *ret_term = *ret_term << 8 | id->bytes[i];
    return true;
}

static enum store_status find_term(struct mongo_store *store, uint64_t *ret_term,
                                   struct error *error)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    BSON_APPEND_INT32(&command, "hello", 1);
    if (!mongoc_client_command_simple(store->client, "admin", &command, NULL, &reply, &cause)) {
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    } else if (!read_term(&reply, ret_term)) {
        error_set(error, "mongodb: the server that answers is not the primary");
        status = STORE_UNAVAILABLE;
    }
    bson_destroy(&reply);
    bson_destroy(&command);
    return status;
}

enum store_status mongo_prove_health(struct store *base, uint64_t *ret_primary, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    enum store_status status = run_probe(store, error);
    if (status == STORE_OK)
        status = find_term(store, ret_primary, error);
    return status == STORE_OK ? STORE_OK : STORE_UNAVAILABLE;
}
