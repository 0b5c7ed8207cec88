/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A UUID, stored as 16 bytes. The parser accepts 32 hex digits in any case, with the four hyphens
 * of 8-4-4-4-12 or without any. The formatter writes lower case with hyphens. UUIDs and their
 * formatted texts have the same order.
 */
#ifndef ALLOT_BASE_UUID_H
#define ALLOT_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

enum { UUID_BYTES = 16, UUID_TEXT_LENGTH = 36 };

struct uuid {
    uint8_t bytes[UUID_BYTES];
};

struct uuid_text {
    char chars[UUID_TEXT_LENGTH + 1]; /* NUL-terminated */
};

/* Returns false, and leaves `ret_uuid` unchanged, if `text` is not a UUID. */
ALLOT_CHECK bool uuid_parse(struct text text, struct uuid *ret_uuid);
/* Formats the UUID; the result is a copy. */
struct uuid_text uuid_format(struct uuid uuid);
/* Compares as memcmp(). */
int uuid_compare(struct uuid a, struct uuid b);
bool uuid_equal(struct uuid a, struct uuid b);

#endif
