/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/body.h"

#include <inttypes.h>

#include "common/base/utf8.h"
#include "common/codec/text_cut.h"
#include "ctl/web/json_pretty.h"

static void add_description(struct html *html, const struct letter *letter, bool json)
{
    html_raw(html, "<p class=\"faint\">");
    html_format(html, "%" PRIu64 " bytes", letter->body_size);
    if (letter->body.length < letter->body_size)
        html_format(html, ", of which the letter has %s%zu",
                    letter->body.length > 0 ? "the first " : "", letter->body.length);
    if (json)
        html_raw(html, "; JSON, shown in lines");
    else if (!utf8_valid(letter->body))
        html_raw(html, "; not UTF-8: each byte that is not shows as \xEF\xBF\xBD");
    if (letter->body.length > 0) {
        html_raw(html, "; <a href=\"/letter/");
        html_url(html, letter->id);
        html_raw(html, "/file\">save it as it came</a>");
    }
    html_raw(html, "</p>");
}

void body_add(struct html *html, const struct letter *letter, bool all)
{
    struct text text = letter->body;
    bool json = json_pretty(letter->body, html->arena, &text);
    if (!json)
        text = letter->body;
    struct text shown = all ? text : text_cut(text, BODY_SHOWN_BYTES);
    add_description(html, letter, json);
    if (text.length == 0)
        return;
    html_raw(html, "<pre class=\"body\" tabindex=\"0\" aria-label=\"Body\">");
    html_text(html, shown);
    html_raw(html, "</pre>");
    if (shown.length < text.length) {
        html_raw(html, "<p><a href=\"/letter/");
        html_url(html, letter->id);
        html_raw(html, "/body\">All of it</a>: ");
        html_format(html, "%zu bytes more.", text.length - shown.length);
        html_raw(html, "</p>");
    }
}
