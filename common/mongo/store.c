/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A store owns one client of the pool, and one session at a time. The sections:
 *   what the files share   translating failures, session options, reading a cursor
 *   the transaction        begin, commit, end and renew of the port
 *   making a store         the store and its transaction options
 * The other calls of the port have files of their own: load.c, write.c, fence.c, attempts.c,
 * letters.c, notifications.c, workers.c, database_clock.c, prepare.c and repair.c.
 *
 * Guarantees. Each transaction reads from one snapshot on the primary, and commits with a journaled
 * majority, whatever the URI says. A commit with an unknown result is repeated, which is safe at
 * any time: the server then answers with the result of the first one. The transaction as a whole is
 * never repeated here. That needs a new plan, which sees whether the first one took effect.
 *
 * Why not mongoc_client_session_with_transaction(): it repeats the transaction by itself, for up to
 * 120 s. After a failure allotd may rather halve the batch, take the advisory lock, or wait.
 *
 * Not here: retrying a transaction (the worker's applier), and what an error code means (status.c).
 */
#include "common/mongo/session.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    COMMIT_TRIES_MAX = 100, /* a bound that does not depend on the clock */
    PAUSE_FIRST_MS = 20,
    PAUSE_MAX_MS = 500
};

/* --- what the files share ------------------------------------------------------------------- */

static struct mongo_store *of(struct store *base)
{
    return (struct mongo_store *)base;
}

enum store_status mongo_failed(const struct mongo_store *store, enum mongo_phase phase,
                               const bson_error_t *cause, const bson_t *reply, struct error *error)
{
    struct mongo_failure failure = {
        .cause = cause,
        .reply = reply,
        .phase = phase,
        .outlived = mongo_monotonic_ms(store) - store->began_ms > store->pool->lifetime_ms / 2,
    };
    return mongo_status(&failure, error);
}

enum store_status mongo_execute(struct mongo_store *store, mongoc_bulk_operation_t *bulk,
                                struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    if (mongoc_bulk_operation_execute(bulk, &reply, &cause) == 0)
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    bson_destroy(&reply);
    return status;
}

bool mongo_session_options(struct mongo_store *store, bson_t *ret_options, struct error *error)
{
    bson_error_t cause;
    bson_init(ret_options);
    if (mongoc_client_session_append(store->session, ret_options, &cause))
        return true;
    error_set(error, "mongodb: %s", cause.message);
    return false;
}

enum store_status mongo_each_row(struct mongo_store *store, enum mongo_phase phase,
                                 mongoc_cursor_t *cursor, mongo_row row, void *context,
                                 struct error *error)
{
    const bson_t *document = NULL, *reply = NULL;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    while (status == STORE_OK && mongoc_cursor_next(cursor, &document))
        status = row(context, document, error);
    if (status == STORE_OK && mongoc_cursor_error_document(cursor, &cause, &reply))
        status = mongo_failed(store, phase, &cause, reply, error);
    mongoc_cursor_destroy(cursor);
    return status;
}

enum store_status mongo_malformed(enum mongo_collection collection, const bson_t *document,
                                  struct error *error)
{
    bson_t id;
    bson_iter_t iter;
    bson_init(&id);
    if (bson_iter_init_find(&iter, document, "_id"))
        (void)bson_append_iter(&id, "_id", -1, &iter);
    char *text = bson_as_relaxed_extended_json(&id, NULL);
    error_set(error, "mongodb: malformed document in collection '%s': %s",
              mongo_collection_name(collection), text != NULL ? text : "");
    bson_free(text);
    bson_destroy(&id);
    return STORE_REFUSED;
}

/* --- the transaction ------------------------------------------------------------------------ */

static mongoc_client_session_t *start_session(struct mongo_store *store, struct error *error)
{
    bson_error_t cause;
    mongoc_client_session_t *session = mongoc_client_start_session(store->client, NULL, &cause);
    if (session == NULL)
        error_set(error, "mongodb: %s", cause.message);
    return session;
}

static enum store_status start(struct store *base, struct error *error)
{
    return mongo_measure_clock(of(base), PHASE_RUN, error);
}

static enum store_status begin(struct store *base, struct error *error)
{
    struct mongo_store *store = of(base);
    bson_error_t cause;
    if (store->session == NULL)
        store->session = start_session(store, error);
    if (store->session == NULL)
        return STORE_UNAVAILABLE;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK)
        return status;
    store->began_ms = mongo_monotonic_ms(store);
    store->sentinels_seen = false;
    if (mongoc_client_session_start_transaction(store->session, store->transaction_options, &cause))
        return STORE_OK;
    return mongo_failed(store, PHASE_RUN, &cause, NULL, error);
}

static enum store_status commit_once(struct mongo_store *store, struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    if (!mongoc_client_session_commit_transaction(store->session, &reply, &cause))
        status = mongo_failed(store, PHASE_COMMIT, &cause, &reply, error);
    bson_destroy(&reply);
    return status;
}

static void pause_ms(int64_t milliseconds)
{
    struct timespec wait = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000L};
    (void)nanosleep(&wait, NULL);
}

static enum store_status commit(struct store *base, struct error *error)
{
    struct mongo_store *store = of(base);
    int64_t deadline_ms = mongo_monotonic_ms(store) + store->pool->timeout_ms;
    int64_t wait_ms = PAUSE_FIRST_MS;
    enum store_status status = STORE_UNKNOWN;
    assert(store->session != NULL);
    for (int tries = 0; tries < COMMIT_TRIES_MAX; tries++) {
        status = commit_once(store, error);
        if (status != STORE_UNKNOWN || mongo_monotonic_ms(store) + wait_ms >= deadline_ms)
            break;
        pause_ms(wait_ms);
        wait_ms = wait_ms * 2 < PAUSE_MAX_MS ? wait_ms * 2 : PAUSE_MAX_MS;
    }
    return status;
}

static void end(struct store *base)
{
    struct mongo_store *store = of(base);
    bson_error_t ignored; /* if the abort fails, the server ends the transaction by its limit */
    if (store->session != NULL && mongoc_client_session_in_transaction(store->session))
        (void)mongoc_client_session_abort_transaction(store->session, &ignored);
}

/* Starts the new session before it ends the old one. Libmongoc keeps ended server sessions in a
   pool, and would use the old one again at once. */
static void renew(struct store *base)
{
    struct mongo_store *store = of(base);
    struct error ignored; /* after a failure `begin` tries again, and reports the error */
    mongoc_client_session_t *old = store->session;
    store->session = start_session(store, &ignored);
    if (old != NULL)
        mongoc_client_session_destroy(old);
}

static void limit_calls(struct store *base, int64_t limit_ms)
{
    struct mongo_store *store = of(base);
    int64_t most_ms = store->pool->server_time_ms;
    store->call_limit_ms = limit_ms < most_ms ? limit_ms : most_ms;
    if (store->call_limit_ms < 1)
        store->call_limit_ms = 1;
}

static void store_free(struct store *base)
{
    if (base == NULL)
        return;
    struct mongo_store *store = of(base);
    end(base);
    if (store->session != NULL)
        mongoc_client_session_destroy(store->session);
    for (size_t i = 0; i < MONGO_COLLECTION_COUNT; i++)
        mongoc_collection_destroy(store->collections[i]);
    mongoc_database_destroy(store->database);
    mongoc_transaction_opts_destroy(store->transaction_options);
    mongoc_client_pool_push(store->pool->clients, store->client);
    bson_free(store);
}

/* --- making a store ------------------------------------------------------------------------- */

static mongoc_transaction_opt_t *new_transaction_options(const struct mongo_pool *pool)
{
    mongoc_transaction_opt_t *options = mongoc_transaction_opts_new();
    mongoc_write_concern_t *write = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(write, 0);
    mongoc_write_concern_set_journal(write, true);
    mongoc_read_concern_t *read = mongoc_read_concern_new();
    (void)mongoc_read_concern_set_level(read, MONGOC_READ_CONCERN_LEVEL_SNAPSHOT);
    mongoc_read_prefs_t *preference = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_transaction_opts_set_write_concern(options, write);
    mongoc_transaction_opts_set_read_concern(options, read);
    mongoc_transaction_opts_set_read_prefs(options, preference);
    mongoc_transaction_opts_set_max_commit_time_ms(options, pool->server_time_ms);
    mongoc_read_prefs_destroy(preference);
    mongoc_read_concern_destroy(read);
    mongoc_write_concern_destroy(write);
    return options;
}

static const struct store_ops operations = {
    .prepare = mongo_prepare,
    .repair = mongo_repair,
    .start = start,
    .now_ms = mongo_now_ms,
    .begin = begin,
    .take_advisory_lock = mongo_take_advisory_lock,
    .load = mongo_load,
    .write = mongo_write,
    .write_letters = mongo_write_letters,
    .commit = commit,
    .end = end,
    .renew = renew,
    .limit_calls = limit_calls,
    .prove_health = mongo_prove_health,
    .find_attempts = mongo_find_attempts,
    .record_attempts = mongo_record_attempts,
    .withdraw_attempts = mongo_withdraw_attempts,
    .clear_attempts = mongo_clear_attempts,
    .mark_letters_published = mongo_mark_letters_published,
    .mark_letter_refused = mongo_mark_letter_refused,
    .claim_letters = mongo_claim_letters,
    .find_letters = mongo_find_letters,
    .measure_letters = mongo_measure_letters,
    .trim_letters = mongo_trim_letters,
    .find_notifications = mongo_find_notifications,
    .claim_notification = mongo_claim_notification,
    .end_notification = mongo_end_notification,
    .report_worker = mongo_report_worker,
    .free = store_free,
};

struct store *mongo_store_new(struct mongo_pool *pool, struct error *error)
{
    mongoc_client_t *client = mongoc_client_pool_pop(pool->clients);
    if (client == NULL) {
        error_set(error, "mongodb: the client pool has no free client");
        return NULL;
    }
    struct mongo_store *store = bson_malloc0(sizeof *store);
    store->base.ops = &operations;
    store->pool = pool;
    store->client = client;
    store->call_limit_ms = pool->server_time_ms;
    (void)snprintf(store->name, sizeof store->name, "%s.%" PRIu64, pool->process_id,
                   pool->stores++);
    memcpy(store->family, store->name, sizeof store->family);
    store->database = mongoc_client_get_database(client, pool->database);
    for (size_t i = 0; i < MONGO_COLLECTION_COUNT; i++)
        store->collections[i] = mongoc_client_get_collection(
            client, pool->database, mongo_collection_name((enum mongo_collection)i));
    store->transaction_options = new_transaction_options(pool);
    return &store->base;
}

struct store *mongo_store_sibling(const struct store *base, struct error *error)
{
    const struct mongo_store *first = (const struct mongo_store *)base;
    struct mongo_store *store = of(mongo_store_new(first->pool, error));
    if (store == NULL)
        return NULL;
    memcpy(store->family, first->family, sizeof store->family);
    return &store->base;
}
