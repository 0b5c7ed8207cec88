/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/hello.h"

#include <string.h>

enum { WIRE_VERSION_MIN = 17 }; /* MongoDB 6.0 */

/* Mongos names itself by this member; it is the router of a sharded cluster. */
static bool is_mongos(const bson_t *hello)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, hello, "msg") && BSON_ITER_HOLDS_UTF8(&iter) &&
           strcmp(bson_iter_utf8(&iter, NULL), "isdbgrid") == 0;
}

static int64_t wire_version(const bson_t *hello)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, hello, "maxWireVersion") ? bson_iter_as_int64(&iter) : 0;
}

enum store_status hello_check(const bson_t *hello, struct error *error)
{
    bson_iter_t iter;
    if (is_mongos(hello)) {
        error_set(error, "mongodb: the server is mongos, and sharded clusters are not supported: "
                         "connect to a replica set");
        return STORE_MISCONFIGURED;
    }
    if (!bson_iter_init_find(&iter, hello, "setName")) {
        error_set(error, "mongodb: transactions need a replica set, but the server is not a "
                         "replica set member");
        return STORE_MISCONFIGURED;
    }
    if (wire_version(hello) < WIRE_VERSION_MIN) {
        error_set(error, "mongodb: the server is too old: MongoDB 6.0 or newer is required");
        return STORE_MISCONFIGURED;
    }
    if (bson_iter_init_find(&iter, hello, "isWritablePrimary") && bson_iter_as_bool(&iter))
        return STORE_OK;
    error_set(error, "mongodb: the server is not the primary of its replica set");
    return STORE_UNAVAILABLE;
}
