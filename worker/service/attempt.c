/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/attempt.h"

#include <string.h>

#include "allot/limits.h"
#include "common/codec/digest.h"

static bool is_plain(struct text text)
{
    if (text.length == 0 || text.length > MESSAGE_ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < 0x21 || text.bytes[i] > 0x7e)
            return false;
    }
    return true;
}

/* "sha256:" and 64 digits. A producer that sends such a text as its own shares the records of that
   message only. */
static struct text digest_of(const struct delivery *delivery, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    static const char prefix[] = "sha256:";
    struct fingerprint print = fingerprint_of_pair(delivery->raw_headers, delivery->body);
    size_t start = sizeof prefix - 1;
    char *bytes = arena_alloc(arena, start + 2 * sizeof print.bytes);
    memcpy(bytes, prefix, start);
    for (size_t i = 0; i < sizeof print.bytes; i++) {
        bytes[start + 2 * i] = digits[print.bytes[i] >> 4];
        bytes[start + 2 * i + 1] = digits[print.bytes[i] & 15];
    }
    return text_view(bytes, start + 2 * sizeof print.bytes);
}

struct attempt_key attempt_key_of(const struct delivery *delivery, struct arena *arena)
{
    struct text principal = delivery->properties.user_id;
    struct text key = delivery->properties.message_id;
    return (struct attempt_key){
        .principal = is_plain(principal) ? principal : text_of("?"),
        .key = is_plain(key) ? key : digest_of(delivery, arena),
    };
}
