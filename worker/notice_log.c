/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/notice_log.h"

#include "worker/service/events.h"

void notice_log(void *context, enum amqp_notice notice, const char *text)
{
    (void)context;
    switch (notice) {
    case AMQP_URI_FILE_FAILED:
        event_log(EVENT_BROKER_URI_FILE_FAILED, LOG_FIELDS(LOG_S("error", text)),
                  "cannot use the file with the broker's URI; using the last good URI");
        break;
    case AMQP_TOPOLOGY_INCOMPLETE:
        event_log(EVENT_TOPOLOGY_INCOMPLETE, LOG_FIELDS(LOG_S("error", text)),
                  "exchanges or queues of the worker are missing or different");
        break;
    case AMQP_TOPOLOGY_DECLARED:
        event_log(EVENT_TOPOLOGY_DECLARED, LOG_FIELDS(LOG_S("objects", text)),
                  "exchanges or queues of the worker were missing, and are declared again");
        break;
    case AMQP_TOPOLOGY_COMPLETE:
        event_log(EVENT_TOPOLOGY_COMPLETE, LOG_NONE,
                  "the exchanges and queues of the worker are as they should be again");
        break;
    case AMQP_TOPOLOGY_TOLERATED:
        event_log(EVENT_TOPOLOGY_TOLERATED, LOG_FIELDS(LOG_S("difference", text)),
                  "a queue differs from what the worker would declare; it is used as it is");
        break;
    case AMQP_DESK_UNAVAILABLE:
        event_log(EVENT_DESK_UNAVAILABLE, LOG_FIELDS(LOG_S("error", text)),
                  "cannot consume from the desk queue; commands are served, but what the broker "
                  "dead-letters gets no letter");
        break;
    case AMQP_DESK_AVAILABLE:
        event_log(EVENT_DESK_AVAILABLE, LOG_NONE, "consuming from the desk queue again");
        break;
    case AMQP_URI_FILE_READ:
        event_log(EVENT_BROKER_URI_FILE_READ, LOG_FIELDS(LOG_S("file", text)),
                  "using the broker's URI from its file, which has changed");
        break;
    }
}
