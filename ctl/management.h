/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the broker's management API, over HTTP or HTTPS, with libcurl. */
#ifndef ALLOT_CTL_MANAGEMENT_H
#define ALLOT_CTL_MANAGEMENT_H

#include <jansson.h>

#include "allot/attributes.h"
#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/text.h"

enum {
    HTTP_OK = 200,
    HTTP_UNAUTHORIZED = 401,
    HTTP_FORBIDDEN = 403,
    HTTP_NOT_FOUND = 404,
    HTTP_UNAVAILABLE = 503
};

struct management;

/*
 * Prepares to read the API at `uri`: http[s]://user:password@host:port. No connection is made yet.
 * `ca_file` may be empty: then the system's trust store is used. Returns NULL, with an error, if
 * libcurl cannot be used. The caller frees the result.
 */
struct management *management_new(const char *uri, struct text ca_file, struct error *error);
void management_free(struct management *management); /* NULL is allowed */

/* Returns the name in the form that it has in a path, in `arena`. */
struct text management_escape(struct management *management, struct arena *arena, struct text name);

/*
 * Gets /api/PATH. Sets `ret_json`, which the caller releases, to the answer; NULL if it is not
 * JSON. Returns the HTTP status; 0, with an error, if there is no answer within 10 s, or one of
 * more than 16 MiB.
 */
long management_get(struct management *management, struct text path, json_t **ret_json,
                    struct error *error);

#endif
