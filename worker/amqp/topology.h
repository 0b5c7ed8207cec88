/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's objects of docs/protocol.md, section 1: declared, or checked. Deletes nothing. */
#ifndef ALLOT_AMQP_TOPOLOGY_H
#define ALLOT_AMQP_TOPOLOGY_H

#include "common/base/error.h"
#include "common/base/text.h"

struct topology {
    struct text exchange;
    struct text queue;
    struct text dead_exchange;
    struct text dead_queue;
};

#endif
