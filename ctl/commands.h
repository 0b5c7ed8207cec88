/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of allotctl: each gives the status to exit with, and has said on stderr why. */
#ifndef ALLOT_CTL_COMMANDS_H
#define ALLOT_CTL_COMMANDS_H

#include "allot/settings.h"
#include "common/base/error.h"
#include "ctl/options.h"
#include "common/amqp/tls.h"

int topology_declare_command(int argc, char **argv);
int topology_check_command(int argc, char **argv);
int send_command(int argc, char **argv);
int dead_list_command(int argc, char **argv);
int audit_command(int argc, char **argv);

/* --- what they share ------------------------------------------------------------------------ */

/*
 * The worker's settings as far as they concern the broker: from --config, ALLOT_AMQP_* variables,
 * and --uri, the later over the former. The settings that allotctl has no use for may be missing.
 */
ALLOT_CHECK bool broker_settings_load(const struct options *options, struct arena *arena,
                                      struct settings *ret_settings, struct error *error);
/* Likewise for the storage: ALLOT_MONGODB_*, and --uri is the storage's. */
ALLOT_CHECK bool storage_settings_load(const struct options *options, struct arena *arena,
                                       struct settings *ret_settings, struct error *error);
struct amqp_tls broker_settings_tls(const struct settings *settings);

/* "allotctl: ..." on stderr; gives EXIT_FAILED. */
int fail_with(const struct error *error);
/* EXIT_FAILED, and a message, where stdout could not take all that was written. */
int finish_output(int status);

#endif
