/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. worker_load reads settings and policy into the worker's arena. worker_check makes each
 * client once, without connecting, so that a wrong URI is found before the start. worker_start
 * makes the pool of the database, the lanes, the registry, the repairer and, if there is somebody
 * to call, the notifier; each lane owns its transport and its stores, and the others own a store
 * each. The lanes share the policy, the pool, the turn for attempt records and the set of full
 * principals.
 *
 * Not here: what a lane does (service/lane.c), signals (signals.c).
 */
#include "worker/wiring.h"

#include <unistd.h>

#include "common/amqp/amqp_transport.h"
#include "common/base/version.h"
#include "common/host/configuration.h"
#include "common/host/environment.h"
#include "common/host/log.h"
#include "common/host/system_clock.h"
#include "worker/notice_log.h"

bool worker_load(struct worker *worker, const char *config, struct error *error)
{
    if (!configuration_load(config, worker->arena, &worker->settings, error))
        return false;
    char host[64] = "allotd";
    (void)gethostname(host, sizeof host - 1);
    worker->name = worker->settings.worker_name.length > 0
                       ? worker->settings.worker_name
                       : text_format(worker->arena, "%s:%d", host, (int)getpid());
    log_configure(worker->settings.log_level, worker->settings.log_format, worker->name.bytes);
    worker->notification_call = (struct notification_call){
        worker->settings.letters_notify_command, worker->settings.letters_notify_url,
        worker->settings.letters_notify_timeout_ms};
    struct service_queues queues = {worker->settings.amqp_queue,
                                    worker->settings.amqp_dead_letter_queue};
    worker->policy = policy_source_new(text_copy(worker->arena, worker->settings.policy_file).bytes,
                                       &queues, error);
    return worker->policy != NULL;
}

/* Returns the file that the URI of the settings came from; absent if it came from elsewhere. */
static struct text amqp_uri_file(void)
{
    const char *path = environment_file_of("ALLOT_AMQP_URI");
    return path != NULL ? text_of(path) : TEXT_NONE;
}

static struct transport *new_transport(const struct worker *worker, size_t lane,
                                       struct error *error)
{
    const struct settings *settings = &worker->settings;
    struct amqp_options options = {
        .uri = settings->amqp_uri,
        .uri_file = amqp_uri_file(),
        .topology = {settings->amqp_exchange, settings->amqp_queue,
                     settings->amqp_dead_letter_exchange, settings->amqp_dead_letter_queue,
                     topology_desk_queue(worker->arena, settings->amqp_dead_letter_queue)},
        .declare = settings->amqp_declare,
        .heartbeat_ms = settings->amqp_heartbeat_ms,
        .tls = {settings->amqp_tls_ca_file, settings->amqp_tls_certificate_file,
                settings->amqp_tls_key_file},
        .connection_name =
            text_format(worker->arena, "allotd %.*s lane %zu", TEXT_ARGS(worker->name), lane),
        .observer = {.notify = notice_log},
    };
    return amqp_transport_new(&options, error);
}

static void free_stores(struct store **stores, size_t count)
{
    for (size_t i = 0; i < count; i++)
        stores[i]->ops->free(stores[i]);
}

/* Makes the stores of a lane; the others are siblings of the first. */
static bool new_stores(const struct worker *worker, struct store **ret_stores, size_t count,
                       struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        ret_stores[i] = i == 0 ? mongo_store_new(worker->pool, error)
                               : mongo_store_sibling(ret_stores[0], error);
        if (ret_stores[i] == NULL) {
            free_stores(ret_stores, i);
            return false;
        }
    }
    return true;
}

static bool start_lane(struct worker *worker, struct error *error)
{
    struct store *stores[LANE_THREADS_MAX];
    struct transport *transport = new_transport(worker, worker->lane_count, error);
    if (transport == NULL)
        return false;
    if (!new_stores(worker, stores, lane_store_count(&worker->settings), error)) {
        transport->ops->free(transport);
        return false;
    }
    struct lane_options options = {
        .settings = &worker->settings,
        .worker = worker->name,
        .clock = system_clock(),
        .policy = worker->policy,
        .turn = &worker->attempt_turn,
        .full = worker->full,
        .budget = &worker->budget,
        .trims_letters = worker->lane_count == 0,
        .transport = transport,
        .stores = stores,
    };
    worker->lanes[worker->lane_count++] = lane_start(&options);
    return true;
}

static struct mongo_pool *new_pool(const struct worker *worker, struct error *error)
{
    const struct settings *settings = &worker->settings;
    struct mongo_options options = {
        .uri = settings->mongodb_uri,
        .database = settings->mongodb_database,
        .timeout_ms = settings->mongodb_timeout_ms,
        .retention_ms = settings->idempotency_retention_ms,
        .letters_retention_ms = settings->letters_retention_ms,
        .worker = worker->name,
        .clock = system_clock(),
    };
    return mongo_pool_new(&options, error);
}

static bool check_principal(const struct worker *worker, struct error *error)
{
    const struct settings *settings = &worker->settings;
    struct policy_ref *policy = policy_acquire(worker->policy);
    bool known = settings->security_trust_user_id ||
                 policy_principal(policy_of(policy), settings->security_default_principal) != NULL;
    policy_release(policy);
    if (!known)
        error_set(error, "security.default_principal: unknown principal '%.*s'",
                  TEXT_ARGS(settings->security_default_principal));
    return known;
}

bool worker_check(struct worker *worker, struct error *error)
{
    struct transport *transport = new_transport(worker, 0, error);
    if (transport == NULL)
        return false;
    transport->ops->free(transport);
    struct mongo_pool *pool = new_pool(worker, error);
    if (pool == NULL)
        return false;
    mongo_pool_free(pool);
    return check_principal(worker, error) &&
           notification_call_check(&worker->notification_call, error);
}

static bool start_registry(struct worker *worker, struct error *error)
{
    const struct counters *counters[LANES_MAX];
    struct store *store = mongo_store_new(worker->pool, error);
    if (store == NULL)
        return false;
    for (size_t i = 0; i < worker->lane_count; i++)
        counters[i] = lane_counters(worker->lanes[i]);
    struct registry_options options = {
        .store = store,
        .clock = system_clock(),
        .version = text_of(version_text()),
        .report_ms = REGISTRY_REPORT_MS,
        .counters = counters,
        .lanes = worker->lane_count,
    };
    worker->registry = registry_start(&options);
    return true;
}

static bool start_repairer(struct worker *worker, struct error *error)
{
    struct store *store = mongo_store_new(worker->pool, error);
    if (store == NULL)
        return false;
    worker->repairer = repairer_start(store, REPAIRER_PAUSE_MS);
    return true;
}

static bool call(const void *context, struct text json, int stop_fd, struct error *error)
{
    return notification_call_run(context, json, stop_fd, error);
}

static bool start_notifier(struct worker *worker, struct error *error)
{
    if (!notification_call_wanted(&worker->notification_call))
        return true;
    struct store *store = mongo_store_new(worker->pool, error);
    if (store == NULL)
        return false;
    struct notifier_options options = {
        .store = store,
        .worker = worker->name,
        .rate = worker->settings.letters_notify_rate,
        .look_ms = worker->settings.letters_notify_interval_ms,
        .claim_ms = worker->notification_call.timeout_ms + NOTIFIER_CLAIM_REST_MS,
        .pause_ms = NOTIFIER_PAUSE_MS,
        .call = call,
        .context = &worker->notification_call,
    };
    worker->notifier = notifier_start(&options);
    return true;
}

bool worker_start(struct worker *worker, struct error *error)
{
    worker->pool = new_pool(worker, error);
    if (worker->pool == NULL)
        return false;
    worker->full = full_principals_new();
    worker->budget.max = (size_t)worker->settings.worker_memory_budget;
    for (int64_t i = 0; i < worker->settings.lanes; i++) {
        if (!start_lane(worker, error))
            return false;
    }
    return start_registry(worker, error) && start_repairer(worker, error) &&
           start_notifier(worker, error);
}

void worker_check_progress(struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++)
        lane_check(worker->lanes[i]);
}

uint64_t worker_in_flight(const struct worker *worker)
{
    uint64_t count = 0;
    for (size_t i = 0; i < worker->lane_count; i++)
        count += counter_read(lane_counters(worker->lanes[i]), COUNTER_IN_FLIGHT);
    return count;
}

void worker_stopping(struct worker *worker)
{
    if (worker->registry != NULL)
        registry_stopping(worker->registry);
    if (worker->repairer != NULL)
        repairer_stop(worker->repairer);
    if (worker->notifier != NULL)
        notifier_stop(worker->notifier);
}

void worker_stop(struct worker *worker, int64_t patience_ms)
{
    for (size_t i = 0; i < worker->lane_count; i++)
        lane_stop(worker->lanes[i], patience_ms);
    for (size_t i = 0; i < worker->lane_count; i++)
        lane_join(worker->lanes[i]);
}

bool worker_note_stop(struct worker *worker, int64_t limit_ms)
{
    int64_t until_ms = system_monotonic_ms() + limit_ms;
    bool noted = worker->registry == NULL || registry_end(worker->registry, limit_ms);
    int64_t rest_ms = until_ms - system_monotonic_ms();
    bool ended = worker->repairer == NULL || repairer_end(worker->repairer, rest_ms);
    rest_ms = until_ms - system_monotonic_ms();
    ended &= worker->notifier == NULL || notifier_end(worker->notifier, rest_ms);
    worker->registry = NULL;
    worker->repairer = NULL;
    worker->notifier = NULL;
    return noted && ended;
}

uint64_t worker_returned(const struct worker *worker)
{
    uint64_t count = 0;
    for (size_t i = 0; i < worker->lane_count; i++)
        count += lane_returned(worker->lanes[i]);
    return count;
}

void worker_clear(struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++)
        lane_free(worker->lanes[i]);
    worker->lane_count = 0;
    mongo_pool_leave(worker->pool);
    worker->pool = NULL;
    full_principals_free(worker->full);
    worker->full = NULL;
    policy_source_free(worker->policy);
    worker->policy = NULL;
}
