/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Isolation of destinations: finds out, by evidence, which replies close a connection or are not
 * confirmed, and keeps those of other destinations away from them. Decides what the isolated route
 * publishes next; it publishes nothing itself.
 *
 * A destination is isolated
 *
 *   as a suspect    when a route was closed over a message, or did not confirm in time, and replies
 *                   to it were unconfirmed; until its own are confirmed
 *   as convicted    when the isolated route was closed while only its replies were on it; for
 *                   ISOLATION_MS after the last such close
 *   as silent       when a reply to it was not confirmed in time while it was alone on the route;
 *                   for ISOLATION_SILENT_MS after the last such reply. Until it confirms it uses
 *                   the silent route; if it is slow again, until it confirms in time.
 *
 * A convicted or silent destination is blamed. A suspect is blamed only if another destination of
 * its principal was silent.
 *
 * All times are monotonic.
 */
#ifndef ALLOT_SERVICE_ISOLATION_H
#define ALLOT_SERVICE_ISOLATION_H

#include "worker/service/destination.h"

enum {
    ISOLATION_MS = 10 * 60 * 1000,
    ISOLATION_SILENT_MS = 60 * 1000,
    ISOLATION_CLOSES_MAX = 2,  /* of a reply that was alone: then it is given up */
    ISOLATION_GROUP_MAX = 256, /* messages that are published at once */
    ISOLATION_TRIAL_MAX = 16,  /* the same, of a principal that has a silent destination */
    ISOLATION_OWNERS = 256,
    ISOLATION_IDLE_MAX = 1000 /* isolated destinations without jobs that are remembered */
};

/* Whose turn it is on one of the two routes, ISOLATED and SILENT. */
struct isolation_turn {
    struct destination *fresh; /* the only one with messages on the route; NULL: none */
    size_t group_left;         /* messages of `fresh` that may still be published */
};

/* What unfinished replies hold. */
struct isolation_load {
    size_t count; /* of replies */
    size_t bytes; /* that flow control counts for their commands */
};

/* All zero is empty. */
struct isolation {
    struct destinations destinations; /* all, also those that are not isolated */
    struct destination *first;        /* of the isolated ones, the next to publish first */
    struct destination *last;
    size_t count;                   /* of isolated destinations */
    struct isolation_turn turns[2]; /* by destination.silent */
    uint64_t turn;                  /* number of the last one */
    /* silent destinations, by owner modulo the size: 0 means that the principal has none */
    size_t silent_of_owner[ISOLATION_OWNERS];
    size_t waiting;               /* jobs in all `waiting` */
    struct isolation_load blamed; /* of all blamed destinations */
};

/* Counts a new reply, whose job has its `counted_bytes`, and sets the job's destination. */
void isolation_add(struct isolation *isolation, struct job *job);
/* Ends the count of a reply that is finished. */
void isolation_remove(struct isolation *isolation, struct job *job);
/* Frees what the isolation owns, with the jobs that wait. All zero again. */
void isolation_clear(struct isolation *isolation);

/* Returns whether the destination's replies have to use the isolated route. */
bool isolation_applies(struct isolation *isolation, struct destination *destination,
                       int64_t now_ms);

/* Puts a job of an isolated destination behind those that wait. */
void isolation_wait(struct isolation *isolation, struct job *job);

/* Makes the job's destination a suspect of a close, and lets the job wait. */
void isolation_suspect(struct isolation *isolation, struct job *job);
/* Isolates a destination until one of its messages is confirmed: something on its route did not
   confirm in time. */
void isolation_doubt(struct isolation *isolation, struct destination *destination);

/* `silent` stands for the route: false ISOLATED, true SILENT. */

/* Returns the job to publish next on the route; NULL if none may be published now. It stays where
   it is. */
struct job *isolation_next(struct isolation *isolation, bool silent, int64_t now_ms);
/* Takes the job that isolation_next() returned, to be published. */
void isolation_take(struct isolation *isolation, bool silent, struct job *job);
/* Notes that a job that was taken is not on the route any more, without a result. */
void isolation_withdraw(struct isolation *isolation, struct job *job);

/* Notes that the job's message was confirmed or nacked; `slow`: not in time. Moves the jobs that
   need not wait here any more to `ret_jobs`. */
void isolation_resolved(struct isolation *isolation, struct job *job, bool slow, int64_t now_ms,
                        struct job_queue *ret_jobs);
/* Notes that the destination, which was alone on its route, did not confirm in time. */
void isolation_silence(struct isolation *isolation, struct destination *destination,
                       int64_t now_ms);

/* Charges a close by the broker to the job's destination, and to the job if it was alone on the
   route. Returns whether the job is guilty: then it has to be withdrawn and given up. */
ALLOT_CHECK bool isolation_charge(struct isolation *isolation, struct job *job, int64_t now_ms);
/* Lets the jobs that were on a route wait again, in front of the others. They are of one
   destination, oldest first. */
void isolation_return(struct isolation *isolation, struct job_queue *jobs);

/* Removes and returns the oldest waiting job of the blamed destination that has most of them, or
   that holds most bytes; NULL if there is none. */
struct job *isolation_give_up(struct isolation *isolation, bool by_bytes);
/* Moves all waiting jobs to `ret_jobs`: the connection of their deliveries is lost. What is known
   of the destinations stays. */
void isolation_abandon(struct isolation *isolation, struct job_queue *ret_jobs);

#endif
