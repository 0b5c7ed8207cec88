/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. `topology declare` is the library's. `topology check` makes a list of checks, first those
 * that AMQP allows (topology_check), then those of broker_checks.c, and prints it.
 *
 *   add_result      one exchange or queue; remedy_of() says what to do
 *   open_management the management API, if its URI is given
 *
 * Only a difference makes the command fail. What is unknown is printed with the command that
 * answers it, since a user of the broker may see less than its operator.
 */
#include "common/amqp/topology.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/amqp/login.h"
#include "common/codec/amqp_uri.h"
#include "ctl/broker_checks.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/settings.h"
#include "ctl/shell_word.h"

static struct topology topology_of(const struct settings *settings, struct arena *arena)
{
    return (struct topology){
        .exchange = settings->amqp_exchange,
        .queue = settings->amqp_queue,
        .dead_letter_exchange = settings->amqp_dead_letter_exchange,
        .dead_letter_queue = settings->amqp_dead_letter_queue,
        .desk_queue = topology_desk_queue(arena, settings->amqp_dead_letter_queue),
    };
}

static void print_warning(const struct error *warning)
{
    if (warning->text[0] != '\0')
        (void)fprintf(stderr, "allotctl: warning: %s\n", warning->text);
}

int topology_declare_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct error error = {""};
    if (!broker_settings_load(options, arena, &settings, &error))
        return fail_with(&error);
    struct amqp_tls tls = broker_settings_tls(&settings);
    struct topology topology = topology_of(&settings, arena);
    struct error warning = {""};
    if (topology_declare(settings.amqp_uri, &tls, &topology, &warning, &error) != TRANSPORT_OK)
        return fail_with(&error);
    print_warning(&warning);
    (void)puts("topology declared");
    return EXIT_SUCCESS;
}

/* --- what AMQP shows ------------------------------------------------------------------------ */

static enum check_state state_of(enum topology_state state)
{
    switch (state) {
    case TOPOLOGY_SAME: return CHECK_OK;
    case TOPOLOGY_TOLERATED: return CHECK_WARNING;
    case TOPOLOGY_MISSING:
    case TOPOLOGY_DIFFERENT: return CHECK_DIFFERENT;
    case TOPOLOGY_UNSEEN: break;
    }
    return CHECK_UNKNOWN;
}

/* A feature flag names its remedy in the reason. */
static struct text remedy_of_difference(const struct topology_result *result,
                                        struct text vhost_word, struct arena *arena)
{
    switch (result->kind) {
    case TOPOLOGY_QUEUE:
        return text_format(arena,
                           "arguments of a queue cannot be changed: when it is empty, "
                           "rabbitmqctl delete_queue -p %.*s --if-empty %.*s, then "
                           "allotctl topology declare",
                           TEXT_ARGS(vhost_word), TEXT_ARGS(shell_word(arena, result->name)));
    case TOPOLOGY_EXCHANGE:
        return text_format(arena,
                           "an exchange cannot be changed: stop the producers, delete it with "
                           "the management API (DELETE /api/exchanges/VHOST/%.*s), then "
                           "allotctl topology declare",
                           TEXT_ARGS(result->name));
    case TOPOLOGY_FLAG: break;
    }
    return text_of("");
}

/* Returns the command that shows what the user may not see. */
static struct text command_for(const struct topology_result *result, struct text vhost_word,
                               struct arena *arena)
{
    if (result->kind == TOPOLOGY_FLAG)
        return text_of("rabbitmqctl list_feature_flags name state");
    return text_format(arena, "rabbitmqctl list_%s -p %.*s name arguments",
                       result->kind == TOPOLOGY_QUEUE ? "queues" : "exchanges",
                       TEXT_ARGS(vhost_word));
}

/* A difference that is tolerated names its remedy in the reason. */
static struct text remedy_of(const struct topology_result *result, struct text vhost_word,
                             struct arena *arena)
{
    switch (result->state) {
    case TOPOLOGY_MISSING: return text_of("allotctl topology declare");
    case TOPOLOGY_DIFFERENT: return remedy_of_difference(result, vhost_word, arena);
    case TOPOLOGY_UNSEEN: return command_for(result, vhost_word, arena);
    case TOPOLOGY_SAME:
    case TOPOLOGY_TOLERATED: break;
    }
    return text_of("");
}

static void add_result(struct check_list *list, const struct topology_result *result,
                       struct text vhost_word)
{
    check_list_add(list, (struct check){state_of(result->state), result->subject, result->reason,
                                        remedy_of(result, vhost_word, list->arena)});
}

static void add_report(struct check_list *list, const struct topology_report *report,
                       struct text vhost_word)
{
    struct text version =
        text_format(list->arena, "RabbitMQ %.*s", TEXT_ARGS(report->broker_version));
    check_list_add(list, (struct check){CHECK_OK, text_of("broker"), version, text_of("")});
    for (size_t i = 0; i < report->count; i++)
        add_result(list, &report->results[i], vhost_word);
}

/* --- the rest ------------------------------------------------------------------------------- */

/* Reads user and virtual host of the URI. Returns false, with an error, if its hosts differ in
   them: it is not known to which of them AMQP is connected. */
static bool read_uri(struct text uri, struct arena *arena, struct broker_checks *checks,
                     struct error *error)
{
    struct amqp_hosts hosts = {0};
    if (!amqp_uri_parse(uri, arena, &hosts, error))
        return false;
    for (size_t i = 1; i < hosts.count; i++) {
        if (text_equal(hosts.hosts[i].vhost, hosts.hosts[0].vhost) &&
            text_equal(hosts.hosts[i].user, hosts.hosts[0].user))
            continue;
        error_set(error, "AMQP URI: its hosts have different users or virtual hosts: check them "
                         "one by one, with --uri");
        return false;
    }
    checks->vhost = hosts.hosts[0].vhost;
    checks->vhost_word = shell_word(arena, checks->vhost);
    checks->user = login_user(&hosts.hosts[0]);
    checks->user_word = shell_word(arena, checks->user);
    return true;
}

/* Returns whether it is the management API that answers, and accepts the user. */
static bool is_accepted(struct management *management, struct error *error)
{
    json_t *user = NULL;
    long status = management_get(management, text_of("whoami"), &user, error);
    bool accepted = status == HTTP_OK && json_is_object(user);
    json_decref(user);
    if (status == HTTP_OK && !accepted)
        error_set(error, "management API: another service answers at this address");
    else if (status != 0 && !accepted)
        error_set(error, "management API: it does not accept the user or the path (HTTP %ld)",
                  status);
    return accepted;
}

/* Sets `ret_management` to NULL if no URI is given. Returns false, with an error, if the API cannot
   be read at all. */
static bool open_management(const struct options *options, const struct amqp_tls *tls,
                            struct arena *arena, struct management **ret_management,
                            struct error *error)
{
    const char *uri = NULL;
    *ret_management = NULL;
    if (!management_uri_find(options, arena, &uri, error))
        return false;
    if (uri == NULL || uri[0] == '\0')
        return true;
    *ret_management = management_new(uri, tls->ca_file, error);
    return *ret_management != NULL && is_accepted(*ret_management, error);
}

static bool check_all(const struct options *options, const struct settings *settings,
                      struct check_list *list, struct error *error)
{
    struct arena *arena = list->arena;
    struct amqp_tls tls = broker_settings_tls(settings);
    struct topology_report report;
    struct broker_checks checks = {
        .topology = topology_of(settings, arena), .declares = settings->amqp_declare, .list = list};
    bool opened = read_uri(settings->amqp_uri, arena, &checks, error) &&
                  topology_check(settings->amqp_uri, &tls, &checks.topology, arena, &report,
                                 error) == TRANSPORT_OK &&
                  open_management(options, &tls, arena, &checks.management, error);
    if (opened) {
        checks.version = broker_version_read(report.broker_version);
        add_report(list, &report, checks.vhost_word);
        broker_checks_run(&checks);
    }
    management_free(checks.management);
    return opened;
}

static void print_end(size_t different, size_t unknown)
{
    if (different == 0)
        (void)fputs("topology OK", stdout);
    else
        (void)printf("topology different: %zu to fix", different);
    if (unknown > 0)
        (void)printf("; %zu could not be checked", unknown);
    (void)putchar('\n');
}

int topology_check_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct error error = {""};
    struct check_list list = check_list_new(arena);
    if (!broker_settings_load(options, arena, &settings, &error) ||
        !check_all(options, &settings, &list, &error))
        return fail_with(&error);
    check_list_print(&list);
    size_t different = check_list_count(&list, CHECK_DIFFERENT);
    print_end(different, check_list_count(&list, CHECK_UNKNOWN));
    return different == 0 ? EXIT_SUCCESS : EXIT_FAILED;
}
