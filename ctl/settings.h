/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of allotctl: those of the worker that concern one server, the broker or the
 * database, or both. They come from the file of --config, from the current context (context.h),
 * from environment variables, from the context of --context, and from --uri or --uri-file; each of
 * these overrides the ones before it. Other settings are ignored, and may be missing.
 */
#ifndef ALLOT_CTL_SETTINGS_H
#define ALLOT_CTL_SETTINGS_H

#include "allot/settings.h"
#include "common/amqp/tls.h"
#include "common/base/error.h"
#include "common/core/policy.h"
#include "ctl/options.h"

/* Loads the broker's settings: amqp.* and their variables. Texts are copied to `arena`. */
ALLOT_CHECK bool broker_settings_load(const struct options *options, struct arena *arena,
                                      struct settings *ret_settings, struct error *error);

/* Loads the settings of the database, and those that tell what a letter means: mongodb.*,
   letters.*, idempotency.*, security.*, the names of exchanges and queues, and their variables.
   Texts are copied to `arena`. */
ALLOT_CHECK bool database_settings_load(const struct options *options, struct arena *arena,
                                        struct settings *ret_settings, struct error *error);

/* The same for a command whose --uri is that of the broker: --database-uri overrides. */
ALLOT_CHECK bool second_settings_load(const struct options *options, struct arena *arena,
                                      struct settings *ret_settings, struct error *error);

/* Loads the settings of both servers, and those that decide what a worker does with a command
   (letters.*, security.*, idempotency.*, delivery.*), with their variables. Texts are copied to
   `arena`. */
ALLOT_CHECK bool both_settings_load(const struct options *options, struct arena *arena,
                                    struct settings *ret_settings, struct error *error);

/* Loads the names of the service's queues (amqp.queue, amqp.dead_letter_queue, with their
   variables) without the URI of a server, for policy_load(). Texts are copied to `arena`. */
ALLOT_CHECK bool queue_names_load(const struct options *options, struct arena *arena,
                                  struct settings *ret_settings, struct error *error);

/* Loads the policy of --policy, of the variable ALLOT_POLICY_FILE, of the context, or of the
   settings file, with the service's queues of `settings`. All is in `arena`. Sets the name of its
   file. Returns false, with an error, if none is known or it cannot be read. */
ALLOT_CHECK bool policy_load(const struct options *options, const struct settings *settings,
                             struct arena *arena, struct policy *ret_policy, struct text *ret_name,
                             struct error *error);

/* Sets the URI of the broker's management API; NULL: none is known. Returns false, with an error,
   if a file that has it cannot be read. */
ALLOT_CHECK bool management_uri_find(const struct options *options, struct arena *arena,
                                     const char **ret_uri, struct error *error);

/* Returns the TLS part of the broker's settings; its texts are borrowed from `settings`. */
struct amqp_tls broker_settings_tls(const struct settings *settings);

#endif
