/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Sections: worlds (set-up and tear-down of both kinds), sessions, documents, comparison.
 * Only set-up, new_store() and tear-down know which of the two kinds a world is.
 *
 * A world on MongoDB has a database with a random name, and a pool whose worker is `contract`; so
 * the application name of its connections is `allotd:contract`, which the fail points of
 * store_admin.c select. The pool counts commands, for test_store_cost.c. A UUID begins with the
 * random number of the run and ends with a counter, so different runs make different ids.
 *
 * Guarantees. Every session ends its transaction before it is freed. A check that fails prints the
 * session's error, because a status alone does not say what the server complained about.
 *
 * Not here: fail points and other commands to the server (store_admin.c), and faults of the store
 * in memory (tests/support/memory_store.h).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/host/system_clock.h"
#include "common/mongo/libmongoc.h"

enum { TIMEOUT_MS = 5000 };

/* --- worlds --- */

static struct store_world *world_new(void)
{
    struct store_world *world = calloc(1, sizeof *world);
    if (world == NULL || getrandom(&world->run, sizeof world->run, 0) != (ssize_t)sizeof world->run)
        abort();
    world->arena = arena_new(0);
    (void)snprintf(world->database, sizeof world->database, "allot_test_%08x", world->run);
    return world;
}

int store_world_memory(void **state)
{
    struct store_world *world = world_new();
    world->memory = memory_database_new();
    world->clock = fake_clock_make();
    memory_database_use_clock(world->memory, &world->clock.base);
    *state = world;
    return 0;
}

struct mongo_pool *store_world_pool(const struct store_world *world, int64_t timeout_ms)
{
    return store_world_pool_with(world, timeout_ms, system_clock());
}

struct mongo_pool *store_world_pool_with(const struct store_world *world, int64_t timeout_ms,
                                         struct clock *clock)
{
    struct error error = {""};
    struct mongo_options options = {
        .uri = text_of(getenv("ALLOT_MONGODB_URI")),
        .database = text_of(world->database),
        .timeout_ms = timeout_ms,
        .retention_ms = WORLD_RETENTION_MS,
        .letters_retention_ms = MEMORY_LETTERS_RETENTION_MS,
        .worker = text_of("contract"),
        .clock = clock,
        .counting = true,
    };
    struct mongo_pool *pool = mongo_pool_new(&options, &error);
    if (pool == NULL)
        print_error("cannot make a pool: %s\n", error.text);
    return pool;
}

static int prepare_database(struct mongo_pool *pool)
{
    struct error error = {""};
    struct store *store = mongo_store_new(pool, &error);
    enum store_status status =
        store != NULL ? store->ops->prepare(store, &error) : STORE_UNAVAILABLE;
    if (status != STORE_OK)
        print_error("cannot prepare the database: %s\n", error.text);
    if (store != NULL)
        store->ops->free(store);
    return status == STORE_OK ? 0 : -1;
}

int store_world_mongo(void **state)
{
    if (getenv("ALLOT_MONGODB_URI") == NULL) {
        print_error("ALLOT_MONGODB_URI is not set: this suite needs a MongoDB (script/stack up)\n");
        return -1;
    }
    struct store_world *world = world_new();
    mongo_library_init();
    *state = world;
    world->pool = store_world_pool(world, TIMEOUT_MS);
    return world->pool != NULL ? prepare_database(world->pool) : -1;
}

static void drop_database(const struct store_world *world)
{
    bson_error_t error;
    mongoc_client_t *client = mongoc_client_new(getenv("ALLOT_MONGODB_URI"));
    mongoc_database_t *database = mongoc_client_get_database(client, world->database);
    if (!mongoc_database_drop(database, &error))
        print_error("cannot drop the database %s: %s\n", world->database, error.message);
    mongoc_database_destroy(database);
    mongoc_client_destroy(client);
}

int store_world_end(void **state)
{
    struct store_world *world = *state;
    if (world == NULL)
        return 0;
    if (world->pool != NULL) {
        drop_database(world);
        mongo_pool_free(world->pool);
        mongo_library_cleanup();
    }
    memory_database_free(world->memory);
    arena_free(world->arena);
    free(world);
    return 0;
}

struct text conductor(void)
{
    return text_of("conductor");
}

struct uuid world_uuid(struct store_world *world)
{
    struct uuid id = {{0}};
    uint32_t number = ++world->number;
    memcpy(id.bytes, &world->run, sizeof world->run);
    for (int i = 0; i < 4; i++)
        id.bytes[UUID_BYTES - 1 - i] = (uint8_t)(number >> (8 * i));
    return id;
}

struct text world_text(struct store_world *world, const char *prefix)
{
    return text_format(world->arena, "%s-%08x-%u", prefix, world->run, ++world->number);
}

/* --- sessions --- */

static struct store *new_store(struct store_world *world)
{
    struct error error = {""};
    if (world->memory != NULL)
        return memory_store_new(world->memory);
    struct store *store = mongo_store_new(world->pool, &error);
    if (store == NULL)
        fail_msg("cannot make a store: %s", error.text);
    return store;
}

struct session session_open(struct store_world *world)
{
    struct session session = {.world = world, .store = new_store(world), .arena = arena_new(0)};
    session.snapshot = snapshot_new(session.arena);
    return session;
}

void session_restart(struct session *session)
{
    session->store->ops->end(session->store);
    session->snapshot = snapshot_new(session->arena);
}

void session_close(struct session *session)
{
    session->store->ops->end(session->store);
    session->store->ops->free(session->store);
    arena_free(session->arena);
}

void session_expect(const struct session *session, enum store_status expected,
                    enum store_status actual, const char *file, int line)
{
    if (expected == actual)
        return;
    print_error("expected status %s, got %s: %s\n", store_status_name(expected),
                store_status_name(actual), session->error.text);
    _fail(file, line);
}

enum store_status session_prepare(struct session *session)
{
    return session->store->ops->prepare(session->store, &session->error);
}

void session_begin(struct session *session)
{
    assert_status(session, STORE_OK, session->store->ops->begin(session->store, &session->error));
}

enum store_status session_try_load(struct session *session)
{
    snapshot_seal(session->snapshot);
    return session->store->ops->load(session->store, session->snapshot, &session->error);
}

void session_load(struct session *session)
{
    assert_status(session, STORE_OK, session_try_load(session));
}

enum store_status session_write(struct session *session)
{
    return session->store->ops->write(session->store, session->snapshot, &session->error);
}

enum store_status session_commit(struct session *session)
{
    return session->store->ops->commit(session->store, &session->error);
}

void session_save(struct session *session)
{
    assert_status(session, STORE_OK, session_write(session));
    assert_status(session, STORE_OK, session_commit(session));
    session_restart(session);
}

enum { ATTEMPT_KEYS_MAX = 8 };

enum store_status session_record_attempts(struct session *session, const struct text *keys,
                                          size_t count)
{
    struct attempt_key named[ATTEMPT_KEYS_MAX];
    assert_true(count <= ATTEMPT_KEYS_MAX);
    for (size_t i = 0; i < count; i++)
        named[i] = (struct attempt_key){conductor(), keys[i]};
    return session->store->ops->record_attempts(session->store, named, count, count,
                                                &session->error);
}

struct attempt_history session_find_attempts(struct session *session, struct text key)
{
    struct attempt_key named = {conductor(), key};
    struct attempt_history history = {-1, 99};
    assert_status(
        session, STORE_OK,
        session->store->ops->find_attempts(session->store, &named, 1, &history, &session->error));
    return history;
}

/* --- documents --- */

static void expect_absent(struct slot_state state)
{
    assert_true(state.loaded);
    assert_false(state.stored);
    assert_false(state.exists);
    assert_false(state.dirty);
}

static const struct slot_state to_insert = {.loaded = true, .exists = true, .dirty = true};

void put_provider(struct session *session, const struct provider *content)
{
    struct provider *slot = snapshot_provider(session->snapshot, content->id);
    expect_absent(slot->state);
    *slot = *content;
    slot->state = to_insert;
    slot->place_dirty = slot->records_dirty = true;
}

void put_consumer(struct session *session, const struct consumer *content)
{
    struct consumer *slot = snapshot_consumer(session->snapshot, content->id);
    expect_absent(slot->state);
    *slot = *content;
    slot->state = to_insert;
}

void put_outcome(struct session *session, struct text principal, struct text key, const char *body)
{
    struct outcome *slot = snapshot_outcome(session->snapshot, principal, key);
    expect_absent(slot->state);
    slot->command = text_of("allocation.set");
    slot->body = text_of(body);
    memset(slot->fingerprint.bytes, 0xa5, FINGERPRINT_BYTES);
    slot->state = to_insert;
}

void stage_provider(struct session *session, const struct provider *content)
{
    (void)open_provider(session, content->id);
    put_provider(session, content);
}

void world_add_provider(struct store_world *world, const struct provider *content)
{
    struct session session = session_open(world);
    stage_provider(&session, content);
    session_save(&session);
    session_close(&session);
}

void world_add_consumer(struct store_world *world, const struct consumer *content)
{
    struct session session = session_open(world);
    (void)open_consumer(&session, content->id);
    put_consumer(&session, content);
    session_save(&session);
    session_close(&session);
}

void world_add_outcome(struct store_world *world, struct text principal, struct text key,
                       const char *body)
{
    struct session session = session_open(world);
    (void)open_outcome(&session, principal, key);
    put_outcome(&session, principal, key, body);
    session_save(&session);
    session_close(&session);
}

struct provider plain_provider(struct store_world *world)
{
    struct inventory_record *record = ARENA_NEW(world->arena, struct inventory_record);
    record->inventory = (struct inventory){.resource_class = text_of("VCPU"),
                                           .total = 64,
                                           .min_unit = 1,
                                           .max_unit = 64,
                                           .step_size = 1,
                                           .ratio = 1000000};
    struct uuid id = world_uuid(world);
    return (struct provider){.id = id,
                             .root = id,
                             .name = world_text(world, "provider"),
                             .records = record,
                             .record_count = 1};
}

struct consumer plain_consumer(struct store_world *world, struct uuid provider, int64_t amount)
{
    struct allocation *allocation = ARENA_NEW(world->arena, struct allocation);
    *allocation = (struct allocation){provider, text_of("VCPU"), amount};
    return (struct consumer){.id = world_uuid(world),
                             .project_id = text_of("project"),
                             .user_id = text_of("user"),
                             .consumer_type = text_of("INSTANCE"),
                             .generation = 1,
                             .allocations = allocation,
                             .allocation_count = 1};
}

struct provider *open_provider(struct session *session, struct uuid id)
{
    session_begin(session);
    snapshot_want_provider(session->snapshot, id);
    session_load(session);
    return snapshot_provider(session->snapshot, id);
}

struct consumer *open_consumer(struct session *session, struct uuid id)
{
    session_begin(session);
    session->snapshot->mappings_wanted = true;
    snapshot_want_consumer(session->snapshot, id);
    session_load(session);
    return snapshot_consumer(session->snapshot, id);
}

struct outcome *open_outcome(struct session *session, struct text principal, struct text key)
{
    session_begin(session);
    snapshot_want_outcome(session->snapshot, principal, key);
    session_load(session);
    return snapshot_outcome(session->snapshot, principal, key);
}

/* --- comparison --- */

void session_expect_text(struct text expected, struct text actual, const char *file, int line)
{
    if (text_present(expected) == text_present(actual) && text_equal(expected, actual))
        return;
    print_error("expected \"%.*s\", got \"%.*s\"\n", TEXT_ARGS(expected), TEXT_ARGS(actual));
    _fail(file, line);
}

static void assert_same_inventory(const struct inventory_record *expected,
                                  const struct inventory_record *actual)
{
    const struct inventory *a = &expected->inventory, *b = &actual->inventory;
    assert_text(a->resource_class, b->resource_class);
    assert_true(a->total == b->total);
    assert_true(a->reserved == b->reserved);
    assert_true(a->min_unit == b->min_unit);
    assert_true(a->max_unit == b->max_unit);
    assert_true(a->step_size == b->step_size);
    assert_true(a->ratio == b->ratio);
    assert_true(expected->used == actual->used);
    assert_false(actual->dirty);
}

void assert_same_provider(const struct provider *expected, const struct provider *actual)
{
    assert_true(actual->state.loaded && actual->state.stored && actual->state.exists);
    assert_false(actual->state.dirty || actual->place_dirty || actual->records_dirty);
    assert_true(uuid_equal(expected->id, actual->id));
    assert_text(expected->name, actual->name);
    assert_int_equal(expected->has_parent, actual->has_parent);
    assert_true(!expected->has_parent || uuid_equal(expected->parent, actual->parent));
    assert_true(uuid_equal(expected->root, actual->root));
    assert_true(expected->generation == actual->generation);
    assert_int_equal(expected->record_count, actual->record_count);
    for (size_t i = 0; i < expected->record_count; i++)
        assert_same_inventory(&expected->records[i], &actual->records[i]);
}

void assert_same_consumer(const struct consumer *expected, const struct consumer *actual)
{
    assert_true(actual->state.loaded && actual->state.stored && actual->state.exists);
    assert_false(actual->state.dirty);
    assert_true(uuid_equal(expected->id, actual->id));
    assert_text(expected->project_id, actual->project_id);
    assert_text(expected->user_id, actual->user_id);
    assert_text(expected->consumer_type, actual->consumer_type);
    assert_text(expected->mappings, actual->mappings);
    assert_true(expected->generation == actual->generation);
    assert_int_equal(expected->allocation_count, actual->allocation_count);
    for (size_t i = 0; i < expected->allocation_count; i++) {
        assert_true(uuid_equal(expected->allocations[i].provider, actual->allocations[i].provider));
        assert_text(expected->allocations[i].resource_class, actual->allocations[i].resource_class);
        assert_true(expected->allocations[i].amount == actual->allocations[i].amount);
    }
}
