/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/attempt.h"

#include "common/codec/digest.h"
#include "common/core/message_id.h"

/* "sha256:" and 64 digits. A producer that sends such a text as its own shares the records of that
   message only. */
static struct text digest_of(const struct delivery *delivery, struct arena *arena)
{
    struct fingerprint print = fingerprint_of_pair(delivery->raw_headers, delivery->body);
    return text_format(arena, "sha256:%.*s", TEXT_ARGS(fingerprint_hex(arena, &print)));
}

struct attempt_key attempt_key_of(const struct delivery *delivery, struct arena *arena)
{
    struct text principal = delivery->properties.user_id;
    struct text key = delivery->properties.message_id;
    return (struct attempt_key){
        .principal = message_id_is_valid(principal) ? principal : text_of("?"), /* the same rule */
        .key = message_id_is_valid(key) ? key : digest_of(delivery, arena),
    };
}
