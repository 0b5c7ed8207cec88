/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A run is one thread, run_thread(), which is joined before the next one begins, or at the
 * end. replay_run() calls watch() a few times a second: it copies the progress, and tells it to
 * stop.
 *
 *   control  is held by those who start and join threads
 *   lock     protects `state` and `stop`; the other members change only while no thread runs
 *
 * Not here: which letters belong to a run, which is in the database (ctl/desk/replay.h).
 */
#include "ctl/web/runner.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allot/transport.h"
#include "common/base/memory.h"
#include "ctl/settings.h"

struct runner {
    struct mongo_pool *pool;
    struct desk desk; /* its store is that of the run */
    struct amqp_tls tls;
    struct replay_options options;
    struct replay_pace pace;
    pthread_mutex_t control;
    bool ended;      /* no run may begin any more */
    bool has_thread; /* to be joined */
    pthread_t thread;
    pthread_mutex_t lock;
    bool stop;
    struct runner_state state;
};

struct runner *runner_new(struct mongo_pool *pool, const struct desk *desk)
{
    struct runner *runner = MEMORY_NEW(struct runner);
    runner->pool = pool;
    runner->desk = *desk;
    runner->desk.read_only = false;
    runner->tls = broker_settings_tls(desk->settings);
    (void)pthread_mutex_init(&runner->control, NULL);
    (void)pthread_mutex_init(&runner->lock, NULL);
    return runner;
}

/* --- the thread ----------------------------------------------------------------------------- */

static bool watch(void *context, const struct replay_progress *progress)
{
    struct runner *runner = context;
    (void)pthread_mutex_lock(&runner->lock);
    runner->state.progress = *progress;
    bool go_on = !runner->stop;
    (void)pthread_mutex_unlock(&runner->lock);
    return go_on;
}

static bool run_with(struct runner *runner, struct client *client, struct replay_progress *progress,
                     struct error *error)
{
    const struct replay_order order = {runner->options, runner->pace, watch, runner};
    return client != NULL &&
           replay_run(&runner->desk, client, text_of(runner->state.run), &order, progress, error);
}

static void end_run(struct runner *runner, bool done, const struct replay_progress *progress,
                    const struct error *error)
{
    (void)pthread_mutex_lock(&runner->lock);
    runner->state.phase = done ? RUNNER_ENDED : RUNNER_FAILED;
    if (done)
        runner->state.progress = *progress;
    runner->state.error = *error;
    (void)pthread_mutex_unlock(&runner->lock);
}

static void *run_thread(void *context)
{
    struct runner *runner = context;
    struct error error = {""};
    struct replay_progress progress = {0};
    bool done = false;
    runner->desk.store = mongo_store_new(runner->pool, &error);
    if (runner->desk.store != NULL) {
        struct client *client = client_open(runner->desk.settings->amqp_uri, &runner->tls, &error);
        done = run_with(runner, client, &progress, &error);
        client_close(client);
        runner->desk.store->ops->free(runner->desk.store);
    }
    end_run(runner, done, &progress, &error);
    return NULL;
}

/* librabbitmq needs the stack. */
static bool start_thread(struct runner *runner, struct error *error)
{
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, TRANSPORT_STACK_BYTES);
    int cause = pthread_create(&runner->thread, &attributes, run_thread, runner);
    (void)pthread_attr_destroy(&attributes);
    runner->has_thread = cause == 0;
    if (cause != 0)
        error_set(error, "cannot start a thread: %s", strerror(cause));
    return cause == 0;
}

/* --- the runner ----------------------------------------------------------------------------- */

static void join(struct runner *runner)
{
    if (runner->has_thread)
        (void)pthread_join(runner->thread, NULL);
    runner->has_thread = false;
}

struct runner_state runner_end(struct runner *runner)
{
    (void)pthread_mutex_lock(&runner->control);
    runner->ended = true;
    (void)pthread_mutex_lock(&runner->lock);
    runner->stop = true;
    (void)pthread_mutex_unlock(&runner->lock);
    join(runner);
    (void)pthread_mutex_unlock(&runner->control);
    return runner_look_latest(runner);
}

void runner_free(struct runner *runner)
{
    if (runner == NULL)
        return;
    (void)runner_end(runner);
    (void)pthread_mutex_destroy(&runner->lock);
    (void)pthread_mutex_destroy(&runner->control);
    free(runner);
}

struct runner_state runner_look_latest(struct runner *runner)
{
    (void)pthread_mutex_lock(&runner->lock);
    struct runner_state state = runner->state;
    state.stopping = runner->stop && state.phase == RUNNER_GOING;
    (void)pthread_mutex_unlock(&runner->lock);
    return state;
}

struct runner_state runner_look(struct runner *runner, struct text run)
{
    struct runner_state state = runner_look_latest(runner);
    return text_is(run, state.run) ? state : (struct runner_state){.phase = RUNNER_UNKNOWN};
}

void runner_stop(struct runner *runner, struct text run)
{
    (void)pthread_mutex_lock(&runner->lock);
    if (text_is(run, runner->state.run))
        runner->stop = true;
    (void)pthread_mutex_unlock(&runner->lock);
}

static void set_state(struct runner *runner, enum runner_phase phase, struct text run)
{
    (void)pthread_mutex_lock(&runner->lock);
    runner->stop = false;
    runner->state = (struct runner_state){.phase = phase};
    (void)snprintf(runner->state.run, sizeof runner->state.run, "%.*s", TEXT_ARGS(run));
    (void)pthread_mutex_unlock(&runner->lock);
}

static bool start(struct runner *runner, struct text run, const struct replay_options *options,
                  const struct replay_pace *pace, struct error *error)
{
    struct runner_state state = runner_look_latest(runner);
    if (state.phase == RUNNER_GOING) {
        error_set(error, "the run %s is going on; wait for its end, or stop it", state.run);
        return false;
    }
    if (runner->ended) {
        error_set(error, "'allotctl web' is being stopped");
        return false;
    }
    join(runner);
    runner->options = *options;
    runner->pace = *pace;
    set_state(runner, RUNNER_GOING, run);
    if (start_thread(runner, error))
        return true;
    set_state(runner, RUNNER_UNKNOWN, TEXT_NONE);
    return false;
}

bool runner_start(struct runner *runner, struct text run, const struct replay_options *options,
                  const struct replay_pace *pace, struct error *error)
{
    if (run.length == 0 || run.length >= RUNNER_NAME_MAX) {
        error_set(error, "invalid name of a run");
        return false;
    }
    (void)pthread_mutex_lock(&runner->control);
    bool started = start(runner, run, options, pace, error);
    (void)pthread_mutex_unlock(&runner->control);
    return started;
}
