/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The main thread only waits for a signal; all others have the two signals blocked. At the
 * end the runner is stopped first, while pages are still answered, so that a page that watches the
 * run sees its end; then the server.
 */
#include "ctl/web/web.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/host/random.h"
#include "ctl/commands.h"
#include "ctl/database.h"
#include "ctl/output.h"
#include "ctl/web/server.h"

static void block_signals(sigset_t *ret_signals)
{
    (void)sigemptyset(ret_signals);
    (void)sigaddset(ret_signals, SIGINT);
    (void)sigaddset(ret_signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void print_url(const struct site *site, const struct address *address)
{
    (void)printf("http://%s/?token=%s\n", site->guard.hosts[0], site->guard.token);
    (void)fflush(stdout);
    if (!address->loopback)
        (void)fprintf(stderr,
                      "allotctl: warning: %s can be reached from other machines, and HTTP "
                      "is not encrypted: who sees the traffic can use the page. Better "
                      "listen on 127.0.0.1, and use 'ssh -L'\n",
                      site->guard.hosts[0]);
}

static void print_run(const struct runner_state *state)
{
    const struct replay_progress *progress = &state->progress;
    if (state->phase == RUNNER_UNKNOWN || !progress->stopped)
        return;
    (void)fprintf(stderr,
                  "allotctl: the replay %s was stopped after %zu of %zu commands; it can be "
                  "continued\n",
                  state->run, progress->sent, progress->total);
}

/* Serves until a signal comes; a second one ends the process at once. */
static void wait_for_end(const sigset_t *signals)
{
    int signal_number = 0;
    (void)sigwait(signals, &signal_number);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

static int serve(struct site *site, struct server *server, struct mongo_pool *pool,
                 const struct address *address, const sigset_t *signals)
{
    struct error error = {""};
    const struct desk desk = {.settings = site->settings,
                              .policy = site->policy,
                              .policy_name = site->options->policy_name,
                              .by = site->options->by};
    if (!site->options->read_only)
        site->runner = runner_new(pool, &desk);
    bool started = server_run(server, site, &error);
    if (started) {
        print_url(site, address);
        wait_for_end(signals);
    }
    if (site->runner != NULL) {
        struct runner_state state = runner_end(site->runner);
        print_run(&state);
    }
    server_free(server);
    runner_free(site->runner);
    return started ? EXIT_SUCCESS : fail_with(&error);
}

static int run_on(struct site *site, struct server *server, struct address *address,
                  const sigset_t *signals)
{
    struct error error = {""};
    struct database database;
    unsigned char secret[GUARD_SECRET_BYTES];
    random_bytes(secret, sizeof secret);
    site->guard = guard_new(address, secret, site->options->read_only);
    int status = EXIT_FAILED;
    if (database_open(site->settings, &database, &error)) {
        site->store = database.store;
        status = serve(site, server, database.pool, address, signals);
    } else {
        server_free(server);
        status = fail_with(&error);
    }
    database_close(&database);
    return status;
}

int web_run(const struct web_options *options, const struct settings *settings,
            const struct policy *policy)
{
    struct error error = {""};
    struct address address;
    sigset_t signals;
    struct site site = {.options = options, .settings = settings, .policy = policy};
    if (!address_parse(options->listen != NULL ? options->listen : WEB_LISTEN_DEFAULT, &address,
                       &error)) {
        (void)fail_with(&error);
        return EXIT_USAGE;
    }
    block_signals(&signals);
    struct server *server = server_listen(&address, &error);
    if (server == NULL)
        return fail_with(&error);
    return run_on(&site, server, &address, &signals);
}
