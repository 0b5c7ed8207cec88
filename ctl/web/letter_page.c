/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. letter_page() shows all of one letter, from top to bottom: what happened and what to do,
 * what may be done here, the body, the history, the command, the message. body_page() and
 * body_file() show the whole body.
 *
 * What became of the command since is looked up (settle_letters), but not written: a GET changes
 * nothing. If that fails, the page says so, and shows what is stored.
 *
 * Not here: the body itself (body.c), and what the buttons do (close_page.c, edit_page.c,
 * dry_run_page.c).
 */
#include <inttypes.h>

#include "common/codec/field_table.h"
#include "common/codec/text_cut.h"
#include "common/mongo/letters_read.h"
#include "ctl/desk/settle.h"
#include "ctl/headers_json.h"
#include "ctl/letter/json.h"
#include "ctl/web/body.h"
#include "ctl/web/parts.h"
#include "ctl/web/reason.h"
#include "ctl/web/record.h"

enum { HEADERS_MAX = 200, HEADER_BYTES_MAX = 2048, UUIDS_MAX = LETTER_NAMES_MAX };

struct letter_view {
    const struct site *site;
    struct letter_record record;
    int64_t now_ms;
    struct text edited_from; /* absent: it is not the letter of an edited command */
    struct error unsettled;  /* why it is not known what became of it; empty: it is */
};

/* --- what happened -------------------------------------------------------------------------- */

static void add_reason(struct html *html, const struct letter_record *record)
{
    const struct letter *letter = &record->letter;
    const struct reason *reason = reason_find(letter->reason);
    html_raw(html, "<section class=\"card cause-card\"><p class=\"cause-line\">");
    part_reason(html, letter->reason);
    html_raw(html, " <strong>");
    html_string(html, reason != NULL ? reason->meaning : "The command failed.");
    html_raw(html, "</strong></p>");
    if (text_present(letter->detail)) {
        html_raw(html, "<p class=\"detail\">");
        part_text(html, letter->detail, 4 * PART_TEXT_BYTES_MAX);
        html_raw(html, "</p>");
    }
    html_raw(html, "<p>");
    html_string(html, reason != NULL ? reason->remedy : "This reason is not known here.");
    html_raw(html, " <a href=\"/help#");
    html_url(html, text_of(reason != NULL ? reason->name : "unknown"));
    html_raw(html, "\">About the reasons</a></p></section>");
}

static void add_link_line(struct html *html, const char *before, const char *path, struct text id)
{
    html_raw(html, "<p class=\"note\">");
    html_string(html, before);
    html_raw(html, " <a href=\"");
    html_string(html, path);
    html_url(html, id);
    html_raw(html, "\"><code>");
    html_text(html, id);
    html_raw(html, "</code></a></p>");
}

static void add_replay(struct html *html, const struct letter_view *view)
{
    const struct letter_replay *replay = &view->record.replay;
    if (replay->phase == LETTER_PHASE_NONE)
        return;
    html_raw(html, "<p class=\"note\">");
    switch (replay->phase) {
    case LETTER_PHASE_SELECTED: html_raw(html, "Selected for a replay, and not sent yet, "); break;
    case LETTER_PHASE_SENDING:
        html_raw(html, "A replay was begun, and may have been sent, ");
        break;
    case LETTER_PHASE_SENT: html_raw(html, "Replayed "); break;
    case LETTER_PHASE_NONE: break;
    }
    part_age(html, replay->at_ms, view->now_ms);
    html_raw(html, " by ");
    part_text(html, replay->by, PART_TEXT_BYTES_MAX);
    html_raw(html, ": <a href=\"/run/");
    html_url(html, replay->run);
    html_raw(html, "\">see the run</a></p>");
}

static void add_fate(struct html *html, const struct letter_view *view)
{
    const struct letter_record *record = &view->record;
    if (view->unsettled.text[0] != '\0') {
        html_raw(html, "<p class=\"warning\">It is not known whether the command has succeeded "
                       "since: ");
        page_error_text(html, view->unsettled.text);
        html_raw(html, "</p>");
    }
    add_replay(html, view);
    if (text_present(view->edited_from))
        add_link_line(html, "The command was sent in place of that of the letter", "/letter/",
                      view->edited_from);
    if (text_present(record->edited_to))
        add_link_line(html,
                      "A changed command was sent in place of this one. If it failed too, it has "
                      "the letter",
                      "/letter/", record->edited_to);
}

/* --- what may be done ----------------------------------------------------------------------- */

static void add_close_form(struct html *html, const struct letter_view *view)
{
    const struct letter_record *record = &view->record;
    bool open = record->state == LETTER_OPEN || record->state == LETTER_REPLAYED;
    part_form_begin(html, view->site, "/close");
    part_hidden(html, "id", record->letter.id);
    html_raw(html, "<input type=\"hidden\" name=\"confirm\" value=\"1\"><input type=\"hidden\" "
                   "name=\"seen\" value=\"");
    html_integer(html, record->last_at_ms);
    html_raw(html, "\">");
    part_input(html, "note", "Note", TEXT_NONE);
    if (open)
        html_raw(html, "<button name=\"action\" value=\"resolve\">Resolve</button>"
                       "<button name=\"action\" value=\"discard\">Discard</button>");
    if (record->state != LETTER_OPEN)
        html_raw(html, "<button name=\"action\" value=\"reopen\">Reopen</button>");
    part_form_end(html);
}

static void add_actions(struct html *html, const struct letter_view *view)
{
    const struct letter_record *record = &view->record;
    if (view->site->runner == NULL)
        return;
    html_raw(html, "<section class=\"actions\" aria-label=\"Actions\">");
    if (record->state == LETTER_OPEN) {
        part_form_begin(html, view->site, "/dry-run");
        part_hidden(html, "id", record->letter.id);
        html_raw(html, "<button class=\"primary\">Dry run</button>");
        part_form_end(html);
        html_raw(html, "<a class=\"button\" href=\"/letter/");
        html_url(html, record->letter.id);
        html_raw(html, "/edit\">Edit</a>");
    }
    add_close_form(html, view);
    html_raw(html, "</section>");
}

/* --- history -------------------------------------------------------------------------------- */

static void add_event_what(struct html *html, const struct letter_event *event)
{
    html_raw(html, "<strong>");
    if (event->action == LETTER_ACTION_NONE) {
        html_raw(html, "dead-lettered</strong>: ");
        part_reason(html, event->reason);
    } else {
        html_string(html, letter_action_name(event->action));
        html_raw(html, "</strong>");
    }
    if (text_present(event->by)) {
        html_raw(html, " by ");
        part_text(html, event->by, PART_TEXT_BYTES_MAX);
    }
    if (text_present(event->worker)) {
        html_raw(html, " <span class=\"faint\">on ");
        part_text(html, event->worker, PART_TEXT_BYTES_MAX);
        html_raw(html, "</span>");
    }
}

static void add_event_texts(struct html *html, const struct letter_event *event)
{
    const struct text texts[] = {event->detail, event->note, event->key};
    const char *const labels[] = {"", "note: ", "key: "};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!text_present(texts[i]))
            continue;
        html_raw(html, "<span class=\"detail\">");
        html_string(html, labels[i]);
        part_text(html, texts[i], PART_TEXT_BYTES_MAX);
        html_raw(html, "</span>");
    }
}

static void add_history(struct html *html, const struct letter_view *view)
{
    const struct letter_record *record = &view->record;
    html_raw(html, "<section><h2>History</h2><ol class=\"history\" reversed>");
    for (size_t i = record->history_count; i > 0; i--) {
        const struct letter_event *event = &record->history[i - 1];
        html_raw(html, "<li>");
        part_time(html, event->at_ms, view->now_ms);
        html_raw(html, "<div>");
        add_event_what(html, event);
        add_event_texts(html, event);
        html_raw(html, "</div></li>");
    }
    html_raw(html, "</ol></section>");
}

/* --- the command and the message ------------------------------------------------------------ */

static void add_uuids(struct html *html, const char *label, const char *path,
                      const struct uuid *uuids, size_t count)
{
    if (count == 0)
        return;
    part_property_begin(html, label);
    for (size_t i = 0; i < count && i < UUIDS_MAX; i++) {
        struct uuid_text text = uuid_format(uuids[i]);
        html_raw(html, "<div>");
        if (path != NULL) {
            html_raw(html, "<a");
            html_attribute(html, "href", text_format(html->arena, "%s%s", path, text.chars));
            html_raw(html, ">");
        }
        html_raw(html, "<code>");
        html_string(html, text.chars);
        html_raw(html, "</code>");
        if (path != NULL)
            html_raw(html, "</a>");
        html_raw(html, "</div>");
    }
    part_property_end(html);
}

static void add_number(struct html *html, const char *label, int64_t number)
{
    part_property_begin(html, label);
    html_integer(html, number);
    part_property_end(html);
}

static void add_time(struct html *html, const struct letter_view *view, const char *label,
                     int64_t time_ms)
{
    if (time_ms == 0)
        return;
    part_property_begin(html, label);
    part_time(html, time_ms, view->now_ms);
    part_property_end(html);
}

static void add_command(struct html *html, const struct letter_view *view)
{
    const struct letter_record *record = &view->record;
    const struct letter *letter = &record->letter;
    html_raw(html, "<section><h2>Command</h2><dl class=\"properties\">");
    part_property(html, "Id", letter->id);
    part_property(html, "Command", letter->command);
    part_property(html, "Principal", letter->principal);
    part_property(html, "Key", letter->key);
    part_property(html, "New key", record->new_key);
    part_property(html, "Key of the edit", record->edited_key);
    part_property(html, "Project", letter->project);
    add_uuids(html, "Consumers", NULL, letter->consumers, letter->consumer_count);
    add_uuids(html, "Providers", "/provider/", letter->providers, letter->provider_count);
    add_number(html, "Dead-lettered", record->count);
    add_time(html, view, "First", record->first_at_ms);
    add_time(html, view, "Last", record->last_at_ms);
    add_time(html, view, "Expires", record->expires_at_ms);
    part_property(html, "Dead letter", text_of(letter_publication(record)));
    part_property(html, "Refused", record->refused);
    part_property(html, "Source", text_of(letter_source_name(letter->source)));
    part_property(html, "Queue", letter->queue);
    part_property(html, "Worker", letter->worker);
    add_number(html, "Attempts", letter->attempts);
    part_property(html, "Trace", letter->traceparent);
    part_property(html, "SHA-256", letter->body_sha256);
    html_raw(html, "</dl></section>");
}

static void add_properties(struct html *html, const struct properties *properties)
{
    html_raw(html, "<section><h2>Message properties</h2><dl class=\"properties\">");
#define X(member, constant) part_property(html, #member, properties->member);
    TEXT_PROPERTIES(X)
#undef X
    if (properties->has_priority)
        add_number(html, "priority", properties->priority);
    if (properties->has_timestamp)
        part_property(html, "timestamp",
                      text_format(html->arena, "%" PRIu64, properties->timestamp));
    html_raw(html, "</dl></section>");
}

static void add_headers(struct html *html, struct text table)
{
    struct field_cursor cursor = field_table_begin(table);
    struct field field;
    size_t count = 0;
    html_raw(html, "<section><h2>Headers</h2><dl class=\"properties\">");
    for (; count < HEADERS_MAX && field_table_next(&cursor, &field); count++) {
        struct json_writer value = json_writer_new(html->arena);
        headers_json_write_value(&value, &field);
        html_raw(html, "<dt>");
        part_text(html, field.name, PART_TEXT_BYTES_MAX);
        html_raw(html, "</dt><dd>");
        part_text(html, json_writer_text(&value), HEADER_BYTES_MAX);
        html_raw(html, "</dd>");
    }
    html_raw(html, "</dl>");
    if (count == 0)
        html_raw(html, "<p class=\"faint\">none</p>");
    if (count == HEADERS_MAX)
        html_raw(html, "<p class=\"faint\">There may be more headers than these.</p>");
    html_raw(html, "</section>");
}

/* --- the page ------------------------------------------------------------------------------- */

static void settle(const struct site *site, const struct web_request *request,
                   struct letter_view *view)
{
    struct desk desk = site_desk(site, request);
    if (!settle_letters(&desk, &view->record, 1, request->arena, &view->unsettled) &&
        view->unsettled.text[0] == '\0')
        error_set(&view->unsettled, "the database does not answer");
}

struct web_response letter_page(const struct site *site, const struct web_request *request)
{
    struct letter_view view = {.site = site, .unsettled = {""}};
    struct web_response answer;
    struct error error = {""};
    if (!record_read(site, request, "/letter/*", &view.record, &answer))
        return answer;
    if (mongo_read_clock(site->store, &view.now_ms, &error) != STORE_OK ||
        mongo_letter_edited_from(site->store, view.record.letter.id, request->arena,
                                 &view.edited_from, &error) != STORE_OK)
        return page_failure(site, request, "The letter cannot be read", &error);
    settle(site, request, &view);
    const struct letter *letter = &view.record.letter;
    struct html html = page_begin(
        site, request,
        text_format(request->arena, "Letter %.*s", TEXT_ARGS(text_cut(letter->id, 12))).bytes,
        PAGE_LETTERS);
    html_raw(&html, "<p class=\"lead\">");
    part_state(&html, view.record.state);
    html_raw(&html, " ");
    part_text(&html, letter->command.length > 0 ? letter->command : text_of("no command"),
              PART_TEXT_BYTES_MAX);
    html_raw(&html, " of ");
    part_text(&html, letter->principal, PART_TEXT_BYTES_MAX);
    html_raw(&html, ", ");
    part_age(&html, view.record.last_at_ms, view.now_ms);
    html_raw(&html, "</p>");
    add_fate(&html, &view);
    add_reason(&html, &view.record);
    add_actions(&html, &view);
    html_raw(&html, "<section><h2>Body</h2>");
    body_add(&html, letter, false);
    html_raw(&html, "</section>");
    add_history(&html, &view);
    html_raw(&html, "<div class=\"columns\">");
    add_command(&html, &view);
    html_raw(&html, "<div>");
    add_properties(&html, &letter->properties);
    add_headers(&html, letter->raw_headers);
    html_raw(&html, "</div></div>");
    return page_end(site, &html);
}

struct web_response body_page(const struct site *site, const struct web_request *request)
{
    struct letter_record record;
    struct web_response answer;
    if (!record_read(site, request, "/letter/*/body", &record, &answer))
        return answer;
    struct html html = page_begin(site, request, "Body of a letter", PAGE_LETTERS);
    html_raw(&html, "<p class=\"lead\">Letter ");
    part_letter(&html, record.letter.id);
    html_raw(&html, "</p>");
    body_add(&html, &record.letter, true);
    return page_end(site, &html);
}

struct web_response body_file(const struct site *site, const struct web_request *request)
{
    struct letter_record record;
    struct web_response answer;
    if (!record_read(site, request, "/letter/*/file", &record, &answer))
        return answer;
    return (struct web_response){
        .status = HTTP_OK,
        .type = RESPONSE_BYTES,
        .body = record.letter.body,
        .file_name = text_format(request->arena, "letter-%.*s.body",
                                 TEXT_ARGS(text_cut(record.letter.id, 12))),
    };
}
