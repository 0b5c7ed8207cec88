/* SPDX-License-Identifier: Apache-2.0 */
/* allotd: reads the settings, starts the lanes, and waits for signals. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/version.h"
#include "common/codec/settings_file.h"
#include "worker/arguments.h"
#include "common/host/log.h"
#include "worker/signals.h"
#include "worker/wiring.h"

enum { CHECK_MS = 1000 };

static void reload(struct worker *worker)
{
    struct error error;
    if (policy_source_reload(worker->policy, &error))
        log_write(LOG_LEVEL_INFO, "policy.reloaded", LOG_NONE, "the policy is loaded again");
    else
        log_write(LOG_LEVEL_ERROR, "policy.reload_failed", LOG_FIELDS(LOG_S("error", error.text)),
                  "the policy file does not load; the old policy stays in force");
}

static bool stop(struct worker *worker, int signals)
{
    log_write(LOG_LEVEL_INFO, "worker.stopping", LOG_NONE, "finishing what is in hand");
    signals_end_at_next(signals);
    bool finished = worker_stop(worker);
    log_write(finished ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "worker.stopped", LOG_NONE,
              finished ? "all that was in hand is answered"
                       : "shutdown.timeout is over; what is not answered comes again");
    return finished;
}

static void log_library(void *context, int level, const char *domain, const char *message)
{
    (void)context;
    log_write(level <= 1 ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, "storage.library",
              LOG_FIELDS(LOG_S("domain", domain)), "%s", message);
}

/* Until a signal asks for the end. */
static void serve(struct worker *worker, int signals)
{
    for (;;) {
        int next = signals_next(signals, CHECK_MS);
        if (next == SIGHUP)
            reload(worker);
        else if (next == 0)
            worker_check_progress(worker);
        else
            return;
    }
}

static int run(struct worker *worker, int signals)
{
    struct error error = {""};
    bool started = worker_start(worker, &error);
    if (!started)
        log_write(LOG_LEVEL_ERROR, "worker.start_failed", LOG_FIELDS(LOG_S("error", error.text)),
                  "cannot start");
    else
        log_write(
            LOG_LEVEL_INFO, "worker.started",
            LOG_FIELDS(
                LOG_S("version", version_text()), LOG_T("queue", worker->settings.amqp_queue),
                LOG_T("broker", settings_mask_uri(worker->arena, worker->settings.amqp_uri)),
                LOG_T("storage", settings_mask_uri(worker->arena, worker->settings.mongodb_uri)),
                LOG_I("lanes", worker->settings.lanes)),
            "settings and policy are read; connecting");
    if (started)
        serve(worker, signals);
    bool finished = stop(worker, signals);
    return started && finished ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct arguments arguments = arguments_parse(argc, argv);
    struct worker worker = {.arena = arena_new(0)};
    struct error error = {"no descriptor for signals"};
    int signals = signals_open();
    int status = EXIT_FAILURE;

    mongo_library_init();
    mongo_set_log(log_library, NULL);
    if (signals < 0 || !worker_load(&worker, arguments.config, &error) ||
        !worker_check(&worker, &error)) {
        (void)fprintf(stderr, "allotd: %s\n", error.text);
    } else if (arguments.check) {
        (void)puts("settings and policy are well");
        status = EXIT_SUCCESS;
    } else {
        status = run(&worker, signals);
    }
    worker_clear(&worker);
    arena_free(worker.arena);
    mongo_library_cleanup();
    return status;
}
