/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says of itself: its reply to the command `hello`. Internal to common/mongo. */
#ifndef ALLOT_MONGO_HELLO_H
#define ALLOT_MONGO_HELLO_H

#include "allot/store.h"
#include "common/mongo/libmongoc.h"

/*
 * Checks that the server can do the work. Returns MISCONFIGURED, with an error, if it is no member
 * of a replica set, too old, or mongos; UNAVAILABLE if it is not the primary.
 */
enum store_status hello_check(const bson_t *hello, struct error *error);

#endif
