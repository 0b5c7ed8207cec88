/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/mongo_store.h"

#include <string.h>
#include <mongoc/mongoc.h>

/* The library has one handler per process, so this is one too; it is set before threads. */
static struct {
    mongo_log_callback callback;
    void *context;
} sink;

static void forward(mongoc_log_level_t level, const char *domain, const char *message, void *unused)
{
    static const char of_no_interest[] = "Error in abortTransaction"; /* the server was faster */
    (void)unused;
    if (strncmp(message, of_no_interest, sizeof of_no_interest - 1) == 0)
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

void mongo_library_init(void)
{
    mongoc_init();
    mongo_set_log(NULL, NULL);
}

void mongo_library_cleanup(void)
{
    mongoc_cleanup();
}
