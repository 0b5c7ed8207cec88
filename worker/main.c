/* SPDX-License-Identifier: Apache-2.0 */
/* allotd: loads the configuration, starts the lanes, and waits for signals. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/version.h"
#include "common/codec/settings_file.h"
#include "common/host/end_process.h"
#include "common/host/http_post.h"
#include "worker/arguments.h"
#include "worker/exposures.h"
#include "worker/service/events.h"
#include "worker/shutdown.h"
#include "worker/signals.h"
#include "worker/wiring.h"

/* The levels of libmongoc: 0 is error, 1 is critical, and higher ones are less urgent. */
enum { CHECK_MS = 1000, DRIVER_CRITICAL = 1 };

static void reload(struct worker *worker)
{
    struct error error;
    if (policy_source_reload(worker->policy, &error))
        event_log(EVENT_POLICY_RELOADED, LOG_NONE,
                  "policy reloaded; it applies from the next batch");
    else
        event_log(EVENT_POLICY_RELOAD_FAILED, LOG_FIELDS(LOG_S("error", error.text)),
                  "cannot reload the policy; keeping the current one");
}

/* Logs a warning of common/mongo. Of the messages of the MongoDB driver itself, error and critical
   are warnings, other levels debug. */
static void log_library(void *context, int level, const char *domain, const char *message)
{
    (void)context;
    if (strcmp(domain, MONGO_WARNING_DOMAIN) == 0) {
        event_log(EVENT_STORAGE_WARNING, LOG_NONE, "%s", message);
        return;
    }
    event_log_at(level <= DRIVER_CRITICAL ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
                 EVENT_STORAGE_LIBRARY, LOG_FIELDS(LOG_S("domain", domain)), "%s", message);
}

/* Runs until SIGTERM or SIGINT; reloads the policy on SIGHUP. */
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

static void log_started(const struct worker *worker)
{
    const struct settings *settings = &worker->settings;
    event_log(EVENT_WORKER_STARTED,
              LOG_FIELDS(LOG_S("version", version_text()), LOG_T("queue", settings->amqp_queue),
                         LOG_T("broker", settings_mask_uri(worker->arena, settings->amqp_uri)),
                         LOG_T("storage", settings_mask_uri(worker->arena, settings->mongodb_uri)),
                         LOG_I("lanes", settings->lanes)),
              "starting: configuration loaded, connecting to broker and database");
}

static int run(struct worker *worker, int signals)
{
    struct error error = {"cannot start the thread of the log"};
    bool started = log_start() && worker_start(worker, &error);
    if (started) {
        log_started(worker);
        serve(worker, signals);
    } else {
        event_log(EVENT_WORKER_START_FAILED, LOG_FIELDS(LOG_S("error", error.text)),
                  "cannot start");
    }
    int status = started ? EXIT_SUCCESS : EXIT_FAILURE;
    shutdown_worker(worker, signals, status); /* after a failed start too: some lanes may run */
    return status;
}

/* Lets freed memory go back to the system: large blocks at once, whatever was freed before, and few
   heaps although there are many threads. Else the process would keep what it needed at its peak. */
static void tune_memory(void)
{
    enum { LARGE_BYTES = 128 * 1024, HEAPS = 2 };
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_ARENA_MAX, HEAPS);
}

static int say_ok(void)
{
    (void)puts("configuration OK");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    tune_memory();
    struct arguments arguments = arguments_parse(argc, argv);
    struct worker worker = {.arena = arena_new(0)};
    struct error error = {"cannot create signalfd"}; /* the other calls replace the text */
    int signals = signals_open();
    int status = EXIT_FAILURE;

    mongo_library_init();
    mongo_set_log(log_library, NULL);
    bool http = http_library_init();
    if (signals >= 0 && !http)
        error_set(&error, "cannot initialize libcurl");
    if (signals < 0 || !http || !worker_load(&worker, arguments.config, &error) ||
        !worker_check(&worker, &error)) {
        (void)fprintf(stderr, "allotd: %s\n", error.text);
    } else {
        exposures_log(&worker, arguments.config);
        status = arguments.check ? say_ok() : run(&worker, signals);
    }
    mongo_set_log(NULL, NULL); /* the threads of libmongoc go on to the end */
    worker_clear(&worker);
    arena_free(worker.arena);
    http_library_cleanup();
    end_process(status);
}
