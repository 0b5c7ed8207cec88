/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that the broker's URI came from. It is read again before each connect, so that a worker
 * goes on after its password was changed, without a restart.
 */
#ifndef ALLOT_AMQP_URI_FILE_H
#define ALLOT_AMQP_URI_FILE_H

#include "common/amqp/login.h"
#include "common/amqp/notice.h"

struct uri_file {
    struct text path;     /* ends with a NUL; absent or empty: the URI came from no file */
    struct text uri;      /* the last one that was good */
    struct error failure; /* why the file was not used at the last connect; empty: it was */
    struct arena *arena;  /* borrowed: holds the hosts of every good URI, since a connection borrows
                             its own */
    struct amqp_observer observer;
};

/* Begins with `uri`, which `login` was read from. The texts are copied to `arena`, which has to
   outlive all connections; `arena` is borrowed. */
void uri_file_init(struct uri_file *file, struct text path, struct text uri, struct arena *arena,
                   struct amqp_observer observer);
/*
 * Reads the file, and puts the hosts of its URI into `login`. If the file cannot be read, or what
 * it has is not a valid URI, `login` stays as it is, and the observer is notified, once for each
 * reason.
 */
void uri_file_refresh(struct uri_file *file, struct login_options *login);

#endif
