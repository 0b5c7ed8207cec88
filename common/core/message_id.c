/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/message_id.h"

#include "allot/limits.h"

bool message_id_is_valid(struct text id)
{
    for (size_t i = 0; i < id.length; i++) {
        if (id.bytes[i] < 0x21 || id.bytes[i] > 0x7e)
            return false;
    }
    return id.length >= 1 && id.length <= MESSAGE_ID_BYTES_MAX;
}
