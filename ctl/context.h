/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context: a name for the servers of one installation, with where their URIs and the policy are.
 * The file $XDG_CONFIG_HOME/allot/allotctl.yaml (or ~/.config/allot/allotctl.yaml) has the
 * contexts of a user:
 *
 *     current: production
 *     contexts:
 *       - name: production
 *         amqp_uri_file: production.amqp
 *         mongodb_uri_file: production.mongodb
 *         policy_file: /etc/allot/policy.yaml
 *
 * A path that does not begin with / or ~/ is taken from the folder of this file.
 */
#ifndef ALLOT_CTL_CONTEXT_H
#define ALLOT_CTL_CONTEXT_H

#include "common/base/error.h"
#include "common/base/text.h"

/* X(identifier, key in the file, variable whose value it is, it is a file, help) */
#define CONTEXT_KEYS(X)                                                                            \
    X(AMQP_URI, "amqp_uri", "ALLOT_AMQP_URI", false, "URI of the broker")                          \
    X(AMQP_URI_FILE, "amqp_uri_file", "ALLOT_AMQP_URI", true,                                      \
      "file that holds the URI of the broker")                                                     \
    X(MONGODB_URI, "mongodb_uri", "ALLOT_MONGODB_URI", false, "URI of the database")               \
    X(MONGODB_URI_FILE, "mongodb_uri_file", "ALLOT_MONGODB_URI", true,                             \
      "file that holds the URI of the database")                                                   \
    X(MANAGEMENT_URI, "management_uri", "ALLOT_MANAGEMENT_URI", false,                             \
      "URI of the broker's management API: http[s]://user:password@host:port")                     \
    X(MANAGEMENT_URI_FILE, "management_uri_file", "ALLOT_MANAGEMENT_URI", true,                    \
      "file that holds the URI of the management API")                                             \
    X(MONGODB_DATABASE, "mongodb_database", "ALLOT_MONGODB_DATABASE", false,                       \
      "name of the database, if it is not that of the default settings")                           \
    X(POLICY_FILE, "policy_file", "ALLOT_POLICY_FILE", false,                                      \
      "access policy, for the commands that predict what a worker would do")                       \
    X(CONFIG, "config", "", false,                                                                 \
      "settings file, as --config names it; it gives what the other keys do not")

enum context_key {
#define X(id, key, variable, is_file, help) CONTEXT_##id,
    CONTEXT_KEYS(X)
#undef X
        CONTEXT_KEY_COUNT
};

struct context {
    const char *name;                      /* NULL: none is chosen, and there are no values */
    bool is_option;                        /* it was chosen on the command line */
    const char *file;                      /* the file that it stands in */
    struct text values[CONTEXT_KEY_COUNT]; /* absent: not given. Paths are complete */
};

/*
 * Chooses a context: `option` if it is not NULL, else that of the variable ALLOT_CONTEXT, else the
 * `current` one of the file; without any of them, or without a file, none. All texts are in
 * `arena`. Returns false, with an error that names the place, if the file is malformed or does not
 * have the context. Warns on stderr, once, if other users can read a password in the file.
 */
ALLOT_CHECK bool context_choose(const char *option, struct arena *arena,
                                struct context *ret_context, struct error *error);

/* Sets the value that the context gives to a variable, read from its file if it names one, in
   `arena`; NULL: it gives none. Returns false, with an error, if the file cannot be read. */
ALLOT_CHECK bool context_variable(const struct context *context, const char *variable,
                                  struct arena *arena, const char **ret_value, struct error *error);

#endif
