/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/window.h"

void window_init(struct window *window, size_t max)
{
    *window = (struct window){.limit = max, .max = max};
}

bool window_has_room(const struct window *window, size_t bytes)
{
    if (window->count == 0)
        return true;
    return window->count < window->limit && window->bytes + bytes <= WINDOW_BYTES;
}

void window_add(struct window *window, struct job *job)
{
    job->newer = NULL;
    job->older = window->newest;
    if (window->newest != NULL)
        window->newest->newer = job;
    else
        window->oldest = job;
    window->newest = job;
    window->count++;
    window->bytes += job->message_bytes;
}

void window_remove(struct window *window, struct job *job)
{
    if (job->older != NULL)
        job->older->newer = job->newer;
    else
        window->oldest = job->newer;
    if (job->newer != NULL)
        job->newer->older = job->older;
    else
        window->newest = job->older;
    job->older = job->newer = NULL;
    window->count--;
    window->bytes -= job->message_bytes;
}

void window_failed(struct window *window)
{
    window->limit = 1;
}

void window_confirmed(struct window *window)
{
    window->limit = window->limit * 2 < window->max ? window->limit * 2 : window->max;
}
