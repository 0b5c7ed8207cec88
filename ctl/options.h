/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of one command: what may stand there, and what stood there. */
#ifndef ALLOT_CTL_OPTIONS_H
#define ALLOT_CTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "allot/attributes.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Strings are those of argv; NULL: not given. */
struct options {
    const char *config;
    const char *uri;
    const char *key_prefix;
    const char *reply_to;
    const char *exchange;
    const char *routing_key;
    const char *queue;
    const char *operand; /* the one argument that is no option */
    int timeout_ms;
    int64_t limit;
    bool no_wait;
    bool json;
    bool repair;
};

/*
 * Reads argv[1] and on; argv[0] is the command's name, for errors. `allowed` lists the letters of
 * the options that the command has (see the table in options.c), with '-' if it takes an operand.
 * False, and a message on stderr, where something else stands there.
 */
ALLOT_CHECK bool options_read(int argc, char **argv, const char *allowed,
                              struct options *ret_options);

#endif
