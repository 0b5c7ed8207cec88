/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/random.h"

#include <stdlib.h>
#include <sys/random.h>

struct uuid random_uuid(void)
{
    struct uuid uuid;
    /* Up to 256 bytes, getrandom never returns fewer than asked for (getrandom(2)). */
    if (getrandom(uuid.bytes, sizeof uuid.bytes, 0) != (ssize_t)sizeof uuid.bytes)
        abort();
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x40); /* version 4 */
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80); /* the variant of RFC 9562 */
    return uuid;
}
