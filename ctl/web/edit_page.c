/* SPDX-License-Identifier: Apache-2.0 */
/* Edits the body of a letter's command, and sends it under a new key. A body that is not accepted
   comes back with the error beside it. */
#include "common/base/utf8.h"
#include "common/codec/text_cut.h"
#include "ctl/desk/edit.h"
#include "ctl/settings.h"
#include "ctl/web/json_pretty.h"
#include "ctl/web/parts.h"
#include "ctl/web/record.h"

static void add_message(struct html *html, const char *error, bool valid)
{
    if (error[0] != '\0') {
        html_raw(html, "<p class=\"error\" id=\"problem\" role=\"alert\">");
        page_error_text(html, error);
        html_raw(html, "</p>");
    } else if (valid) {
        html_raw(html, "<p class=\"good\" role=\"status\">The command is valid. It was not sent "
                       "yet.</p>");
    }
}

/* A line feed right behind the tag is dropped by browsers, so one is written for them. */
static void add_form(struct html *html, const struct site *site, const struct letter *letter,
                     struct text body, const struct replay_options *options, const char *error)
{
    part_form_begin(html, site,
                    text_format(html->arena, "/letter/%.*s/edit", TEXT_ARGS(letter->id)).bytes);
    html_raw(html, "<label for=\"body\">Body of the command</label><textarea id=\"body\" "
                   "name=\"body\" rows=\"24\" spellcheck=\"false\" autocomplete=\"off\"");
    if (error[0] != '\0')
        html_raw(html, " aria-invalid=\"true\" aria-describedby=\"problem\"");
    html_raw(html, ">\n");
    html_text(html, body);
    html_raw(html, "</textarea>");
    part_kept(html, options, false);
    html_raw(html, "<p class=\"buttons\"><button class=\"primary\" name=\"action\" "
                   "value=\"send\">Send under a new key</button><button name=\"action\" "
                   "value=\"check\">Check only</button></p>");
    part_form_end(html);
}

static struct web_response show(const struct site *site, const struct web_request *request,
                                const struct letter *letter, struct text body, const char *error,
                                bool valid)
{
    struct replay_options options = part_read_options(&request->form);
    struct html html = page_begin(
        site, request,
        text_format(request->arena, "Edit letter %.*s", TEXT_ARGS(text_cut(letter->id, 12))).bytes,
        PAGE_LETTERS);
    html_raw(&html, "<p class=\"lead\">The changed command is sent with the principal <b>");
    part_text(&html, letter->principal, PART_TEXT_BYTES_MAX);
    html_raw(&html, "</b> under a new key. The letter then counts as replayed, and both are "
                    "linked. <a href=\"/letter/");
    html_url(&html, letter->id);
    html_raw(&html, "\">Back to the letter</a></p>");
    if (!utf8_valid(body))
        html_raw(&html, "<p class=\"warning\">The body is not UTF-8: each byte that is not shows "
                        "as \xEF\xBF\xBD, and has to be replaced.</p>");
    add_message(&html, error, valid);
    if (site->runner != NULL)
        add_form(&html, site, letter, body, &options, error);
    struct web_response response = page_end(site, &html);
    if (error[0] != '\0')
        response.status = HTTP_UNPROCESSABLE;
    return response;
}

struct web_response edit_page(const struct site *site, const struct web_request *request)
{
    struct letter_record record;
    struct web_response answer;
    if (!record_read(site, request, "/letter/*/edit", &record, &answer))
        return answer;
    struct text body;
    if (!json_pretty(record.letter.body, request->arena, &body))
        body = record.letter.body;
    return show(site, request, &record.letter, body, "", false);
}

static bool send_body(const struct desk *desk, const struct web_request *request,
                      const struct letter_record *record, struct text body, struct error *error)
{
    struct text key;
    struct amqp_tls tls = broker_settings_tls(desk->settings);
    struct edit edit = {record, body, part_read_options(&request->form)};
    struct client *client = client_open(desk->settings->amqp_uri, &tls, error);
    bool sent = client != NULL && edit_send(desk, client, &edit, request->arena, &key, error);
    client_close(client);
    return sent;
}

struct web_response edit_submit(const struct site *site, const struct web_request *request)
{
    struct letter_record record;
    struct web_response answer;
    struct error error = {""};
    struct text body = form_value(&request->form, "body");
    struct desk desk = site_desk(site, request);
    if (!record_read(site, request, "/letter/*/edit", &record, &answer))
        return answer;
    if (!edit_check(&desk, &record, body, &error))
        return show(site, request, &record.letter, body, error.text, false);
    if (text_is(form_value(&request->form, "action"), "check"))
        return show(site, request, &record.letter, body, "", true);
    if (!send_body(&desk, request, &record, body, &error))
        return show(site, request, &record.letter, body, error.text, false);
    return page_redirect(request, "/letter/", record.letter.id);
}
