/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of allotctl: those of the worker that concern one server, the broker or the
 * database, or both. They come from the file of --config, from environment variables, and from
 * --uri; the later of the three overrides the earlier. Other settings are ignored, and may be
 * missing.
 */
#ifndef ALLOT_CTL_SETTINGS_H
#define ALLOT_CTL_SETTINGS_H

#include "allot/settings.h"
#include "common/amqp/tls.h"
#include "common/base/error.h"
#include "ctl/options.h"

/* Loads the broker's settings: amqp.* and ALLOT_AMQP_*. Texts are copied to `arena`. */
ALLOT_CHECK bool broker_settings_load(const struct options *options, struct arena *arena,
                                      struct settings *ret_settings, struct error *error);

/* Loads the settings of the database and of letters: mongodb.*, letters.* and their variables.
   Texts are copied to `arena`. */
ALLOT_CHECK bool database_settings_load(const struct options *options, struct arena *arena,
                                        struct settings *ret_settings, struct error *error);

/* Loads the settings of both servers, and those of letters and principals (letters.*, security.*),
   with their variables. Texts are copied to `arena`. */
ALLOT_CHECK bool import_settings_load(const struct options *options, struct arena *arena,
                                      struct settings *ret_settings, struct error *error);

/* Returns the TLS part of the broker's settings; its texts are borrowed from `settings`. */
struct amqp_tls broker_settings_tls(const struct settings *settings);

#endif
