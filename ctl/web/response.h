/* SPDX-License-Identifier: Apache-2.0 */
/* What a request is answered with. Texts are in the arena of the request, or static. */
#ifndef ALLOT_CTL_WEB_RESPONSE_H
#define ALLOT_CTL_WEB_RESPONSE_H

#include "common/base/text.h"

enum {
    HTTP_OK = 200,
    HTTP_SEE_OTHER = 303,
    HTTP_BAD_REQUEST = 400,
    HTTP_NOT_FOUND = 404,
    HTTP_METHOD_NOT_ALLOWED = 405,
    HTTP_CONFLICT = 409,
    HTTP_TOO_LARGE = 413,
    HTTP_UNPROCESSABLE = 422,
    HTTP_INTERNAL = 500,
    HTTP_UNAVAILABLE = 503
};

/* X(identifier, content type) */
#define RESPONSE_TYPES(X)                                                                          \
    X(HTML, "text/html; charset=utf-8")                                                            \
    X(PLAIN, "text/plain; charset=utf-8")                                                          \
    X(JSON, "application/json")                                                                    \
    X(CSS, "text/css; charset=utf-8")                                                              \
    X(JAVASCRIPT, "text/javascript; charset=utf-8")                                                \
    X(SVG, "image/svg+xml")                                                                        \
    X(BYTES, "application/octet-stream")

enum response_type {
#define X(id, name) RESPONSE_##id,
    RESPONSE_TYPES(X)
#undef X
};

struct web_response {
    unsigned status;
    enum response_type type;
    struct text body;
    struct text location;  /* of SEE_OTHER: a path of this page, with a NUL behind it */
    struct text file_name; /* the browser saves the body under it; a NUL follows */
    const char *allow;     /* of METHOD_NOT_ALLOWED; static */
    bool login;            /* set the cookie */
    bool cacheable;        /* the same for ever */
};

#endif
