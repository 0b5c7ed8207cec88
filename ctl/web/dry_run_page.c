/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. dry_run_submit() plans the selected letters (make_plan) and shows the verdicts: notes and
 * totals, then the forms, then a row for each letter in the order of the replay.
 *
 * Guarantees. The forms have the ids of exactly these letters, without those that cannot be sent,
 * and the options of this dry run: what is replayed is what was shown.
 *
 * Without a policy nothing can be planned, and the page only says which letters cannot be replayed
 * at all.
 */
#include "common/mongo/letters_read.h"
#include "ctl/desk/dry_run.h"
#include "ctl/desk/settle.h"
#include "ctl/web/parts.h"
#include "ctl/web/selection.h"

enum { KINDS = DRY_NOT_REPLAYABLE + 1, RATE_DEFAULT = 50 };

struct plan {
    const struct site *site;
    struct selection selection;
    struct replay_options options;
    struct dry_verdict *verdicts;
    size_t counts[KINDS];
    size_t snapshots;
    int64_t now_ms;
};

static const char *const kind_labels[KINDS] = {
    [DRY_SUCCEEDS] = "would succeed",
    [DRY_ANSWERED] = "already answered",
    [DRY_FAILS] = "would fail",
    [DRY_KEY_EXPIRED] = "key expired",
    [DRY_NOT_REPLAYABLE] = "not replayable",
};

/* --- the plan ------------------------------------------------------------------------------- */

static bool make_plan(struct plan *plan, const struct web_request *request, struct error *error)
{
    struct desk desk = site_desk(plan->site, request);
    if (mongo_read_clock(plan->site->store, &plan->now_ms, error) != STORE_OK)
        return false;
    plan->verdicts = ARENA_ARRAY(request->arena, struct dry_verdict, plan->selection.count);
    if (!settle_replayed(&desk, plan->selection.records, plan->selection.count, request->arena,
                         error) ||
        !dry_run(&desk, &plan->options, plan->selection.records, plan->selection.count,
                 request->arena, plan->verdicts, error))
        return false;
    for (size_t i = 0; i < plan->selection.count; i++) {
        plan->counts[plan->verdicts[i].kind]++;
        if (plan->verdicts[i].snapshot + 1 > plan->snapshots)
            plan->snapshots = plan->verdicts[i].snapshot + 1;
    }
    return true;
}

/* --- the page ------------------------------------------------------------------------------- */

static void add_totals(struct html *html, const struct plan *plan)
{
    bool planned = plan->site->policy != NULL;
    html_raw(html, "<ul class=\"totals\">");
    for (size_t i = 0; i < KINDS; i++) {
        html_raw(html, "<li class=\"total-");
        html_string(html, dry_kind_name((enum dry_kind)i));
        html_string(html, plan->counts[i] == 0 ? " zero" : "");
        html_raw(html, "\"><strong>");
        html_integer(html, (int64_t)plan->counts[i]);
        html_raw(html, "</strong> ");
        html_string(html, i == DRY_SUCCEEDS && !planned ? "can be sent" : kind_labels[i]);
        html_raw(html, "</li>");
    }
    html_raw(html, "</ul>");
}

static void add_notes(struct html *html, const struct plan *plan)
{
    if (plan->site->policy == NULL)
        html_raw(html, "<p class=\"warning\">No policy is known, so it cannot be said what would "
                       "happen: start 'allotctl web' with --policy.</p>");
    else {
        html_raw(html, "<p class=\"lead\">What would happen now, by the policy <b>");
        part_text(html, plan->site->options->policy_name, PART_TEXT_BYTES_MAX);
        html_raw(html, "</b>. Nothing was changed.</p>");
    }
    if (plan->snapshots > 1) {
        html_raw(html, "<p class=\"warning\">The letters were planned on ");
        html_integer(html, (int64_t)plan->snapshots);
        html_format(html,
                    " snapshots of the database, with up to %d letters each. A snapshot does not "
                    "have the effects of the letters before it, so letters that compete for the "
                    "same capacity may all be promised.",
                    DRY_RUN_SNAPSHOT_MAX);
        html_raw(html, "</p>");
    }
    if (plan->selection.cut) {
        html_raw(html, "<p class=\"warning\">There are more letters: these are the oldest ");
        html_integer(html, (int64_t)plan->selection.count);
        html_raw(html, ". Replay them, then come back for the others.</p>");
    }
}

static void add_verdict(struct html *html, const struct dry_verdict *verdict, bool planned)
{
    html_raw(html, "<span class=\"badge verdict-");
    html_string(html, dry_kind_name(verdict->kind));
    html_raw(html, "\">");
    html_string(html, verdict->kind == DRY_SUCCEEDS && !planned ? "can be sent"
                                                                : kind_labels[verdict->kind]);
    html_raw(html, "</span> ");
    if (text_present(verdict->code) && verdict->kind != DRY_SUCCEEDS) {
        html_raw(html, "<code>");
        part_text(html, verdict->code, PART_TEXT_BYTES_MAX);
        html_raw(html, "</code>");
    }
}

static void add_row(struct html *html, const struct plan *plan, size_t i)
{
    const struct letter *letter = &plan->selection.records[i].letter;
    const struct dry_verdict *verdict = &plan->verdicts[i];
    html_raw(html, "<tr><td data-label=\"Order\" class=\"number\">");
    html_integer(html, (int64_t)i + 1);
    html_raw(html, "</td><td data-label=\"Letter\">");
    part_letter(html, letter->id);
    html_raw(html, "</td><td data-label=\"Command\" class=\"name\">");
    part_text(html, letter->command, PART_TEXT_BYTES_MAX);
    html_raw(html, " <span class=\"faint\">of ");
    part_text(html, letter->principal, PART_TEXT_BYTES_MAX);
    html_raw(html, "</span></td><td data-label=\"Verdict\">");
    add_verdict(html, verdict, plan->site->policy != NULL);
    html_raw(html, "<span class=\"detail\">");
    part_text(html, verdict->text, PART_TEXT_BYTES_MAX);
    if (verdict->recorded_at_ms != 0) {
        html_raw(html, ", recorded ");
        part_age(html, verdict->recorded_at_ms, plan->now_ms);
    }
    html_raw(html, "</span></td></tr>");
}

static void add_table(struct html *html, const struct plan *plan)
{
    html_raw(html, "<table class=\"cards\"><thead><tr><th scope=\"col\" class=\"number\">Order</th>"
                   "<th scope=\"col\">Letter</th><th scope=\"col\">Command</th>"
                   "<th scope=\"col\">Verdict</th></tr></thead><tbody>");
    for (size_t i = 0; i < plan->selection.count; i++)
        add_row(html, plan, i);
    html_raw(html, "</tbody></table>");
}

/* --- forms ---------------------------------------------------------------------------------- */

static void add_pace(struct html *html)
{
    html_raw(html, "<label class=\"field\"><span>Commands a second</span><input type=\"number\" "
                   "name=\"rate\" min=\"1\" max=\"10000\" value=\"");
    html_integer(html, RATE_DEFAULT);
    html_raw(html, "\"></label><label class=\"field\"><span>Stop after so many failures (0: "
                   "never)</span><input type=\"number\" name=\"stop_at_failures\" min=\"0\" "
                   "max=\"10000\" value=\"0\"></label>");
}

static bool can_be_sent(enum dry_kind kind)
{
    return kind != DRY_KEY_EXPIRED && kind != DRY_NOT_REPLAYABLE;
}

static bool succeeds(enum dry_kind kind)
{
    return kind == DRY_SUCCEEDS;
}

/* Sets the ids of the letters with such a verdict; returns their number. */
static size_t choose(const struct plan *plan, bool (*matches)(enum dry_kind), struct arena *arena,
                     struct text **ret_ids)
{
    size_t count = 0;
    *ret_ids = ARENA_ARRAY(arena, struct text, plan->selection.count);
    for (size_t i = 0; i < plan->selection.count; i++)
        if (matches(plan->verdicts[i].kind))
            (*ret_ids)[count++] = plan->selection.ids[i];
    return count;
}

static void add_button(struct html *html, const char *value, size_t count, const char *which,
                       bool primary)
{
    html_raw(html, "<button name=\"which\"");
    html_attribute(html, "value", text_of(value));
    if (primary)
        html_raw(html, " class=\"primary\"");
    html_raw(html, ">Replay ");
    html_format(html, "%s%zu letter%s%s", count == 1 || which[0] != '\0' ? "the " : "all ", count,
                count == 1 ? "" : "s", which);
    html_raw(html, "</button>");
}

static void add_replay_form(struct html *html, const struct plan *plan)
{
    struct text *ids = NULL, *good = NULL;
    size_t count = choose(plan, can_be_sent, html->arena, &ids);
    size_t good_count = choose(plan, succeeds, html->arena, &good);
    bool some = good_count > 0 && good_count < count;
    html_raw(html, "<section class=\"card\"><h2>Replay</h2>");
    if (count == 0) {
        html_raw(html, "<p>None of these letters can be sent.</p></section>");
        return;
    }
    part_form_begin(html, plan->site, "/replay");
    part_ids(html, "ids", ids, count);
    if (some)
        part_ids(html, "good", good, good_count);
    part_options(html, &plan->options, true);
    add_pace(html);
    html_raw(html, "<p class=\"buttons\">");
    if (some)
        add_button(html, "good", good_count, " that would succeed", true);
    add_button(html, "all", count, "", !some);
    html_raw(html, "</p>");
    part_form_end(html);
    html_raw(html, "</section>");
}

static void add_options_form(struct html *html, const struct plan *plan)
{
    html_raw(html, "<section class=\"card\"><h2>Other options</h2>");
    part_form_begin(html, plan->site, "/dry-run");
    part_ids(html, "ids", plan->selection.ids, plan->selection.count);
    part_options(html, &plan->options, false);
    html_raw(html, "<p class=\"buttons\"><button>Dry run again</button></p>");
    part_form_end(html);
    html_raw(html, "</section>");
}

struct web_response dry_run_submit(const struct site *site, const struct web_request *request)
{
    struct error error = {""};
    struct plan plan = {.site = site, .options = part_read_options(&request->form)};
    if (!selection_read(site, request, &plan.selection, &error))
        return page_failure(site, request, "The letters cannot be read", &error);
    if (plan.selection.count == 0)
        return page_error(site, request, HTTP_UNPROCESSABLE,
                          "No letter is selected. Go back and select some.");
    if (!make_plan(&plan, request, &error))
        return page_failure(site, request, "The dry run has failed", &error);
    struct html html = page_begin(site, request, "Dry run", PAGE_LETTERS);
    add_notes(&html, &plan);
    add_totals(&html, &plan);
    html_raw(&html, "<div class=\"columns\">");
    add_replay_form(&html, &plan);
    add_options_form(&html, &plan);
    html_raw(&html, "</div>");
    add_table(&html, &plan);
    return page_end(site, &html);
}
