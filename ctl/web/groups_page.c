/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/letters_read.h"
#include "ctl/web/filter.h"
#include "ctl/web/parts.h"

enum { GROUPS_MAX = 200 };

static void add_row(struct html *html, const struct letter_group_row *row,
                    const struct letter_filter *filter, int64_t now_ms)
{
    html_raw(html, "<tr><td data-label=\"Letters\" class=\"number\"><strong>");
    html_integer(html, row->count);
    html_raw(html,
             "</strong></td><td data-label=\"Cause\"><a class=\"cause\" href=\"/letters?group=");
    html_url(html, row->group);
    if (filter->has_state) {
        html_raw(html, "&amp;state=");
        html_string(html, letter_state_name(filter->state));
    }
    html_raw(html, "\"><code>");
    part_text(html, row->reason, PART_TEXT_BYTES_MAX);
    html_raw(html, "</code> <span>");
    part_text(html, row->command.length > 0 ? row->command : text_of("no command"),
              PART_TEXT_BYTES_MAX);
    html_raw(html, "</span></a><span class=\"detail\">");
    part_text(html, row->detail, PART_TEXT_BYTES_MAX);
    html_raw(html, "</span></td><td data-label=\"First\">");
    part_age(html, row->first_at_ms, now_ms);
    html_raw(html, "</td><td data-label=\"Last\">");
    part_age(html, row->last_at_ms, now_ms);
    html_raw(html, "</td><td data-label=\"Newest\">");
    part_letter(html, row->sample);
    html_raw(html, "</td></tr>");
}

static void add_table(struct html *html, const struct letter_group_row *rows, size_t count,
                      const struct letter_filter *filter, int64_t now_ms)
{
    html_raw(html,
             "<table class=\"cards\"><thead><tr><th scope=\"col\" class=\"number\">Letters</th>"
             "<th scope=\"col\">Cause</th><th scope=\"col\">First</th>"
             "<th scope=\"col\">Last</th><th scope=\"col\">Newest letter</th></tr></thead>"
             "<tbody>");
    for (size_t i = 0; i < count; i++)
        add_row(html, &rows[i], filter, now_ms);
    html_raw(html, "</tbody></table>");
}

static void add_lead(struct html *html, const struct letter_group_row *rows, size_t count)
{
    int64_t letters = 0;
    for (size_t i = 0; i < count; i++)
        letters += rows[i].count;
    html_raw(html, "<p class=\"lead\">");
    part_count(html, letters, "letter");
    html_raw(html, " in ");
    part_count(html, (int64_t)count, "group");
    html_raw(html, " of one cause each, the newest first.");
    if (count == GROUPS_MAX)
        html_raw(html, " There may be more groups than these.");
    html_raw(html, " <a href=\"/letters?state=all\">All letters, one by one</a></p>");
}

struct web_response groups_page(const struct site *site, const struct web_request *request)
{
    struct error error = {""};
    struct letter_filter filter = filter_read(&request->query, request->arena);
    struct letter_group_row *rows = NULL;
    size_t count = 0;
    int64_t now_ms = 0;
    if (!form_given(&request->query, "state"))
        filter.has_state = true; /* open */
    filter.limit = GROUPS_MAX;
    if (mongo_read_clock(site->store, &now_ms, &error) != STORE_OK ||
        mongo_letter_groups(site->store, &filter, request->arena, &rows, &count, &error) !=
            STORE_OK)
        return page_failure(site, request, "The letters cannot be read", &error);
    struct html html = page_begin(site, request, "Letters", PAGE_LETTERS);
    filter_add_tabs(&html, "/", &filter);
    if (count == 0) {
        html_raw(&html, "<p class=\"empty\">There are no such letters.</p>");
        return page_end(site, &html);
    }
    add_lead(&html, rows, count);
    add_table(&html, rows, count, &filter, now_ms);
    return page_end(site, &html);
}
