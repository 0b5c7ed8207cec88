/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of bench_plans: a burst of new consumers, then every other kind, one at a time. */
#include "bench/bench_plans.h"

#include <stdlib.h>
#include <string.h>

#include "bench/bench_link.h"
#include "bench/bench_producer.h"

enum { ANSWER_SECONDS = 30, FIRST_KEY = 1000000 };

/* Two providers and two consumers that no claim has; their UUIDs are arbitrary. */
#define A "0a000000-0000-4000-8000-00000000000a"
#define B "0a000000-0000-4000-8000-00000000000b"
#define C "0c000000-0000-4000-8000-00000000000c"
#define D "0c000000-0000-4000-8000-00000000000d"
#define SEEDED "a1107000-0000-4000-8000-000000000001"
#define PROJECT "5f2d7f2ab4a24c31a3ce9d1d00000001"
#define OWNER "\"project_id\":\"p\",\"user_id\":\"u\",\"consumer_type\":\"T\","
#define ON_A "\"" A "\":{\"resources\":{\"VCPU\":2}}"
#define ON_B "\"" B "\":{\"resources\":{\"VCPU\":2}}"
#define ON_SEEDED "\"" SEEDED "\":{\"resources\":{\"VCPU\":2}}"

struct step {
    const char *command, *params;
};

/* The generations are those that the steps before have left, so the order matters. */
static const struct step steps[] = {
    {"provider.create", "{\"uuid\":\"" A "\",\"name\":\"plan-a\"}"},
    {"provider.create",
     "{\"uuid\":\"" B "\",\"name\":\"plan-b\",\"parent_provider_uuid\":\"" A "\"}"},
    {"provider.update", "{\"uuid\":\"" B "\",\"name\":\"plan-c\",\"parent_provider_uuid\":null}"},
    {"provider.update",
     "{\"uuid\":\"" B "\",\"name\":\"plan-b\",\"parent_provider_uuid\":\"" A "\"}"},
    {"inventory.set", "{\"uuid\":\"" A "\",\"resource_provider_generation\":0,"
                      "\"inventories\":{\"VCPU\":{\"total\":100}}}"},
    {"allocation.set", "{\"consumer_uuid\":\"" C "\"," OWNER
                       "\"consumer_generation\":null,\"allocations\":{" ON_A "}}"},
    {"allocation.set", "{\"consumer_uuid\":\"" C "\"," OWNER
                       "\"consumer_generation\":1,\"allocations\":{" ON_A "," ON_SEEDED "}}"},
    {"allocation.batch",
     "{\"consumers\":{\"" C "\":{" OWNER "\"consumer_generation\":2,\"allocations\":{" ON_SEEDED
     "}},\"" D "\":{" OWNER "\"consumer_generation\":null,\"allocations\":{" ON_A "}}}}"},
    {"allocation.get", "{\"consumer_uuid\":\"" C "\"}"},
    {"provider.get", "{\"uuid\":\"" A "\"}"},
    {"provider.list", "{\"limit\":3}"},
    {"provider.list", "{\"limit\":3,\"after\":\"a\"}"},
    {"provider.list", "{\"limit\":3,\"name_prefix\":\"h\"}"},
    {"provider.list", "{\"limit\":3,\"after\":\"a\",\"name_prefix\":\"h\"}"},
    {"provider.allocations", "{\"uuid\":\"" SEEDED "\",\"limit\":3}"},
    {"provider.allocations", "{\"uuid\":\"" SEEDED "\",\"limit\":3,\"after\":\"" A "\"}"},
    {"usage.get", "{\"project_id\":\"" PROJECT "\"}"},
    {"usage.get", "{\"project_id\":\"" PROJECT "\",\"user_id\":\"" CLAIM_USER "\"}"},
    {"usage.get", "{\"project_id\":\"" PROJECT "\",\"consumer_type\":\"all\"}"},
    {"usage.get", "{\"project_id\":\"" PROJECT "\",\"consumer_type\":\"" CLAIM_TYPE "\"}"},
    {"reshape",
     "{\"inventories\":{\"" A "\":{\"resource_provider_generation\":4,\"inventories\":{}},\"" B
     "\":{\"resource_provider_generation\":0,"
     "\"inventories\":{\"VCPU\":{\"total\":100}}}},\"allocations\":{\"" D "\":{" OWNER
     "\"consumer_generation\":1,\"allocations\":{" ON_B "}}}}"},
    {"allocation.delete", "{\"consumer_uuid\":\"" C "\"}"},
    {"allocation.delete", "{\"consumer_uuid\":\"" D "\",\"consumer_generation\":2}"},
    {"provider.delete", "{\"uuid\":\"" B "\"}"},
};

struct waiting {
    const struct step *step;
    bool answered;
};

static void handle_reply(void *context, const struct link_reply *reply)
{
    static const char success[] = "\"status\":\"success\"";
    struct waiting *waiting = context;
    if (memmem(reply->body, reply->length, success, strlen(success)) == NULL)
        bench_die("%s failed: %.*s", waiting->step->command, (int)reply->length, reply->body);
    waiting->answered = true;
}

/* Sends one step and waits for its reply. */
static void send_step(struct link *link, size_t number, struct buffer *body)
{
    struct waiting waiting = {.step = &steps[number]};
    struct uuid_text key = uuid_format(claim_key(FIRST_KEY + number));
    struct queue_name queue = producer_queue(0);
    struct link_message message = {
        .queue = queue.text, .key = key.chars, .number = number, .body = body};
    body->length = 0;
    buffer_add(body, "{\"version\":1,\"command\":\"%s\",\"params\":%s}", waiting.step->command,
               waiting.step->params);
    link_publish(link, &message);
    for (double end = bench_seconds() + (double)ANSWER_SECONDS; !waiting.answered;) {
        if (bench_seconds() > end)
            bench_die("no reply to %s within %d s", waiting.step->command, ANSWER_SECONDS);
        (void)link_wait(link, 1, handle_reply, &waiting);
    }
}

/* Sends new consumers without waiting for their replies, so that the profile has loads of whole
   batches too. */
static void send_burst(const struct shape *shape, size_t commands)
{
    struct load_options load_options = {
        .shape = *shape, .workload = WORKLOAD_NEW, .commands = commands};
    struct load *load = load_new(&load_options);
    struct producer_options options = {.uri = bench_environment("ALLOT_AMQP_URI_CONDUCTOR"),
                                       .load = load,
                                       .commands = commands,
                                       .window = commands};
    struct producer *producer = producer_open(&options);
    producer_run(producer, commands);
    producer_close(producer);
    load_free(load);
}

void plans_send_all(const struct shape *shape)
{
    struct buffer body = {0};
    send_burst(shape, PLANS_BURST);
    struct link *link =
        link_open(bench_environment("ALLOT_AMQP_URI_CONDUCTOR"), CLAIM_PRINCIPAL ".bench.plans");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        send_step(link, i, &body);
    link_close(link);
    free(body.bytes);
}
