/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/database.h"

#include "common/host/system_clock.h"

bool database_open(const struct settings *settings, struct database *ret_database,
                   struct error *error)
{
    struct mongo_options options = {
        .uri = settings->mongodb_uri,
        .database = settings->mongodb_database,
        .timeout_ms = settings->mongodb_timeout_ms,
        .retention_ms = settings->idempotency_retention_ms,
        .letters_retention_ms = settings->letters_retention_ms,
        .worker = text_of("allotctl"),
        .clock = system_clock(),
    };
    *ret_database = (struct database){NULL, NULL};
    mongo_library_init();
    ret_database->pool = mongo_pool_new(&options, error);
    if (ret_database->pool != NULL)
        ret_database->store = mongo_store_new(ret_database->pool, error);
    return ret_database->store != NULL;
}

void database_close(struct database *database)
{
    if (database->store != NULL)
        database->store->ops->free(database->store);
    mongo_pool_leave(database->pool);
}
