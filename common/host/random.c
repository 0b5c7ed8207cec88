/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/random.h"

#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *bytes, size_t length)
{
    /* Up to 256 bytes, getrandom never returns fewer than asked for (getrandom(2)). */
    if (length > RANDOM_BYTES_MAX || getrandom(bytes, length, 0) != (ssize_t)length)
        abort();
}

struct uuid random_uuid(void)
{
    struct uuid uuid;
    random_bytes(uuid.bytes, sizeof uuid.bytes);
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x40); /* version 4 */
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80); /* the variant of RFC 9562 */
    return uuid;
}
