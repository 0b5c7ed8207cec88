/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of all commands. options.c has a table of them, with their names, defaults and help
 * texts; a command lists the options that it accepts as a set of the bits below.
 */
#ifndef ALLOT_CTL_OPTIONS_H
#define ALLOT_CTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "allot/attributes.h"
#include "common/base/arena.h"

/* Options of one name, of which no command accepts two: OPTION_BROKER_URI, OPTION_DATABASE_URI and
   OPTION_EITHER_URI; OPTION_LIMIT and OPTION_IMPORT_LIMIT. */
enum option_bit {
    OPTION_CONFIG = 1 << 0,
    OPTION_BROKER_URI = 1 << 1,
    OPTION_DATABASE_URI = 1 << 2,
    OPTION_KEY = 1 << 3,
    OPTION_REPLY_TO = 1 << 4,
    OPTION_TIMEOUT = 1 << 5,
    OPTION_NO_WAIT = 1 << 6,
    OPTION_EXCHANGE = 1 << 7,
    OPTION_ROUTING_KEY = 1 << 8,
    OPTION_QUEUE = 1 << 9,
    OPTION_LIMIT = 1 << 10,
    OPTION_JSON = 1 << 11,
    OPTION_REPAIR = 1 << 12,
    OPTION_EITHER_URI = 1 << 13,
    OPTION_REASON = 1 << 14,
    OPTION_PRINCIPAL = 1 << 15,
    OPTION_COMMAND = 1 << 16,
    OPTION_PROJECT = 1 << 17,
    OPTION_STATE = 1 << 18,
    OPTION_SINCE = 1 << 19,
    OPTION_UNTIL = 1 << 20,
    OPTION_FROM_QUEUE = 1 << 21,
    OPTION_BODY = 1 << 22,
    OPTION_SECOND_URI = 1 << 23,
    OPTION_IMPORT_LIMIT = 1 << 24,
    OPTION_DRY_RUN = 1 << 25,
    OPTION_MANAGEMENT_URI = 1 << 26
};

/* Strings are borrowed from argv, and URIs from the arena; NULL: not given. Numbers have the
 * default when not given. */
struct options {
    const char *config;
    const char *uri;
    const char *database_uri; /* of a command that uses both servers; `uri` is the broker's */
    const char *management_uri;
    const char *key_prefix;
    const char *reply_to;
    const char *exchange;
    const char *routing_key;
    const char *queue;
    const char *reason;
    const char *principal;
    const char *command;
    const char *project;
    const char *state;
    const char *since;
    const char *until;
    const char *body;    /* the file that gets the body of a letter; "-": standard output */
    const char *operand; /* the one argument that is not an option */
    int timeout_ms;
    int64_t limit;
    int64_t import_limit; /* 0: not given */
    bool no_wait;
    bool json;
    bool repair;
    bool from_queue;
    bool dry_run;
};

/*
 * Reads the arguments from argv[1] on; argv[0] is the program's name. Accepts the options in the
 * set `accepted`, and one operand if `has_operand`. For anything else it prints an error on stderr
 * and returns false. Hides the passwords of URIs in argv (uri_argument.h). Calls getopt_long, so
 * once in a process.
 */
ALLOT_CHECK bool options_read(int argc, char **argv, unsigned accepted, bool has_operand,
                              struct arena *arena, struct options *ret_options);

/* Prints on stdout one help line for each option in the set `accepted`. */
void options_print_help(unsigned accepted);

#endif
