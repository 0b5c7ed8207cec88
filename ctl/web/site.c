/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/site.h"

#include <string.h>

#include "ctl/web/page.h"

static const struct site_route routes[] = {
    {WEB_GET, "/", groups_page, false},
    {WEB_GET, "/letters", letters_page, false},
    {WEB_GET, "/letter/*", letter_page, false},
    {WEB_GET, "/letter/*/body", body_page, false},
    {WEB_GET, "/letter/*/file", body_file, false},
    {WEB_GET, "/letter/*/edit", edit_page, false},
    {WEB_POST, "/letter/*/edit", edit_submit, false},
    {WEB_POST, "/close", close_submit, false},
    {WEB_POST, "/dry-run", dry_run_submit, false},
    {WEB_POST, "/replay", replay_submit, false},
    {WEB_POST, "/continue", continue_submit, false},
    {WEB_POST, "/stop", stop_submit, true},
    {WEB_GET, "/run/*/progress", run_json, true},
    {WEB_GET, "/run/*", run_page, false},
    {WEB_GET, "/capacity", capacity_page, false},
    {WEB_GET, "/provider/*", provider_page, false},
    {WEB_GET, "/projects", projects_page, false},
    {WEB_GET, "/help", help_page, true},
    {WEB_GET, "/assets/*", asset_file, true},
};
enum { ROUTE_ROWS = sizeof routes / sizeof routes[0] };

struct text site_path_part(struct text path, const char *pattern)
{
    const char *star = strchr(pattern, '*');
    if (star == NULL)
        return text_is(path, pattern) ? path : TEXT_NONE;
    size_t before = (size_t)(star - pattern), after = strlen(star + 1);
    if (path.length <= before + after || memcmp(path.bytes, pattern, before) != 0 ||
        memcmp(path.bytes + path.length - after, star + 1, after) != 0)
        return TEXT_NONE;
    struct text part = text_view(path.bytes + before, path.length - before - after);
    return memchr(part.bytes, '/', part.length) == NULL ? part : TEXT_NONE;
}

static bool takes(const struct site_route *route, enum web_method method)
{
    return route->method == (method == WEB_HEAD ? WEB_GET : method);
}

const struct site_route *site_find(const struct site *site, const struct web_request *request,
                                   struct web_response *ret_refusal)
{
    const struct site_route *other = NULL;
    for (size_t i = 0; i < ROUTE_ROWS; i++) {
        if (!text_present(site_path_part(request->path, routes[i].path)))
            continue;
        if (takes(&routes[i], request->method))
            return &routes[i];
        other = &routes[i];
    }
    if (other == NULL) {
        *ret_refusal = page_error(site, request, HTTP_NOT_FOUND, "There is no such page.");
        return NULL;
    }
    *ret_refusal = page_error(site, request, HTTP_METHOD_NOT_ALLOWED,
                              "This address does not take such a request.");
    ret_refusal->allow = other->method == WEB_POST ? "POST" : "GET, HEAD";
    return NULL;
}

struct desk site_desk(const struct site *site, const struct web_request *request)
{
    return (struct desk){
        .store = site->store,
        .settings = site->settings,
        .policy = site->policy,
        .policy_name = site->options->policy_name,
        .by = site->options->by,
        .read_only = site->options->read_only || request->method != WEB_POST,
    };
}
