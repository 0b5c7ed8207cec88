/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A page of the list has LETTERS_PER_PAGE letters. Letters of one batch may have the same
 * time, so a page cannot begin behind the last letter of the page before by its time alone: each
 * page reads the ones before again, which is why there are PAGES_MAX of them.
 */
#include "common/codec/text_cut.h"
#include "common/mongo/letters_read.h"
#include "ctl/web/filter.h"
#include "ctl/web/parts.h"

enum { LETTERS_PER_PAGE = 50, PAGES_MAX = 40 };

struct letters {
    const struct site *site;
    struct letter_filter filter;
    struct letter_list list;
    size_t first, end; /* those of this page */
    int64_t page;
    bool more;
    int64_t now_ms;
};

static void add_row(struct html *html, const struct letters *letters,
                    const struct letter_record *record)
{
    const struct letter *letter = &record->letter;
    html_raw(html, "<tr>");
    if (letters->site->runner != NULL) {
        html_raw(html, "<td class=\"pick\"><input type=\"checkbox\" name=\"id\"");
        html_attribute(html, "value", letter->id);
        html_attribute(html, "aria-label",
                       text_format(html->arena, "select %.*s", TEXT_ARGS(text_cut(letter->id, 8))));
        html_raw(html, "></td>");
    }
    html_raw(html, "<td data-label=\"Letter\">");
    part_letter(html, letter->id);
    html_raw(html, "</td><td data-label=\"State\">");
    part_state(html, record->state);
    html_raw(html, "</td><td data-label=\"Cause\">");
    part_reason(html, letter->reason);
    html_raw(html, "<span class=\"detail\">");
    part_text(html, letter->detail, PART_TEXT_BYTES_MAX);
    html_raw(html, "</span></td><td data-label=\"Command\" class=\"name\">");
    part_text(html, letter->command, PART_TEXT_BYTES_MAX);
    html_raw(html, "</td><td data-label=\"Principal\" class=\"name\">");
    part_text(html, letter->principal, PART_TEXT_BYTES_MAX);
    html_raw(html, "</td><td data-label=\"Times\" class=\"number\">");
    html_integer(html, record->count);
    html_raw(html, "</td><td data-label=\"Last\">");
    part_age(html, record->last_at_ms, letters->now_ms);
    html_raw(html, "</td></tr>");
}

static void add_table(struct html *html, const struct letters *letters)
{
    html_raw(html, "<table class=\"cards\"><thead><tr>");
    if (letters->site->runner != NULL)
        html_raw(html, "<th class=\"pick\"><input type=\"checkbox\" data-all=\"id\" hidden "
                       "aria-label=\"select all of this page\"></th>");
    html_raw(html, "<th scope=\"col\">Letter</th><th scope=\"col\">State</th>"
                   "<th scope=\"col\">Cause</th><th scope=\"col\">Command</th>"
                   "<th scope=\"col\">Principal</th><th scope=\"col\" class=\"number\">Times</th>"
                   "<th scope=\"col\">Last</th></tr></thead><tbody>");
    for (size_t i = letters->first; i < letters->end; i++)
        add_row(html, letters, &letters->list.records[i]);
    html_raw(html, "</tbody></table>");
}

static void add_page_link(struct html *html, const struct letters *letters, int64_t page,
                          const char *label)
{
    html_raw(html, "<a href=\"/letters");
    filter_add_query(html, &letters->filter);
    html_raw(html, "&amp;page=");
    html_integer(html, page);
    html_raw(html, "\">");
    html_string(html, label);
    html_raw(html, "</a>");
}

static void add_pages(struct html *html, const struct letters *letters)
{
    html_raw(html, "<nav class=\"pages\" aria-label=\"Pages\">");
    if (letters->page > 1)
        add_page_link(html, letters, letters->page - 1, "\xE2\x86\x90 newer");
    html_format(html, "letters %zu to %zu", letters->first + 1, letters->end);
    if (letters->more && letters->page < PAGES_MAX)
        add_page_link(html, letters, letters->page + 1, "older \xE2\x86\x92");
    else if (letters->more)
        html_raw(html, "<span>there are more: use the filter</span>");
    html_raw(html, "</nav>");
}

/* Each button sends the letters that are selected; `all` those of the filter. */
static void add_actions(struct html *html)
{
    html_raw(
        html,
        "<fieldset class=\"actions\"><legend>With the selected letters</legend>"
        "<button class=\"primary\" formaction=\"/dry-run\">Dry run</button>"
        "<button formaction=\"/close\" name=\"action\" "
        "value=\"resolve\">Resolve\xE2\x80\xA6</button>"
        "<button formaction=\"/close\" name=\"action\" "
        "value=\"discard\">Discard\xE2\x80\xA6</button>"
        "<button formaction=\"/close\" name=\"action\" value=\"reopen\">Reopen\xE2\x80\xA6</button>"
        "</fieldset><fieldset class=\"actions\"><legend>With all letters of this list</legend>"
        "<button formaction=\"/dry-run\" name=\"all\" value=\"1\">Dry run of "
        "all</button></fieldset>");
}

static void add_list(struct html *html, const struct letters *letters)
{
    if (letters->first >= letters->end) {
        html_raw(html, "<p class=\"empty\">There are no such letters.</p>");
        return;
    }
    if (letters->site->runner == NULL) {
        add_table(html, letters);
        add_pages(html, letters);
        return;
    }
    part_form_begin(html, letters->site, "/dry-run");
    filter_add_hidden(html, &letters->filter);
    html_raw(html, "<input type=\"hidden\" name=\"seen\" value=\"");
    html_integer(html, letters->now_ms);
    html_raw(html, "\">");
    add_table(html, letters);
    add_pages(html, letters);
    add_actions(html);
    part_form_end(html);
}

static bool read_letters(struct letters *letters, struct arena *arena, struct error *error)
{
    size_t wanted = (size_t)letters->page * LETTERS_PER_PAGE;
    struct store *store = letters->site->store;
    letters->filter.limit = wanted + 1;
    if (mongo_read_clock(store, &letters->now_ms, error) != STORE_OK ||
        mongo_letters_read(store, &letters->filter, LETTER_NEWEST_FIRST, false, arena,
                           &letters->list, error) != STORE_OK)
        return false;
    letters->first = wanted - LETTERS_PER_PAGE;
    letters->end = letters->list.count < wanted ? letters->list.count : wanted;
    letters->more = letters->list.count > wanted;
    return true;
}

static void add_heading(struct html *html, const struct letters *letters)
{
    const struct letter_filter *filter = &letters->filter;
    if (!text_present(filter->group) || letters->first >= letters->end)
        return;
    const struct letter *sample = &letters->list.records[letters->first].letter;
    html_raw(html, "<p class=\"lead\">Letters of one cause: ");
    part_reason(html, sample->reason);
    html_raw(html, " ");
    part_text(html, sample->command, PART_TEXT_BYTES_MAX);
    html_raw(html, ". <a href=\"/\">All groups</a></p>");
}

struct web_response letters_page(const struct site *site, const struct web_request *request)
{
    struct error error = {""};
    struct letters letters = {.site = site,
                              .filter = filter_read(&request->query, request->arena),
                              .page = form_number(&request->query, "page", PAGES_MAX, 1)};
    if (letters.page < 1)
        letters.page = 1;
    if (!read_letters(&letters, request->arena, &error))
        return page_failure(site, request, "The letters cannot be read", &error);
    struct html html = page_begin(site, request, "Letters, one by one", PAGE_LETTERS);
    add_heading(&html, &letters);
    filter_add_tabs(&html, "/letters", &letters.filter);
    filter_add_form(&html, &letters.filter);
    add_list(&html, &letters);
    return page_end(site, &html);
}
