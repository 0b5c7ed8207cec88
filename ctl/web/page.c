/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/page.h"

#include <stdio.h>
#include <string.h>

#include "common/base/version.h"
#include "ctl/web/assets.h"

/* --- the frame ------------------------------------------------------------------------------ */

static void add_link(struct html *html, const char *path, const char *name, bool current)
{
    html_raw(html, "<a");
    html_attribute(html, "href", text_of(path));
    if (current)
        html_raw(html, " aria-current=\"page\"");
    html_raw(html, ">");
    html_string(html, name);
    html_raw(html, "</a>");
}

static void add_navigation(struct html *html, enum page_section section)
{
    html_raw(html, "<nav aria-label=\"Sections\">");
    add_link(html, "/", "Letters", section == PAGE_LETTERS);
    add_link(html, "/capacity", "Capacity", section == PAGE_CAPACITY);
    add_link(html, "/projects", "Projects", section == PAGE_PROJECTS);
    add_link(html, "/help", "Help", section == PAGE_HELP);
    html_raw(html, "</nav>");
}

static void add_head(struct html *html, const char *title)
{
    html_raw(html, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                   "<meta name=\"color-scheme\" content=\"light dark\"><title>");
    html_string(html, title);
    html_raw(html, " \xC2\xB7 allot</title><link rel=\"stylesheet\"");
    html_attribute(html, "href", text_of(asset_path("style.css")));
    html_raw(html, "><link rel=\"icon\" type=\"image/svg+xml\"");
    html_attribute(html, "href", text_of(asset_path("icon.svg")));
    html_raw(html, "><script defer");
    html_attribute(html, "src", text_of(asset_path("page.js")));
    html_raw(html, "></script></head><body>");
}

/* Says on every page that a run is going on. */
static void add_run(const struct site *site, struct html *html)
{
    if (site->runner == NULL)
        return;
    struct runner_state state = runner_look_latest(site->runner);
    if (state.phase != RUNNER_GOING)
        return;
    html_raw(html, "<p class=\"note\">A replay is going on: <a href=\"/run/");
    html_url(html, text_of(state.run));
    html_raw(html, "\">see its progress</a>.</p>");
}

struct html page_begin(const struct site *site, const struct web_request *request,
                       const char *title, enum page_section section)
{
    struct html html = html_new(request->arena);
    add_head(&html, title);
    html_raw(&html, "<a class=\"skip\" href=\"#main\">Skip to the content</a><header>"
                    "<a class=\"brand\" href=\"/\">allot</a>");
    add_navigation(&html, section);
    if (site->options->read_only)
        html_raw(&html, "<span class=\"badge\">read-only</span>");
    html_raw(&html, "</header><main id=\"main\" tabindex=\"-1\">");
    if (!text_starts_with(request->path, "/run/"))
        add_run(site, &html);
    html_raw(&html, "<h1>");
    html_string(&html, title);
    html_raw(&html, "</h1>");
    return html;
}

struct web_response page_end(const struct site *site, struct html *html)
{
    html_raw(html, "</main><footer><span>allotctl ");
    html_string(html, version_text());
    html_raw(html, "</span><span>database <b>");
    html_text(html, site->settings->mongodb_database);
    html_raw(html, "</b></span><span>policy <b>");
    html_text(html, site->policy != NULL ? site->options->policy_name : text_of("none"));
    html_raw(html, "</b></span></footer></body></html>\n");
    return (struct web_response){
        .status = HTTP_OK, .type = RESPONSE_HTML, .body = html_result(html)};
}

/* --- errors --------------------------------------------------------------------------------- */

static const char *title_of(unsigned status)
{
    switch (status) {
    case HTTP_NOT_FOUND: return "Not found";
    case HTTP_UNAVAILABLE: return "Not available";
    case HTTP_UNPROCESSABLE: return "Not valid";
    case 401: return "The token is missing";
    default: return "This was not done";
    }
}

struct web_response page_error(const struct site *site, const struct web_request *request,
                               unsigned status, const char *text)
{
    struct html html = page_begin(site, request, title_of(status), PAGE_NONE);
    html_raw(&html, "<p class=\"error\" role=\"alert\">");
    page_error_text(&html, text);
    html_raw(&html, "</p><p><a href=\"/\">To the letters</a></p>");
    struct web_response response = page_end(site, &html);
    response.status = status;
    return response;
}

/* Returns the '@' that ends the credentials of a URI; NULL: there are none. */
static const char *end_of_credentials(const char *authority)
{
    const char *end = NULL;
    size_t length = strcspn(authority, "/ \t\n'\"");
    for (size_t i = 0; i < length; i++)
        if (authority[i] == '@')
            end = authority + i;
    return end;
}

void page_error_text(struct html *html, const char *text)
{
    const char *scheme = NULL;
    while ((scheme = strstr(text, "://")) != NULL) {
        html_text(html, text_view(text, (size_t)(scheme - text) + 3));
        text = scheme + 3;
        const char *end = end_of_credentials(text);
        if (end != NULL) {
            html_raw(html, "***");
            text = end;
        }
    }
    html_string(html, text);
}

struct web_response page_failure(const struct site *site, const struct web_request *request,
                                 const char *what, const struct error *error)
{
    struct html html = page_begin(site, request, title_of(HTTP_UNAVAILABLE), PAGE_NONE);
    html_raw(&html, "<p class=\"error\" role=\"alert\">");
    html_string(&html, what);
    html_raw(&html, ": ");
    page_error_text(&html, error->text);
    html_raw(&html, "</p><p>Nothing more was done. Reload the page to try again.</p>");
    struct web_response response = page_end(site, &html);
    response.status = HTTP_UNAVAILABLE;
    return response;
}

struct web_response page_redirect(const struct web_request *request, const char *before,
                                  struct text part)
{
    struct html url = html_new(request->arena);
    html_string(&url, before);
    html_url(&url, part);
    return (struct web_response){
        .status = HTTP_SEE_OTHER,
        .type = RESPONSE_HTML,
        .body = text_of(""),
        .location = text_copy(request->arena, html_result(&url)),
    };
}
