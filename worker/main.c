/* SPDX-License-Identifier: Apache-2.0 */
/* allotd: reads the settings, wires the adapters to the lanes, and waits for signals. */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/codec/settings_file.h"
#include "worker/amqp/amqp_transport.h"
#include "worker/mongo/mongo_store.h"
#include "worker/service/configuration.h"
#include "worker/service/lane.h"
#include "worker/service/log.h"
#include "worker/service/system_clock.h"

enum { LANES_MAX = 64, EXIT_USAGE = 2, EXIT_SECOND_SIGNAL = 3 };

struct worker {
    struct arena *arena;
    struct settings settings;
    struct text name;
    struct policy_source *policy;
    struct mongo_pool *pool;
    struct lane *lanes[LANES_MAX];
    size_t lane_count;
};

struct arguments {
    const char *config;
    bool check;
};

static void usage(FILE *out)
{
    (void)fputs("usage: allotd --config FILE [--check]\n"
                "       allotd --version | --help\n"
                "\n"
                "  --config FILE  the settings, as config/allotd.example.yaml explains them;\n"
                "                 the variable ALLOT_A_B overrides the setting a.b\n"
                "  --check        say whether settings and policy are well, and exit\n",
                out);
}

/* Exits by itself for --help, --version and mistakes. */
static struct arguments parse_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct arguments arguments = {NULL, false};
    for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        switch (option) {
        case 'c': arguments.config = optarg; break;
        case 'k': arguments.check = true; break;
        case 'v': (void)puts("allotd " ALLOT_VERSION); exit(EXIT_SUCCESS);
        case 'h': usage(stdout); exit(EXIT_SUCCESS);
        default: usage(stderr); exit(EXIT_USAGE);
        }
    }
    if (optind < argc || arguments.config == NULL) {
        usage(stderr);
        exit(EXIT_USAGE);
    }
    return arguments;
}

static bool load(struct worker *worker, const char *config, struct error *error)
{
    if (!configuration_load(config, worker->arena, &worker->settings, error))
        return false;
    char host[64] = "allotd";
    (void)gethostname(host, sizeof host - 1);
    worker->name = worker->settings.worker_name.length > 0
                       ? worker->settings.worker_name
                       : text_format(worker->arena, "%s:%d", host, (int)getpid());
    log_configure(worker->settings.log_level, worker->settings.log_format, worker->name.bytes);
    worker->policy =
        policy_source_new(text_copy(worker->arena, worker->settings.policy_file).bytes, error);
    return worker->policy != NULL;
}

static struct transport *new_transport(const struct worker *worker, size_t lane,
                                       struct error *error)
{
    const struct settings *settings = &worker->settings;
    struct amqp_options options = {
        .uri = settings->amqp_uri,
        .topology = {settings->amqp_exchange, settings->amqp_queue, settings->amqp_dead_exchange,
                     settings->amqp_dead_queue},
        .declare = settings->amqp_declare,
        .heartbeat_ms = settings->amqp_heartbeat_ms,
        .tls = {settings->amqp_tls_ca_file, settings->amqp_tls_certificate_file,
                settings->amqp_tls_key_file},
        .connection_name =
            text_format(worker->arena, "allotd %.*s lane %zu", TEXT_ARGS(worker->name), lane),
    };
    return amqp_transport_new(&options, error);
}

static bool start_lane(struct worker *worker, struct error *error)
{
    struct transport *transport = new_transport(worker, worker->lane_count, error);
    if (transport == NULL)
        return false;
    struct store *store = mongo_store_new(worker->pool, error);
    if (store == NULL) {
        transport->ops->free(transport);
        return false;
    }
    struct lane_options options = {
        .settings = &worker->settings,
        .worker = worker->name,
        .clock = system_clock(),
        .policy = worker->policy,
        .transport = transport,
        .store = store,
    };
    worker->lanes[worker->lane_count++] = lane_start(&options);
    return true;
}

static bool start(struct worker *worker, struct error *error)
{
    const struct settings *settings = &worker->settings;
    struct mongo_options options = {
        .uri = settings->mongodb_uri,
        .database = settings->mongodb_database,
        .timeout_ms = settings->mongodb_timeout_ms,
        .retention_ms = settings->idempotency_retention_ms,
        .worker = worker->name,
        .clock = system_clock(),
    };
    worker->pool = mongo_pool_new(&options, error);
    if (worker->pool == NULL)
        return false;
    for (int64_t i = 0; i < settings->lanes; i++) {
        if (!start_lane(worker, error))
            return false;
    }
    return true;
}

static void reload(struct worker *worker)
{
    struct error error;
    if (policy_source_reload(worker->policy, &error))
        log_write(LOG_LEVEL_INFO, "policy.reloaded", LOG_NONE, "the policy is loaded again");
    else
        log_write(LOG_LEVEL_ERROR, "policy.not_reloaded", LOG_FIELDS(LOG_S("error", error.text)),
                  "the policy file does not load; the old policy stays in force");
}

/* The descriptor that reads SIGTERM, SIGINT and SIGHUP; no thread is interrupted by them. */
static int open_signals(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

static int next_signal(int fd)
{
    struct signalfd_siginfo info;
    ssize_t got;
    do
        got = read(fd, &info, sizeof info);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof info ? (int)info.ssi_signo : SIGTERM;
}

static void *end_at_second_signal(void *fd)
{
    while (next_signal((int)(intptr_t)fd) == SIGHUP)
        continue;
    log_write(LOG_LEVEL_WARNING, "worker.killed", LOG_NONE, "a second signal: ending at once");
    _exit(EXIT_SECOND_SIGNAL);
}

static bool stop(struct worker *worker, int signals)
{
    pthread_t second;
    bool finished = true;
    log_write(LOG_LEVEL_INFO, "worker.stopping", LOG_NONE, "finishing what is in hand");
    if (pthread_create(&second, NULL, end_at_second_signal, (void *)(intptr_t)signals) == 0)
        (void)pthread_detach(second); /* it ends with the process */
    for (size_t i = 0; i < worker->lane_count; i++)
        lane_stop(worker->lanes[i]);
    for (size_t i = 0; i < worker->lane_count; i++)
        finished &= lane_join(worker->lanes[i]);
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

static int run(struct worker *worker, int signals)
{
    struct error error = {""};
    bool started = start(worker, &error);
    if (!started)
        log_write(LOG_LEVEL_ERROR, "worker.not_started", LOG_FIELDS(LOG_S("error", error.text)),
                  "cannot start");
    else
        log_write(
            LOG_LEVEL_INFO, "worker.started",
            LOG_FIELDS(
                LOG_S("version", ALLOT_VERSION), LOG_T("queue", worker->settings.amqp_queue),
                LOG_T("broker", settings_mask_uri(worker->arena, worker->settings.amqp_uri)),
                LOG_T("storage", settings_mask_uri(worker->arena, worker->settings.mongodb_uri)),
                LOG_I("lanes", worker->settings.lanes)),
            "allotd is up");
    while (started && next_signal(signals) == SIGHUP)
        reload(worker);
    bool finished = stop(worker, signals);
    mongo_pool_free(worker->pool);
    return started && finished ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct arguments arguments = parse_arguments(argc, argv);
    struct worker worker = {.arena = arena_new(0)};
    struct error error = {""};
    int signals = open_signals();
    int status = EXIT_FAILURE;

    if (signals < 0 || !load(&worker, arguments.config, &error)) {
        (void)fprintf(stderr, "allotd: %s\n", error.text);
    } else if (arguments.check) {
        (void)puts("settings and policy are well");
        status = EXIT_SUCCESS;
    } else {
        mongo_library_init();
        mongo_set_log(log_library, NULL);
        status = run(&worker, signals);
        mongo_library_cleanup();
    }
    policy_source_free(worker.policy);
    arena_free(worker.arena);
    return status;
}
