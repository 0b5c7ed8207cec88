/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/unroutable_log.h"

#include "worker/service/events.h"

static void append(struct unroutable_log *log, struct destination *destination, int64_t again_ms)
{
    destination->logged = true;
    destination->log_again_ms = again_ms;
    destination->next_logged = NULL;
    if (log->last != NULL)
        log->last->next_logged = destination;
    else
        log->first = destination;
    log->last = destination;
    log->count++;
}

static struct destination *take_first(struct unroutable_log *log)
{
    struct destination *destination = log->first;
    log->first = destination->next_logged;
    if (log->first == NULL)
        log->last = NULL;
    log->count--;
    destination->logged = false;
    return destination;
}

/* Logs how many replies were not logged. Returns false if there were none. */
static bool log_number(struct destination *destination)
{
    if (destination->not_logged == 0)
        return false;
    event_log(EVENT_REPLY_UNROUTABLE,
              LOG_FIELDS(LOG_T("principal", destination->principal),
                         LOG_T("reply_to", destination->address),
                         LOG_I("not_logged", (int64_t)destination->not_logged)),
              "more success replies are unroutable; the outcomes remain recorded");
    destination->not_logged = 0;
    return true;
}

static void log_reply(const struct job *job, enum log_level level)
{
    event_log_at(level, EVENT_REPLY_UNROUTABLE,
                 LOG_FIELDS(LOG_T("principal", job->decoded.request.principal),
                            LOG_T("message_id", job->decoded.request.key),
                            LOG_T("reply_to", job->decoded.request.reply_to)),
                 "success reply is unroutable; the outcome remains recorded");
}

static void forget_first(struct unroutable_log *log)
{
    struct destination *destination = take_first(log);
    (void)log_number(destination);
    destinations_release(log->destinations, destination);
}

void unroutable_log_add(struct unroutable_log *log, const struct job *job, int64_t now_ms)
{
    struct destination *destination = job->destination;
    log_reply(job, destination->logged ? LOG_LEVEL_DEBUG : event_level(EVENT_REPLY_UNROUTABLE));
    if (destination->logged) {
        destination->not_logged++;
        return;
    }
    if (log->count == UNROUTABLE_LOG_MAX)
        forget_first(log);
    append(log, destination, now_ms + UNROUTABLE_LOG_MS);
}

int64_t unroutable_log_tick(struct unroutable_log *log, int64_t now_ms)
{
    while (log->first != NULL && log->first->log_again_ms <= now_ms) {
        struct destination *destination = take_first(log);
        if (log_number(destination))
            append(log, destination, now_ms + UNROUTABLE_LOG_MS);
        else
            destinations_release(log->destinations, destination);
    }
    return log->first != NULL ? log->first->log_again_ms : -1;
}

void unroutable_log_end(struct unroutable_log *log)
{
    while (log->first != NULL)
        forget_first(log);
}
