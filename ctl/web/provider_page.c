/* SPDX-License-Identifier: Apache-2.0 */
/* A provider with its consumers, and the usage of projects. */
#include "common/mongo/capacity_read.h"
#include "ctl/web/bar.h"
#include "ctl/web/parts.h"

enum { CONSUMERS_PER_PAGE = 100, PROJECTS_PER_PAGE = 50 };

/* --- a provider ----------------------------------------------------------------------------- */

static void add_link(struct html *html, const char *label, struct uuid id)
{
    struct uuid_text text = uuid_format(id);
    part_property_begin(html, label);
    html_raw(html, "<a");
    html_attribute(html, "href", text_format(html->arena, "/provider/%s", text.chars));
    html_raw(html, "><code>");
    html_string(html, text.chars);
    html_raw(html, "</code></a>");
    part_property_end(html);
}

static void add_provider(struct html *html, const struct provider *provider)
{
    html_raw(html, "<section class=\"card\"><div class=\"classes\">");
    for (size_t i = 0; i < provider->record_count; i++) {
        struct bar bar = bar_of(&provider->records[i]);
        bar_write(html, &bar, &provider->records[i]);
    }
    if (provider->record_count == 0)
        html_raw(html, "<p class=\"faint\">no inventory</p>");
    html_raw(html, "</div><dl class=\"properties\">");
    part_property_begin(html, "UUID");
    html_raw(html, "<code>");
    html_string(html, uuid_format(provider->id).chars);
    html_raw(html, "</code>");
    part_property_end(html);
    if (provider->has_parent)
        add_link(html, "Parent", provider->parent);
    if (!uuid_equal(provider->root, provider->id))
        add_link(html, "Root", provider->root);
    part_property_begin(html, "Generation");
    html_integer(html, provider->generation);
    part_property_end(html);
    html_raw(html, "</dl></section>");
}

static void add_consumer(struct html *html, const struct consumer *consumer)
{
    html_raw(html, "<tr><td data-label=\"Consumer\"><code>");
    html_string(html, uuid_format(consumer->id).chars);
    html_raw(html, "</code></td><td data-label=\"Type\">");
    part_text(html, consumer->consumer_type, PART_TEXT_BYTES_MAX);
    html_raw(html, "</td><td data-label=\"Project\">");
    part_text(html, consumer->project_id, PART_TEXT_BYTES_MAX);
    html_raw(html, "</td><td data-label=\"User\">");
    part_text(html, consumer->user_id, PART_TEXT_BYTES_MAX);
    html_raw(html, "</td><td data-label=\"Has here\">");
    for (size_t i = 0; i < consumer->allocation_count; i++) {
        html_raw(html, "<span class=\"amount\">");
        html_text(html, consumer->allocations[i].resource_class);
        html_raw(html, " <b>");
        html_integer(html, consumer->allocations[i].amount);
        html_raw(html, "</b></span> ");
    }
    html_raw(html, "</td></tr>");
}

static void add_consumers(struct html *html, const struct provider *provider,
                          const struct capacity_consumers *consumers)
{
    html_raw(html, "<h2>Consumers</h2>");
    if (consumers->count == 0) {
        html_raw(html, "<p class=\"empty\">Nobody uses this provider.</p>");
        return;
    }
    html_raw(html,
             "<table class=\"cards\"><thead><tr><th scope=\"col\">Consumer</th>"
             "<th scope=\"col\">Type</th><th scope=\"col\">Project</th>"
             "<th scope=\"col\">User</th><th scope=\"col\">Has here</th></tr></thead><tbody>");
    for (size_t i = 0; i < consumers->count; i++)
        add_consumer(html, &consumers->list[i]);
    html_raw(html, "</tbody></table>");
    if (!consumers->more)
        return;
    html_raw(html, "<nav class=\"pages\" aria-label=\"Pages\"><a href=\"/provider/");
    html_string(html, uuid_format(provider->id).chars);
    html_raw(html, "?after=");
    html_string(html, uuid_format(consumers->list[consumers->count - 1].id).chars);
    html_raw(html, "\">next consumers \xE2\x86\x92</a></nav>");
}

struct web_response provider_page(const struct site *site, const struct web_request *request)
{
    struct error error = {""};
    struct uuid id, after;
    struct capacity_providers found = {0};
    struct capacity_consumers consumers = {0};
    bool has_after = uuid_parse(form_value(&request->query, "after"), &after);
    if (!uuid_parse(site_path_part(request->path, "/provider/*"), &id))
        return page_error(site, request, HTTP_NOT_FOUND, "This is not the UUID of a provider.");
    if (mongo_capacity_provider(site->store, id, request->arena, &found, &error) != STORE_OK ||
        mongo_capacity_consumers(site->store, id, has_after ? &after : NULL, CONSUMERS_PER_PAGE,
                                 request->arena, &consumers, &error) != STORE_OK)
        return page_failure(site, request, "The provider cannot be read", &error);
    if (found.count == 0)
        return page_error(site, request, HTTP_NOT_FOUND, "There is no such provider.");
    struct html html = page_begin(
        site, request,
        text_format(request->arena, "Provider %.*s", TEXT_ARGS(found.list[0].name)).bytes,
        PAGE_CAPACITY);
    html_raw(&html, "<p class=\"lead\"><a href=\"/capacity\">All trees</a></p>");
    add_provider(&html, &found.list[0]);
    add_consumers(&html, &found.list[0], &consumers);
    return page_end(site, &html);
}

/* --- projects ------------------------------------------------------------------------------- */

static void add_project(struct html *html, const struct capacity_project *project)
{
    html_raw(html, "<tr><td data-label=\"Project\">");
    part_text(html, project->project_id, PART_TEXT_BYTES_MAX);
    html_raw(html, "</td><td data-label=\"Consumers\" class=\"number\">");
    html_integer(html, project->consumers);
    html_raw(html, "</td><td data-label=\"Usage\">");
    for (size_t i = 0; i < project->amount_count; i++) {
        html_raw(html, "<span class=\"amount\">");
        html_text(html, project->amounts[i].resource_class);
        html_raw(html, " <b>");
        html_integer(html, project->amounts[i].amount);
        html_raw(html, "</b></span> ");
    }
    html_raw(html, "</td></tr>");
}

static void add_projects(struct html *html, const struct capacity_projects *projects)
{
    html_raw(html, "<table class=\"cards\"><thead><tr><th scope=\"col\">Project</th>"
                   "<th scope=\"col\" class=\"number\">Consumers</th><th scope=\"col\">Usage</th>"
                   "</tr></thead><tbody>");
    for (size_t i = 0; i < projects->count; i++)
        add_project(html, &projects->list[i]);
    html_raw(html, "</tbody></table>");
    if (!projects->more)
        return;
    html_raw(html, "<nav class=\"pages\" aria-label=\"Pages\"><a href=\"/projects?after=");
    html_url(html, projects->list[projects->count - 1].project_id);
    html_raw(html, "\">next projects \xE2\x86\x92</a></nav>");
}

struct web_response projects_page(const struct site *site, const struct web_request *request)
{
    struct error error = {""};
    struct capacity_projects projects;
    struct text after = form_value(&request->query, "after");
    enum store_status status =
        mongo_capacity_projects(site->store, after.length > 0 ? after : TEXT_NONE,
                                PROJECTS_PER_PAGE, request->arena, &projects, &error);
    if (status == STORE_TIMED_OUT)
        return page_error(site, request, HTTP_UNAVAILABLE,
                          "The projects have too many consumers to be added up in time. "
                          "'allotctl usage' asks for one project.");
    if (status != STORE_OK)
        return page_failure(site, request, "The usage cannot be read", &error);
    struct html html = page_begin(site, request, "Usage by project", PAGE_PROJECTS);
    if (projects.count == 0)
        html_raw(&html, "<p class=\"empty\">There are no consumers.</p>");
    else
        add_projects(&html, &projects);
    return page_end(site, &html);
}
