/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the operator about new groups of letters, and about too many letters in a minute. It has a
 * thread and a store of its own, so that no command waits for a call that takes long. All workers
 * share the notifications, which are in the database.
 */
#ifndef ALLOT_SERVICE_NOTIFIER_H
#define ALLOT_SERVICE_NOTIFIER_H

#include "allot/attributes.h"
#include "allot/store.h"

enum {
    NOTIFIER_CLAIM_REST_MS = 60 * 1000, /* that a claim is longer than a call may take */
};

struct notifier_options {
    struct store *store; /* owned by the notifier from notifier_start on */
    struct text worker;  /* its name */
    int64_t rate;        /* letters.notify_rate */
    int64_t look_ms;     /* letters.notify_interval */
    int64_t claim_ms;    /* that a call may take, and NOTIFIER_CLAIM_REST_MS */
    int64_t pause_ms;    /* after the first failed call: NOTIFIER_PAUSE_MS */
    /* Makes a call. Returns false, with an error, if it failed, or if `stop_fd` became readable,
       which it has to notice at once. Texts and context are borrowed until the thread has ended. */
    bool (*call)(const void *context, struct text json, int stop_fd, struct error *error);
    const void *context;
};

enum { NOTIFIER_PAUSE_MS = 1000 };

struct notifier;

/* Starts the thread; never NULL. It prepares the database, and looks at once. */
struct notifier *notifier_start(const struct notifier_options *options);

/* Lets the thread end, and a call with it. Returns at once. */
void notifier_stop(struct notifier *notifier);

/* Called after notifier_stop(). Waits until the thread has ended, and frees the notifier; or
   returns false after `limit_ms`, as store_thread_end(). */
ALLOT_CHECK bool notifier_end(struct notifier *notifier, int64_t limit_ms);

#endif
