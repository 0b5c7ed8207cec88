/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/events.h"

static const struct {
    const char *name;
    enum log_level level;
} events[EVENT_COUNT] = {
#define X(id, name, level, meaning, action) [EVENT_##id] = {name, LOG_LEVEL_##level},
    EVENTS(X)
#undef X
};

const char *event_name(enum event event)
{
    return events[event].name;
}

enum log_level event_level(enum event event)
{
    return events[event].level;
}

struct log_kind event_kind(enum log_level level, enum event event)
{
    static const bool each[EVENT_COUNT] = {
#define X(id) [EVENT_##id] = true,
        EVENTS_EACH(X)
#undef X
    };
    return (struct log_kind){level, event_name(event), !each[event]};
}
