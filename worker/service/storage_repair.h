/* SPDX-License-Identifier: Apache-2.0 */
/* Repairs the database when a part of its schema is missing, and logs what was missing. */
#ifndef ALLOT_SERVICE_STORAGE_REPAIR_H
#define ALLOT_SERVICE_STORAGE_REPAIR_H

#include "allot/store.h"

/* Calls `repair` of the store, which is not in a transaction. Returns OK if nothing is missing any
   more that transactions need; otherwise `error` (or NULL) says why it is not repaired. */
enum store_status storage_repair(struct store *store, struct error *error);

#endif
