/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Every look_ms the thread looks for new notifications, then claims those that are due, one
 * after the other, and makes a call for each. A call that fails is due again after a pause, which
 * doubles up to PAUSE_MS_MAX; any worker may make it. After NOTIFICATION_TRIES_MAX it is given up.
 *
 * Guarantees. A notification that was sent is not sent again once that is noted, which is tried
 * until it succeeds or the worker stops. So it is sent twice only if the worker ends between the
 * call and the note, or the note takes longer than the claim. If the call is ended because the
 * worker stops, the notification is due at once, for another worker.
 *
 * The lock of the thread protects `stopping` only; it is not held in a call. `stop_fd` tells the
 * same to a call.
 *
 * Not here: which notifications there are (the store), and what a call does (notification_call.c).
 */
#include "worker/service/notifier.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/host/system_clock.h"
#include "worker/service/events.h"
#include "worker/service/notification_encode.h"
#include "worker/service/store_thread.h"

enum { PREPARE_PAUSE_MS = 1000, PAUSE_MS_MAX = 60 * 1000 };

struct notifier {
    struct store_thread thread; /* the first member */
    struct notifier_options options;
    bool stopping; /* under the lock of the thread */
    int stop_fd;   /* an eventfd, readable when it stops; -1: there is none */

    /* of the thread alone */
    bool failing;    /* the last call of the store failed */
    int64_t wait_ms; /* until the next look */
};

/* --- waiting -------------------------------------------------------------------------------- */

static bool is_stopping(struct notifier *notifier)
{
    store_thread_lock(&notifier->thread);
    bool stopping = notifier->stopping;
    store_thread_unlock(&notifier->thread);
    return stopping;
}

/* Returns false if the notifier stops meanwhile. */
static bool wait_for(struct notifier *notifier, int64_t wait_ms)
{
    int64_t until_ms = system_monotonic_ms() + wait_ms;
    store_thread_lock(&notifier->thread);
    for (bool in_time = true; !notifier->stopping && in_time;)
        in_time = store_thread_wait(&notifier->thread, until_ms);
    bool goes_on = !notifier->stopping;
    store_thread_unlock(&notifier->thread);
    return goes_on;
}

/* --- the database --------------------------------------------------------------------------- */

/* Notes how a call of the store ended. Logs the first failure in a row. Returns whether it is OK.
 */
static bool succeeded(struct notifier *notifier, enum store_status status,
                      const struct error *error)
{
    bool failed = status != STORE_OK;
    if (failed)
        event_log_at(
            notifier->failing ? LOG_LEVEL_DEBUG : event_level(EVENT_LETTERS_NOTIFY_DELAYED),
            EVENT_LETTERS_NOTIFY_DELAYED,
            LOG_FIELDS(LOG_S("status", store_status_name(status)), LOG_S("error", error->text)),
            "cannot look for new groups of letters, or note what was sent; trying again");
    notifier->failing = failed;
    return !failed;
}

/* Returns false if the worker stops before the database is prepared. */
static bool prepare(struct notifier *notifier)
{
    struct store *store = notifier->thread.store;
    while (store->ops->prepare(store, NULL) != STORE_OK) { /* the lanes log why */
        if (!wait_for(notifier, PREPARE_PAUSE_MS))
            return false;
    }
    return true;
}

static bool find(struct notifier *notifier)
{
    struct store *store = notifier->thread.store;
    struct error error = {""};
    return succeeded(notifier,
                     store->ops->find_notifications(store, notifier->options.rate,
                                                    notifier->options.look_ms, &error),
                     &error);
}

/* Returns whether one was claimed. */
static bool claim(struct notifier *notifier, struct arena *arena,
                  struct notification *ret_notification)
{
    struct store *store = notifier->thread.store;
    struct error error = {""};
    bool found = false;
    enum store_status status = store->ops->claim_notification(
        store, notifier->options.claim_ms, arena, &found, ret_notification, &error);
    return succeeded(notifier, status, &error) && found;
}

/* Tries until it succeeds, or the worker stops: then once. */
static void end(struct notifier *notifier, const struct notification *notification,
                enum notification_end how, int64_t pause_ms)
{
    struct store *store = notifier->thread.store;
    for (;;) {
        struct error error = {""};
        enum store_status status =
            store->ops->end_notification(store, notification, how, pause_ms, &error);
        if (succeeded(notifier, status, &error) || !wait_for(notifier, PREPARE_PAUSE_MS))
            return;
    }
}

/* --- calls ---------------------------------------------------------------------------------- */

static int64_t pause_after(const struct notifier *notifier, int64_t tries)
{
    int64_t pause_ms = notifier->options.pause_ms;
    for (int64_t i = 1; i < tries && pause_ms < PAUSE_MS_MAX; i++)
        pause_ms *= 2;
    return pause_ms < PAUSE_MS_MAX ? pause_ms : PAUSE_MS_MAX;
}

static void log_sent(const struct notification *notification)
{
    event_log(
        EVENT_LETTERS_NOTIFIED,
        LOG_FIELDS(LOG_S("kind", notification_kind_name(notification->kind)),
                   LOG_T("reason", notification->reason), LOG_T("command", notification->command),
                   LOG_T("letter", notification->letter), LOG_I("letters", notification->letters),
                   LOG_I("others", notification->others), LOG_I("tries", notification->tries)),
        "the operator was told about letters");
}

static void log_given_up(const struct notification *notification, const struct error *error)
{
    event_log(EVENT_LETTERS_NOTIFY_GIVEN_UP,
              LOG_FIELDS(LOG_S("kind", notification_kind_name(notification->kind)),
                         LOG_T("reason", notification->reason),
                         LOG_T("command", notification->command),
                         LOG_T("letter", notification->letter), LOG_I("tries", notification->tries),
                         LOG_S("error", error->text)),
              "cannot tell the operator about letters; giving this notification up");
}

static void log_failed(const struct notification *notification, int64_t pause_ms,
                       const struct error *error)
{
    event_log(EVENT_LETTERS_NOTIFY_FAILED,
              LOG_FIELDS(LOG_S("kind", notification_kind_name(notification->kind)),
                         LOG_I("tries", notification->tries), LOG_I("retry_in_ms", pause_ms),
                         LOG_S("error", error->text)),
              "cannot tell the operator about letters; trying again");
}

static void fail(struct notifier *notifier, const struct notification *notification,
                 const struct error *error)
{
    int64_t pause_ms = pause_after(notifier, notification->tries);
    if (is_stopping(notifier)) {
        end(notifier, notification, NOTIFICATION_FAILED, 0);
    } else if (notification->tries >= NOTIFICATION_TRIES_MAX) {
        log_given_up(notification, error);
        end(notifier, notification, NOTIFICATION_GIVEN_UP, 0);
    } else {
        log_failed(notification, pause_ms, error);
        end(notifier, notification, NOTIFICATION_FAILED, pause_ms);
        if (pause_ms < notifier->wait_ms)
            notifier->wait_ms = pause_ms;
    }
}

static void call(struct notifier *notifier, struct arena *arena,
                 const struct notification *notification)
{
    const struct notifier_options *options = &notifier->options;
    struct error error = {""};
    struct text json = notification_encode(arena, notification, options->worker, options->rate);
    if (!options->call(options->context, json, notifier->stop_fd, &error)) {
        fail(notifier, notification, &error);
        return;
    }
    log_sent(notification);
    end(notifier, notification, NOTIFICATION_SENT, 0);
}

/* --- the thread ----------------------------------------------------------------------------- */

/* Makes the calls that are due. */
static void call_all(struct notifier *notifier)
{
    bool found = true;
    while (found && !is_stopping(notifier)) {
        struct arena *arena = arena_new(0);
        struct notification notification;
        found = claim(notifier, arena, &notification);
        if (found)
            call(notifier, arena, &notification);
        arena_free(arena);
    }
}

static void run(struct store_thread *thread)
{
    struct notifier *notifier = (struct notifier *)thread;
    if (prepare(notifier)) {
        do {
            notifier->wait_ms = notifier->options.look_ms;
            if (find(notifier))
                call_all(notifier);
        } while (wait_for(notifier, notifier->wait_ms));
    }
    if (notifier->stop_fd >= 0)
        (void)close(notifier->stop_fd);
}

/* --- for the main thread -------------------------------------------------------------------- */

struct notifier *notifier_start(const struct notifier_options *options)
{
    struct notifier *notifier = MEMORY_NEW(struct notifier);
    notifier->options = *options;
    notifier->stop_fd = eventfd(0, EFD_CLOEXEC);
    store_thread_start(&notifier->thread, options->store, "notifier", run);
    return notifier;
}

/* The thread closes the descriptor after it has seen `stopping`, so it is open here. */
void notifier_stop(struct notifier *notifier)
{
    store_thread_lock(&notifier->thread);
    if (!notifier->stopping && notifier->stop_fd >= 0)
        (void)eventfd_write(notifier->stop_fd, 1);
    notifier->stopping = true;
    store_thread_unlock(&notifier->thread);
}

bool notifier_end(struct notifier *notifier, int64_t limit_ms)
{
    return store_thread_end(&notifier->thread, limit_ms);
}
