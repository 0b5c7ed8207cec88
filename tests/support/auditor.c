/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/auditor.h"

#include <assert.h>
#include <string.h>

#include <jansson.h>

enum { DOCUMENTS = 4096 };

struct audit {
    const struct world *world;
    struct error *error;
    bool failed;
    const struct provider *providers[DOCUMENTS];
    size_t provider_count;
    const struct consumer *consumers[DOCUMENTS];
    size_t consumer_count;
    const struct outcome *outcomes[DOCUMENTS];
    json_t *bodies[DOCUMENTS];   /* of the outcomes */
    json_t *commands[DOCUMENTS]; /* what the outcomes answer */
    size_t outcome_count;
};

/* The first finding stays. */
#define FINDING(audit, ...)                                                                        \
    do {                                                                                           \
        if (!(audit)->failed)                                                                      \
            error_set((audit)->error, __VA_ARGS__);                                                \
        (audit)->failed = true;                                                                    \
    } while (0)

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

/* Documents stay where they are as long as nobody writes. */
static struct audit begin(const struct world *world, struct error *error)
{
    struct audit audit = {.world = world, .error = error};
    struct memory_visitor visitor = {&audit, note_provider, note_consumer, note_outcome, NULL};
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

static int64_t held(const struct audit *audit, struct uuid provider, struct text resource_class)
{
    int64_t sum = 0;
    for (size_t i = 0; i < audit->consumer_count; i++) {
        const struct consumer *consumer = audit->consumers[i];
        for (size_t j = 0; j < consumer->holding_count; j++) {
            const struct holding *holding = &consumer->holdings[j];
            if (uuid_equal(holding->provider, provider) &&
                text_equal(holding->resource_class, resource_class))
                sum += holding->amount;
        }
    }
    return sum;
}

static void check_stocks(struct audit *audit, const struct provider *provider)
{
    for (size_t i = 0; i < provider->stock_count; i++) {
        const struct stock *stock = &provider->stocks[i];
        struct text resource_class = stock->inventory.resource_class;
        int64_t sum = held(audit, provider->id, resource_class);
        if (stock->used != sum)
            FINDING(audit, "provider %s: usage of %.*s is %lld, its consumers hold %lld",
                    uuid_format(provider->id).chars, TEXT_ARGS(resource_class),
                    (long long)stock->used, (long long)sum);
    }
}

static void check_tree(struct audit *audit, const struct provider *provider)
{
    const struct provider *top = provider;
    for (size_t steps = 0; top->has_parent; steps++) {
        const struct provider *parent = find_provider(audit, top->parent);
        if (parent == NULL || steps > audit->provider_count) {
            FINDING(audit, "provider %s: a parent is missing, or its own descendant",
                    uuid_format(provider->id).chars);
            return;
        }
        top = parent;
    }
    if (!uuid_equal(provider->root, top->id))
        FINDING(audit, "provider %s: the root is not the top of its parents",
                uuid_format(provider->id).chars);
}

static void check_name(struct audit *audit, const struct provider *provider)
{
    for (size_t i = 0; i < audit->provider_count; i++) {
        const struct provider *other = audit->providers[i];
        if (other != provider && text_equal(other->name, provider->name))
            FINDING(audit, "provider %s: its name is another's as well",
                    uuid_format(provider->id).chars);
    }
}

static bool has_class(const struct provider *provider, struct text resource_class)
{
    for (size_t i = 0; i < provider->stock_count; i++) {
        if (text_equal(provider->stocks[i].inventory.resource_class, resource_class))
            return true;
    }
    return false;
}

static void check_consumer(struct audit *audit, const struct consumer *consumer)
{
    if (consumer->holding_count == 0)
        FINDING(audit, "consumer %s: it has no allocations", uuid_format(consumer->id).chars);
    if (consumer->generation < 1)
        FINDING(audit, "consumer %s: its generation is below 1", uuid_format(consumer->id).chars);
    for (size_t i = 0; i < consumer->holding_count; i++) {
        const struct holding *holding = &consumer->holdings[i];
        const struct provider *provider = find_provider(audit, holding->provider);
        if (provider == NULL || !has_class(provider, holding->resource_class))
            FINDING(audit, "consumer %s: it holds %.*s of what is not there",
                    uuid_format(consumer->id).chars, TEXT_ARGS(holding->resource_class));
        if (holding->amount < 1)
            FINDING(audit, "consumer %s: an amount is below 1", uuid_format(consumer->id).chars);
    }
}

static void check_state(struct audit *audit)
{
    for (size_t i = 0; i < audit->provider_count; i++) {
        check_stocks(audit, audit->providers[i]);
        check_tree(audit, audit->providers[i]);
        check_name(audit, audit->providers[i]);
    }
    for (size_t i = 0; i < audit->consumer_count; i++)
        check_consumer(audit, audit->consumers[i]);
}

/* --- answers -------------------------------------------------------------------------------- */

static json_t *parse(struct text text)
{
    return json_loadb(text.bytes, text.length, 0, NULL);
}

/* NULL where there is none. */
static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static bool is_read(const char *command)
{
    static const char *const reads[] = {"provider.get", "provider.allocations", "allocation.get",
                                        "usage.get"};
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        if (command != NULL && strcmp(reads[i], command) == 0)
            return true;
    }
    return false;
}

/* Of a reply: "success", or the failure's code. */
static const char *code_of(const json_t *reply)
{
    const char *code = member(json_object_get(reply, "error"), "code");
    return code != NULL ? code : member(reply, "status");
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
            FINDING(audit, "key %.*s: two outcomes are on record", TEXT_ARGS(outcome->key));
    }
}

static void check_reply(struct audit *audit, const struct sent *sent, struct text body)
{
    json_t *reply = parse(body);
    const char *code = code_of(reply);
    const char *key = member(reply, "message_id");
    if (code == NULL) {
        FINDING(audit, "%.*s: the reply cannot be read", TEXT_ARGS(sent->correlation_id));
    } else if (!text_equal(text_of(key), sent->key)) {
        FINDING(audit, "%.*s: the reply has another key", TEXT_ARGS(sent->correlation_id));
    } else if (!is_read(member(reply, "command")) && !leaves_no_record(code)) {
        const struct outcome *outcome = find_outcome(audit, sent);
        if (outcome == NULL)
            FINDING(audit, "%.*s: answered %s, and no outcome is on record",
                    TEXT_ARGS(sent->correlation_id), code);
        else if (!text_equal(outcome->body, body))
            FINDING(audit, "%.*s: the reply is not the outcome on record",
                    TEXT_ARGS(sent->correlation_id));
    }
    json_decref(reply);
}

/* Nobody hears of a success without a queue for it; the rest of them is dead-lettered. */
static bool may_be_silent(const struct audit *audit, const struct sent *sent)
{
    if (text_is(sent->reply_to, "replies"))
        return false;
    json_t *body = parse(sent->body);
    bool read = is_read(member(body, "command"));
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
    bool dead = world_dead_letter(audit->world, sent) != NULL;
    bool known = !text_is(sent->principal, "ghost");
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

/* --- generations ---------------------------------------------------------------------------- */

/* What an outcome answers: of the messages with its key, the one with its command. */
static json_t *find_command(const struct audit *audit, const struct outcome *outcome)
{
    const struct journal *journal = &audit->world->journal;
    for (size_t i = 0; i < journal->count; i++) {
        const struct sent *sent = &journal->sent[i];
        if (!text_equal(sent->principal, outcome->principal) ||
            !text_equal(sent->key, outcome->key))
            continue;
        json_t *body = parse(sent->body);
        if (text_equal(text_of(member(body, "command")), outcome->command))
            return body;
        json_decref(body);
    }
    return NULL;
}

static void read_outcomes(struct audit *audit)
{
    for (size_t i = 0; i < audit->outcome_count; i++) {
        audit->bodies[i] = parse(audit->outcomes[i]->body);
        audit->commands[i] = find_command(audit, audit->outcomes[i]);
        if (audit->commands[i] == NULL)
            FINDING(audit, "key %.*s: an outcome of what nobody sent",
                    TEXT_ARGS(audit->outcomes[i]->key));
    }
}

static const json_t *result_of(const struct audit *audit, size_t index)
{
    return json_object_get(audit->bodies[index], "result");
}

static const json_t *params_of(const struct audit *audit, size_t index)
{
    return json_object_get(audit->commands[index], "params");
}

static bool succeeded(const struct audit *audit, size_t index, const char *command)
{
    return audit->outcomes[index]->code == VERDICT_SUCCESS &&
           text_is(audit->outcomes[index]->command, command);
}

/* The generation that this outcome reports of a provider; 0: none. */
static int64_t reported_provider(const struct audit *audit, size_t index, const char *uuid)
{
    const json_t *result = result_of(audit, index);
    if (succeeded(audit, index, "inventory.set")) {
        const char *given = member(params_of(audit, index), "uuid");
        if (given == NULL || strcmp(given, uuid) != 0)
            return 0;
        return json_integer_value(json_object_get(result, "resource_provider_generation"));
    }
    const json_t *all = json_object_get(result, "resource_provider_generations");
    return json_integer_value(json_object_get(all, uuid));
}

static bool was_deleted(const struct audit *audit, const char *uuid)
{
    for (size_t i = 0; i < audit->outcome_count; i++) {
        const char *given = member(params_of(audit, i), "uuid");
        if (succeeded(audit, i, "provider.delete") && given != NULL && strcmp(given, uuid) == 0)
            return true;
    }
    return false;
}

static size_t count_deletes(const struct audit *audit, const char *consumer)
{
    size_t count = 0;
    for (size_t i = 0; i < audit->outcome_count; i++) {
        const char *given = member(params_of(audit, i), "consumer_uuid");
        if (succeeded(audit, i, "allocation.delete") &&
            (consumer == NULL || (given != NULL && strcmp(given, consumer) == 0)))
            count++;
    }
    return count;
}

/* Each generation of a provider is one command's; allocation.delete is the one that reports none.
 */
static void check_provider_generations(struct audit *audit, const struct provider *provider)
{
    struct uuid_text uuid = uuid_format(provider->id);
    int64_t reported = 0;
    if (was_deleted(audit, uuid.chars))
        return; /* it began at 0 again */
    for (size_t i = 0; i < audit->outcome_count; i++) {
        int64_t generation = reported_provider(audit, i, uuid.chars);
        if (generation == 0)
            continue;
        reported++;
        if (generation > provider->generation)
            FINDING(audit, "provider %s: a reply tells of a generation to come", uuid.chars);
        for (size_t j = 0; j < i; j++) {
            if (reported_provider(audit, j, uuid.chars) == generation)
                FINDING(audit, "provider %s: two commands made generation %lld", uuid.chars,
                        (long long)generation);
        }
    }
    int64_t silent = provider->generation - reported;
    if (silent < 0 || silent > (int64_t)count_deletes(audit, NULL))
        FINDING(audit, "provider %s: generation %lld after %lld commands", uuid.chars,
                (long long)provider->generation, (long long)reported);
}

/* The generation that this outcome reports of a consumer: 0: none, -1: null. */
static int64_t reported_consumer(const struct audit *audit, size_t index, const char *uuid)
{
    const json_t *result = result_of(audit, index);
    const json_t *one = json_object_get(json_object_get(result, "consumers"), uuid);
    const char *named = member(result, "consumer_uuid");
    if (one == NULL && named != NULL && strcmp(named, uuid) == 0)
        one = result;
    const json_t *generation = json_object_get(one, "consumer_generation");
    return json_is_null(generation) ? -1 : json_integer_value(generation);
}

static size_t count_reported(const struct audit *audit, const char *uuid, int64_t generation)
{
    size_t count = 0;
    for (size_t i = 0; i < audit->outcome_count; i++)
        count += reported_consumer(audit, i, uuid) == generation;
    return count;
}

static bool is_held(const struct consumer *consumer, const char *uuid, const char *resource_class,
                    int64_t amount)
{
    for (size_t i = 0; i < consumer->holding_count; i++) {
        const struct holding *holding = &consumer->holdings[i];
        if (strcmp(uuid_format(holding->provider).chars, uuid) == 0 &&
            text_is(holding->resource_class, resource_class))
            return holding->amount == amount;
    }
    return false;
}

/* A claim, as sent, is exactly what the consumer holds. */
static void check_claim(struct audit *audit, const struct consumer *consumer, const json_t *claim)
{
    size_t count = 0;
    const char *uuid;
    json_t *entry;
    json_object_foreach(json_object_get(claim, "allocations"), uuid, entry)
    {
        const char *resource_class;
        json_t *amount;
        json_object_foreach(json_object_get(entry, "resources"), resource_class, amount)
        {
            count++;
            if (!is_held(consumer, uuid, resource_class, json_integer_value(amount)))
                FINDING(audit, "consumer %s: it does not hold what its last command asked for",
                        uuid_format(consumer->id).chars);
        }
    }
    const char *project = member(claim, "project_id");
    if (count != consumer->holding_count || !text_equal(text_of(project), consumer->project_id))
        FINDING(audit, "consumer %s: it is not as its last command asked",
                uuid_format(consumer->id).chars);
}

static const json_t *claim_of(const struct audit *audit, size_t index, const char *uuid)
{
    const json_t *params = params_of(audit, index);
    if (text_is(audit->outcomes[index]->command, "allocation.set"))
        return params;
    const char *list =
        text_is(audit->outcomes[index]->command, "reshape") ? "allocations" : "consumers";
    return json_object_get(json_object_get(params, list), uuid);
}

/* Where there was only one life, the outcome with the stored generation is the last. */
static void check_last_claim(struct audit *audit, const struct consumer *consumer)
{
    struct uuid_text uuid = uuid_format(consumer->id);
    if (count_reported(audit, uuid.chars, consumer->generation) != 1)
        return;
    for (size_t i = 0; i < audit->outcome_count; i++) {
        if (reported_consumer(audit, i, uuid.chars) == consumer->generation)
            check_claim(audit, consumer, claim_of(audit, i, uuid.chars));
    }
}

/* Each life of a consumer goes 1, 2, 3 ..., and ends by a delete or by a set that answers null. */
static void check_consumer_generations(struct audit *audit, const struct consumer *consumer)
{
    struct uuid_text uuid = uuid_format(consumer->id);
    size_t lives = count_reported(audit, uuid.chars, 1);
    size_t ends = count_reported(audit, uuid.chars, -1) + count_deletes(audit, uuid.chars);
    if (lives < 1 || lives > ends + 1)
        FINDING(audit, "consumer %s: made %zu times, ended at most %zu times", uuid.chars, lives,
                ends);
    for (int64_t generation = 2; generation <= consumer->generation; generation++) {
        size_t count = count_reported(audit, uuid.chars, generation);
        if (count == 0 || count > count_reported(audit, uuid.chars, generation - 1))
            FINDING(audit, "consumer %s: %zu commands made generation %lld", uuid.chars, count,
                    (long long)generation);
    }
    check_last_claim(audit, consumer);
}

static void check_generations(struct audit *audit)
{
    read_outcomes(audit);
    for (size_t i = 0; i < audit->provider_count && !audit->failed; i++)
        check_provider_generations(audit, audit->providers[i]);
    for (size_t i = 0; i < audit->consumer_count && !audit->failed; i++)
        check_consumer_generations(audit, audit->consumers[i]);
    for (size_t i = 0; i < audit->outcome_count; i++) {
        json_decref(audit->bodies[i]);
        json_decref(audit->commands[i]);
    }
}

bool auditor_approves_state(const struct world *world, struct error *error)
{
    struct audit audit = begin(world, error);
    check_state(&audit);
    return !audit.failed;
}

bool auditor_approves(const struct world *world, struct error *error)
{
    struct audit audit = begin(world, error);
    check_state(&audit);
    check_answers(&audit);
    check_generations(&audit);
    return !audit.failed;
}
