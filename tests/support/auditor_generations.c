/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The auditor: generations. Each recorded success reports the generations that it made, so the
 * outcomes imply an order in which the commands took effect.
 *
 * Checked: each generation of a provider was made by one command (allocation.delete reports none,
 * so it may fill gaps); each life of a consumer counts 1, 2, 3 and ends by a delete or by an empty
 * set; a consumer holds exactly what its last command asked for; nobody was told that a provider is
 * missing which existed all the time (defect 3); a read is not older than what was answered before
 * it was sent; `internal` and `attempts_exhausted` occur only after injected faults that explain
 * them.
 *
 * Not checked: providers that were deleted, since their generations start again at 0.
 */
#include "tests/support/auditor_internal.h"

#include <string.h>

/* Returns the parsed body of the command that has the outcome, owned; NULL if there is none. */
static json_t *find_command(const struct audit *audit, const struct outcome *outcome)
{
    const struct journal *journal = &audit->world->journal;
    for (size_t i = 0; i < journal->count; i++) {
        const struct sent *sent = &journal->sent[i];
        if (!text_equal(sent->principal, outcome->principal) ||
            !text_equal(sent->key, outcome->key))
            continue;
        json_t *body = audit_parse(sent->body);
        if (text_equal(text_of(audit_member(body, "command")), outcome->command))
            return body;
        json_decref(body);
    }
    return NULL;
}

static void read_outcomes(struct audit *audit)
{
    for (size_t i = 0; i < audit->outcome_count; i++) {
        audit->bodies[i] = audit_parse(audit->outcomes[i]->body);
        audit->commands[i] = find_command(audit, audit->outcomes[i]);
        if (audit->commands[i] == NULL)
            FINDING(audit, "key %.*s: an outcome of a command that was not sent",
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

/* Returns the generation that the outcome reports of a provider; -1: none. */
static int64_t reported_provider(const struct audit *audit, size_t index, const char *uuid)
{
    const json_t *result = result_of(audit, index);
    const json_t *generation =
        json_object_get(json_object_get(result, "resource_provider_generations"), uuid);
    const char *given = audit_member(params_of(audit, index), "uuid");
    if (succeeded(audit, index, "inventory.set") && given != NULL && strcmp(given, uuid) == 0)
        generation = json_object_get(result, "resource_provider_generation");
    return generation != NULL ? json_integer_value(generation) : -1;
}

static bool was_deleted(const struct audit *audit, const char *uuid)
{
    for (size_t i = 0; i < audit->outcome_count; i++) {
        const char *given = audit_member(params_of(audit, i), "uuid");
        if (succeeded(audit, i, "provider.delete") && given != NULL && strcmp(given, uuid) == 0)
            return true;
    }
    return false;
}

static size_t count_deletes(const struct audit *audit, const char *consumer)
{
    size_t count = 0;
    for (size_t i = 0; i < audit->outcome_count; i++) {
        const char *given = audit_member(params_of(audit, i), "consumer_uuid");
        if (succeeded(audit, i, "allocation.delete") &&
            (consumer == NULL || (given != NULL && strcmp(given, consumer) == 0)))
            count++;
    }
    return count;
}

/* Each generation was made by one command; only allocation.delete reports none. */
static void check_provider_generations(struct audit *audit, const struct provider *provider)
{
    struct uuid_text uuid = uuid_format(provider->id);
    int64_t reported = 0;
    if (was_deleted(audit, uuid.chars))
        return; /* its generations may have started again at 0 */
    for (size_t i = 0; i < audit->outcome_count; i++) {
        int64_t generation = reported_provider(audit, i, uuid.chars);
        if (generation < 0)
            continue;
        reported++;
        if (generation > provider->generation)
            FINDING(audit, "provider %s: a reply reports a later generation than the stored one",
                    uuid.chars);
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

/* Returns the generation that the outcome reports of a consumer; 0: none, -1: null. */
static int64_t reported_consumer(const struct audit *audit, size_t index, const char *uuid)
{
    const json_t *result = result_of(audit, index);
    const json_t *one = json_object_get(json_object_get(result, "consumers"), uuid);
    const char *named = audit_member(result, "consumer_uuid");
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

static bool has_allocation(const struct consumer *consumer, const char *uuid,
                           const char *resource_class, int64_t amount)
{
    for (size_t i = 0; i < consumer->allocation_count; i++) {
        const struct allocation *allocation = &consumer->allocations[i];
        if (strcmp(uuid_format(allocation->provider).chars, uuid) == 0 &&
            text_is(allocation->resource_class, resource_class))
            return allocation->amount == amount;
    }
    return false;
}

/* The stored allocations are exactly those of the claim. */
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
            if (!has_allocation(consumer, uuid, resource_class, json_integer_value(amount)))
                FINDING(audit, "consumer %s: an amount is not the one that its last command set",
                        uuid_format(consumer->id).chars);
        }
    }
    const char *project = audit_member(claim, "project_id");
    if (count != consumer->allocation_count || !text_equal(text_of(project), consumer->project_id))
        FINDING(audit, "consumer %s: its allocations or project are not those of its last command",
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

/* If only one command reported the stored generation, it was the last one. */
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

/* Each life of a consumer counts 1, 2, 3, ... and ends by a delete or by a set that reports null.
 */
static void check_consumer_generations(struct audit *audit, const struct consumer *consumer)
{
    struct uuid_text uuid = uuid_format(consumer->id);
    size_t lives = count_reported(audit, uuid.chars, 1);
    size_t ends = count_reported(audit, uuid.chars, -1) + count_deletes(audit, uuid.chars);
    if (lives < 1 || lives > ends + 1)
        FINDING(audit, "consumer %s: created %zu times, ended at most %zu times", uuid.chars, lives,
                ends);
    for (int64_t generation = 2; generation <= consumer->generation; generation++) {
        size_t count = count_reported(audit, uuid.chars, generation);
        if (count == 0 || count > count_reported(audit, uuid.chars, generation - 1))
            FINDING(audit, "consumer %s: %zu commands made generation %lld", uuid.chars, count,
                    (long long)generation);
    }
    check_last_claim(audit, consumer);
}

/* --- replies -------------------------------------------------------------------------------- */

/* Whether one of the first `replies` replies was the success that created the provider. */
static bool was_made_before(const struct audit *audit, const char *uuid, size_t replies)
{
    for (size_t i = 0; i < replies; i++) {
        json_t *reply =
            audit_parse(memory_broker_message(audit->world->broker, "replies", i)->body);
        const char *command = audit_member(reply, "command");
        const char *made = audit_member(json_object_get(reply, "result"), "uuid");
        bool found = command != NULL && strcmp(command, "provider.create") == 0 && made != NULL &&
                     strcmp(made, uuid) == 0;
        json_decref(reply);
        if (found)
            return true;
    }
    return false;
}

/* Returns the first message with this key: a repeated key gets the first answer. */
static const struct sent *first_of_key(const struct audit *audit, const struct sent *sent)
{
    const struct sent *first = audit->world->journal.sent;
    while (first != sent && (!text_present(sent->key) || !text_equal(first->key, sent->key) ||
                             !text_equal(first->principal, sent->principal)))
        first++;
    return first;
}

/* A provider that was created before the command was sent, and never deleted, is not missing. */
static void check_absence(struct audit *audit, const struct sent *sent, const json_t *reply)
{
    const json_t *details = json_object_get(json_object_get(reply, "error"), "details");
    size_t before = first_of_key(audit, sent)->replies_before;
    size_t index;
    json_t *missing;
    json_array_foreach(json_object_get(details, "providers"), index, missing)
    {
        const char *uuid = json_string_value(missing);
        if (!was_deleted(audit, uuid) && was_made_before(audit, uuid, before))
            FINDING(audit, "%.*s: the reply says that %s does not exist, but it does",
                    TEXT_ARGS(sent->correlation_id), uuid);
    }
}

static int64_t reported_in_reply(const json_t *reply, const char *uuid)
{
    const json_t *result = json_object_get(reply, "result");
    const json_t *all = json_object_get(result, "resource_provider_generations");
    return json_integer_value(json_object_get(all, uuid));
}

/* A read is not older than any reply that came before it was sent. */
static void check_read(struct audit *audit, const struct sent *sent, const json_t *reply)
{
    const json_t *result = json_object_get(reply, "result");
    const char *uuid = audit_member(result, "uuid");
    int64_t seen = json_integer_value(json_object_get(result, "generation"));
    const char *command = audit_member(reply, "command");
    if (command == NULL || strcmp(command, "provider.get") != 0 || uuid == NULL ||
        was_deleted(audit, uuid))
        return;
    for (size_t i = 0; i < sent->replies_before; i++) {
        json_t *earlier =
            audit_parse(memory_broker_message(audit->world->broker, "replies", i)->body);
        if (reported_in_reply(earlier, uuid) > seen)
            FINDING(audit, "%.*s: the read is older than a reply that came before it was sent",
                    TEXT_ARGS(sent->correlation_id));
        json_decref(earlier);
    }
}

/* `internal` needs an injected rejection, `attempts_exhausted` WORLD_ATTEMPTS_MAX crashes. */
static void check_excuses(struct audit *audit, size_t internal, size_t exhausted)
{
    if (internal > audit->world->rejections)
        FINDING(audit, "%zu replies are internal, but only %zu rejections were injected", internal,
                audit->world->rejections);
    if (exhausted * WORLD_ATTEMPTS_MAX > audit->world->crashes)
        FINDING(audit, "%zu replies are attempts_exhausted after %zu crashes", exhausted,
                audit->world->crashes);
}

/* Two messages with one key share their crashes; only the first one is counted. */
static bool has_earlier_twin(const struct world *world, size_t index)
{
    const struct sent *sent = &world->journal.sent[index];
    for (size_t i = 0; i < index; i++) {
        const struct sent *earlier = &world->journal.sent[i];
        if (text_equal(earlier->principal, sent->principal) && text_equal(earlier->key, sent->key))
            return true;
    }
    return false;
}

static void check_replies(struct audit *audit)
{
    const struct world *world = audit->world;
    size_t internal = 0;
    size_t exhausted = 0;
    for (size_t i = 0; i < world->journal.count; i++) {
        const struct sent *sent = &world->journal.sent[i];
        const struct memory_message *message = world_reply(world, sent, 0);
        json_t *reply = message != NULL ? audit_parse(message->body) : NULL;
        const char *code = reply != NULL ? audit_code(reply) : NULL;
        internal += code != NULL && strcmp(code, "internal") == 0;
        exhausted +=
            code != NULL && strcmp(code, "attempts_exhausted") == 0 && !has_earlier_twin(world, i);
        check_absence(audit, sent, reply);
        check_read(audit, sent, reply);
        json_decref(reply);
    }
    check_excuses(audit, internal, exhausted);
}

void audit_generations(struct audit *audit)
{
    read_outcomes(audit);
    for (size_t i = 0; i < audit->provider_count && !audit->failed; i++)
        check_provider_generations(audit, audit->providers[i]);
    for (size_t i = 0; i < audit->consumer_count && !audit->failed; i++)
        check_consumer_generations(audit, audit->consumers[i]);
    if (!audit->failed)
        check_replies(audit);
    for (size_t i = 0; i < audit->outcome_count; i++) {
        json_decref(audit->bodies[i]);
        json_decref(audit->commands[i]);
    }
}
