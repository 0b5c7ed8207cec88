/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/storage_repair.h"

#include "worker/service/events.h"

static void log_repaired(const struct store_gap *gap)
{
    event_log(EVENT_STORAGE_REPAIRED, LOG_FIELDS(LOG_S("missing", gap->names.text)),
              "parts of the database were missing, and are created again; a collection that was "
              "dropped is empty");
}

static void log_incomplete(const struct store_gap *gap, const struct error *error)
{
    event_log(EVENT_STORAGE_INCOMPLETE,
              LOG_FIELDS(LOG_S("missing", gap->left.text), LOG_S("error", error->text)), "%s",
              gap->stops_writes
                  ? "parts of the database are missing, and cannot be created; commands wait"
                  : "parts of the database are missing, and cannot be created; commands go on");
}

/* Such as a missing right. An outage has lines of its own (storage_outage.h). */
static void log_not_looked_at(const struct error *error)
{
    event_log(EVENT_STORAGE_INCOMPLETE,
              LOG_FIELDS(LOG_T("missing", TEXT_NONE), LOG_S("error", error->text)),
              "cannot check whether parts of the database are missing; nothing is repaired");
}

enum store_status storage_repair(struct store *store, struct error *error)
{
    struct store_gap gap;
    struct error cause = {""};
    enum store_status status = store->ops->repair(store, &gap, &cause);
    bool any = gap.names.text[0] != '\0';
    if (any && status == STORE_OK)
        log_repaired(&gap);
    else if (any)
        log_incomplete(&gap, &cause);
    else if (status == STORE_MISCONFIGURED)
        log_not_looked_at(&cause);
    if (any && !gap.stops_writes)
        return STORE_OK;
    if (status != STORE_OK)
        error_set(error, "%s", cause.text);
    return status;
}
