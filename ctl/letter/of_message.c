/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/letter/of_message.h"

#include "common/codec/digest.h"
#include "common/codec/field_table.h"
#include "common/codec/letter_build.h"
#include "common/codec/letter_redact.h"

static struct text unless_empty(struct text text)
{
    return text.length > 0 ? text : TEXT_NONE;
}

/* The worker's digest of a body that it cut. It has 64 digits, or it is not the worker's. */
static bool was_cut(const struct client_message *message, const struct dead_letter *dead)
{
    return message->cut_size == 0 && dead->body_sha256.length == FINGERPRINT_HEX_DIGITS &&
           dead->body_size > 0 && (uint64_t)dead->body_size > message->body.length;
}

/*
 * Returns the command as the worker received it, as far as that is known. A dead letter of the
 * worker has no user_id, since only the sender of a message may be named there; its header has the
 * principal.
 */
static struct delivery delivery_of(const struct client_message *message,
                                   const struct dead_letter *dead)
{
    struct delivery delivery = {.properties = message->properties,
                                .raw_headers = message->raw_headers,
                                .body = message->body,
                                .cut_size = message->cut_size,
                                .body_sha256 = message->body_sha256};
    if (was_cut(message, dead)) {
        delivery.cut_size = (uint64_t)dead->body_size;
        delivery.body_sha256 = dead->body_sha256;
    }
    if (!dead->by_broker && text_present(dead->principal))
        delivery.properties.user_id = unless_empty(dead->principal);
    field_table_read_delivery(&delivery);
    return delivery;
}

/* Decodes with a policy that knows the principal: whether it may do something does not matter. */
static void decode(struct arena *arena, const struct delivery *delivery, bool by_broker,
                   const struct settings *settings, struct decoded *ret_decoded)
{
    struct decode_context context = {
        .trust_user_id = !by_broker || settings->security_trust_user_id,
        .default_principal = settings->security_default_principal,
    };
    struct policy_principal principal = {
        .name = context.trust_user_id ? delivery->properties.user_id : context.default_principal};
    struct policy policy = {.principals = &principal, .count = 1};
    context.policy = &policy;
    command_decode(&context, delivery, arena, ret_decoded);
}

struct letter letter_of_message(struct arena *arena, const struct client_message *message,
                                const struct dead_letter *dead, const struct settings *settings)
{
    const struct letter_redaction redaction = letter_redaction_of(settings);
    bool known = text_present(dead->reason);
    struct delivery *delivery = ARENA_NEW(arena, struct delivery);
    struct decoded *decoded = ARENA_NEW(arena, struct decoded);
    *delivery = delivery_of(message, dead);
    decode(arena, delivery, dead->by_broker, settings, decoded);
    struct letter_cause cause = {
        .source = dead->by_broker || !known ? LETTER_SOURCE_BROKER : LETTER_SOURCE_WORKER,
        .reason = known ? dead->reason : text_of("unknown"),
        .detail = known ? unless_empty(dead->detail)
                        : text_of("no header says why the message is in the dead-letter queue"),
        .queue = text_present(dead->queue) ? dead->queue : settings->amqp_queue,
        .worker = dead->worker,
        .at_ms = dead->has_dead_at ? dead->dead_at_ms : 0,
    };
    struct letter letter = letter_build(arena, delivery, decoded, &cause);
    letter.published = true;
    letter_redact(arena, &redaction, &letter);
    return letter;
}
