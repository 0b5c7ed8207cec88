/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job: one delivery inside the worker, with its command, later its answer, and how far the
 * delivery is settled. One thread at a time owns a job; queues hand it from thread to thread.
 */
#ifndef ALLOT_SERVICE_JOB_H
#define ALLOT_SERVICE_JOB_H

#include "allot/letter.h"
#include "allot/message.h"
#include "allot/store.h"
#include "common/codec/command_decode.h"

/* X(id, name in the log): the message that is published now, and has to be confirmed. A job has
   the stages in this order, those that it needs. */
#define SETTLE_STAGES(X)                                                                           \
    X(REPLY, "reply")                                                                              \
    X(LETTER, "letter")           /* none: the applier stores the letter */                        \
    X(DEAD_LETTER, "dead_letter") /* of a command without a stored letter */                       \
    X(PUBLISH, "publish")         /* of a stored letter; the delivery is acknowledged */           \
    X(DONE, "done")               /* none: the delivery is acknowledged */

enum settle_stage {
#define X(id, name) SETTLE_##id,
    SETTLE_STAGES(X)
#undef X
};

/* Returns the name of a stage, for the log; static. */
const char *settle_stage_name(enum settle_stage stage);

struct destination;

/* What became of the dead letter of a stored letter. */
enum letter_fate {
    FATE_OPEN,      /* unknown, or it was not published: a sweep does it later */
    FATE_PUBLISHED, /* confirmed by the broker */
    FATE_REFUSED    /* the broker closes the connection over it */
};

struct job {
    struct job *next;    /* in a queue */
    struct arena *arena; /* owned; holds the job itself and all its texts */
    struct delivery delivery;
    uint64_t epoch;        /* number of the broker connection that delivered it */
    unsigned subscription; /* number of the subscription that it came with (flow.h) */
    int64_t received_ms;   /* monotonic */
    size_t counted_bytes;  /* bytes that flow control counts for it */
    struct decoded decoded;

    /* the answer */
    enum verdict_code code;
    bool replayed;
    bool reply_allowed; /* the policy allows the command's reply_to */
    struct text body;   /* of the reply */
    struct text detail; /* of the dead letter, and for the log */

    /* the letter (applier_answer.c); due if a dead letter is due */
    bool letter_stored;
    bool letter_refused; /* it is not stored: the dead letter is published without it */
    int64_t
        refused_at_ms; /* `letter_refused`: when, since the Unix epoch, by the database's clock */
    bool held;         /* the delivery is not settled now, but returns to the queue later */
    int64_t held_until_ms; /* monotonic */
    struct letter *letter; /* NULL until it is made; in the job's arena */
    enum letter_fate fate; /* of the letter; the applier notes it in the database */
    struct text refusal;   /* FATE_REFUSED: what the broker says */
    bool sweeps;           /* it is no delivery: the applier claims letters to publish */
    bool swept;            /* it is no delivery: a sweep claimed its letter */
    bool trims;            /* it is no delivery: the applier keeps letters within their bound */
    bool trim_over;        /* `trims`: nothing more is to be done now */

    /* a message of the desk queue (desk.h); `letter` is made before it is stored */
    bool detached;          /* there is no delivery to acknowledge: any connection will do */
    bool repeated;          /* its letter may have been stored before */
    struct text unreadable; /* why it could not be read; otherwise absent */

    /* the attempt record in the database (applier_attempts.c), deleted when the command is decided
       or its connection is lost */
    struct attempt_key attempt_key;
    bool attempt_sent;     /* the record may exist */
    bool unmarkable;       /* the database does not take its record: it goes on without one */
    bool attempt_recorded; /* the database has confirmed it */
    bool history_read;     /* `history` is known */
    struct attempt_history history;
    bool undecoded; /* `decoded` is empty; the applier decodes it, after the record is durable */
    bool answered;  /* the answer is set; cleared if the connection is lost before it is settled */

    /* a command that the database does not execute together with others (applier_failure.c) */
    bool alone;             /* it has to be the only one of its batch */
    bool passed_on;         /* another apply thread has to go on with it (apply_role.h) */
    unsigned tries_alone;   /* that failed and are charged to it (proof.h) */
    unsigned waits;         /* times that it was set aside */
    int64_t aside_until_ms; /* monotonic */

    /* settling */
    enum settle_stage stage;
    bool dead_letter;  /* the command is dead-lettered after the reply */
    bool returned;     /* the broker returned the message in flight as unroutable */
    unsigned tries;    /* publishes in this stage that count */
    uint64_t sequence; /* of the message that waits for its confirm; 0: none */
    int64_t due_ms;    /* when the next publish is due; monotonic */

    /* the message that waits for its confirm (window.h) */
    enum route route;
    int64_t published_ms; /* monotonic */
    size_t message_bytes;
    struct job *older;
    struct job *newer;

    /* the reply (isolation.h) */
    struct destination *destination; /* NULL: the reply is finished, or there is none */
    bool suspect;                    /* it was unconfirmed when a route was closed over a message */
    unsigned closes;                 /* of a route while this reply was alone on it */
};

/* Creates a job in the delivery's arena, and takes ownership of the arena. */
struct job *job_new(struct arena *arena, const struct delivery *delivery, uint64_t epoch);
/* NULL is allowed. */
void job_free(struct job *job);

/* Returns whether the job is a command that only reads, as far as it is decoded. */
bool job_is_read(const struct job *job);
/* Returns whether a worker has died while it processed the command (attempt records). */
bool job_is_suspect(const struct job *job);
/* Returns the memory that the job holds, in bytes. */
size_t job_bytes(const struct job *job);

/* Makes the verdict the job's answer; its texts are copied to the job's arena. */
void job_answer(struct job *job, const struct verdict *verdict, struct text body);
/* Answers a command that was decoded and not accepted. */
void job_answer_undecodable(struct job *job);

/* Returns what a dead letter says of this verdict, in `arena`. `body` is that of the reply. */
struct text job_detail(struct arena *arena, const struct verdict *verdict, struct text body);
/* Returns whether an answered job waits for its letter: it is dead-lettered, and the letter is
   neither stored nor refused. */
bool job_needs_letter(const struct job *job);

/* A linked list, first in, first out; all zero is empty. The owner of the list owns its jobs. */
struct job_queue {
    struct job *head;
    struct job *tail;
    size_t count;
};

void job_queue_push(struct job_queue *queue, struct job *job);
void job_queue_push_front(struct job_queue *queue, struct job *job);
/* Removes the first job and returns it; NULL if the queue is empty. */
struct job *job_queue_pop(struct job_queue *queue);
/* Moves all of `from` to the end of `queue`. */
void job_queue_append(struct job_queue *queue, struct job_queue *from);
/* Empties the queue and frees its jobs. */
void job_queue_free_all(struct job_queue *queue);

#endif
