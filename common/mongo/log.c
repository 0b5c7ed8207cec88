/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/libmongoc.h"
#include "common/mongo/mongo_store.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Libmongoc has one log handler per process, so this is a global too. It is set before threads
   exist. */
static struct {
    mongo_log_callback callback;
    void *context;
} sink;

static void forward(mongoc_log_level_t level, const char *domain, const char *message, void *unused)
{
    /* libmongoc 1.23 warns if abortTransaction fails. The server has already ended the transaction
       then, so nothing is wrong. */
    static const char failed_abort[] = "Error in abortTransaction";
    (void)unused;
    if (strncmp(message, failed_abort, sizeof failed_abort - 1) == 0)
        return;
    sink.callback(sink.context, (int)level, domain, message);
}

void mongo_set_log(mongo_log_callback callback, void *context)
{
    mongoc_log_set_handler(NULL, NULL);
    sink.callback = callback;
    sink.context = context;
    if (callback != NULL)
        mongoc_log_set_handler(forward, NULL);
}

void mongo_library_remove_counters(void)
{
    char name[32];
    (void)snprintf(name, sizeof name, "/mongoc-%d", (int)getpid());
    (void)shm_unlink(name);
}

void mongo_library_init(void)
{
    mongoc_init();
    mongo_library_remove_counters();
    mongo_set_log(NULL, NULL);
}

void mongo_library_cleanup(void)
{
    mongoc_cleanup();
}
