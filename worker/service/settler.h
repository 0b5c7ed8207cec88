/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings answered jobs home: reply, confirm, dead letter, confirm, acknowledgement, in that order,
 * each tried again where the broker did not take it. Knows the transport port, never the storage.
 * Belongs to the transport's thread; never blocks. Source: docs/protocol.md, sections 3 and 5.
 */
#ifndef ALLOT_SERVICE_SETTLER_H
#define ALLOT_SERVICE_SETTLER_H

#include "allot/clock.h"
#include "allot/transport.h"
#include "worker/service/job.h"

struct settler_options {
    struct transport *transport; /* not owned */
    struct clock *clock;         /* not owned */
    struct text queue;           /* x-allot-queue */
    struct text worker;          /* x-allot-worker */
    struct text dead_letter_exchange;
    int64_t confirm_timeout_ms;
    unsigned reply_max_attempts;
};

struct settler;

struct settler *settler_new(const struct settler_options *options);
/* Frees the jobs that it holds as well. */
void settler_free(struct settler *settler);

/* Takes over a job that has its answer. */
enum transport_status settler_settle(struct settler *settler, struct job *job, struct error *error);
/* Confirms, returns, CONFIRMS_LOST, BLOCKED and UNBLOCKED; others are not its business. */
enum transport_status settler_event(struct settler *settler, const struct transport_event *event,
                                    struct error *error);
/* Publishes what is due. `ret_wait_ms`: until something may be due again; -1: nothing will. */
enum transport_status settler_tick(struct settler *settler, int64_t *ret_wait_ms,
                                   struct error *error);
/* Jobs that are acknowledged. */
void settler_reap(struct settler *settler, struct job_queue *ret_jobs);
/* The connection is gone: gives back every job that is not acknowledged; all will come again. */
void settler_abandon(struct settler *settler, struct job_queue *ret_jobs);
/* How many are not acknowledged yet. */
size_t settler_count(const struct settler *settler);

#endif
