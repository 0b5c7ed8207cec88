/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A run that this process has begun is known to the runner, which says how far it is. Of
 * any other run (of the command line, or of a process that ended) the letters say it: their phases
 * and states (note_letter).
 *
 * While a run is going on, page.js asks for /run/RUN/progress once a second; without it the page
 * reloads itself. The JSON comes from the runner alone, so it does not wait for the database.
 *
 * Not here: the thread that replays (runner.c).
 */
#include <inttypes.h>

#include "common/codec/json_write.h"
#include "common/mongo/letters_read.h"
#include "ctl/desk/replay.h"
#include "ctl/web/parts.h"
#include "ctl/web/selection.h"

enum {
    RATE_DEFAULT = 50,
    RATE_MAX = 10000,
    FAILURES_MAX = 10000,
    ANSWER_TIMEOUT_MS = 30 * 1000,
    ROWS_MAX = 500,
    COUNTED_MAX = 20000
};

/* --- begin, continue, stop ------------------------------------------------------------------ */

static struct replay_pace read_pace(const struct form *form)
{
    int64_t rate = form_number(form, "rate", RATE_MAX, RATE_DEFAULT);
    return (struct replay_pace){
        .rate = rate > 0 ? rate : RATE_DEFAULT,
        .stop_at_failures = form_number(form, "stop_at_failures", FAILURES_MAX, 0),
        .timeout_ms = ANSWER_TIMEOUT_MS,
    };
}

static struct web_response start(const struct site *site, const struct web_request *request,
                                 struct text run)
{
    struct error error = {""};
    struct replay_options options = part_read_options(&request->form);
    struct replay_pace pace = read_pace(&request->form);
    if (!runner_start(site->runner, run, &options, &pace, &error))
        return page_error(
            site, request, HTTP_CONFLICT,
            text_format(request->arena, "The replay was not begun: %s.", error.text).bytes);
    return page_redirect(request, "/run/", run);
}

static struct text field_of(const struct form *form)
{
    bool good = text_is(form_value(form, "which"), "good");
    return form_value(form, good ? "good" : "ids");
}

struct web_response replay_submit(const struct site *site, const struct web_request *request)
{
    struct error error = {""};
    struct form_field field = {text_of("ids"), field_of(&request->form)};
    struct selection selection = selection_of_form(&(struct form){&field, 1}, request->arena);
    struct desk desk = site_desk(site, request);
    struct text run;
    if (selection.count == 0)
        return page_error(site, request, HTTP_UNPROCESSABLE, "No letter is selected.");
    if (runner_look_latest(site->runner).phase == RUNNER_GOING)
        return page_error(site, request, HTTP_CONFLICT,
                          "Another replay is going on. Wait for its end, or stop it.");
    if (!replay_select(&desk, selection.ids, selection.count, request->arena, &run, &error))
        return page_failure(site, request, "The letters cannot be selected", &error);
    return start(site, request, run);
}

struct web_response continue_submit(const struct site *site, const struct web_request *request)
{
    return start(site, request, form_value(&request->form, "run"));
}

struct web_response stop_submit(const struct site *site, const struct web_request *request)
{
    struct text run = form_value(&request->form, "run");
    runner_stop(site->runner, run);
    return page_redirect(request, "/run/", run);
}

/* --- progress ------------------------------------------------------------------------------- */

/* What the page knows of a run. */
struct run_view {
    const struct site *site;
    struct text run;
    struct runner_state state; /* UNKNOWN: the numbers are those of the letters */
    struct html *html;
    size_t counted;
    size_t unsent;
    size_t rows;
    int64_t now_ms;
};

static const char *phase_word(const struct runner_state *state)
{
    switch (state->phase) {
    case RUNNER_GOING: return state->stopping ? "stopping" : "going";
    case RUNNER_ENDED: return state->progress.stopped ? "stopped" : "ended";
    case RUNNER_FAILED: return "failed";
    case RUNNER_UNKNOWN: break;
    }
    return "unknown";
}

struct web_response run_json(const struct site *site, const struct web_request *request)
{
    struct text run = site_path_part(request->path, "/run/*/progress");
    struct runner_state state = {.phase = RUNNER_UNKNOWN};
    if (site->runner != NULL)
        state = runner_look(site->runner, run);
    struct json_writer writer = json_writer_new(request->arena);
    json_write_open(&writer, '{');
    json_write_key(&writer, text_of("state"));
    json_write_text(&writer, text_of(phase_word(&state)));
    const struct {
        const char *name;
        size_t value;
    } members[] = {
        {"total", state.progress.total},         {"sent", state.progress.sent},
        {"succeeded", state.progress.succeeded}, {"failed", state.progress.failed},
        {"waiting", state.progress.waiting},     {"skipped", state.progress.skipped},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        json_write_key(&writer, text_of(members[i].name));
        json_write_integer(&writer, (int64_t)members[i].value);
    }
    json_write_close(&writer, '}');
    return (struct web_response){
        .status = HTTP_OK, .type = RESPONSE_JSON, .body = json_writer_text(&writer)};
}

static void add_number(struct html *html, const char *name, const char *label, size_t number)
{
    html_raw(html, "<li");
    html_attribute(html, "class",
                   text_format(html->arena, "total-%s%s", name, number == 0 ? " zero" : ""));
    html_raw(html, "><strong");
    html_attribute(html, "data-progress", text_of(name));
    html_raw(html, ">");
    html_integer(html, (int64_t)number);
    html_raw(html, "</strong> ");
    html_string(html, label);
    html_raw(html, "</li>");
}

static void add_bar(struct html *html, const struct replay_progress *progress)
{
    html_raw(html, "<progress aria-label=\"commands that are sent\" data-progress-bar max=\"");
    html_integer(html, (int64_t)(progress->total > 0 ? progress->total : 1));
    html_raw(html, "\" value=\"");
    html_integer(html, (int64_t)(progress->sent + progress->skipped));
    html_raw(html, "\"></progress>");
}

static void add_progress(struct html *html, const struct run_view *view)
{
    const struct replay_progress *progress = &view->state.progress;
    html_raw(html, "<div");
    html_attribute(html, "data-run", text_of(phase_word(&view->state)));
    html_raw(html, " data-url=\"/run/");
    html_url(html, view->run);
    html_raw(html, "/progress\">");
    add_bar(html, progress);
    html_raw(html, "<ul class=\"totals\" aria-live=\"polite\">");
    add_number(html, "total", "letters", progress->total);
    add_number(html, "sent", "sent", progress->sent);
    add_number(html, "succeeded", "succeeded", progress->succeeded);
    add_number(html, "failed", "failed again", progress->failed);
    add_number(html, "waiting", "wait for their answers", progress->waiting);
    add_number(html, "skipped", "skipped", progress->skipped);
    html_raw(html, "</ul></div>");
}

static void add_state(struct html *html, const struct run_view *view)
{
    const struct runner_state *state = &view->state;
    html_raw(html, "<p class=\"lead\" role=\"status\">");
    switch (state->phase) {
    case RUNNER_GOING:
        html_string(html, state->stopping
                              ? "The replay stops after the command that it is sending."
                              : "The replay is going on. If 'allotctl web' ends, it stops after "
                                "the command that it is sending, and can be continued.");
        break;
    case RUNNER_ENDED:
        html_string(html, state->progress.stopped
                              ? "The replay was stopped. What was not sent is still selected."
                              : "The replay has ended.");
        break;
    case RUNNER_FAILED:
        html_raw(html, "The replay was interrupted, and can be continued: ");
        page_error_text(html, state->error.text);
        break;
    case RUNNER_UNKNOWN:
        html_string(html, view->counted == 0
                              ? "No letter belongs to this run, or another run has them by now."
                              : "This is what the letters say of the run.");
        break;
    }
    html_raw(html, "</p>");
}

/* --- its letters ---------------------------------------------------------------------------- */

/* Returns what became of a letter of the run. */
static const char *fate_of(const struct letter_record *record)
{
    switch (record->replay.phase) {
    case LETTER_PHASE_NONE: return "";
    case LETTER_PHASE_SELECTED: return record->state == LETTER_OPEN ? "not sent yet" : "not sent";
    case LETTER_PHASE_SENDING:
    case LETTER_PHASE_SENT: break;
    }
    switch (record->state) {
    case LETTER_OPEN: return "failed again";
    case LETTER_REPLAYED:
        return record->replay.phase == LETTER_PHASE_SENT ? "sent, no answer yet" : "being sent";
    case LETTER_RESOLVED: return "succeeded";
    case LETTER_DISCARDED: return "discarded";
    }
    return "";
}

static void add_row(struct html *html, const struct letter_record *record, int64_t now_ms)
{
    html_raw(html, "<tr><td data-label=\"Order\" class=\"number\">");
    html_integer(html, record->replay.place + 1);
    html_raw(html, "</td><td data-label=\"Letter\">");
    part_letter(html, record->letter.id);
    html_raw(html, "</td><td data-label=\"Command\" class=\"name\">");
    part_text(html, record->letter.command, PART_TEXT_BYTES_MAX);
    html_raw(html, "</td><td data-label=\"State\">");
    part_state(html, record->state);
    html_raw(html, "</td><td data-label=\"Replay\">");
    html_string(html, fate_of(record));
    html_raw(html, " <span class=\"faint\">");
    part_age(html, record->replay.at_ms, now_ms);
    html_raw(html, "</span></td></tr>");
}

static bool note_letter(void *context, const struct letter_record *record, struct arena *arena)
{
    struct run_view *view = context;
    struct replay_progress *progress = &view->state.progress;
    (void)arena;
    view->counted++;
    if (record->replay.phase == LETTER_PHASE_SELECTED && record->state == LETTER_OPEN)
        view->unsent++;
    if (view->state.phase == RUNNER_UNKNOWN) {
        bool sent = record->replay.phase != LETTER_PHASE_SELECTED;
        progress->total++;
        progress->sent += sent;
        progress->succeeded += sent && record->state == LETTER_RESOLVED;
        progress->failed += sent && record->state == LETTER_OPEN;
        progress->waiting += sent && record->state == LETTER_REPLAYED;
    }
    if (view->rows < ROWS_MAX) {
        view->rows++;
        add_row(view->html, record, view->now_ms);
    }
    return true;
}

static bool add_rows(struct run_view *view, struct html *rows, struct error *error)
{
    struct letter_filter filter = {.run = view->run, .limit = COUNTED_MAX};
    view->html = rows;
    html_raw(rows, "<table class=\"cards\"><thead><tr><th scope=\"col\" class=\"number\">Order</th>"
                   "<th scope=\"col\">Letter</th><th scope=\"col\">Command</th>"
                   "<th scope=\"col\">State</th><th scope=\"col\">Replay</th></tr></thead><tbody>");
    if (mongo_letters_each(view->site->store, &filter, LETTER_BY_PLACE, false, note_letter, view,
                           error) != STORE_OK)
        return false;
    html_raw(rows, "</tbody></table>");
    if (view->counted > view->rows) {
        html_raw(rows, "<p class=\"faint\">");
        html_integer(rows, (int64_t)(view->counted - view->rows));
        html_raw(rows, " more letters are not listed.</p>");
    }
    return true;
}

/* --- forms ---------------------------------------------------------------------------------- */

static void add_stop(struct html *html, const struct run_view *view)
{
    part_form_begin(html, view->site, "/stop");
    part_hidden(html, "run", view->run);
    html_raw(html, "<button>Stop</button>");
    part_form_end(html);
}

static void add_continue(struct html *html, const struct run_view *view)
{
    const struct replay_options none = {0};
    bool waits = view->state.progress.waiting > 0;
    if (view->unsent == 0 && !waits)
        return;
    html_raw(html, "<section class=\"card\"><h2>Continue</h2><p>");
    if (view->unsent > 0) {
        part_count(html, (int64_t)view->unsent, "letter");
        html_raw(html, " of this run can still be sent. Choose the options that it began with.");
    } else {
        html_raw(html, "All is sent. Look again whether the answers have come.");
    }
    html_raw(html, "</p>");
    part_form_begin(html, view->site, "/continue");
    part_hidden(html, "run", view->run);
    if (view->unsent > 0)
        part_options(html, &none, false);
    html_raw(html, "<p class=\"buttons\"><button class=\"primary\">");
    html_string(html, view->unsent > 0 ? "Continue" : "Look again");
    html_raw(html, "</button></p>");
    part_form_end(html);
    html_raw(html, "</section>");
}

static void add_forms(struct html *html, const struct run_view *view)
{
    if (view->site->runner == NULL)
        return;
    if (view->state.phase == RUNNER_GOING && !view->state.stopping)
        add_stop(html, view);
    else if (view->state.phase != RUNNER_GOING)
        add_continue(html, view);
}

struct web_response run_page(const struct site *site, const struct web_request *request)
{
    struct error error = {""};
    struct run_view view = {.site = site, .run = site_path_part(request->path, "/run/*")};
    struct html rows = html_new(request->arena);
    if (site->runner != NULL)
        view.state = runner_look(site->runner, view.run);
    if (mongo_read_clock(site->store, &view.now_ms, &error) != STORE_OK ||
        !add_rows(&view, &rows, &error))
        return page_failure(site, request, "The letters of the run cannot be read", &error);
    struct html html = page_begin(site, request, "Replay", PAGE_LETTERS);
    if (view.state.phase == RUNNER_GOING)
        html_raw(&html, "<noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>");
    add_state(&html, &view);
    add_progress(&html, &view);
    add_forms(&html, &view);
    html_add(&html, rows.bytes, rows.length);
    return page_end(site, &html);
}
