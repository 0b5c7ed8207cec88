/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends the commands of an input and prints what became of each, one JSON line a command, in the
 * order of the input and as soon as that order lets it.
 */
#ifndef ALLOT_CTL_SEND_SESSION_H
#define ALLOT_CTL_SEND_SESSION_H

#include "ctl/send_input.h"
#include "common/amqp/client.h"

struct exchange_plan {
    struct text exchange;
    struct text routing_key;
    const char *reply_to; /* NULL: an exclusive queue USER.allotctl.RANDOM */
    bool wait;            /* for replies; else the confirm is all that is asked for */
    int timeout_ms;       /* for replies after the last command is out */
};

/*
 * False where the connection failed: what was printed till then counts, of the rest nothing is
 * known. Otherwise `ret_all_succeeded` tells whether each command was taken and, if waited for,
 * answered with success.
 */
ALLOT_CHECK bool exchange_run(struct client *client, const struct exchange_plan *plan,
                              const struct input *input, struct arena *arena,
                              bool *ret_all_succeeded, struct error *error);

#endif
