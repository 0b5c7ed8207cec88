/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/outage_log.h"

void outage_log_begin(struct outage_log *outage, int64_t now_ms)
{
    if (atomic_load(&outage->due_ms) != 0)
        return;
    atomic_store(&outage->since_ms, now_ms);
    atomic_store(&outage->due_ms, now_ms + OUTAGE_START_MS);
}

bool outage_log_due(struct outage_log *outage, bool failed, int64_t now_ms)
{
    int64_t due_ms = atomic_load(&outage->due_ms);
    bool has_line = due_ms > atomic_load(&outage->since_ms) + OUTAGE_START_MS;
    if (due_ms == 0 || (now_ms < due_ms && (has_line || !failed)))
        return false;
    return atomic_compare_exchange_strong(&outage->due_ms, &due_ms, now_ms + OUTAGE_AGAIN_MS);
}

int64_t outage_log_duration_ms(const struct outage_log *outage, int64_t now_ms)
{
    return atomic_load(&outage->due_ms) != 0 ? now_ms - atomic_load(&outage->since_ms) : 0;
}

int64_t outage_log_end(struct outage_log *outage, int64_t now_ms)
{
    int64_t duration_ms = outage_log_duration_ms(outage, now_ms);
    atomic_store(&outage->due_ms, 0);
    return duration_ms;
}
