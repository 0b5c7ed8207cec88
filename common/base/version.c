/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/version.h"

#include "generated/version.h"

const char *version_text(void)
{
    return ALLOT_VERSION;
}
