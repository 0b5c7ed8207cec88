/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves, discards and reopens letters, after a question if they are several. */
#include "ctl/desk/closing.h"
#include "ctl/web/parts.h"
#include "ctl/web/selection.h"

static const char *done_text(const struct closing *closing)
{
    return closing->state == LETTER_OPEN ? "open again" : letter_state_name(closing->state);
}

/* Letters that were dead-lettered again since they were seen stay as they are. */
static bool close_letters(const struct site *site, const struct web_request *request,
                          const struct closing *closing, const struct selection *selection,
                          size_t *ret_changed, struct error *error)
{
    struct letter_set set = closing_set(closing, selection->ids, selection->count);
    set.last_at_ms = form_number(&request->form, "seen", INT64_MAX, 0);
    struct text note = form_value(&request->form, "note");
    struct letter_note event = {.action = closing->action,
                                .by = site->options->by,
                                .note = note.length > 0 ? note : TEXT_NONE};
    return mongo_letters_close(site->store, &set, closing->state, &event, ret_changed, error) ==
           STORE_OK;
}

static struct web_response ask(const struct site *site, const struct web_request *request,
                               const struct closing *closing, const struct selection *selection)
{
    struct html html =
        page_begin(site, request, text_format(request->arena, "To %s letters", closing->name).bytes,
                   PAGE_LETTERS);
    html_raw(&html, "<p class=\"lead\">");
    part_count(&html, (int64_t)selection->count, "letter");
    html_string(&html, selection->count == 1 ? " is selected." : " are selected.");
    html_raw(&html, "</p>");
    part_form_begin(&html, site, "/close");
    part_ids(&html, "ids", selection->ids, selection->count);
    part_hidden(&html, "action", text_of(closing->name));
    part_hidden(&html, "seen", form_value(&request->form, "seen"));
    part_hidden(&html, "confirm", text_of("1"));
    part_input(&html, "note", "Note, for the history", TEXT_NONE);
    html_raw(&html, "<p><button class=\"primary\">");
    html_format(&html, "%s %zu letter%s", closing->name, selection->count,
                selection->count == 1 ? "" : "s");
    html_raw(&html, "</button></p>");
    part_form_end(&html);
    return page_end(site, &html);
}

static struct web_response report(const struct site *site, const struct web_request *request,
                                  const struct closing *closing, size_t selected, size_t changed)
{
    struct html html = page_begin(site, request, "Done", PAGE_LETTERS);
    html_raw(&html, "<p class=\"lead\" role=\"status\">");
    part_count(&html, (int64_t)changed, "letter");
    html_format(&html, " %s %s.", changed == 1 ? "is" : "are", done_text(closing));
    html_raw(&html, "</p>");
    if (changed < selected) {
        html_raw(&html, "<p class=\"note\">");
        html_integer(&html, (int64_t)(selected - changed));
        html_raw(&html, " stayed as they were: they were in another state, or were dead-lettered "
                        "again meanwhile.</p>");
    }
    html_raw(&html, "<p><a href=\"/\">To the letters</a></p>");
    return page_end(site, &html);
}

struct web_response close_submit(const struct site *site, const struct web_request *request)
{
    struct error error = {""};
    size_t changed = 0;
    const struct closing *closing = closing_find(form_value(&request->form, "action"));
    struct selection selection = selection_of_form(&request->form, request->arena);
    if (closing == NULL)
        return page_error(site, request, HTTP_BAD_REQUEST, "There is no such action.");
    if (selection.count == 0)
        return page_error(site, request, HTTP_UNPROCESSABLE,
                          "No letter is selected. Go back and select some.");
    if (!form_given(&request->form, "confirm"))
        return ask(site, request, closing, &selection);
    if (!close_letters(site, request, closing, &selection, &changed, &error))
        return page_failure(site, request, "The letters cannot be changed", &error);
    if (selection.count == 1 && changed == 1)
        return page_redirect(request, "/letter/", selection.ids[0]);
    return report(site, request, closing, selection.count, changed);
}
