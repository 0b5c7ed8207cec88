/* SPDX-License-Identifier: Apache-2.0 */
/* A request of a browser, as the pages see it. All texts are in its arena. */
#ifndef ALLOT_CTL_WEB_REQUEST_H
#define ALLOT_CTL_WEB_REQUEST_H

#include "ctl/web/form.h"

enum web_method { WEB_GET, WEB_HEAD, WEB_POST, WEB_OTHER };

struct web_request {
    struct arena *arena; /* of the request: pages are made in it */
    enum web_method method;
    struct text path; /* decoded */
    struct form query;
    struct form form; /* of a POST */
    /* Headers; absent if they were not sent. */
    struct text host; /* absent, too, if it was sent twice */
    struct text origin;
    struct text cookie;
    struct text fetch_site; /* Sec-Fetch-Site */
    struct text content_type;
};

/* Sets path and query from what stands in the request line. Returns false if it is not an absolute
   path, or the query has too many fields. */
ALLOT_CHECK bool request_read_target(struct web_request *request, struct text target);
/* Sets the form from the body. Returns false if its content type is not that of a form, or it has
   too many fields. */
ALLOT_CHECK bool request_read_form(struct web_request *request, struct text body);

#endif
