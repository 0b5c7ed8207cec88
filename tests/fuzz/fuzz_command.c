/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer's entry to the decoder: the input is a body. What is refused is encoded as a reply, and
 * every accepted list is checked for the order that the planner relies on.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/codec/command_decode.h"
#include "common/codec/reply_encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct text queues[] = {{"*", 1}};
static const struct policy_principal principals[] = {
    {.name = {"fuzzer", 6}, .reply_to = {queues, 1}}};
static const struct policy policy = {principals, 1};

static void require(bool held)
{
    if (!held)
        abort();
}

static int compare_holdings(const struct holding *a, const struct holding *b)
{
    int order = uuid_compare(a->provider, b->provider);
    return order != 0 ? order : text_compare(a->resource_class, b->resource_class);
}

static void check_claim(const struct claim *claim)
{
    for (size_t i = 1; i < claim->holding_count; i++)
        require(compare_holdings(&claim->holdings[i - 1], &claim->holdings[i]) < 0);
    for (size_t i = 1; i < claim->provider_count; i++)
        require(uuid_compare(claim->providers[i - 1].provider, claim->providers[i].provider) < 0);
}

static void check_change(const struct change_params *change)
{
    for (size_t i = 0; i < change->claim_count; i++) {
        check_claim(&change->claims[i]);
        require(i == 0 ||
                uuid_compare(change->claims[i - 1].consumer, change->claims[i].consumer) < 0);
    }
    for (size_t i = 1; i < change->inventory_count; i++)
        require(uuid_compare(change->inventories[i - 1].provider, change->inventories[i].provider) <
                0);
}

static bool is_change(enum command_kind kind)
{
    return kind == COMMAND_INVENTORY_SET || kind == COMMAND_ALLOCATION_SET ||
           kind == COMMAND_ALLOCATION_BATCH || kind == COMMAND_ALLOCATION_DELETE ||
           kind == COMMAND_RESHAPE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct decode_context context = {.policy = &policy, .trust_user_id = true};
    struct arena *arena = arena_new(0);
    struct delivery delivery = {
        .properties = {.message_id = text_of("k"),
                       .user_id = text_of("fuzzer"),
                       .reply_to = text_of("q")},
        .body = text_view((const char *)data, size),
    };
    struct decoded decoded;
    command_decode(&context, &delivery, arena, &decoded);
    if (!decoded.accepted) {
        require(decoded.verdict.code != VERDICT_SUCCESS && decoded.verdict.reply_allowed);
        struct text reply = reply_encode(arena, decoded.command, COMMAND_PROVIDER_GET,
                                         decoded.request.key, &decoded.verdict);
        require(reply.length > 0);
    } else if (is_change(decoded.request.command.kind)) {
        check_change(&decoded.request.command.params.change);
    }
    arena_free(arena);
    return 0;
}
