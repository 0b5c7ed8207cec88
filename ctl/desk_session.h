/* SPDX-License-Identifier: Apache-2.0 */
/* The desk as a command of allotctl uses it: settings, policy and database, opened together. */
#ifndef ALLOT_CTL_DESK_SESSION_H
#define ALLOT_CTL_DESK_SESSION_H

#include "common/amqp/client.h"
#include "ctl/database.h"
#include "ctl/desk/desk.h"
#include "ctl/options.h"

/* What a command needs. */
enum desk_need {
    DESK_DATABASE,        /* --uri is that of the database */
    DESK_SECOND,          /* only the database, which is that of --database-uri */
    DESK_BOTH,            /* --uri is that of the broker */
    DESK_BOTH_AND_POLICY, /* and a policy must be known */
    DESK_BOTH_MAY_POLICY  /* and the policy, if one is known */
};

struct desk_session {
    struct settings settings;
    struct policy policy;
    struct database database;
    bool has_database; /* it has to be closed */
    struct desk desk;
    int64_t now_ms; /* the time of the database when the session was opened */
};

/* Opens the session, and asks the database for its time. All texts are in `arena`. Returns false,
   with an error; call desk_session_close() also then, and once in a process. */
ALLOT_CHECK bool desk_session_open(const struct options *options, enum desk_need need,
                                   struct arena *arena, struct desk_session *ret_session,
                                   struct error *error);
void desk_session_close(struct desk_session *session);

/* Connects to the broker. The caller owns the client. Returns NULL, with an error. */
struct client *desk_session_connect(const struct desk_session *session, struct error *error);

/* Finds out what became of the letters (settle_letters). Where the account may not write, it
   changes the records only. */
ALLOT_CHECK bool desk_session_settle(const struct desk_session *session,
                                     struct letter_record *records, size_t count,
                                     struct arena *arena, struct error *error);

#endif
