/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/letter_bounds.h"

static struct letter_share sum_of(const struct letter_share *shares, size_t count)
{
    struct letter_share sum = {.bytes = 0};
    for (size_t i = 0; i < count; i++) {
        sum.bytes += shares[i].bytes;
        sum.published += shares[i].published;
        sum.closed += shares[i].closed;
        sum.bodies += shares[i].bodies;
    }
    return sum;
}

int64_t letter_shares_bytes(const struct letter_share *shares, size_t count)
{
    return sum_of(shares, count).bytes;
}

bool letter_share_is_full(const struct letter_share *share, int64_t max_bytes)
{
    return share->bytes - share->published >= max_bytes / LETTER_SHARES;
}

static enum letter_cut_kind kind_for(const struct letter_share *share)
{
    if (share->closed > 0)
        return LETTER_CUT_CLOSED;
    if (share->bodies > 0)
        return LETTER_CUT_BODIES;
    return share->published > 0 ? LETTER_CUT_PUBLISHED : LETTER_CUT_NONE;
}

/* Returns the share that holds most, of those with more than `above` and letters that may go; NULL
   if there is none. */
static const struct letter_share *largest(const struct letter_share *shares, size_t count,
                                          int64_t above)
{
    const struct letter_share *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (shares[i].bytes > above && kind_for(&shares[i]) != LETTER_CUT_NONE &&
            (found == NULL || shares[i].bytes > found->bytes))
            found = &shares[i];
    }
    return found;
}

static struct letter_cut cut_of(const struct letter_share *share, int64_t bytes)
{
    return (struct letter_cut){.kind = kind_for(share),
                               .of_principal = true,
                               .principal = share->principal,
                               .bytes = bytes};
}

struct letter_cut letter_cut_choose(const struct letter_share *shares, size_t count,
                                    int64_t max_bytes)
{
    int64_t share_max = max_bytes / LETTER_SHARES;
    const struct letter_share *share = largest(shares, count, share_max);
    if (share != NULL)
        return cut_of(share, share->bytes - share_max);
    struct letter_share sum = sum_of(shares, count);
    struct letter_cut cut = {.kind = kind_for(&sum), .bytes = sum.bytes - max_bytes};
    if (cut.bytes <= 0)
        return (struct letter_cut){.kind = LETTER_CUT_NONE};
    share = largest(shares, count, 0);
    return cut.kind == LETTER_CUT_PUBLISHED && share != NULL ? cut_of(share, cut.bytes) : cut;
}
