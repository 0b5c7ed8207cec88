/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of all commands. options.c has a table of them, with their names, defaults and help
 * texts; a command lists the options that it accepts.
 */
#ifndef ALLOT_CTL_OPTIONS_H
#define ALLOT_CTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "allot/attributes.h"
#include "common/base/arena.h"

/* An option that means different things to different commands has several ids with one name; no
   command accepts two of them. */
enum option_id {
    OPTION_NONE, /* the end of a command's list */
    /* which servers */
    OPTION_CONFIG,
    OPTION_CONTEXT,
    OPTION_BROKER_URI,
    OPTION_DATABASE_URI,
    OPTION_EITHER_URI,
    OPTION_URI_FILE,
    OPTION_SECOND_URI,
    OPTION_SECOND_URI_FILE,
    OPTION_MANAGEMENT_URI,
    OPTION_POLICY,
    /* which letters */
    OPTION_REASON,
    OPTION_PRINCIPAL,
    OPTION_COMMAND,
    OPTION_PROJECT,
    OPTION_LETTER_PROVIDER,
    OPTION_GROUP,
    OPTION_STATE,
    OPTION_SINCE,
    OPTION_UNTIL,
    OPTION_TEXT,
    OPTION_ALL,
    OPTION_LIMIT,
    OPTION_GROUP_LIMIT,
    OPTION_IMPORT_LIMIT,
    OPTION_FROM_QUEUE,
    OPTION_QUEUE,
    OPTION_BODY,
    OPTION_EDITED_BODY,
    /* changes of letters */
    OPTION_DRY_RUN,
    OPTION_IMPORT_DRY_RUN,
    OPTION_YES,
    OPTION_NOTE,
    OPTION_KEEP_DEADLINE,
    OPTION_KEEP_EXPIRATION,
    OPTION_KEEP_REPLY_TO,
    OPTION_NEW_KEY,
    OPTION_CONTINUE,
    OPTION_RATE,
    OPTION_STOP_AT_FAILURES,
    /* commands that are sent */
    OPTION_KEY_PREFIX,
    OPTION_KEY,
    OPTION_REPLY_TO,
    OPTION_TIMEOUT,
    OPTION_REPLY_TIMEOUT,
    OPTION_NO_WAIT,
    OPTION_EXCHANGE,
    OPTION_ROUTING_KEY,
    OPTION_RESOURCE,
    OPTION_INVENTORY,
    OPTION_PROVIDER,
    OPTION_CLAIM_PROJECT,
    OPTION_USER,
    OPTION_USAGE_USER,
    OPTION_TYPE,
    OPTION_USAGE_TYPE,
    OPTION_GENERATION,
    OPTION_UUID,
    OPTION_PARENT,
    OPTION_PREFIX,
    OPTION_FROM,
    OPTION_TO,
    OPTION_PROVIDER_LIMIT,
    OPTION_CONSUMER_LIMIT,
    /* questions to the policy */
    OPTION_ASKED_PRINCIPAL,
    OPTION_OUTCOME_PRINCIPAL,
    OPTION_ASKED_COMMAND,
    OPTION_ASKED_PROJECT,
    OPTION_ASKED_PROVIDER,
    OPTION_ASKED_REPLY_TO,
    /* the rest */
    OPTION_OUTPUT,
    OPTION_JSON,
    OPTION_NO_PAGER,
    OPTION_REPAIR,
    OPTION_LISTEN,
    OPTION_READ_ONLY
};

/* One of the options that may be given several times. */
struct option_item {
    enum option_id id;
    const char *value;
};

/* X(identifier, name on the command line): how results are printed. */
#define OUTPUT_FORMS(X)                                                                            \
    X(TABLE, "table")                                                                              \
    X(WIDE, "wide")                                                                                \
    X(JSON, "json")

enum output_form {
#define X(id, name) OUTPUT_##id,
    OUTPUT_FORMS(X)
#undef X
};

/* Strings are borrowed from argv, and URIs from the arena; NULL: not given. Numbers have the
 * default when not given, or 0 if they have none. */
struct options {
    const char *config;
    const char *context;
    const char *uri;
    const char *uri_file;     /* has the URI, instead of `uri` */
    const char *database_uri; /* of a command that uses both servers; `uri` is the broker's */
    const char *database_uri_file;
    const char *management_uri;
    const char *policy;
    const char *reason;
    const char *principal;
    const char *command;
    const char *project;
    const char *provider;
    const char *group;
    const char *state;
    const char *since;
    const char *until;
    const char *text;
    const char *queue;
    const char
        *body; /* the file that gets the body of a letter ("-": standard output), or has it */
    const char *note;
    const char *run; /* to be continued */
    const char *key_prefix;
    const char *key;
    const char *reply_to;
    const char *exchange;
    const char *routing_key;
    const char *user;
    const char *type;
    const char *uuid;
    const char *parent;
    const char *prefix;
    const char *from;
    const char *to;
    const char *listen;
    const char *output;
    const char *const *operands; /* the arguments that are not options */
    size_t operand_count;
    const char *operand;             /* the first of them; NULL: none */
    const struct option_item *items; /* of options that may be repeated, in their order */
    size_t item_count;
    int64_t limit;
    int64_t rate; /* a second */
    int64_t stop_at_failures;
    int64_t timeout_ms;
    int64_t generation;
    bool generation_given;
    bool all;
    bool dry_run;
    bool yes;
    bool keep_deadline;
    bool keep_expiration;
    bool keep_reply_to;
    bool new_key;
    bool no_wait;
    bool json;
    bool no_pager;
    bool repair;
    bool from_queue;
    bool read_only;
    enum output_form form; /* of `output` and `json` */
};

/*
 * Reads the arguments from argv[1] on; argv[0] is the program's name. Accepts the options of the
 * list `accepted`, which ends with OPTION_NONE, and up to `operands_max` operands. For anything
 * else, and for options that contradict each other, it prints an error on stderr and returns false.
 * Moves the operands behind the options in argv, and hides the passwords of URIs there
 * (uri_argument.h). Not thread-safe, since getopt_long is not.
 */
ALLOT_CHECK bool options_read(int argc, char **argv, const enum option_id *accepted,
                              size_t operands_max, struct arena *arena,
                              struct options *ret_options);

/* How an option looks. Static texts. */
struct option_description {
    const char *name;
    const char *argument; /* its name; NULL: the option is a flag */
    const char *value;    /* the default; NULL: none */
    const char *help;
    bool is_repeatable;
};

/* Returns the description of an option. */
struct option_description option_describe(enum option_id id);

#endif
