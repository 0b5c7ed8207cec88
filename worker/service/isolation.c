/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The broker tells that it closed a connection, but not over which message; and when it
 * stops to confirm, not for which queue. The oldest message is no evidence: the first publish to a
 * quorum queue without a leader makes RabbitMQ's channel wait, and with it the confirms of earlier
 * messages. So the messages that were unconfirmed are tried on the isolated route, one destination
 * at a time: it is `fresh` until its messages are confirmed, until the route is closed, or until
 * the settler's patience ends. What happens meanwhile is charged to that destination alone. A
 * destination that confirms is free again. So an innocent one costs a round trip, however many
 * replies it has.
 *
 * A destination that was charged with a close publishes one message at a time. A message that was
 * alone when the route was closed, twice, is guilty; the next ones of a convicted destination,
 * once.
 *
 * A silent destination moves to the silent route, where it has all the time that the contract gives
 * it: one message first, then more with each confirm. There only silent ones wait for each other.
 * It leaves with its first confirm. If the next one is slow as well, it stays until it confirms in
 * time, since it would only be found silent again.
 *
 * Principals take turns, so that the others do not wait for each destination of one principal.
 * Among the isolated destinations of a principal, the first in the ring is next; then it goes to
 * its end.
 *
 * A principal may have many silent queues. Each is found in a turn of its own, and meanwhile the
 * replies of its suspects could fill the prefetch. So once one of its destinations is silent, the
 * other isolated ones count as blamed (`tainted`), and a destination that is not isolated yet is
 * tried on the isolated route before it may use the main one.
 *
 * Not here: publishing, time-outs (settler.c).
 */
#include "worker/service/isolation.h"

#include <assert.h>

/* --- the list of isolated destinations ------------------------------------------------------ */

static void append(struct isolation *isolation, struct destination *destination)
{
    destination->next_isolated = NULL;
    if (isolation->last != NULL)
        isolation->last->next_isolated = destination;
    else
        isolation->first = destination;
    isolation->last = destination;
    isolation->count++;
}

static void unlink_isolated(struct isolation *isolation, struct destination *destination)
{
    struct destination *before = NULL;
    struct destination *at = isolation->first;
    for (; at != destination; at = at->next_isolated)
        before = at;
    if (before != NULL)
        before->next_isolated = destination->next_isolated;
    else
        isolation->first = destination->next_isolated;
    if (isolation->last == destination)
        isolation->last = before;
    isolation->count--;
}

static void end_turn(struct isolation *isolation, const struct destination *destination)
{
    for (size_t i = 0; i < 2; i++) {
        if (isolation->turns[i].fresh == destination)
            isolation->turns[i].fresh = NULL;
    }
}

static bool is_idle(const struct destination *destination)
{
    return destination->jobs == 0;
}

static bool is_blamed(const struct destination *destination)
{
    return destination->silent || destination->convicted || destination->tainted;
}

static void count_blamed(struct isolation *isolation, const struct destination *destination)
{
    isolation->blamed.count += is_blamed(destination) ? destination->jobs : 0;
    isolation->blamed.bytes += is_blamed(destination) ? destination->bytes : 0;
}

static void discount_blamed(struct isolation *isolation, const struct destination *destination)
{
    isolation->blamed.count -= is_blamed(destination) ? destination->jobs : 0;
    isolation->blamed.bytes -= is_blamed(destination) ? destination->bytes : 0;
}

/* Sets what the destination is blamed for. What its replies hold counts accordingly. */
static void blame(struct isolation *isolation, struct destination *destination, bool silent,
                  bool convicted)
{
    size_t *silent_count = &isolation->silent_of_owner[destination->owner % ISOLATION_OWNERS];
    discount_blamed(isolation, destination);
    *silent_count -= destination->silent;
    destination->silent = silent;
    destination->convicted = convicted;
    *silent_count += destination->silent;
    count_blamed(isolation, destination);
}

static bool same_owner(const struct destination *a, const struct destination *b)
{
    return a->owner == b->owner && text_equal(a->principal, b->principal);
}

static void taint(struct isolation *isolation, struct destination *destination, bool tainted)
{
    discount_blamed(isolation, destination);
    destination->tainted = tainted;
    count_blamed(isolation, destination);
}

/* Lets the other isolated destinations of the principal count as blamed. */
static void taint_owner(struct isolation *isolation, const struct destination *silent)
{
    for (struct destination *at = isolation->first; at != NULL; at = at->next_isolated) {
        if (at != silent && same_owner(at, silent) && !at->tainted)
            taint(isolation, at, true);
    }
}

/* Ends the isolation of a destination that has nothing waiting and nothing on the route. */
static void release(struct isolation *isolation, struct destination *destination)
{
    unlink_isolated(isolation, destination);
    blame(isolation, destination, false, false);
    taint(isolation, destination, false);
    destination->isolated = destination->charged = destination->slow = false;
    destination->isolated_until_ms = 0;
    destination->suspects = 0;
    end_turn(isolation, destination);
    destinations_release(&isolation->destinations, destination);
}

/* Forgets the idle destination that is first in the ring, if there are too many. */
static void forget_one(struct isolation *isolation)
{
    struct destination *at = isolation->first;
    while (at != NULL && !is_idle(at))
        at = at->next_isolated;
    if (at != NULL && isolation->count > ISOLATION_IDLE_MAX)
        release(isolation, at);
}

static bool has_silent_owner(const struct isolation *isolation,
                             const struct destination *destination)
{
    if (isolation->silent_of_owner[destination->owner % ISOLATION_OWNERS] == 0)
        return false;
    for (const struct destination *at = isolation->first; at != NULL; at = at->next_isolated) {
        if (at->silent && same_owner(at, destination))
            return true;
    }
    return false;
}

/* Returns the last turn of the principal. */
static uint64_t owner_turn(const struct isolation *isolation, const struct destination *destination)
{
    for (const struct destination *at = isolation->first; at != NULL; at = at->next_isolated) {
        if (same_owner(at, destination))
            return at->owner_turn;
    }
    return 0;
}

static void isolate(struct isolation *isolation, struct destination *destination)
{
    if (destination->isolated)
        return;
    forget_one(isolation);
    destination->owner_turn = owner_turn(isolation, destination);
    taint(isolation, destination, has_silent_owner(isolation, destination));
    destination->isolated = true;
    destination->limit = ISOLATION_GROUP_MAX;
    append(isolation, destination);
}

static void keep_until(struct destination *destination, int64_t until_ms)
{
    if (until_ms > destination->isolated_until_ms)
        destination->isolated_until_ms = until_ms;
}

/* --- jobs ----------------------------------------------------------------------------------- */

void isolation_add(struct isolation *isolation, struct job *job)
{
    const struct request *request = &job->decoded.request;
    struct destination *destination =
        destinations_find(&isolation->destinations, request->principal, request->reply_to);
    discount_blamed(isolation, destination);
    destination->jobs++;
    destination->bytes += job->counted_bytes;
    count_blamed(isolation, destination);
    job->destination = destination;
}

static void clear_suspicion(struct job *job)
{
    if (job->suspect)
        job->destination->suspects--;
    job->suspect = false;
}

void isolation_remove(struct isolation *isolation, struct job *job)
{
    struct destination *destination = job->destination;
    clear_suspicion(job);
    job->destination = NULL;
    discount_blamed(isolation, destination);
    destination->jobs--;
    destination->bytes -= job->counted_bytes;
    count_blamed(isolation, destination);
    destinations_release(&isolation->destinations, destination);
}

void isolation_clear(struct isolation *isolation)
{
    destinations_clear(&isolation->destinations);
    *isolation = (struct isolation){0};
}

static bool has_nothing_left(const struct destination *destination)
{
    return destination->waiting.count == 0 && destination->unconfirmed == 0;
}

bool isolation_applies(struct isolation *isolation, struct destination *destination, int64_t now_ms)
{
    if (destination->isolated && has_nothing_left(destination) &&
        now_ms >= destination->isolated_until_ms)
        release(isolation, destination); /* it has the caller's job, so it is not freed */
    if (!destination->isolated && has_silent_owner(isolation, destination)) {
        isolate(isolation, destination);
        destination->limit = ISOLATION_TRIAL_MAX;
    }
    return destination->isolated;
}

void isolation_wait(struct isolation *isolation, struct job *job)
{
    assert(job->destination->isolated);
    job_queue_push(&job->destination->waiting, job);
    isolation->waiting++;
}

void isolation_suspect(struct isolation *isolation, struct job *job)
{
    struct destination *destination = job->destination;
    isolate(isolation, destination);
    if (!job->suspect)
        destination->suspects++;
    job->suspect = true;
    isolation_wait(isolation, job);
}

void isolation_doubt(struct isolation *isolation, struct destination *destination)
{
    bool was_isolated = destination->isolated;
    isolate(isolation, destination);
    if (!was_isolated)
        destination->limit = 1;
}

/* --- publishing ----------------------------------------------------------------------------- */

static bool is_due(const struct destination *destination, int64_t now_ms)
{
    const struct job *first = destination->waiting.head;
    return first != NULL && first->due_ms <= now_ms;
}

/* Returns the next destination that may publish on the route: of the principal that has waited
   longest, the first in the ring. NULL: there is none. */
static struct destination *next_in_turn(struct isolation *isolation, bool silent, int64_t now_ms)
{
    struct destination *next = NULL;
    for (struct destination *at = isolation->first; at != NULL; at = at->next_isolated) {
        if (at->silent == silent && at->unconfirmed == 0 && is_due(at, now_ms) &&
            (next == NULL || at->owner_turn < next->owner_turn))
            next = at;
    }
    return next;
}

/* Makes the next destination that may publish on the route the fresh one. */
static void choose(struct isolation *isolation, bool silent, int64_t now_ms)
{
    struct destination *next = next_in_turn(isolation, silent, now_ms);
    if (next == NULL)
        return;
    unlink_isolated(isolation, next);
    append(isolation, next);
    isolation->turn++;
    for (struct destination *at = isolation->first; at != NULL; at = at->next_isolated) {
        if (same_owner(at, next))
            at->owner_turn = isolation->turn;
    }
    isolation->turns[silent] = (struct isolation_turn){next, next->limit};
}

/* Ends the turn of a destination that has nothing on the route and nothing to publish now: its
   replies were given up, or the next one pauses after a nack. */
static void end_empty_turn(struct isolation_turn *turn, int64_t now_ms)
{
    if (turn->fresh != NULL && turn->fresh->unconfirmed == 0 && !is_due(turn->fresh, now_ms))
        turn->fresh = NULL;
}

struct job *isolation_next(struct isolation *isolation, bool silent, int64_t now_ms)
{
    struct isolation_turn *turn = &isolation->turns[silent];
    if (isolation->waiting == 0)
        return NULL;
    end_empty_turn(turn, now_ms);
    if (turn->fresh == NULL)
        choose(isolation, silent, now_ms);
    if (turn->fresh == NULL || turn->group_left == 0 || !is_due(turn->fresh, now_ms))
        return NULL;
    return turn->fresh->waiting.head;
}

void isolation_take(struct isolation *isolation, bool silent, struct job *job)
{
    struct isolation_turn *turn = &isolation->turns[silent];
    struct job *taken = job_queue_pop(&turn->fresh->waiting);
    assert(taken == job);
    (void)taken;
    (void)job;
    isolation->waiting--;
    turn->group_left--;
    turn->fresh->unconfirmed++;
}

void isolation_withdraw(struct isolation *isolation, struct job *job)
{
    job->destination->unconfirmed--;
    if (job->destination->unconfirmed == 0)
        end_turn(isolation, job->destination);
}

/* --- what happened to a message ------------------------------------------------------------- */

/* A destination that has answered may publish more at once, unless it has to be tried one by one.
 */
static void raise_limit(struct destination *destination)
{
    size_t doubled = destination->limit * 2;
    if (!destination->charged)
        destination->limit = doubled < ISOLATION_GROUP_MAX ? doubled : ISOLATION_GROUP_MAX;
}

/* Frees a destination that was only suspected, with what it has waiting. */
static void acquit(struct isolation *isolation, struct destination *destination, int64_t now_ms,
                   struct job_queue *ret_jobs)
{
    if (destination->suspects > 0 || destination->unconfirmed > 0 ||
        now_ms < destination->isolated_until_ms)
        return;
    isolation->waiting -= destination->waiting.count;
    job_queue_append(ret_jobs, &destination->waiting);
    release(isolation, destination);
}

void isolation_resolved(struct isolation *isolation, struct job *job, bool slow, int64_t now_ms,
                        struct job_queue *ret_jobs)
{
    struct destination *destination = job->destination;
    bool stays_silent = destination->silent && destination->slow && slow;
    destination->unconfirmed--;
    clear_suspicion(job);
    destination->slow = slow;
    if (destination->unconfirmed > 0)
        return;
    blame(isolation, destination, stays_silent, destination->convicted);
    if (stays_silent)
        keep_until(destination, now_ms + ISOLATION_SILENT_MS);
    raise_limit(destination);
    end_turn(isolation, destination);
    acquit(isolation, destination, now_ms, ret_jobs);
}

void isolation_silence(struct isolation *isolation, struct destination *destination, int64_t now_ms)
{
    end_turn(isolation, destination);
    blame(isolation, destination, true, destination->convicted);
    taint_owner(isolation, destination);
    destination->limit = 1;
    keep_until(destination, now_ms + ISOLATION_SILENT_MS);
}

/* --- the end of the route ------------------------------------------------------------------- */

static bool is_guilty(const struct job *job)
{
    return job->closes >= ISOLATION_CLOSES_MAX || job->destination->convicted;
}

bool isolation_charge(struct isolation *isolation, struct job *job, int64_t now_ms)
{
    struct destination *destination = job->destination;
    bool alone = destination->unconfirmed == 1;
    keep_until(destination, now_ms + ISOLATION_MS);
    destination->charged = true;
    destination->limit = 1;
    if (!alone)
        return false;
    job->closes++;
    bool guilty = is_guilty(job);
    if (guilty)
        blame(isolation, destination, destination->silent, true);
    return guilty;
}

void isolation_return(struct isolation *isolation, struct job_queue *jobs)
{
    if (jobs->head == NULL)
        return;
    struct destination *destination = jobs->head->destination;
    isolation->waiting += jobs->count;
    destination->unconfirmed -= jobs->count;
    end_turn(isolation, destination);
    job_queue_append(jobs, &destination->waiting);
    destination->waiting = *jobs;
    *jobs = (struct job_queue){0};
}

/* --- giving up ------------------------------------------------------------------------------ */

struct job *isolation_give_up(struct isolation *isolation, bool by_bytes)
{
    struct destination *worst = NULL;
    size_t most = 0;
    for (struct destination *at = isolation->first; at != NULL; at = at->next_isolated) {
        size_t has = by_bytes ? at->bytes : at->waiting.count;
        if (!is_blamed(at) || at->waiting.count == 0 || has <= most)
            continue;
        worst = at;
        most = has;
    }
    if (worst == NULL)
        return NULL;
    isolation->waiting--;
    return job_queue_pop(&worst->waiting);
}

void isolation_abandon(struct isolation *isolation, struct job_queue *ret_jobs)
{
    for (struct destination *at = isolation->first; at != NULL; at = at->next_isolated)
        job_queue_append(ret_jobs, &at->waiting);
    isolation->waiting = 0;
    isolation->turns[0] = isolation->turns[1] = (struct isolation_turn){0};
}
