/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the broker beside its exchanges and queues: bindings, policies, permissions, limits,
 * feature flags and alarms. AMQP shows none of them, the management API most.
 */
#ifndef ALLOT_CTL_BROKER_CHECKS_H
#define ALLOT_CTL_BROKER_CHECKS_H

#include "common/amqp/broker_version.h"
#include "common/amqp/topology.h"
#include "ctl/check_list.h"
#include "ctl/management.h"

struct broker_checks {
    struct management *management; /* NULL: none was given, and all checks are unknown */
    struct topology topology;
    struct text vhost;
    struct text vhost_word; /* the same, for a shell (shell_word.h) */
    struct text user; /* whose permissions are checked: that of the broker's URI, which should be
                         the worker's */
    struct text user_word;
    bool declares; /* whether the worker declares what is missing (amqp.declare) */
    struct broker_version version;
    struct check_list *list; /* gets the results */
};

/* Runs the checks. What the management API does not answer becomes an unknown check that names the
   command which does. */
void broker_checks_run(const struct broker_checks *checks);

#endif
