/* SPDX-License-Identifier: Apache-2.0 */
#include "allot/store.h"

const char *store_status_name(enum store_status status)
{
    switch (status) {
    case STORE_OK: return "ok";
    case STORE_CONFLICT: return "conflict";
    case STORE_UNAVAILABLE: return "unavailable";
    case STORE_UNKNOWN: return "unknown";
    case STORE_EXPIRED: return "expired";
    case STORE_REFUSED: return "refused";
    case STORE_MISUSE: return "misuse";
    }
    return "";
}
