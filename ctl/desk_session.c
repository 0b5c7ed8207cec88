/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/desk_session.h"

#include "ctl/desk/person.h"
#include "ctl/desk/settle.h"
#include "ctl/settings.h"

static bool load_policy(const struct options *options, enum desk_need need, struct arena *arena,
                        struct desk_session *session, struct error *error)
{
    struct error own = {""};
    if (need != DESK_BOTH_AND_POLICY && need != DESK_BOTH_MAY_POLICY)
        return true;
    if (policy_load(options, &session->settings, arena, &session->policy,
                    &session->desk.policy_name, &own)) {
        session->desk.policy = &session->policy;
        return true;
    }
    if (need == DESK_BOTH_MAY_POLICY && options->policy == NULL)
        return true;
    *error = own;
    return false;
}

static bool load_settings(const struct options *options, enum desk_need need, struct arena *arena,
                          struct settings *ret_settings, struct error *error)
{
    switch (need) {
    case DESK_DATABASE: return database_settings_load(options, arena, ret_settings, error);
    case DESK_SECOND: return second_settings_load(options, arena, ret_settings, error);
    case DESK_BOTH:
    case DESK_BOTH_AND_POLICY:
    case DESK_BOTH_MAY_POLICY: break;
    }
    return both_settings_load(options, arena, ret_settings, error);
}

bool desk_session_open(const struct options *options, enum desk_need need, struct arena *arena,
                       struct desk_session *ret_session, struct error *error)
{
    struct desk_session *session = ret_session;
    *session = (struct desk_session){0};
    if (!load_settings(options, need, arena, &session->settings, error) ||
        !load_policy(options, need, arena, session, error))
        return false;
    session->has_database = true;
    if (!database_open(&session->settings, &session->database, error) ||
        mongo_read_clock(session->database.store, &session->now_ms, error) != STORE_OK)
        return false;
    session->desk.store = session->database.store;
    session->desk.settings = &session->settings;
    session->desk.by = person_name(arena);
    session->desk.read_only = options->read_only;
    return true;
}

void desk_session_close(struct desk_session *session)
{
    if (session->has_database)
        database_close(&session->database);
}

struct client *desk_session_connect(const struct desk_session *session, struct error *error)
{
    struct amqp_tls tls = broker_settings_tls(&session->settings);
    return client_open(session->settings.amqp_uri, &tls, error);
}

bool desk_session_settle(const struct desk_session *session, struct letter_record *records,
                         size_t count, struct arena *arena, struct error *error)
{
    struct desk reader = session->desk;
    reader.read_only = true;
    return settle_letters(&session->desk, records, count, arena, NULL) ||
           settle_letters(&reader, records, count, arena, error);
}
