/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/base64.h"

#include <openssl/evp.h>

struct text base64_encode(struct arena *arena, struct text bytes)
{
    if (bytes.length == 0)
        return text_of("");
    char *encoded = arena_alloc(arena, (bytes.length + 2) / 3 * 4 + 1);
    int length = EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)bytes.bytes,
                                 (int)bytes.length);
    return text_view(encoded, (size_t)length);
}
