/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Sections: making letters, the calls of the port, time and content, comparison. Only time
 * and content differ between the two kinds of worlds. In memory the clock of the world moves, and
 * a visitor finds the letter. On MongoDB the times in the documents become earlier, and
 * mongo_letter_find() reads the letter.
 *
 * Guarantees. full_letter() has a value in each member, among them bytes that are not UTF-8, and
 * assert_same_letter() compares each; so a member that a store forgets fails a test.
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_letters.h"

#include <stdio.h>
#include <string.h>

#include "common/mongo/letters_read.h"
#include "tests/contract/store_admin.h"

enum { CLAIM_MAX = 100, HALF_ID_DIGITS = LETTER_ID_DIGITS / 2 };

/* --- making letters --- */

struct text world_letter_id(struct store_world *world)
{
    return text_format(world->arena, "%0*x%0*x", HALF_ID_DIGITS, world->run, HALF_ID_DIGITS,
                       ++world->number);
}

static struct properties full_properties(void)
{
    return (struct properties){
        .content_type = text_of("application/json"),
        .content_encoding = text_of("utf-8"),
        .correlation_id = text_of("correlation"),
        .reply_to = text_of("replies"),
        .expiration = text_of("60000"),
        .message_id = text_of("key"),
        .type = text_of("allocation.set"),
        .user_id = text_of("conductor"),
        .app_id = text_of("app"),
        .cluster_id = text_of("cluster"),
        .has_priority = true,
        .priority = 255,
        .has_timestamp = true,
        .timestamp = UINT64_MAX,
    };
}

struct letter bare_letter(struct store_world *world)
{
    return (struct letter){
        .id = world_letter_id(world), .source = LETTER_SOURCE_BROKER, .times = 1};
}

struct letter full_letter(struct store_world *world)
{
    static const char body[] = "{\"a\":1}\0\xff tail";
    static const char headers[] = "\0\0\0\x08\x01xt\x01";
    struct uuid *names = ARENA_ARRAY(world->arena, struct uuid, 3);
    for (size_t i = 0; i < 3; i++)
        names[i] = world_uuid(world);
    return (struct letter){
        .id = world_letter_id(world),
        .source = LETTER_SOURCE_WORKER,
        .times = 1,
        .at_ms = 1234567890123,
        .reason = text_of("internal"),
        .detail = text_of("a detail"),
        .principal = text_of("conductor"),
        .key = text_of("key"),
        .command = text_of("allocation.set"),
        .project = text_of("project"),
        .consumers = names,
        .consumer_count = 2,
        .providers = names + 2,
        .provider_count = 1,
        .group = text_of("group"),
        .queue = text_of("allot.commands"),
        .worker = text_of("host:1"),
        .attempts = 2,
        .traceparent = text_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        .properties = full_properties(),
        .raw_headers = text_view(headers, sizeof headers - 1),
        .body = text_view(body, sizeof body - 1),
        .body_size = 70000,
        .body_sha256 = text_of("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    };
}

/* --- the calls of the port --- */

enum store_status session_write_letters(struct session *session, const struct letter *letters,
                                        size_t count)
{
    return session->store->ops->write_letters(session->store, letters, count, &session->error);
}

void world_add_letters(struct store_world *world, const struct letter *letters, size_t count)
{
    struct session session = session_open(world);
    session_begin(&session);
    assert_status(&session, STORE_OK, session_write_letters(&session, letters, count));
    assert_status(&session, STORE_OK, session_commit(&session));
    session_close(&session);
}

void world_add_letter(struct store_world *world, const struct letter *letter)
{
    world_add_letters(world, letter, 1);
}

enum store_status session_publish(struct session *session, const struct text *ids, size_t count)
{
    return session->store->ops->mark_letters_published(session->store, ids, count, &session->error);
}

struct letter_sighting session_find(struct session *session, struct text id)
{
    struct letter_sighting sighting;
    assert_status(session, STORE_OK,
                  session->store->ops->find_letters(session->store, &id, 1, session->arena,
                                                    &sighting, &session->error));
    return sighting;
}

enum store_status session_refuse(struct session *session, struct text id, struct text reason)
{
    return session->store->ops->mark_letter_refused(session->store, id, reason, &session->error);
}

enum store_status session_try_claim(struct session *session, size_t max, size_t bytes_max,
                                    struct claimed *ret_claimed)
{
    *ret_claimed = (struct claimed){NULL, 99};
    return session->store->ops->claim_letters(session->store, max, bytes_max, session->arena,
                                              &ret_claimed->letters, &ret_claimed->count,
                                              &session->error);
}

struct claimed session_claim(struct session *session, size_t max)
{
    struct claimed claimed;
    assert_status(session, STORE_OK, session_try_claim(session, max, SIZE_MAX, &claimed));
    assert_true(claimed.count <= max);
    return claimed;
}

/* --- time and content --- */

void world_pass_time(struct store_world *world, int64_t by_ms)
{
    char json[1024];
    if (world->memory != NULL) {
        fake_clock_advance(&world->clock, by_ms);
        return;
    }
    /* A field that is absent stays absent: $subtract of a missing value gives null. */
    (void)snprintf(json, sizeof json,
                   "{\"update\": \"letters\", \"updates\": [{\"q\": {}, \"u\": [{\"$set\": {"
                   "\"last_at\": {\"$subtract\": [\"$last_at\", %lld]}, "
                   "\"claimed_until\": {\"$cond\": [{\"$eq\": [{\"$type\": \"$claimed_until\"}, "
                   "\"date\"]}, {\"$subtract\": [\"$claimed_until\", %lld]}, \"$$REMOVE\"]}}}], "
                   "\"multi\": true}], \"writeConcern\": {\"w\": \"majority\"}}",
                   (long long)by_ms, (long long)by_ms);
    admin_run(world->database, json);
}

void world_set_state(struct store_world *world, struct text id, enum letter_state new_state)
{
    char json[512];
    if (world->memory != NULL) {
        memory_database_set_letter_state(world->memory, id, new_state);
        return;
    }
    (void)snprintf(json, sizeof json,
                   "{\"update\": \"letters\", \"updates\": [{\"q\": {\"_id\": \"%.*s\"}, \"u\": "
                   "{\"$set\": {\"state\": \"%s\"}}}], \"writeConcern\": {\"w\": \"majority\"}}",
                   TEXT_ARGS(id), letter_state_name(new_state));
    admin_run(world->database, json);
}

void world_publish_all(struct store_world *world)
{
    struct session session = session_open(world);
    struct claimed claimed = {NULL, 1};
    world_pass_time(world, LETTER_SWEEP_AFTER_MS + LETTER_CLAIM_MS);
    while (claimed.count > 0) {
        claimed = session_claim(&session, CLAIM_MAX);
        for (size_t i = 0; i < claimed.count; i++)
            assert_status(&session, STORE_OK, session_publish(&session, &claimed.letters[i].id, 1));
    }
    session_close(&session);
}

struct look {
    struct store_world *world;
    struct text id;
    struct letter_record record;
    bool found;
};

/* The database keeps the texts until the letter changes again, so they are borrowed. */
static void look_at(void *context, const struct letter_record *record)
{
    struct look *look = context;
    if (!text_equal(record->letter.id, look->id))
        return;
    look->record = *record;
    look->found = true;
}

static void find_stored(struct look *look)
{
    struct session session = session_open(look->world);
    size_t matches = 0;
    assert_status(&session, STORE_OK,
                  mongo_letter_find(session.store, look->id, look->world->arena, &look->record,
                                    &matches, &session.error));
    look->found = matches == 1;
    session_close(&session);
}

struct letter_record world_letter(struct store_world *world, struct text id, bool *ret_stored)
{
    struct look look = {.world = world, .id = id};
    if (world->memory != NULL)
        memory_database_visit(world->memory,
                              &(struct memory_visitor){.context = &look, .letter = look_at});
    else
        find_stored(&look);
    if (ret_stored != NULL)
        *ret_stored = look.found;
    else
        assert_true(look.found);
    return look.record;
}

/* --- comparison --- */

static void assert_same_uuids(const struct uuid *expected, size_t expected_count,
                              const struct uuid *actual, size_t actual_count)
{
    assert_int_equal(expected_count, actual_count);
    for (size_t i = 0; i < expected_count; i++)
        assert_true(uuid_equal(expected[i], actual[i]));
}

static void assert_same_properties(const struct properties *expected,
                                   const struct properties *actual)
{
    assert_text(expected->content_type, actual->content_type);
    assert_text(expected->content_encoding, actual->content_encoding);
    assert_text(expected->correlation_id, actual->correlation_id);
    assert_text(expected->reply_to, actual->reply_to);
    assert_text(expected->expiration, actual->expiration);
    assert_text(expected->message_id, actual->message_id);
    assert_text(expected->type, actual->type);
    assert_text(expected->user_id, actual->user_id);
    assert_text(expected->app_id, actual->app_id);
    assert_text(expected->cluster_id, actual->cluster_id);
    assert_int_equal(expected->has_priority, actual->has_priority);
    assert_int_equal(expected->priority, actual->priority);
    assert_int_equal(expected->has_timestamp, actual->has_timestamp);
    assert_true(expected->timestamp == actual->timestamp);
}

void assert_same_letter(const struct letter *expected, const struct letter *actual)
{
    assert_text(expected->id, actual->id);
    assert_int_equal(expected->source, actual->source);
    assert_text(expected->reason, actual->reason);
    assert_text(expected->detail, actual->detail);
    assert_text(expected->principal, actual->principal);
    assert_text(expected->key, actual->key);
    assert_text(expected->command, actual->command);
    assert_text(expected->project, actual->project);
    assert_same_uuids(expected->consumers, expected->consumer_count, actual->consumers,
                      actual->consumer_count);
    assert_same_uuids(expected->providers, expected->provider_count, actual->providers,
                      actual->provider_count);
    assert_text(expected->group, actual->group);
    assert_text(expected->queue, actual->queue);
    assert_text(expected->worker, actual->worker);
    assert_true(expected->attempts == actual->attempts);
    assert_text(expected->traceparent, actual->traceparent);
    assert_same_properties(&expected->properties, &actual->properties);
    assert_text(expected->raw_headers, actual->raw_headers);
    assert_text(expected->body, actual->body);
    assert_int_equal(expected->body_dropped, actual->body_dropped);
    assert_true(expected->body_size == actual->body_size);
    assert_text(expected->body_sha256, actual->body_sha256);
}
