/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/settle_route.h"

#include "worker/service/events.h"

enum {
    PAUSE_FIRST_MS = 100,
    PAUSE_MAX_MS = 1000,
    FAILURES_PER_RESTART = 3,
    LOG_AGAIN_MS = 60000, /* a failure that goes on is logged so often */
    CLOSE_LOG_MS = 10000, /* the end of a route is logged at most so often */
};

void settle_route_init(struct settle_route *route, enum route id)
{
    *route = (struct settle_route){.id = id};
    window_init(&route->window, id == ROUTE_DEAD_LETTERS ? WINDOW_DEAD_LETTERS : WINDOW_MESSAGES);
}

int64_t settle_route_pause_ms(unsigned failures, int64_t max_ms)
{
    int64_t pause_ms = PAUSE_FIRST_MS;
    for (unsigned i = 1; i < failures && pause_ms < max_ms; i++)
        pause_ms *= 2;
    return pause_ms < max_ms ? pause_ms : max_ms;
}

static void log_failed(struct settle_route *route, const char *reason, int64_t pause_ms,
                       int64_t now_ms)
{
    bool letters = route->id == ROUTE_DEAD_LETTERS;
    if (now_ms < route->failed_log_ms)
        return;
    route->failed_log_ms = now_ms + LOG_AGAIN_MS;
    event_log(letters ? EVENT_DEAD_LETTER_PUBLISH_FAILED : EVENT_REPLIES_REFUSED,
              LOG_FIELDS(LOG_S("route", route_name(route->id)), LOG_S("reason", reason),
                         LOG_I("due", (int64_t)route->due.count), LOG_I("retry_in_ms", pause_ms)),
              letters
                  ? "the broker does not accept dead letters, retrying; commands whose letter is "
                    "stored do not wait"
                  : "the broker refuses all replies; keeping the commands, retrying");
}

void settle_route_failed(struct settle_route *route, const char *reason, int64_t now_ms)
{
    route->failures++;
    int64_t pause_ms = settle_route_pause_ms(route->failures, PAUSE_MAX_MS);
    route->pause_until_ms = now_ms + pause_ms;
    window_failed(&route->window);
    /* RabbitMQ 3.10 goes on to nack on a channel whose queue is not full any more. */
    route->restart |= route->failures % FAILURES_PER_RESTART == 0;
    log_failed(route, reason, pause_ms, now_ms);
}

void settle_route_confirmed(struct settle_route *route)
{
    window_confirmed(&route->window);
    if (route->failures == 0)
        return;
    if (route->failed_log_ms > 0)
        event_log(EVENT_ROUTE_RECOVERED, LOG_FIELDS(LOG_S("route", route_name(route->id))),
                  "the broker accepts messages on this route again");
    route->failures = 0;
    route->restart = false;
    route->pause_until_ms = 0;
    route->failed_log_ms = 0;
}

void settle_route_log_closed(struct settle_route *route, const struct transport_event *event,
                             int64_t now_ms)
{
    if (now_ms < route->closed_log_ms) {
        route->closed_unlogged++;
        return;
    }
    event_log(EVENT_ROUTE_CLOSED,
              LOG_FIELDS(LOG_S("route", route_name(route->id)),
                         LOG_S("cause", close_cause_name(event->close_cause)),
                         LOG_S("reason", event->reason),
                         LOG_I("unconfirmed", (int64_t)route->window.count),
                         LOG_I("not_logged", route->closed_unlogged)),
              "a connection for publishing ended; its unconfirmed messages are published again");
    route->closed_log_ms = now_ms + CLOSE_LOG_MS;
    route->closed_unlogged = 0;
}
