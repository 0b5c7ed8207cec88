/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command decoder; the input is a body. Properties that every input is checked for:
 *
 * - an accepted command has everything that the planner relies on: values in their ranges, lists
 *   sorted and without duplicates (check_command and the functions above it);
 * - a failure has one of the decoder's own codes, its details, a JSON Pointer that is well-formed,
 *   and a reply that is complete (check_refusal, check_reply);
 * - the layout of the JSON (spaces, escapes, order of members) changes nothing (check_layout);
 * - a failure with a higher precedence wins over one with a lower precedence (check_precedence).
 *
 * A violated property aborts. The planner and the storage are not run here; tests/sim does that.
 */
#include <jansson.h>
#include <string.h>

#include "allot/limits.h"
#include "common/base/utf8.h"
#include "common/codec/command_decode.h"
#include "common/codec/reply_encode.h"
#include "common/codec/resource_class.h"
#include "tests/fuzz/fuzz_target.h"

static const struct text queues[] = {{"*", 1}};
static const struct policy_principal principals[] = {
    {.name = {"fuzzer", 6}, .reply_to = {queues, 1}}};
static const struct policy policy = {.principals = principals, .count = 1};

static struct decoded decode(struct arena *arena, const struct delivery *delivery)
{
    static const struct decode_context context = {.policy = &policy, .trust_user_id = true};
    struct decoded decoded;
    command_decode(&context, delivery, arena, &decoded);
    return decoded;
}

static bool in_range(int64_t value, int64_t least, int64_t most)
{
    return value >= least && value <= most;
}

static bool has_chars(struct text text, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += ((unsigned char)text.bytes[i] & 0xC0) != 0x80;
    return count >= 1 && count <= most && utf8_valid(text) &&
           memchr(text.bytes, '\0', text.length) == NULL;
}

static int compare_allocations(const struct allocation *a, const struct allocation *b)
{
    int order = uuid_compare(a->provider, b->provider);
    return order != 0 ? order : text_compare(a->resource_class, b->resource_class);
}

/* The providers of a claim are those of its allocations, each once. */
static void check_providers(const struct claim *claim)
{
    size_t provider = 0;
    for (size_t i = 0; i < claim->allocation_count; i++) {
        bool next = i > 0 &&
                    !uuid_equal(claim->allocations[i - 1].provider, claim->allocations[i].provider);
        provider += next;
        REQUIRE(provider < claim->provider_count);
        REQUIRE(uuid_equal(claim->allocations[i].provider, claim->providers[provider].provider));
    }
    REQUIRE(claim->provider_count == (claim->allocation_count > 0 ? provider + 1 : 0));
}

static void check_mappings(struct text mappings)
{
    if (!text_present(mappings))
        return;
    json_t *object = json_loadb(mappings.bytes, mappings.length, JSON_REJECT_DUPLICATES, NULL);
    REQUIRE(json_is_object(object) && json_object_size(object) > 0);
    json_decref(object);
}

static void check_claim(const struct claim *claim)
{
    REQUIRE(claim->has_generation || claim->generation == 0);
    if (claim->is_delete) {
        REQUIRE(claim->allocation_count == 0 && claim->provider_count == 0);
        return;
    }
    REQUIRE(has_chars(claim->project_id, OWNER_CHARS_MAX));
    REQUIRE(has_chars(claim->user_id, OWNER_CHARS_MAX));
    REQUIRE(consumer_type_valid(claim->consumer_type));
    for (size_t i = 0; i < claim->allocation_count; i++) {
        const struct allocation *allocation = &claim->allocations[i];
        REQUIRE(i == 0 || compare_allocations(allocation - 1, allocation) < 0);
        REQUIRE(in_range(allocation->amount, 1, AMOUNT_MAX));
        REQUIRE(resource_class_valid(allocation->resource_class));
    }
    check_providers(claim);
    check_mappings(claim->mappings);
}

static void check_inventory(const struct inventory *inventory)
{
    REQUIRE(resource_class_valid(inventory->resource_class));
    REQUIRE(in_range(inventory->total, 1, AMOUNT_MAX));
    REQUIRE(in_range(inventory->reserved, 0, inventory->total));
    REQUIRE(in_range(inventory->min_unit, 1, inventory->max_unit));
    REQUIRE(in_range(inventory->max_unit, 1, AMOUNT_MAX));
    REQUIRE(in_range(inventory->step_size, 1, AMOUNT_MAX));
    REQUIRE(in_range(inventory->ratio, RATIO_MIN, RATIO_MAX));
}

static void check_inventory_change(const struct inventory_change *change)
{
    for (size_t i = 0; i < change->count; i++) {
        const struct inventory *inventory = &change->inventories[i];
        check_inventory(inventory);
        REQUIRE(i == 0 ||
                text_compare(inventory[-1].resource_class, inventory->resource_class) < 0);
    }
}

static void check_change(const struct change_params *change)
{
    REQUIRE(change->claim_count <= CONSUMERS_MAX && change->inventory_count <= INVENTORIES_MAX);
    REQUIRE(change->claim_count + change->inventory_count > 0);
    for (size_t i = 0; i < change->claim_count; i++) {
        const struct claim *claim = &change->claims[i];
        check_claim(claim);
        REQUIRE(i == 0 || uuid_compare(claim[-1].consumer, claim->consumer) < 0);
    }
    for (size_t i = 0; i < change->inventory_count; i++) {
        const struct inventory_change *inventory = &change->inventories[i];
        check_inventory_change(inventory);
        REQUIRE(i == 0 || uuid_compare(inventory[-1].provider, inventory->provider) < 0);
    }
}

static void check_named(const struct command *command)
{
    const struct provider_params *provider = &command->params.provider;
    REQUIRE(has_chars(provider->name, NAME_CHARS_MAX));
    REQUIRE(provider->parent_given || !provider->has_parent);
}

static void check_usage(const struct usage_params *usage)
{
    REQUIRE(has_chars(usage->project_id, OWNER_CHARS_MAX));
    REQUIRE(!text_present(usage->user_id) || has_chars(usage->user_id, OWNER_CHARS_MAX));
    REQUIRE(!text_present(usage->consumer_type) || usage->consumer_type.length > 0);
}

static void check_list(const struct list_params *list)
{
    REQUIRE(in_range(list->limit, 1, PAGE_ROWS_MAX));
    REQUIRE(!text_present(list->after) || has_chars(list->after, NAME_CHARS_MAX));
    REQUIRE(!text_present(list->prefix) || has_chars(list->prefix, NAME_CHARS_MAX));
}

static void check_command(const struct command *command)
{
    switch (command->kind) {
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE: check_named(command); return;
    case COMMAND_PROVIDER_ALLOCATIONS:
        REQUIRE(in_range(command->params.page.limit, 1, PAGE_ROWS_MAX));
        return;
    case COMMAND_PROVIDER_LIST: check_list(&command->params.list); return;
    case COMMAND_USAGE_GET: check_usage(&command->params.usage); return;
    case COMMAND_INVENTORY_SET:
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE:
    case COMMAND_RESHAPE: check_change(&command->params.change); return;
    case COMMAND_PROVIDER_DELETE:
    case COMMAND_PROVIDER_GET:
    case COMMAND_ALLOCATION_GET: return;
    }
    REQUIRE(false && "an unknown kind of command");
}

/* RFC 6901: empty, or tokens that each begin with '/'; a '~' is followed by 0 or 1. */
static void check_pointer(struct text pointer)
{
    REQUIRE(pointer.length == 0 || pointer.bytes[0] == '/');
    for (size_t i = 0; i < pointer.length; i++) {
        if (pointer.bytes[i] != '~')
            continue;
        REQUIRE(i + 1 < pointer.length);
        REQUIRE(pointer.bytes[i + 1] == '0' || pointer.bytes[i + 1] == '1');
    }
}

static void require_details(const struct verdict *verdict, const char *first, const char *second)
{
    REQUIRE(verdict_detail(verdict, first) != NULL);
    REQUIRE(second == NULL || verdict_detail(verdict, second) != NULL);
    REQUIRE(verdict->detail_count == (second == NULL ? 1 : 2));
}

static void check_refusal(const struct verdict *verdict, size_t body_bytes)
{
    REQUIRE(verdict->message.length > 0 && verdict->reply_allowed && !verdict->replayed);
    REQUIRE((verdict->code == VERDICT_TOO_LARGE) == (body_bytes > BODY_BYTES_MAX));
    switch ((int)verdict->code) {
    case VERDICT_TOO_LARGE: require_details(verdict, "size", "limit"); return;
    case VERDICT_MALFORMED: require_details(verdict, "reason", NULL); return;
    case VERDICT_UNSUPPORTED_VERSION: require_details(verdict, "given", "supported"); return;
    case VERDICT_UNKNOWN_COMMAND: require_details(verdict, "given", NULL); return;
    case VERDICT_INVALID:
        require_details(verdict, "pointer", "reason");
        check_pointer(verdict_detail(verdict, "pointer")->value.text);
        return;
    default: REQUIRE(false && "a code of the decoder's own");
    }
}

static void check_reply(struct arena *arena, const struct decoded *decoded)
{
    const struct verdict *verdict = &decoded->verdict;
    struct text text =
        reply_encode(arena, decoded->command, COMMAND_PROVIDER_GET, decoded->request.key, verdict);
    json_t *reply = json_loadb(text.bytes, text.length, JSON_REJECT_DUPLICATES, NULL);
    REQUIRE(json_is_object(reply) && json_object_size(reply) == 5);
    const json_t *error = json_object_get(reply, "error");
    REQUIRE(json_object_size(error) == 4);
    REQUIRE(json_object_size(json_object_get(error, "details")) == verdict->detail_count);
    REQUIRE(json_is_false(json_object_get(error, "retryable")));
    const char *code = json_string_value(json_object_get(error, "code"));
    REQUIRE(code != NULL && strcmp(code, verdict_name(verdict->code)) == 0);
    REQUIRE(json_string_length(json_object_get(error, "message")) > 0);
    const json_t *command = json_object_get(reply, "command");
    REQUIRE(text_present(decoded->command) ? json_is_string(command) : json_is_null(command));
    json_decref(reply);
}

static bool same_request(const struct request *a, const struct request *b)
{
    return a->command.kind == b->command.kind &&
           memcmp(&a->fingerprint, &b->fingerprint, sizeof a->fingerprint) == 0;
}

/* The same JSON with other spaces, escapes and order gives the same command or failure. */
static void check_layout(struct arena *arena, const struct delivery *delivery,
                         const struct decoded *decoded)
{
    json_t *body = json_loadb(delivery->body.length > 0 ? delivery->body.bytes : "",
                              delivery->body.length, JSON_REJECT_DUPLICATES, NULL);
    bool readable = decoded->verdict.code != VERDICT_MALFORMED;
    REQUIRE(!readable || json_is_object(body));
    char *laid_out =
        readable ? json_dumps(body, JSON_INDENT(3) | JSON_ENSURE_ASCII | JSON_SORT_KEYS) : NULL;
    json_decref(body);
    if (laid_out == NULL)
        return;
    struct delivery other = *delivery;
    other.body = text_of(laid_out);
    struct decoded again = decode(arena, &other);
    free(laid_out);
    REQUIRE(again.accepted == decoded->accepted && again.verdict.code == decoded->verdict.code);
    REQUIRE(text_equal(again.command, decoded->command));
    REQUIRE(!again.accepted || same_request(&again.request, &decoded->request));
}

/* An earlier failure in the order of precedence wins, a later one changes nothing. */
static void check_precedence(struct arena *arena, const struct delivery *delivery,
                             const struct decoded *decoded)
{
    enum verdict_code code = decoded->verdict.code;
    bool readable = code != VERDICT_TOO_LARGE && code != VERDICT_MALFORMED;
    struct delivery other = *delivery;
    other.properties.user_id = text_of("nobody");
    struct decoded stranger = decode(arena, &other);
    REQUIRE(stranger.verdict.code == (readable ? VERDICT_UNAUTHENTICATED : code));
    REQUIRE(!stranger.accepted && !stranger.verdict.reply_allowed);
    other.properties.message_id = text_of("two words");
    REQUIRE(decode(arena, &other).verdict.code == (readable ? VERDICT_MISSING_MESSAGE_ID : code));
    other = *delivery;
    other.deadline = HEADER_WRONG_TYPE;
    REQUIRE(decode(arena, &other).verdict.code == (decoded->accepted ? VERDICT_INVALID : code));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    struct delivery delivery = {
        .properties = {.message_id = text_of("k"),
                       .user_id = text_of("fuzzer"),
                       .reply_to = text_of("q")},
        .body = text_view((const char *)data, size),
    };
    struct decoded decoded = decode(arena, &delivery);
    if (decoded.accepted) {
        REQUIRE(decoded.verdict.code == VERDICT_SUCCESS);
        check_command(&decoded.request.command);
    } else {
        check_refusal(&decoded.verdict, size);
        check_reply(arena, &decoded);
    }
    if (size <= BODY_BYTES_MAX)
        check_layout(arena, &delivery, &decoded);
    check_precedence(arena, &delivery, &decoded);
    arena_free(arena);
    return 0;
}
