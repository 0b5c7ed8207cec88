/* SPDX-License-Identifier: Apache-2.0 */
/* Which permissions a worker needs of the broker. Pure. */
#ifndef ALLOT_CTL_PERMISSIONS_H
#define ALLOT_CTL_PERMISSIONS_H

#include "common/amqp/topology.h"

enum { PERMISSION_KINDS = 3, PERMISSION_NAMES_MAX = 6 };

/* The exchanges and queues for which the worker needs one kind of permission. */
struct permissions {
    const char *kind; /* "configure", "write" or "read" */
    struct text names[PERMISSION_NAMES_MAX];
    size_t count; /* may be 0 */
};

/* Fills the list; the names are borrowed from the topology. A worker that `declares` needs more. */
void permissions_needed(const struct topology *topology, bool declares,
                        struct permissions ret_needed[PERMISSION_KINDS]);

#endif
