/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/proof.h"

bool proof_is_needed(enum store_status status)
{
    switch (status) {
    case STORE_TIMED_OUT:
    case STORE_UNEXPLAINED:
    case STORE_EXPIRED:
    case STORE_UNKNOWN: return true;
    case STORE_OK:
    case STORE_CONFLICT:
    case STORE_UNAVAILABLE:
    case STORE_REFUSED:
    case STORE_TOO_LARGE:
    case STORE_MISCONFIGURED: break;
    }
    return false;
}

bool proof_is_fresh(const struct proof *proof, int64_t now_ms, int64_t timeout_ms)
{
    return proof->taken && now_ms - proof->at_ms <= timeout_ms;
}

bool proof_covers(const struct proof *before, const struct proof *after, int64_t began_ms,
                  int64_t timeout_ms)
{
    return proof_is_fresh(before, began_ms, timeout_ms) && after->taken &&
           after->primary == before->primary;
}

int64_t proof_limit_ms(int64_t limit_ms, unsigned tries)
{
    unsigned last = PROOF_TRIES_MAX - 1;
    int64_t part_ms = tries < last ? limit_ms >> (last - tries) : limit_ms;
    return part_ms > 0 ? part_ms : 1;
}
