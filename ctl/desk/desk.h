/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dead-letter desk: what allotctl and its page in the browser do with letters. This is what
 * all functions of the folder work with. Everything is borrowed.
 */
#ifndef ALLOT_CTL_DESK_DESK_H
#define ALLOT_CTL_DESK_DESK_H

#include "allot/settings.h"
#include "common/core/policy.h"
#include "common/mongo/mongo_store.h"

struct desk {
    struct store *store; /* not in a transaction; one thread at a time uses it */
    const struct settings *settings;
    const struct policy *policy; /* with its service queues; NULL: none, so no dry run */
    struct text policy_name;     /* of the file, for people */
    struct text by;              /* who uses the desk, for the history */
    bool read_only;              /* nothing is written, not even what the desk finds out */
};

#endif
