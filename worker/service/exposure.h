/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs a warning where the configuration shows something to others, or lets others change it:
 * passwords and commands on a network without TLS, secrets in files that every user of the machine
 * can read, and files that every user can write. Nothing is refused. A file that cannot be examined
 * is skipped, since the code that reads it reports that.
 */
#ifndef ALLOT_SERVICE_EXPOSURE_H
#define ALLOT_SERVICE_EXPOSURE_H

#include <stdbool.h>

#include "common/base/text.h"

/* Returns whether data for this host stay on the machine: a loopback address, localhost, or the
   path of a socket. `host` ends with a NUL. */
bool exposure_is_local(struct text host);

/* Warns, once, if there is no TLS and one of the hosts is not local. `setting` has their URI. */
void exposure_check_hosts(const char *setting, const struct text *hosts, size_t count, bool tls);

/* Warns if other users can write the file or replace it in its folder, and if they can read it
   although it is `secret`. `setting` names the file; a `path` of NULL is skipped. */
void exposure_check_file(const char *setting, const char *path, bool secret);

#endif
