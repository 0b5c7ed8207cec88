/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/repairer.h"

#include "common/base/memory.h"
#include "common/host/system_clock.h"
#include "worker/service/storage_repair.h"
#include "worker/service/store_thread.h"

struct repairer {
    struct store_thread thread; /* the first member */
    int64_t pause_ms;
    bool stopping; /* under the lock of the thread */
};

/* Returns false if the repairer stops meanwhile. */
static bool wait_for_turn(struct repairer *repairer)
{
    int64_t until_ms = system_monotonic_ms() + repairer->pause_ms;
    store_thread_lock(&repairer->thread);
    for (bool in_time = true; !repairer->stopping && in_time;)
        in_time = store_thread_wait(&repairer->thread, until_ms);
    bool goes_on = !repairer->stopping;
    store_thread_unlock(&repairer->thread);
    return goes_on;
}

/* A failure is logged, and a repair is made again when the next one is due. */
static void run(struct store_thread *thread)
{
    struct repairer *repairer = (struct repairer *)thread;
    while (wait_for_turn(repairer))
        (void)storage_repair(thread->store, NULL);
}

struct repairer *repairer_start(struct store *store, int64_t pause_ms)
{
    struct repairer *repairer = MEMORY_NEW(struct repairer);
    repairer->pause_ms = pause_ms;
    store_thread_start(&repairer->thread, store, "repairer", run);
    return repairer;
}

void repairer_stop(struct repairer *repairer)
{
    store_thread_lock(&repairer->thread);
    repairer->stopping = true;
    store_thread_unlock(&repairer->thread);
}

bool repairer_end(struct repairer *repairer, int64_t limit_ms)
{
    return store_thread_end(&repairer->thread, limit_ms);
}
