/* SPDX-License-Identifier: Apache-2.0 */
/* The version of a broker, as it announces it at the login. */
#ifndef ALLOT_AMQP_BROKER_VERSION_H
#define ALLOT_AMQP_BROKER_VERSION_H

#include "allot/attributes.h"
#include "common/base/text.h"

struct broker_version {
    int major;
    int minor;
};

/* Reads "3.10.8" and the like. Returns {0, 0} for a version that it does not understand. Pure. */
struct broker_version broker_version_read(struct text version);
/* Returns whether the version is that one or a later one. */
ALLOT_CHECK bool broker_version_from(struct broker_version version, int major, int minor);

#endif
