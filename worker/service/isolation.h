/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Isolation of destinations: finds out, by evidence, which replies close a connection or are not
 * confirmed, and keeps those of other destinations away from them. Decides what the isolated route
 * publishes next; it publishes nothing itself.
 *
 * A destination is isolated
 *   as a suspect    when a route was closed over a message, and replies to it were unconfirmed;
 *                   until these are confirmed
 *   as convicted    when the isolated route was closed while only its replies were new on it;
 *                   for ISOLATION_MS after the last such close
 *   as silent       when a reply to it was not confirmed in time; for ISOLATION_SILENT_MS after
 *                   the last such reply
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
    ISOLATION_IDLE_MAX = 1000  /* isolated destinations without jobs that are remembered */
};

/* All zero is empty. */
struct isolation {
    struct destinations destinations; /* all, also those that are not isolated */
    struct destination *first;        /* of the isolated ones, the next to publish first */
    struct destination *last;
    size_t count;              /* of isolated destinations */
    struct destination *fresh; /* published last on the route, and neither confirmed nor silent */
    size_t group_left;         /* messages of `fresh` that may still be published */
    size_t waiting;            /* jobs in all `waiting` */
};

/* Counts a new reply, and sets the job's destination. */
void isolation_add(struct isolation *isolation, struct job *job);
/* Ends the count of a reply that is finished. */
void isolation_remove(struct isolation *isolation, struct job *job);
/* Frees what the isolation owns, with the jobs that wait. All zero again. */
void isolation_clear(struct isolation *isolation);

/* Returns whether the destination's replies have to use the isolated route. */
bool isolation_applies(struct isolation *isolation, struct destination *destination,
                       int64_t now_ms);

/* Puts a job of an isolated destination behind, or in front of, those that wait. */
void isolation_wait(struct isolation *isolation, struct job *job);
void isolation_wait_in_front(struct isolation *isolation, struct job *job);

/* Makes the job's destination a suspect, and lets the job wait. */
void isolation_suspect(struct isolation *isolation, struct job *job);
/* Notes that a message to this destination was not confirmed in time. Its other jobs have to wait
   here from now on. */
void isolation_silence(struct isolation *isolation, struct destination *destination,
                       int64_t now_ms);

/* Returns the job to publish next on the isolated route; NULL if none may be published now. It
   stays where it is. */
struct job *isolation_next(struct isolation *isolation, int64_t now_ms);
/* Takes the job that isolation_next() returned, to be published. */
void isolation_take(struct isolation *isolation, struct job *job);

/* Notes that a job that was taken is not on the route any more, without a result. */
void isolation_withdraw(struct isolation *isolation, struct job *job);

/* Notes that the job's message was confirmed, nacked or given up. Moves the jobs that need not wait
   here any more to `ret_jobs`. */
void isolation_resolved(struct isolation *isolation, struct job *job, int64_t now_ms,
                        struct job_queue *ret_jobs);
/* Notes that the newest message was not confirmed in time, so that others go on beside it. */
void isolation_fresh_is_silent(struct isolation *isolation, int64_t now_ms);

/*
 * Handles the end of the isolated route. `jobs` are those that were unconfirmed on it, oldest
 * first. If `over_message`, the broker closed it over one of them. All of them wait again; a job
 * that is found guilty goes to `ret_guilty` instead, to be given up.
 */
void isolation_route_closed(struct isolation *isolation, struct job_queue *jobs, bool over_message,
                            int64_t now_ms, struct job_queue *ret_guilty);

/* Removes and returns the oldest waiting job of the silent or convicted destination that has most
   of them; NULL if there is none. */
struct job *isolation_give_up(struct isolation *isolation);
/* Moves all waiting jobs to `ret_jobs`: the connection of their deliveries is lost. What is known
   of the destinations stays. */
void isolation_abandon(struct isolation *isolation, struct job_queue *ret_jobs);

#endif
