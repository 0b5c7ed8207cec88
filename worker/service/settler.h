/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settles answered deliveries: publishes the reply, waits for its confirm, and acknowledges the
 * delivery. If the command is dead-lettered, its letter is stored before the acknowledgement
 * (settler_reap_unstored), and its dead letter is published after it. If no letter is stored, the
 * dead letter is confirmed before the acknowledgement. Failed publishes are retried. Knows the
 * transport port, never the database. Belongs to the transport thread and never blocks. The
 * contract is in docs/protocol.md, sections 3 and 5.
 */
#ifndef ALLOT_SERVICE_SETTLER_H
#define ALLOT_SERVICE_SETTLER_H

#include "allot/clock.h"
#include "allot/transport.h"
#include "worker/service/counters.h"
#include "worker/service/job.h"

/* The texts are borrowed too. */
struct settler_options {
    struct transport *transport; /* borrowed */
    struct clock *clock;         /* borrowed */
    struct counters *counters;   /* borrowed; NULL: nothing is counted */
    struct text queue;           /* x-allot-queue, and the routing key of dead letters */
    struct text worker;          /* x-allot-worker */
    struct text dead_letter_exchange;
    bool publish_letters;     /* false: a stored letter gets no dead letter */
    size_t letters_bytes_max; /* that letters to publish may hold; beyond, a sweep does it later */
    int64_t confirm_timeout_ms;
    unsigned reply_max_attempts; /* publishes of one reply */
};

struct settler;

/* Creates a settler without jobs; never NULL. */
struct settler *settler_new(const struct settler_options *options);
/* Frees the settler with its jobs. NULL is allowed. */
void settler_free(struct settler *settler);

/* Sets how many unfinished replies the blamed destinations (isolation.h) may have together, and how
   many bytes their commands may hold; but one reply may hold more. Above it, the next tick gives
   replies up. Without this call there is no bound. */
void settler_limit_blamed(struct settler *settler, size_t count, size_t bytes);

/* Sets how many jobs whose letter is not stored may have a dead letter that is not confirmed: 64 at
   most, and always one. Above it, settler_reap() returns them as `held`. Without this call the
   bound is 64. */
void settler_limit_without_letter(struct settler *settler, size_t count);

/* The functions that return a status return OK, or LOST with an error if the connection is gone. */

/* Takes ownership of an answered job, and settles its delivery. A job that settler_reap_unstored()
   returned may be given once more, with its letter stored or refused. */
enum transport_status settler_settle(struct settler *settler, struct job *job, struct error *error);
/* Handles what happened to messages and routes; ignores other events. */
enum transport_status settler_event(struct settler *settler, const struct transport_event *event,
                                    struct error *error);
/* Handles overdue confirms and publishes what is due. `ret_wait_ms` is the time until the next of
   them; -1 if there is none. */
enum transport_status settler_tick(struct settler *settler, int64_t *ret_wait_ms,
                                   struct error *error);
/* Takes ownership of a job that has a stored letter and no delivery, and publishes the dead letter.
 */
void settler_publish(struct settler *settler, struct job *job);
/* Moves the jobs that are done to `ret_jobs`: their deliveries are acknowledged, and nothing more
   is to be published for them. Deliveries that are `held` are not acknowledged: the caller requeues
   them later, while settler_room_without_letter() is not 0. */
void settler_reap(struct settler *settler, struct job_queue *ret_jobs);
/* Moves the jobs to `ret_jobs` whose letters have to be stored before they go on. */
void settler_reap_unstored(struct settler *settler, struct job_queue *ret_jobs);
/* Called on connection loss: moves all unacknowledged jobs to `ret_jobs`. The broker redelivers
   their commands. */
void settler_abandon(struct settler *settler, struct job_queue *ret_jobs);
/* Returns the number of jobs that are not acknowledged. */
size_t settler_count(const struct settler *settler);
/* Returns the number of jobs whose dead letter is published without a stored letter. */
size_t settler_without_letter(const struct settler *settler);
/* Returns how many of them came with this subscription (flow.h). */
size_t settler_without_letter_of(const struct settler *settler, unsigned subscription);
/* Returns how many more there may be; see settler_limit_without_letter(). */
size_t settler_room_without_letter(const struct settler *settler);
/* Returns the number of letters that are being published. */
size_t settler_publishing(const struct settler *settler);
/* Returns whether dead letters may be tried: the broker takes them, as far as is known; or it did
   not, and none is left here to find out whether it does now. */
bool settler_takes_letters(const struct settler *settler);

#endif
