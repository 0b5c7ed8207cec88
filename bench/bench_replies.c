/* SPDX-License-Identifier: Apache-2.0 */
/* The other half of bench_load: what comes back, and the state that it leaves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_load_internal.h"

enum { TOUCHED_MAX = 4 * CLAIM_PROVIDERS_MAX };

struct reply {
    const char *body;
    size_t length;
    size_t number;
};

static bool contains(const struct reply *reply, const char *part)
{
    return memmem(reply->body, reply->length, part, strlen(part)) != NULL;
}

static void demand(const struct reply *reply, const char *part)
{
    if (!contains(reply, part))
        bench_die("command %zu: no %s in %.*s", reply->number, part, (int)reply->length,
                  reply->body);
}

static uint64_t hash_of(const struct reply *reply)
{
    uint64_t hash = reply->length;
    for (size_t i = 0; i < reply->length; i++)
        hash = (hash ^ (unsigned char)reply->body[i]) * 0x100000001b3ULL;
    return hash;
}

static void demand_generation(const struct reply *reply, uint32_t generation)
{
    char part[64];
    (void)snprintf(part, sizeof part, "\"consumer_generation\":%u,", generation);
    demand(reply, part);
}

static void demand_consumer(const struct load *load, const struct reply *reply, uint64_t consumer)
{
    char part[128];
    (void)snprintf(part, sizeof part, "\"%s\":{\"consumer_generation\":%u}",
                   uuid_format(claim_of(load, consumer, 0).consumer).chars,
                   load->consumers[consumer].generation);
    demand(reply, part);
}

static void check_read(const struct load *load, const struct sent *sent, const struct reply *reply)
{
    const struct load_options *options = &load->options;
    char part[128];
    size_t each = options->seeded / options->shape.projects;
    uint64_t project = sent->first % options->shape.projects;
    if (sent->action == ACTION_GET_CONSUMER)
        demand_generation(reply, 1);
    if (sent->action == ACTION_GET_PROVIDER)
        (void)snprintf(part, sizeof part, "\"generation\":%u,", options->touched[sent->first]);
    else if (sent->action == ACTION_GET_USAGE)
        (void)snprintf(part, sizeof part, "\"consumer_count\":%zu,",
                       each + (project < options->seeded % options->shape.projects));
    else
        claim_project(&options->shape, sent->first, part);
    demand(reply, part);
}

/* --- the state afterwards --- */

/* Each provider that a command involves has its generation raised once. */
static int64_t count_involved(const struct bench_claim *claims, size_t count, uint32_t each)
{
    uint32_t seen[TOUCHED_MAX];
    size_t involved = 0;
    for (size_t i = 0; i < count * each; i++) {
        uint32_t provider = claim_provider_at(&claims[i / each], (uint32_t)(i % each));
        size_t k = 0;
        while (k < involved && seen[k] != provider)
            k++;
        if (k == involved)
            seen[involved++] = provider;
    }
    return (int64_t)involved;
}

/* The providers of the old and the new versions of one or two consumers. */
static void count_change(struct load *load, const struct sent *sent, bool has_new)
{
    struct bench_claim claims[4];
    size_t count = 0, consumers = sent->action == ACTION_MOVE ? 2 : 1;
    for (size_t i = 0; i < consumers; i++) {
        uint64_t consumer = i == 0 ? sent->first : sent->second;
        uint32_t version = load->consumers[consumer].version;
        claims[count++] = claim_of(load, consumer, version - 1);
        if (has_new)
            claims[count++] = claim_of(load, consumer, version);
    }
    load->totals.generations += count_involved(claims, count, load->options.shape.claim_providers);
}

static void settle(struct load *load, uint64_t consumer)
{
    load->consumers[consumer].generation++;
    load->idle[load->idle_count++] = consumer;
}

static void take_new(struct load *load, const struct sent *sent, const struct reply *reply)
{
    demand_generation(reply, 1);
    load->totals.consumers++;
    load->totals.generations += load->options.shape.claim_providers;
    settle(load, sent->first);
    load->answered_last = reply->number;
}

static void take_batch(struct load *load, const struct sent *sent, const struct reply *reply)
{
    size_t count = load->options.batch_consumers, providers = load->options.shape.hot;
    unsigned char *seen = bench_array(providers, 1);
    for (uint64_t consumer = sent->first; consumer < sent->first + count; consumer++) {
        struct bench_claim claim = claim_of(load, consumer, 0);
        load->consumers[consumer].generation++;
        demand_consumer(load, reply, consumer);
        for (uint32_t k = 0; k < load->options.shape.claim_providers; k++) {
            uint32_t provider = claim_provider_at(&claim, k);
            load->totals.generations += seen[provider] == 0;
            seen[provider] = 1;
        }
    }
    load->totals.consumers += (int64_t)count;
    free(seen);
}

static void take_change(struct load *load, const struct sent *sent, const struct reply *reply)
{
    if (sent->action == ACTION_DELETE) {
        demand(reply, "\"result\":{}");
        count_change(load, sent, false);
        load->totals.consumers--;
        return;
    }
    count_change(load, sent, true);
    settle(load, sent->first);
    if (sent->action == ACTION_REPLACE) {
        demand_generation(reply, load->consumers[sent->first].generation);
        return;
    }
    settle(load, sent->second);
    demand_consumer(load, reply, sent->first);
    demand_consumer(load, reply, sent->second);
}

static void take_repeated(const struct load *load, const struct sent *sent,
                          const struct reply *reply)
{
    if (hash_of(reply) != load->commands[sent->first].reply_hash)
        bench_die("command %zu repeats %llu, and its reply is another: %.*s", reply->number,
                  (unsigned long long)sent->first, (int)reply->length, reply->body);
}

static void take(struct load *load, struct sent *sent, const struct reply *reply)
{
    switch ((enum action)sent->action) {
    case ACTION_SET: take_new(load, sent, reply); break;
    case ACTION_REFUSE: demand(reply, "\"error\":{\"code\":\"capacity_exceeded\""); break;
    case ACTION_BATCH: take_batch(load, sent, reply); break;
    case ACTION_REPLACE:
    case ACTION_DELETE:
    case ACTION_MOVE: take_change(load, sent, reply); break;
    case ACTION_REPEAT: take_repeated(load, sent, reply); break;
    case ACTION_GET_CONSUMER:
    case ACTION_GET_PROVIDER:
    case ACTION_GET_USAGE: check_read(load, sent, reply); break;
    }
}

static bool is_recorded(const struct sent *sent)
{
    return sent->action < ACTION_REPEAT || sent->action == ACTION_BATCH;
}

/* A command that is delivered again is answered again, by the same reply. */
static bool is_repetition(const struct load *load, const struct sent *sent,
                          const struct reply *reply)
{
    if (!sent->answered)
        return false;
    if (!load->options.redelivered || hash_of(reply) != sent->reply_hash)
        bench_die("command %zu is answered twice", reply->number);
    return true;
}

static void check_envelope(const struct load *load, const struct sent *sent,
                           const struct reply *reply, bool replayed)
{
    bool repeats = sent->action == ACTION_REPEAT;
    char key[UUID_TEXT_LENGTH + 16];
    (void)snprintf(key, sizeof key, "\"message_id\":\"%s\"",
                   uuid_format(claim_key(repeats ? sent->first : reply->number)).chars);
    demand(reply, key);
    demand(reply,
           sent->action == ACTION_REFUSE ? "\"status\":\"failure\"" : "\"status\":\"success\"");
    if (replayed != repeats && !load->options.redelivered)
        bench_die("command %zu: replayed is %d", reply->number, replayed);
}

bool load_reply(struct load *load, size_t number, const char *body, size_t length, bool replayed)
{
    struct reply reply = {body, length, number};
    if (number >= load->count)
        bench_die("a reply to no command: %zu", number);
    struct sent *sent = &load->commands[number];
    if (is_repetition(load, sent, &reply))
        return false;
    check_envelope(load, sent, &reply, replayed);
    sent->answered = true;
    if (load->options.workload == WORKLOAD_REPLAY || load->options.redelivered)
        sent->reply_hash = hash_of(&reply);
    load->totals.outcomes += is_recorded(sent);
    take(load, sent, &reply);
    return true;
}
