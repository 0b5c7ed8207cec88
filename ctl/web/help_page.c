/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/page.h"
#include "ctl/web/reason.h"

static void add_reasons(struct html *html)
{
    html_raw(html, "<h2>Reasons of letters</h2><dl class=\"reasons\">");
    for (size_t i = 0; reason_at(i) != NULL; i++) {
        const struct reason *reason = reason_at(i);
        html_raw(html, "<dt");
        html_attribute(html, "id", text_of(reason->name));
        html_raw(html, "><code>");
        html_string(html, reason->name);
        html_raw(html, "</code></dt><dd><p><strong>");
        html_string(html, reason->meaning);
        html_raw(html, "</strong></p><p>");
        html_string(html, reason->remedy);
        html_raw(html, "</p></dd>");
    }
    html_raw(html, "</dl>");
}

struct web_response help_page(const struct site *site, const struct web_request *request)
{
    struct html html = page_begin(site, request, "Help", PAGE_HELP);
    html_raw(
        &html,
        "<p>A <em>letter</em> is the stored record of a command that failed without an answer. "
        "Letters "
        "are open until somebody deals with them: a replay sends the command again, an edit sends "
        "a "
        "changed one in its place, and a letter can be resolved or discarded. Nothing is deleted "
        "here; "
        "letters expire.</p><h2>A replay</h2><ul>"
        "<li>A <em>dry run</em> shows first what would happen now. It changes nothing.</li>"
        "<li>A replay sends the command again with its principal and its key. So policy and "
        "idempotency "
        "apply as to the original: a command that has taken effect already does not take effect "
        "twice.</li>"
        "<li>It leaves out the deadline, the expiration and the reply queue, unless you keep them. "
        "A deadline that has passed would be recorded, and would use up the key for ever.</li>"
        "<li>It can be stopped, or interrupted at any point, and continued without a second "
        "effect.</li>"
        "</ul><p>More is in <code>docs/operations.md</code>, \xE2\x80\x9C"
        "Dead letters\xE2\x80\x9D.</p>");
    add_reasons(&html);
    return page_end(site, &html);
}
