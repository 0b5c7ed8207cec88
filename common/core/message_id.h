/* SPDX-License-Identifier: Apache-2.0 */
/* The rule for a message_id. Source: docs/protocol.md, section 2. */
#ifndef ALLOT_CORE_MESSAGE_ID_H
#define ALLOT_CORE_MESSAGE_ID_H

#include "common/base/text.h"

/* Returns whether the text has 1 to MESSAGE_ID_BYTES_MAX bytes of printable ASCII without space. */
bool message_id_is_valid(struct text id);

#endif
