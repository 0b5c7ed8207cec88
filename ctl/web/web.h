/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page in the browser: letters and capacity, rendered here, over HTTP on an address of this
 * machine. It works with the operator's own credentials for broker and database.
 */
#ifndef ALLOT_CTL_WEB_WEB_H
#define ALLOT_CTL_WEB_WEB_H

#include "allot/settings.h"
#include "common/core/policy.h"

#define WEB_LISTEN_DEFAULT "127.0.0.1:0"

struct web_options {
    const char *listen;      /* ADDRESS:PORT; NULL: WEB_LISTEN_DEFAULT */
    bool read_only;          /* nothing is written, and the broker is not needed */
    struct text policy_name; /* of the policy's file, for people */
    struct text by;          /* who uses the page, for the history of letters */
};

/*
 * Serves the page until SIGINT or SIGTERM, and prints its URL, with the token, on stdout. A replay
 * that is going on then stops after the command that it is sending. All is borrowed; `policy`, with
 * its service queues, may be NULL: then there is no dry run. Call it before there are other
 * threads. Returns the exit status; an error is printed on stderr.
 */
int web_run(const struct web_options *options, const struct settings *settings,
            const struct policy *policy);

#endif
