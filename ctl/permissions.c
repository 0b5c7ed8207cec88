/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/permissions.h"

/* An exchange and a queue may have one name. */
static void need(struct permissions *permissions, struct text name)
{
    for (size_t i = 0; i < permissions->count; i++) {
        if (text_equal(permissions->names[i], name))
            return;
    }
    permissions->names[permissions->count++] = name;
}

static void need_queues(struct permissions *permissions, const struct topology *topology)
{
    need(permissions, topology->queue);
    need(permissions, topology->dead_letter_queue);
    need(permissions, topology->desk_queue);
}

static void need_exchanges(struct permissions *permissions, const struct topology *topology)
{
    need(permissions, topology->exchange);
    need(permissions, topology->dead_letter_exchange);
}

void permissions_needed(const struct topology *topology, bool declares,
                        struct permissions ret_needed[PERMISSION_KINDS])
{
    struct permissions configure = {.kind = "configure"}, write = {.kind = "write"},
                       read = {.kind = "read"};
    need(&read, topology->queue);
    need(&read, topology->desk_queue);
    need(&write, topology->dead_letter_exchange);
    need(&write, text_of("amq.default")); /* for replies */
    if (declares) {
        need_queues(&configure, topology);
        need_exchanges(&configure, topology);
        need_queues(&write, topology); /* to bind: write on the queue, read on the exchange */
        need_exchanges(&read, topology);
    }
    ret_needed[0] = configure;
    ret_needed[1] = write;
    ret_needed[2] = read;
}
