/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends commands and prints the result of each: one JSON line per command, in the order of the
 * input. A line is printed as soon as it and all lines before it are known.
 */
#ifndef ALLOT_CTL_SEND_SESSION_H
#define ALLOT_CTL_SEND_SESSION_H

#include "common/amqp/client.h"
#include "ctl/send_input.h"

struct send_options {
    struct text exchange;
    struct text routing_key;
    const char *reply_to; /* NULL: declare an exclusive queue USER.allotctl.UUID */
    bool wait;            /* for replies; false: for confirms only */
    int timeout_ms;       /* time to wait for replies, from when the last command is sent */
};

/*
 * Returns false on a connection failure: the results printed so far are valid, those of the other
 * commands are unknown. Returns true otherwise; `*ret_all_succeeded` then says whether every
 * command was confirmed and, with `wait`, answered with success. All arguments are borrowed.
 */
ALLOT_CHECK bool send_session_run(struct client *client, const struct send_options *options,
                                  const struct send_input *input, struct arena *arena,
                                  bool *ret_all_succeeded, struct error *error);

#endif
