/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The auditor: state and answers. `begin` collects pointers to all documents of the memory
 * database.
 *
 * The state: each usage is the sum of the consumers' allocations; each provider's root is the top
 * of its parents; names are unique; no consumer is without allocations, and each allocation names
 * an inventory that exists. The answers: the queue is empty; a key has one outcome; each reply has
 * the key of its command and is byte for byte the recorded outcome; every command was answered or
 * dead-lettered. auditor_generations.c checks the order that the generations imply.
 *
 * It does not check capacities on the way (the planner's tables and the chaos judge do), and it
 * does not know which failure should have been answered.
 */
#include "tests/support/auditor_internal.h"

#include <assert.h>
#include <string.h>

static void note_provider(void *context, const struct provider *provider)
{
    struct audit *audit = context;
    assert(audit->provider_count < DOCUMENTS);
    audit->providers[audit->provider_count++] = provider;
}

static void note_consumer(void *context, const struct consumer *consumer)
{
    struct audit *audit = context;
    assert(audit->consumer_count < DOCUMENTS);
    audit->consumers[audit->consumer_count++] = consumer;
}

static void note_outcome(void *context, const struct outcome *outcome)
{
    struct audit *audit = context;
    assert(audit->outcome_count < DOCUMENTS);
    audit->outcomes[audit->outcome_count++] = outcome;
}

static void note_letter(void *context, const struct letter_record *letter)
{
    struct audit *audit = context;
    assert(audit->letter_count < DOCUMENTS);
    audit->letters[audit->letter_count++] = letter;
}

/* The pointers are valid until the next write to the database. */
static struct audit begin(const struct world *world, struct error *error)
{
    struct audit audit = {.world = world, .error = error};
    struct memory_visitor visitor = {.context = &audit,
                                     .provider = note_provider,
                                     .consumer = note_consumer,
                                     .outcome = note_outcome,
                                     .letter = note_letter};
    memory_database_visit(world->database, &visitor);
    return audit;
}

/* --- the state ------------------------------------------------------------------------------ */

static const struct provider *find_provider(const struct audit *audit, struct uuid id)
{
    for (size_t i = 0; i < audit->provider_count; i++) {
        if (uuid_equal(audit->providers[i]->id, id))
            return audit->providers[i];
    }
    return NULL;
}

static int64_t sum_of_allocations(const struct audit *audit, struct uuid provider,
                                  struct text resource_class)
{
    int64_t sum = 0;
    for (size_t i = 0; i < audit->consumer_count; i++) {
        const struct consumer *consumer = audit->consumers[i];
        for (size_t j = 0; j < consumer->allocation_count; j++) {
            const struct allocation *allocation = &consumer->allocations[j];
            if (uuid_equal(allocation->provider, provider) &&
                text_equal(allocation->resource_class, resource_class))
                sum += allocation->amount;
        }
    }
    return sum;
}

static void check_records(struct audit *audit, const struct provider *provider)
{
    for (size_t i = 0; i < provider->record_count; i++) {
        const struct inventory_record *record = &provider->records[i];
        struct text resource_class = record->inventory.resource_class;
        int64_t sum = sum_of_allocations(audit, provider->id, resource_class);
        if (record->used != sum)
            FINDING(audit,
                    "provider %s: usage of %.*s is %lld, its consumers' allocations add up to %lld",
                    uuid_format(provider->id).chars, TEXT_ARGS(resource_class),
                    (long long)record->used, (long long)sum);
    }
}

static void check_tree(struct audit *audit, const struct provider *provider)
{
    const struct provider *top = provider;
    for (size_t steps = 0; top->has_parent; steps++) {
        const struct provider *parent = find_provider(audit, top->parent);
        if (parent == NULL || steps > audit->provider_count) {
            FINDING(audit, "provider %s: an ancestor is missing, or is its own descendant",
                    uuid_format(provider->id).chars);
            return;
        }
        top = parent;
    }
    if (!uuid_equal(provider->root, top->id))
        FINDING(audit, "provider %s: the root is not its topmost ancestor",
                uuid_format(provider->id).chars);
}

static void check_name(struct audit *audit, const struct provider *provider)
{
    for (size_t i = 0; i < audit->provider_count; i++) {
        const struct provider *other = audit->providers[i];
        if (other != provider && text_equal(other->name, provider->name))
            FINDING(audit, "provider %s: another provider has the same name",
                    uuid_format(provider->id).chars);
    }
}

static bool has_class(const struct provider *provider, struct text resource_class)
{
    for (size_t i = 0; i < provider->record_count; i++) {
        if (text_equal(provider->records[i].inventory.resource_class, resource_class))
            return true;
    }
    return false;
}

static void check_consumer(struct audit *audit, const struct consumer *consumer)
{
    if (consumer->allocation_count == 0)
        FINDING(audit, "consumer %s: it has no allocations", uuid_format(consumer->id).chars);
    if (consumer->generation < 1)
        FINDING(audit, "consumer %s: its generation is below 1", uuid_format(consumer->id).chars);
    for (size_t i = 0; i < consumer->allocation_count; i++) {
        const struct allocation *allocation = &consumer->allocations[i];
        const struct provider *provider = find_provider(audit, allocation->provider);
        if (provider == NULL || !has_class(provider, allocation->resource_class))
            FINDING(audit, "consumer %s: allocation of %.*s without provider or inventory",
                    uuid_format(consumer->id).chars, TEXT_ARGS(allocation->resource_class));
        if (allocation->amount < 1)
            FINDING(audit, "consumer %s: an amount is below 1", uuid_format(consumer->id).chars);
    }
}

static void check_state(struct audit *audit)
{
    for (size_t i = 0; i < audit->provider_count; i++) {
        check_records(audit, audit->providers[i]);
        check_tree(audit, audit->providers[i]);
        check_name(audit, audit->providers[i]);
    }
    for (size_t i = 0; i < audit->consumer_count; i++)
        check_consumer(audit, audit->consumers[i]);
}

/* --- answers -------------------------------------------------------------------------------- */

json_t *audit_parse(struct text text)
{
    return json_loadb(text.bytes, text.length, 0, NULL);
}

const char *audit_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static bool is_read(const char *command)
{
    static const char *const reads[] = {"provider.get", "provider.list", "provider.allocations",
                                        "allocation.get", "usage.get"};
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        if (command != NULL && strcmp(reads[i], command) == 0)
            return true;
    }
    return false;
}

const char *audit_code(const json_t *reply)
{
    const char *code = audit_member(json_object_get(reply, "error"), "code");
    return code != NULL ? code : audit_member(reply, "status");
}

static bool leaves_no_record(const char *code)
{
    static const char *const codes[] = {
        "too_large",       "malformed",           "missing_message_id",
        "unauthenticated", "unsupported_version", "unknown_command",
        "invalid",         "forbidden",           "idempotency_key_reused",
        "internal",        "attempts_exhausted"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(codes[i], code) == 0)
            return true;
    }
    return false;
}

static const struct outcome *find_outcome(const struct audit *audit, const struct sent *sent)
{
    for (size_t i = 0; i < audit->outcome_count; i++) {
        const struct outcome *outcome = audit->outcomes[i];
        if (text_equal(outcome->principal, sent->principal) && text_equal(outcome->key, sent->key))
            return outcome;
    }
    return NULL;
}

static void check_unique(struct audit *audit)
{
    for (size_t i = 0; i < audit->outcome_count; i++) {
        const struct outcome *outcome = audit->outcomes[i];
        struct sent same = {.principal = outcome->principal, .key = outcome->key};
        if (find_outcome(audit, &same) != outcome)
            FINDING(audit, "key %.*s: two outcomes are recorded", TEXT_ARGS(outcome->key));
    }
}

static void check_reply(struct audit *audit, const struct sent *sent, struct text body)
{
    json_t *reply = audit_parse(body);
    const char *code = audit_code(reply);
    const char *key = audit_member(reply, "message_id");
    if (code == NULL) {
        FINDING(audit, "%.*s: the reply cannot be read", TEXT_ARGS(sent->correlation_id));
    } else if (!text_equal(text_of(key), sent->key)) {
        FINDING(audit, "%.*s: the reply has another key", TEXT_ARGS(sent->correlation_id));
    } else if (!is_read(audit_member(reply, "command")) && !leaves_no_record(code)) {
        const struct outcome *outcome = find_outcome(audit, sent);
        if (outcome == NULL)
            FINDING(audit, "%.*s: answered %s, but no outcome is recorded",
                    TEXT_ARGS(sent->correlation_id), code);
        else if (!text_equal(outcome->body, body))
            FINDING(audit, "%.*s: the reply is not the recorded outcome",
                    TEXT_ARGS(sent->correlation_id));
    }
    json_decref(reply);
}

/* A success without a queue for its reply leaves no trace; a failure is dead-lettered. */
static bool may_be_silent(const struct audit *audit, const struct sent *sent)
{
    if (text_is(sent->reply_to, "replies"))
        return false;
    json_t *body = audit_parse(sent->body);
    bool read = is_read(audit_member(body, "command"));
    json_decref(body);
    const struct outcome *outcome = find_outcome(audit, sent);
    return read || (outcome != NULL && outcome->code == VERDICT_SUCCESS);
}

static void check_sent(struct audit *audit, const struct sent *sent)
{
    size_t replies = 0;
    for (const struct memory_message *reply = world_reply(audit->world, sent, 0); reply != NULL;
         reply = world_reply(audit->world, sent, ++replies))
        check_reply(audit, sent, reply->body);
    bool dead = audit_is_dead(audit, sent);
    bool known = !text_is(sent->principal, "ghost");
    if (audit_is_dead_of_broker(audit, sent))
        return;
    if (replies == 0 && known && text_is(sent->reply_to, "replies"))
        FINDING(audit, "%.*s: it never got a reply", TEXT_ARGS(sent->correlation_id));
    else if (replies == 0 && !dead && !may_be_silent(audit, sent))
        FINDING(audit, "%.*s: neither answered nor dead-lettered", TEXT_ARGS(sent->correlation_id));
}

static void check_answers(struct audit *audit)
{
    const struct world *world = audit->world;
    if (memory_broker_count(world->broker, "allot.commands") > 0 ||
        memory_broker_unacked(world->broker) > 0)
        FINDING(audit, "commands are left in the queue");
    check_unique(audit);
    for (size_t i = 0; i < world->journal.count; i++)
        check_sent(audit, &world->journal.sent[i]);
}

bool auditor_check_state(const struct world *world, struct error *error)
{
    struct audit audit = begin(world, error);
    check_state(&audit);
    return !audit.failed;
}

bool auditor_check(const struct world *world, struct error *error)
{
    struct audit audit = begin(world, error);
    check_state(&audit);
    check_answers(&audit);
    audit_generations(&audit);
    audit_letters(&audit);
    return !audit.failed;
}
