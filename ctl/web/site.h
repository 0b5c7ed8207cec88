/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The site: its pages, by method and path, and what they work with. GET changes nothing, neither in
 * the database nor at the broker.
 */
#ifndef ALLOT_CTL_WEB_SITE_H
#define ALLOT_CTL_WEB_SITE_H

#include "ctl/desk/desk.h"
#include "ctl/web/guard.h"
#include "ctl/web/request.h"
#include "ctl/web/response.h"
#include "ctl/web/runner.h"
#include "ctl/web/web.h"

struct site {
    const struct web_options *options; /* borrowed, as all else */
    const struct settings *settings;
    const struct policy *policy; /* or NULL */
    struct guard guard;
    struct runner *runner; /* NULL: read-only */
    struct store *store;   /* of the desk thread: pages that are not `quick` may use it */
};

/* Makes the answer to a request. */
typedef struct web_response (*site_page)(const struct site *site,
                                         const struct web_request *request);

struct site_route {
    enum web_method method; /* GET or POST; a GET answers HEAD, too */
    const char *path;       /* a '*' stands for one or more characters, but no '/' */
    site_page page;
    bool quick; /* uses neither the database nor the broker */
};

/* Returns the route of a request; NULL: there is none, and `ret_refusal` is the answer. */
const struct site_route *site_find(const struct site *site, const struct web_request *request,
                                   struct web_response *ret_refusal);
/* Returns the part of the path that the first '*' of the pattern stands for; absent if the path
   does not match. */
struct text site_path_part(struct text path, const char *pattern);

/* Returns the desk for a page: one that writes nothing for a GET, and with --read-only. */
struct desk site_desk(const struct site *site, const struct web_request *request);

/* --- the pages, by file --- */

struct web_response groups_page(const struct site *site, const struct web_request *request);
struct web_response letters_page(const struct site *site, const struct web_request *request);
struct web_response letter_page(const struct site *site, const struct web_request *request);
struct web_response body_page(const struct site *site, const struct web_request *request);
struct web_response body_file(const struct site *site, const struct web_request *request);
struct web_response edit_page(const struct site *site, const struct web_request *request);
struct web_response edit_submit(const struct site *site, const struct web_request *request);
struct web_response close_submit(const struct site *site, const struct web_request *request);
struct web_response dry_run_submit(const struct site *site, const struct web_request *request);
struct web_response replay_submit(const struct site *site, const struct web_request *request);
struct web_response continue_submit(const struct site *site, const struct web_request *request);
struct web_response stop_submit(const struct site *site, const struct web_request *request);
struct web_response run_page(const struct site *site, const struct web_request *request);
struct web_response run_json(const struct site *site, const struct web_request *request);
struct web_response capacity_page(const struct site *site, const struct web_request *request);
struct web_response provider_page(const struct site *site, const struct web_request *request);
struct web_response projects_page(const struct site *site, const struct web_request *request);
struct web_response help_page(const struct site *site, const struct web_request *request);
struct web_response asset_file(const struct site *site, const struct web_request *request);

#endif
