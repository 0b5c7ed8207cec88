/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict: the decision on a command. It is a success with a result, or one of the failure
 * codes with a message and details. The reply is made from it. Do not confuse it with a status (how
 * a call to the store or the broker ended) or a disposition (what is published for the command).
 * Source: docs/protocol.md, sections 2 to 4.
 */
#ifndef ALLOT_CORE_VERDICT_H
#define ALLOT_CORE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"
#include "common/base/uuid.h"

/*
 * X(identifier, wire code, recorded, retryable, always dead-lettered, when, details)
 *
 * The codes stand in the order of the contract: if several apply, the first one is the answer.
 * Recorded: the outcome is stored under the command's key. Retryable: the same intent, decided on
 * fresh state and sent under a new key, may succeed. `when` says what has happened, `details` lists
 * the members of the reply's `details`. The tables of docs/protocol.md are checked against this
 * list.
 */
#define VERDICT_FAILURES(X)                                                                        \
    X(TOO_LARGE, "too_large", false, false, true, "the body is over 1 MiB", "size, limit")         \
    X(MALFORMED, "malformed", false, false, true,                                                  \
      "the body is not valid JSON or is nested too deeply, or its content type is not JSON",       \
      "reason")                                                                                    \
    X(MISSING_MESSAGE_ID, "missing_message_id", false, false, true,                                \
      "`message_id` is missing or malformed", "")                                                  \
    X(UNAUTHENTICATED, "unauthenticated", false, false, true,                                      \
      "`user_id` is missing, or the policy does not know this principal", "")                      \
    X(UNSUPPORTED_VERSION, "unsupported_version", false, false, false,                             \
      "`version` is an integer that this worker does not support", "given, supported")             \
    X(UNKNOWN_COMMAND, "unknown_command", false, false, false, "no command has this name",         \
      "given")                                                                                     \
    X(INVALID, "invalid", false, false, false,                                                     \
      "a member is missing, unknown, of the wrong type or out of range", "pointer, reason")        \
    X(IDEMPOTENCY_KEY_REUSED, "idempotency_key_reused", false, false, false,                       \
      "the key is recorded with another body", "")                                                 \
    X(ATTEMPTS_EXHAUSTED, "attempts_exhausted", false, false, true,                                \
      "workers crashed `delivery.max_attempts` times while they processed this command",           \
      "attempts")                                                                                  \
    X(FORBIDDEN, "forbidden", false, false, false,                                                 \
      "the policy does not allow this principal to do this",                                       \
      "command, project_id, provider, reply_to, consumer")                                         \
    X(DEADLINE_EXCEEDED, "deadline_exceeded", true, false, false,                                  \
      "the deadline had passed when the command was planned", "deadline")                          \
    X(LIMIT_EXCEEDED, "limit_exceeded", true, false, false,                                        \
      "the command or its reply is larger than a limit of the protocol, or a read takes too long", \
      "limit, given")                                                                              \
    X(CONSUMER_GENERATION_CONFLICT, "consumer_generation_conflict", true, true, false,             \
      "the generation given for a consumer is not the stored one", "consumer, given, stored")      \
    X(CONSUMER_NOT_FOUND, "consumer_not_found", true, false, false, "the consumer does not exist", \
      "consumer")                                                                                  \
    X(PROVIDER_EXISTS, "provider_exists", true, false, false, "a provider with this UUID exists",  \
      "provider")                                                                                  \
    X(PROVIDER_NOT_FOUND, "provider_not_found", true, false, false,                                \
      "providers of the command do not exist", "providers")                                        \
    X(PROVIDER_NAME_TAKEN, "provider_name_taken", true, false, false,                              \
      "another provider has this name", "name")                                                    \
    X(INVALID_PARENT, "invalid_parent", true, false, false,                                        \
      "the parent does not exist or is in the subtree of the provider", "parent_provider_uuid")    \
    X(PROVIDER_GENERATION_CONFLICT, "provider_generation_conflict", true, true, false,             \
      "the generation given for a provider is not the stored one", "provider, given, stored")      \
    X(PROVIDER_HAS_CHILDREN, "provider_has_children", true, false, false,                          \
      "the provider has children", "provider")                                                     \
    X(PROVIDER_IN_USE, "provider_in_use", true, false, false, "the provider has allocations",      \
      "provider")                                                                                  \
    X(INVENTORY_IN_USE, "inventory_in_use", true, false, false,                                    \
      "allocations use a class that the new inventory does not have",                              \
      "provider, resource_classes")                                                                \
    X(INVENTORY_NOT_FOUND, "inventory_not_found", true, false, false,                              \
      "the provider has no inventory of the class", "provider, resource_class")                    \
    X(CONSTRAINT_VIOLATION, "constraint_violation", true, false, false,                            \
      "the amount violates min_unit, max_unit or step_size",                                       \
      "provider, resource_class, requested, min_unit, max_unit, step_size")                        \
    X(CAPACITY_EXCEEDED, "capacity_exceeded", true, false, false,                                  \
      "the allocation is larger than the free capacity",                                           \
      "provider, resource_class, requested, used, capacity")                                       \
    X(INTERNAL, "internal", false, false, true,                                                    \
      "the database permanently rejects this command, also in a batch of its own", "reason")

enum verdict_code {
    VERDICT_SUCCESS = 0,
#define X(id, name, recorded, retryable, dead, when, details) VERDICT_##id,
    VERDICT_FAILURES(X)
#undef X
};

/* Returns the code on the wire; "success" for VERDICT_SUCCESS. Static. */
const char *verdict_name(enum verdict_code code);
/* Returns false if no code has this name. */
ALLOT_CHECK bool verdict_parse(struct text name, enum verdict_code *ret_code);
/* Each returns one column of the table. A success is recorded, but neither retryable nor
   dead-lettered. */
bool verdict_recorded(enum verdict_code code);
bool verdict_retryable(enum verdict_code code);
bool verdict_always_dead_lettered(enum verdict_code code);

/* One member of a failure's `details`. Its value is borrowed. */
enum detail_kind {
    DETAIL_NULL,
    DETAIL_INTEGER,
    DETAIL_TEXT,
    DETAIL_UUID,
    DETAIL_TEXTS,
    DETAIL_UUIDS
};

struct detail {
    const char *name; /* static */
    enum detail_kind kind;
    union {
        int64_t integer;
        struct text text;
        struct uuid uuid;
        const struct text *texts;
        const struct uuid *uuids;
    } value;
    size_t count; /* of texts or uuids */
};

enum { VERDICT_DETAILS_MAX = 6 };

struct provider;
struct consumer;

/* The generation of a consumer after the command; 0: it has no allocations and was deleted. */
struct consumer_generation {
    struct uuid consumer;
    int64_t generation;
};

struct provider_generation {
    struct uuid provider;
    int64_t generation;
};

/* One group of usage.get; its amounts are sorted by class. */
struct usage_amount {
    struct text resource_class;
    int64_t amount;
};

struct usage_group {
    struct text consumer_type; /* "all" if all types are one group */
    int64_t consumer_count;
    const struct usage_amount *amounts;
    size_t count;
};

/* One page of provider.allocations, sorted by consumer. */
struct consumer_page {
    const struct consumer *rows;
    size_t count;
    bool more; /* there are more consumers: the UUID of the last row is `next` */
};

/* One page of provider.list, sorted by name. The providers have no inventories. */
struct provider_page {
    const struct provider *rows;
    size_t count;
    bool more; /* there are more providers: the name of the last row is `next` */
};

/*
 * The result of a success. Which members are used depends on the command:
 *   provider.create, .update            provider
 *   provider.delete                     none
 *   provider.get                        provider, providers
 *   provider.list                       list
 *   provider.allocations                provider, providers, page
 *   inventory.set                       provider, providers
 *   allocation.set, .batch, .delete     consumers, providers
 *   reshape                             consumers, providers
 *   allocation.get                      consumer (NULL: it does not exist), providers
 *   usage.get                           groups
 * Everything is borrowed: from the snapshot, or from its arena.
 */
struct result {
    const struct provider *provider; /* as it is after the command */
    const struct consumer *consumer;
    const struct consumer_generation *consumers;
    size_t consumer_count;
    const struct provider_generation *providers; /* by UUID */
    size_t provider_count;
    const struct consumer_page *page;
    const struct provider_page *list;
    const struct usage_group *groups;
    size_t group_count;
};

struct verdict {
    enum verdict_code code;
    bool replayed;           /* the outcome is recorded: answer with `replay_body` */
    struct text replay_body; /* absent: request `replay_of` of the same batch has the body */
    size_t replay_of;
    struct text message; /* of a failure: a text for people */
    struct detail details[VERDICT_DETAILS_MAX];
    size_t detail_count;
    struct result result; /* of a success that is not a replay */
    bool reply_allowed;   /* the command has a reply_to, and the policy allows it */
};

/* Sets a failure code and a message, and removes all details. The arena owns the message. */
void verdict_refuse(struct verdict *verdict, struct arena *arena, enum verdict_code code,
                    const char *format, ...) ALLOT_PRINTF(4, 5);
/* Refuses with ATTEMPTS_EXHAUSTED: so many workers crashed while `doing` this command, as in
   "decoding". */
void verdict_refuse_exhausted(struct verdict *verdict, struct arena *arena, int64_t attempts,
                              const char *doing);
/* Each adds one member to the details. `name` must be static; the values are borrowed. */
void verdict_add_null(struct verdict *verdict, const char *name);
void verdict_add_integer(struct verdict *verdict, const char *name, int64_t value);
void verdict_add_text(struct verdict *verdict, const char *name, struct text value);
void verdict_add_uuid(struct verdict *verdict, const char *name, struct uuid value);
void verdict_add_texts(struct verdict *verdict, const char *name, const struct text *values,
                       size_t count);
void verdict_add_uuids(struct verdict *verdict, const char *name, const struct uuid *values,
                       size_t count);
/* Returns NULL if there is no detail of that name. */
const struct detail *verdict_detail(const struct verdict *verdict, const char *name);

#endif
