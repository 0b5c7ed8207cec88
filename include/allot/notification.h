/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A notification: what allotd sends to the operator about letters. The database holds each one
 * until it was sent, so that all workers together send it once. Texts are borrowed.
 */
#ifndef ALLOT_NOTIFICATION_H
#define ALLOT_NOTIFICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"

/*
 * X(identifier, name): what it is about.
 *   GROUP  a letter of a group that had none
 *   RATE   more letters than letters.notify_rate in a minute
 */
#define NOTIFICATION_KINDS(X)                                                                      \
    X(GROUP, "new_group")                                                                          \
    X(RATE, "rate")

enum notification_kind {
#define X(id, name) NOTIFICATION_##id,
    NOTIFICATION_KINDS(X)
#undef X
};

/* Returns the name, for the JSON and the log. Static. */
static inline const char *notification_kind_name(enum notification_kind kind)
{
    switch (kind) {
#define X(id, name)                                                                                \
    case NOTIFICATION_##id: return name;
        NOTIFICATION_KINDS(X)
#undef X
    }
    return "";
}

enum {
    NOTIFICATION_TRIES_MAX = 64,         /* then it is given up, after about an hour */
    NOTIFICATION_GROUPS_MAX = 10,        /* new groups that are each told apart */
    NOTIFICATION_RATE_MS = 60 * 1000,    /* the time in which letters are counted */
    NOTIFICATION_RATE_AGAIN_MS = 600000, /* a rate that stays high is reported again after that */
};

/* How a try ended. */
enum notification_end {
    NOTIFICATION_SENT,
    NOTIFICATION_FAILED,   /* it is to be tried again */
    NOTIFICATION_GIVEN_UP, /* it is not tried again */
};

/* One that a store has claimed. */
struct notification {
    enum notification_kind kind;
    struct text claim; /* of all that this claim is about */
    int64_t at_ms;     /* when it was found, by the database's clock, as all times here */
    int64_t tries;     /* with this one: 1 or more */
    int64_t letters;   /* that the group has; RATE: of the minute before it was found */
    /* of the newest letter of the group; absent if the group has no letter any more */
    struct text letter; /* its id */
    struct text reason;
    struct text command;
    struct text detail;
    int64_t others; /* new groups that this one is about as well, since there were too many */
};

#endif
