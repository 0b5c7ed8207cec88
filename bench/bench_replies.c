/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replies of a load. load_reply() checks a reply against the command that it answers, and then
 * updates the state that a success leaves: generations, idle consumers and totals.
 *
 * - Every reply: its key, its status, and whether it is marked as replayed (check_envelope()).
 * - By kind: the generation of the consumer, the code of the failure, or what a read must return
 *   (check_result()). Replies are searched for pieces of text; there is no JSON parser, since the
 *   load generator must not use much of the CPU that it measures. The tests check the form of
 *   replies.
 * - A second reply to one command is an error, unless connections may be lost. Then it must be
 *   equal to the first one.
 *
 * The totals count each provider once for each command that changes it, because the worker raises
 * its generation once. A wrong reply ends the program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_load_internal.h"

/* The old and the new claims of two consumers. */
enum { CHANGED_CLAIMS_MAX = 4, CHANGED_PROVIDERS_MAX = CHANGED_CLAIMS_MAX * CLAIM_PROVIDERS_MAX };

struct reply {
    const char *body;
    size_t length;
    size_t number;
};

static bool contains(const struct reply *reply, const char *part)
{
    return memmem(reply->body, reply->length, part, strlen(part)) != NULL;
}

static void require(const struct reply *reply, const char *part)
{
    if (!contains(reply, part))
        bench_die("command %zu: the reply lacks %s: %.*s", reply->number, part, (int)reply->length,
                  reply->body);
}

static uint64_t hash_of(const struct reply *reply)
{
    uint64_t hash = reply->length;
    for (size_t i = 0; i < reply->length; i++)
        hash = (hash ^ (unsigned char)reply->body[i]) * 0x100000001b3ULL;
    return hash;
}

static void require_generation(const struct reply *reply, uint32_t generation)
{
    char part[64];
    (void)snprintf(part, sizeof part, "\"consumer_generation\":%u,", generation);
    require(reply, part);
}

static void require_consumer(const struct load *load, const struct reply *reply, uint64_t consumer)
{
    char part[128];
    (void)snprintf(part, sizeof part, "\"%s\":{\"consumer_generation\":%u}",
                   uuid_format(claim_of(load, consumer, 0).consumer).chars,
                   load->consumers[consumer].generation);
    require(reply, part);
}

static void check_read(const struct load *load, const struct sent_command *sent,
                       const struct reply *reply)
{
    const struct load_options *options = &load->options;
    char part[128];
    size_t each = options->seeded / options->shape.projects;
    uint64_t project = sent->first % options->shape.projects;
    if (sent->action == ACTION_GET_CONSUMER)
        require_generation(reply, 1);
    if (sent->action == ACTION_GET_PROVIDER)
        (void)snprintf(part, sizeof part, "\"generation\":%u,",
                       options->provider_claims[sent->first]);
    else if (sent->action == ACTION_GET_USAGE)
        (void)snprintf(part, sizeof part, "\"consumer_count\":%zu,",
                       each + (project < options->seeded % options->shape.projects));
    else
        claim_project(&options->shape, sent->first, part);
    require(reply, part);
}

/* --- the expected state --- */

/* Counts the different providers of some claims, with `each` providers a claim. */
static int64_t count_providers(const struct bench_claim *claims, size_t count, uint32_t each)
{
    uint32_t seen[CHANGED_PROVIDERS_MAX];
    size_t seen_count = 0;
    for (size_t i = 0; i < count * each; i++) {
        uint32_t provider = claim_provider_at(&claims[i / each], (uint32_t)(i % each));
        size_t k = 0;
        while (k < seen_count && seen[k] != provider)
            k++;
        if (k == seen_count)
            seen[seen_count++] = provider;
    }
    return (int64_t)seen_count;
}

/* Adds the generations of a change of one or two consumers: it writes the providers of the old
   claims and, if `has_new`, of the new ones. */
static void add_generations(struct load *load, const struct sent_command *sent, bool has_new)
{
    struct bench_claim claims[CHANGED_CLAIMS_MAX];
    size_t count = 0, consumers = sent->action == ACTION_MOVE ? 2 : 1;
    for (size_t i = 0; i < consumers; i++) {
        uint64_t consumer = i == 0 ? sent->first : sent->second;
        uint32_t version = load->consumers[consumer].version;
        claims[count++] = claim_of(load, consumer, version - 1);
        if (has_new)
            claims[count++] = claim_of(load, consumer, version);
    }
    load->totals.generations += count_providers(claims, count, load->options.shape.claim_providers);
}

/* The consumer was set: it has a new generation, and may be drawn again. */
static void finish_set(struct load *load, uint64_t consumer)
{
    load->consumers[consumer].generation++;
    load->idle[load->idle_count++] = consumer;
}

static void check_new(struct load *load, const struct sent_command *sent, const struct reply *reply)
{
    require_generation(reply, 1);
    load->totals.consumers++;
    load->totals.generations += load->options.shape.claim_providers;
    finish_set(load, sent->first);
    load->answered_last = reply->number;
}

static void check_batch(struct load *load, const struct sent_command *sent,
                        const struct reply *reply)
{
    size_t count = load->options.batch_consumers, providers = load->options.shape.hot;
    unsigned char *seen = bench_array(providers, 1);
    for (uint64_t consumer = sent->first; consumer < sent->first + count; consumer++) {
        struct bench_claim claim = claim_of(load, consumer, 0);
        load->consumers[consumer].generation++;
        require_consumer(load, reply, consumer);
        for (uint32_t k = 0; k < load->options.shape.claim_providers; k++) {
            uint32_t provider = claim_provider_at(&claim, k);
            load->totals.generations += seen[provider] == 0;
            seen[provider] = 1;
        }
    }
    load->totals.consumers += (int64_t)count;
    free(seen);
}

static void check_change(struct load *load, const struct sent_command *sent,
                         const struct reply *reply)
{
    if (sent->action == ACTION_DELETE) {
        require(reply, "\"result\":{}");
        add_generations(load, sent, false);
        load->totals.consumers--;
        return;
    }
    add_generations(load, sent, true);
    finish_set(load, sent->first);
    if (sent->action == ACTION_REPLACE) {
        require_generation(reply, load->consumers[sent->first].generation);
        return;
    }
    finish_set(load, sent->second);
    require_consumer(load, reply, sent->first);
    require_consumer(load, reply, sent->second);
}

static void check_repetition(const struct load *load, const struct sent_command *sent,
                             const struct reply *reply)
{
    if (hash_of(reply) != load->commands[sent->first].reply_hash)
        bench_die("command %zu repeats %llu, but the replies differ: %.*s", reply->number,
                  (unsigned long long)sent->first, (int)reply->length, reply->body);
}

static void check_result(struct load *load, struct sent_command *sent, const struct reply *reply)
{
    switch ((enum action)sent->action) {
    case ACTION_SET: check_new(load, sent, reply); break;
    case ACTION_REFUSE: require(reply, "\"error\":{\"code\":\"capacity_exceeded\""); break;
    case ACTION_BATCH: check_batch(load, sent, reply); break;
    case ACTION_REPLACE:
    case ACTION_DELETE:
    case ACTION_MOVE: check_change(load, sent, reply); break;
    case ACTION_REPEAT: check_repetition(load, sent, reply); break;
    case ACTION_GET_CONSUMER:
    case ACTION_GET_PROVIDER:
    case ACTION_GET_USAGE: check_read(load, sent, reply); break;
    }
}

/* Returns whether the worker stores an outcome. It stores none for a read, nor a second one for a
   repetition. */
static bool is_recorded(const struct sent_command *sent)
{
    return sent->action < ACTION_REPEAT || sent->action == ACTION_BATCH;
}

/* Returns whether the command was answered before. If so, the reply must be equal to the first. */
static bool is_repetition(const struct load *load, const struct sent_command *sent,
                          const struct reply *reply)
{
    if (!sent->answered)
        return false;
    if (!load->options.redelivered || hash_of(reply) != sent->reply_hash)
        bench_die("command %zu: unexpected second reply", reply->number);
    return true;
}

static void check_envelope(const struct load *load, const struct sent_command *sent,
                           const struct reply *reply, bool replayed)
{
    bool repeats = sent->action == ACTION_REPEAT;
    char key[UUID_TEXT_LENGTH + 16];
    (void)snprintf(key, sizeof key, "\"message_id\":\"%s\"",
                   uuid_format(claim_key(repeats ? sent->first : reply->number)).chars);
    require(reply, key);
    require(reply,
            sent->action == ACTION_REFUSE ? "\"status\":\"failure\"" : "\"status\":\"success\"");
    if (replayed != repeats && !load->options.redelivered)
        bench_die("command %zu: x-allot-replayed is %d (expected %d)", reply->number, replayed,
                  repeats);
}

bool load_reply(struct load *load, size_t number, const char *body, size_t length, bool replayed)
{
    struct reply reply = {body, length, number};
    if (number >= load->count)
        bench_die("reply to unknown command %zu (sent %zu)", number, load->count);
    struct sent_command *sent = &load->commands[number];
    if (is_repetition(load, sent, &reply))
        return false;
    check_envelope(load, sent, &reply, replayed);
    sent->answered = true;
    if (load->options.workload == WORKLOAD_REPLAY || load->options.redelivered)
        sent->reply_hash = hash_of(&reply);
    load->totals.outcomes += is_recorded(sent);
    check_result(load, sent, &reply);
    return true;
}
