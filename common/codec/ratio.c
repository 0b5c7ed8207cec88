/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/ratio.h"

#include <assert.h>
#include <stdio.h>

#include "allot/limits.h"

enum { DECIMALS = 6 };

static bool in_range(int64_t ratio)
{
    return ratio >= RATIO_MIN && ratio <= RATIO_MAX;
}

bool ratio_from_double(double number, int64_t *ret_ratio)
{
    const double one = (double)RATIO_ONE;
    if (!(number > 0.0) || number > (double)(RATIO_MAX / RATIO_ONE))
        return false;
    /*
     * The product is wrong by less than 0.001, so rounding finds the only candidate. Both operands
     * of the division are exact; therefore its result is the double nearest to the decimal.
     */
    int64_t ratio = (int64_t)(number * one + 0.5);
    if (!in_range(ratio) || (double)ratio / one != number)
        return false;
    *ret_ratio = ratio;
    return true;
}

bool ratio_from_integer(int64_t number, int64_t *ret_ratio)
{
    if (number < 1 || number > RATIO_MAX / RATIO_ONE)
        return false;
    *ret_ratio = number * RATIO_ONE;
    return true;
}

struct ratio_text ratio_format(int64_t ratio)
{
    assert(in_range(ratio));
    struct ratio_text text;
    int length = snprintf(text.chars, sizeof text.chars, "%lld.%0*lld", ratio / RATIO_ONE, DECIMALS,
                          ratio % RATIO_ONE);
    assert(length > DECIMALS && (size_t)length < sizeof text.chars);
    while (text.chars[length - 1] == '0' && text.chars[length - 2] != '.')
        length--;
    text.chars[length] = '\0';
    return text;
}
