/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of workers: in the database in memory, a life is a family of stores. */
#include "tests/support/memory_document.h"

#include <stdlib.h>

#include "common/base/memory.h"

static struct memory_worker *find(const struct memory_database *database, uint64_t life)
{
    for (size_t i = 0; i < database->worker_count; i++) {
        if (database->workers[i].life == life)
            return &database->workers[i];
    }
    return NULL;
}

static struct memory_worker *add(struct memory_database *database, uint64_t life)
{
    size_t count = database->worker_count + 1;
    struct memory_worker *workers = memory_array(count, sizeof *workers);
    for (size_t i = 0; i < database->worker_count; i++)
        workers[i] = database->workers[i];
    free(database->workers);
    database->workers = workers;
    database->worker_count = count;
    workers[count - 1].life = life;
    return &workers[count - 1];
}

void memory_report_worker(struct memory_database *database, uint64_t life, enum worker_state state)
{
    struct memory_worker *worker = find(database, life);
    if (worker == NULL)
        worker = add(database, life);
    if (worker->state != WORKER_STOPPED)
        worker->state = state;
}

bool memory_is_stopped(const struct memory_database *database, uint64_t life)
{
    const struct memory_worker *worker = find(database, life);
    return worker != NULL && worker->state == WORKER_STOPPED;
}

size_t memory_database_workers(const struct memory_database *database, enum worker_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < database->worker_count; i++)
        count += database->workers[i].state == state;
    return count;
}
