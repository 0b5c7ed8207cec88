/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A delivery on its way through the worker: what came, what it asks for, what the answer is, and
 * how far the answering has come. One thread at a time owns it; it is handed on by queues.
 */
#ifndef ALLOT_SERVICE_JOB_H
#define ALLOT_SERVICE_JOB_H

#include "allot/message.h"
#include "common/codec/command_decode.h"

enum settle_stage { SETTLE_REPLY, SETTLE_DEAD_LETTER, SETTLE_DONE };

struct job {
    struct job *next; /* in a queue */
    struct arena *arena;
    struct delivery delivery;
    uint64_t epoch;       /* of the broker connection it came with */
    size_t counted_bytes; /* what flow control counts it for */
    struct decoded decoded;

    /* the answer */
    enum verdict_code code;
    bool replayed;
    bool reply_allowed;
    struct text body;   /* of the reply */
    struct text detail; /* for the dead letter */

    /* an attempt that is, or may be, attempt_sent in the storage: to be taken back or forgotten */
    bool attempt_sent;
    bool attempt_recorded; /* the storage has said so */
    uint64_t attempt;      /* its number */
    bool answered;         /* the mark is to be forgotten, not taken back */

    /* settling */
    enum settle_stage stage;
    bool dead_letter; /* after the reply */
    bool returned;
    unsigned tries;
    uint64_t sequence; /* of the message in flight; 0: none */
    int64_t due_ms;    /* of the confirm, or of the next try; monotonic */
};

/* Takes over the event's arena and lives in it. */
struct job *job_new(struct arena *arena, const struct delivery *delivery, uint64_t epoch);
/* NULL is allowed. */
void job_free(struct job *job);

/* The bytes that it keeps in memory, for flow control. */
size_t job_bytes(const struct job *job);

/* Takes over the verdict as the job's answer; texts are copied to the job's arena. */
void job_answer(struct job *job, const struct verdict *verdict, struct text body);

/* First in, first out; owns nothing. */
struct job_queue {
    struct job *head;
    struct job *tail;
    size_t count;
};

void job_queue_push(struct job_queue *queue, struct job *job);
void job_queue_push_front(struct job_queue *queue, struct job *job);
/* NULL: it is empty. */
struct job *job_queue_pop(struct job_queue *queue);
/* All of `from` to the end of `queue`. */
void job_queue_append(struct job_queue *queue, struct job_queue *from);
void job_queue_free_all(struct job_queue *queue);

#endif
