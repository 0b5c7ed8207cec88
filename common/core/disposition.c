/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/disposition.h"

struct disposition disposition_of(enum verdict_code code, bool reply_allowed)
{
    bool failure = code != VERDICT_SUCCESS;
    return (struct disposition){
        .reply = reply_allowed && code != VERDICT_UNAUTHENTICATED,
        .dead_letter = verdict_always_dead_lettered(code) || (failure && !reply_allowed),
    };
}

bool disposition_dead_letter_if_unroutable(enum verdict_code code)
{
    return code != VERDICT_SUCCESS;
}
