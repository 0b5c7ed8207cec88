/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that send something check of their arguments. Each prints an error. */
#ifndef ALLOT_CTL_ARGUMENTS_H
#define ALLOT_CTL_ARGUMENTS_H

#include "common/base/error.h"
#include "common/base/uuid.h"
#include "ctl/options.h"

/* Returns whether the command has its operand; `what` names it in the error. */
ALLOT_CHECK bool argument_given(const struct options *options, const char *what);
/* Reads the operand, which has to be a UUID. */
ALLOT_CHECK bool argument_uuid(const struct options *options, const char *what,
                               struct uuid *ret_uuid);
/* Returns whether the value of --key, if it is given, may be an idempotency key. */
ALLOT_CHECK bool argument_key_valid(const struct options *options);
/* Returns whether an option that the command needs is given. */
ALLOT_CHECK bool argument_option_given(const char *value, const char *name);
/* Prints an error about an argument. Returns EXIT_USAGE. */
int argument_fail(const struct error *error);
/* Asks the user to confirm, unless --yes is given. Without a confirmation it says that nothing is
   changed. */
ALLOT_CHECK bool argument_confirmed(const struct options *options, const char *question);

#endif
