/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/exposures.h"

#include <stdlib.h>

#include "common/codec/amqp_uri.h"
#include "common/codec/settings_file.h"
#include "common/host/environment.h"
#include "common/host/http_post.h"
#include "worker/service/exposure.h"

/* Returns the path with a NUL behind it; NULL if the setting is empty. */
static const char *path_in(const struct worker *worker, struct text setting)
{
    return setting.length > 0 ? text_copy(worker->arena, setting).bytes : NULL;
}

static void check_broker(const struct worker *worker)
{
    struct amqp_hosts list;
    if (!amqp_uri_parse(worker->settings.amqp_uri, worker->arena, &list, NULL))
        return;
    struct text *names = ARENA_ARRAY(worker->arena, struct text, list.count);
    for (size_t i = 0; i < list.count; i++)
        names[i] = list.hosts[i].name;
    exposure_check_hosts("amqp.uri", names, list.count, list.hosts[0].tls);
}

static void check_database(const struct worker *worker)
{
    struct mongo_uri uri;
    if (!mongo_uri_read(worker->settings.mongodb_uri, worker->arena, &uri, NULL))
        return;
    exposure_check_hosts("mongodb.uri", uri.hosts, uri.host_count, uri.tls);
    exposure_check_file("mongodb.uri", uri.key_file.bytes, true);
}

static void check_tls_key(const struct worker *worker)
{
    const struct settings *settings = &worker->settings;
    const char *key = path_in(worker, settings->amqp_tls_key_file);
    if (key != NULL)
        exposure_check_file("amqp.tls.key_file", key, true);
    else
        exposure_check_file("amqp.tls.certificate_file",
                            path_in(worker, settings->amqp_tls_certificate_file), true);
}

/* Returns whether the URL is, or may be, a secret. */
static bool check_notified(const struct worker *worker)
{
    const struct notification_call *call = &worker->notification_call;
    struct http_url url = {.tls = true};
    exposure_check_file("letters.notify_command", path_in(worker, call->command), false);
    if (call->url.length == 0 || !http_url_read(call->url, worker->arena, &url, NULL))
        return false;
    exposure_check_hosts("letters.notify_url", &url.host, 1, url.tls);
    return url.secret;
}

/* Checks the file that a variable names. Returns whether the settings file has a secret, because
   the URI is from no variable. */
static bool check_uri_file(const struct worker *worker, const char *variable, bool secret)
{
    const char *path = environment_file_of(variable);
    exposure_check_file(text_format(worker->arena, "%s_FILE", variable).bytes, path, secret);
    return secret && path == NULL && getenv(variable) == NULL;
}

void exposures_log(const struct worker *worker, const char *config)
{
    const struct settings *settings = &worker->settings;
    check_broker(worker);
    check_database(worker);
    bool secret = check_uri_file(worker, "ALLOT_AMQP_URI",
                                 settings_uri_has_secret(worker->arena, settings->amqp_uri));
    secret |= check_uri_file(worker, "ALLOT_MONGODB_URI",
                             settings_uri_has_secret(worker->arena, settings->mongodb_uri));
    secret |= check_uri_file(worker, "ALLOT_LETTERS_NOTIFY_URL", check_notified(worker));
    exposure_check_file("--config", config, secret);
    exposure_check_file("policy.file", path_in(worker, settings->policy_file), false);
    check_tls_key(worker);
}
