/* SPDX-License-Identifier: Apache-2.0 */
/* A URI among the arguments, which every user of the machine can read (`ps`). */
#ifndef ALLOT_CTL_URI_ARGUMENT_H
#define ALLOT_CTL_URI_ARGUMENT_H

#include "common/base/arena.h"

/*
 * Returns a copy of `argument`, a string of argv, in `arena`; NULL for NULL. If it has a password,
 * the password is overwritten in `argument`, so that the list of processes shows it no longer, and
 * a warning on stderr names `option` and a better way.
 */
const char *uri_argument_take(const char *argument, const char *option, struct arena *arena);

#endif
