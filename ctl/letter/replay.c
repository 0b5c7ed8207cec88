/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. `letter replay` selects letters, says what would become of each, and sends them if the
 * user agrees. The selection is fixed when the totals are shown: the ids that were planned are the
 * ones that are sent. The run that they belong to is written into the letters before the first one
 * is sent, so that --continue finds what is left.
 *
 * Not here: how a letter is sent (desk/replay.c), and how it is planned (desk/dry_run.c).
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/codec/text_cut.h"
#include "ctl/commands.h"
#include "ctl/desk/dry_run.h"
#include "ctl/desk/replay.h"
#include "ctl/desk/settle.h"
#include "ctl/json_member.h"
#include "ctl/letter/selection.h"
#include "ctl/letter/text.h"
#include "ctl/output.h"
#include "ctl/table.h"

enum { BAR_WIDTH = 24, KIND_COUNT = DRY_NOT_REPLAYABLE + 1 };

/* What a dry run says, added up. */
struct plan {
    const struct options *options;
    const struct desk_session *session;
    struct replay_options replay;
    struct arena *arena;
    struct table *table; /* NULL: only the totals are wanted */
    size_t kinds[KIND_COUNT];
    size_t snapshots;
    struct text *ids; /* that can be sent */
    size_t id_count;
    size_t capacity;
};

/* --- one letter ----------------------------------------------------------------------------- */

static enum tone kind_tone(enum dry_kind kind)
{
    switch (kind) {
    case DRY_SUCCEEDS: return TONE_GOOD;
    case DRY_ANSWERED: return TONE_FAINT;
    case DRY_FAILS: return TONE_BAD;
    case DRY_KEY_EXPIRED:
    case DRY_NOT_REPLAYABLE: return TONE_WARNING;
    }
    return TONE_PLAIN;
}

static void print_json(const struct letter *letter, const struct dry_verdict *verdict,
                       size_t snapshot, struct arena *arena)
{
    struct json_writer writer = json_writer_new(arena);
    json_write_open(&writer, '{');
    json_member_text(&writer, "id", letter->id);
    json_member_text(&writer, "verdict", text_of(dry_kind_name(verdict->kind)));
    json_member_text(&writer, "code", verdict->code);
    json_member_text(&writer, "text", verdict->text);
    json_member_time(&writer, "recorded_at_ms", verdict->recorded_at_ms);
    json_member_integer(&writer, "snapshot", (int64_t)snapshot);
    json_write_close(&writer, '}');
    print_json_line(stdout, json_writer_text(&writer));
}

static void print_row(struct plan *plan, const struct letter *letter,
                      const struct dry_verdict *verdict)
{
    table_cell(plan->table, text_cut(letter->id, LETTER_SHORT_ID_DIGITS), TONE_PLAIN);
    table_cell(plan->table, letter->principal, TONE_PLAIN);
    table_cell(plan->table, letter->command, TONE_PLAIN);
    table_cell(plan->table, text_of(dry_kind_name(verdict->kind)), kind_tone(verdict->kind));
    table_cell(plan->table, verdict->code, TONE_PLAIN);
    table_cell(plan->table, verdict->text, TONE_PLAIN);
}

/* A letter whose command has succeeded is closed by now, and not sent. */
static void add_verdict(struct plan *plan, const struct letter_record *record,
                        const struct dry_verdict *verdict)
{
    plan->kinds[verdict->kind]++;
    if (verdict->kind == DRY_NOT_REPLAYABLE || verdict->kind == DRY_KEY_EXPIRED ||
        record->state != LETTER_OPEN)
        return;
    plan->ids =
        arena_grown(plan->arena, plan->ids, plan->id_count, &plan->capacity, sizeof *plan->ids);
    plan->ids[plan->id_count++] = text_copy(plan->arena, record->letter.id);
}

/* --- a block -------------------------------------------------------------------------------- */

/* Says what would become of the letters. A dry run changes nothing. Otherwise letters whose
   commands have succeeded are closed, after the dry run has said so. */
static bool judge(const struct plan *plan, struct letter_record *records, size_t count,
                  struct dry_verdict *ret_verdicts, struct arena *arena, struct error *error)
{
    struct desk desk = plan->session->desk;
    desk.read_only = desk.read_only || plan->options->dry_run;
    if (!settle_replayed(&desk, records, count, arena, error))
        return false;
    if (!dry_run(&desk, &plan->replay, records, count, arena, ret_verdicts, error))
        return false;
    return plan->options->dry_run || settle_letters(&desk, records, count, arena, error);
}

static bool plan_block(void *context, struct letter_record *records, size_t count,
                       struct arena *arena, struct error *error)
{
    struct plan *plan = context;
    struct dry_verdict *verdicts = ARENA_ARRAY(arena, struct dry_verdict, count);
    size_t last = 0;
    if (!judge(plan, records, count, verdicts, arena, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        add_verdict(plan, &records[i], &verdicts[i]);
        last = verdicts[i].snapshot > last ? verdicts[i].snapshot : last;
        if (plan->options->dry_run && plan->options->json)
            print_json(&records[i].letter, &verdicts[i], plan->snapshots + verdicts[i].snapshot,
                       arena);
        else if (plan->options->dry_run)
            print_row(plan, &records[i].letter, &verdicts[i]);
    }
    plan->snapshots += last + 1;
    return true;
}

/* --- the totals ----------------------------------------------------------------------------- */

static void print_totals_json(const struct plan *plan)
{
    struct json_writer writer = json_writer_new(plan->arena);
    json_write_open(&writer, '{');
    json_write_key(&writer, text_of("totals"));
    json_write_open(&writer, '{');
    for (size_t i = 0; i < KIND_COUNT; i++)
        json_member_integer(&writer, dry_kind_name((enum dry_kind)i), (int64_t)plan->kinds[i]);
    json_write_close(&writer, '}');
    json_member_text(&writer, "policy", plan->session->desk.policy_name);
    json_member_integer(&writer, "snapshots", (int64_t)plan->snapshots);
    json_write_close(&writer, '}');
    print_json_line(stdout, json_writer_text(&writer));
}

static void print_totals(const struct plan *plan, size_t selected, FILE *stream)
{
    const struct desk *desk = &plan->session->desk;
    if (desk->policy == NULL) {
        (void)fprintf(stream,
                      "%zu letter%s: %zu can be sent, %zu with an expired key, %zu not replayable\n"
                      "no policy is known, so it is not known what would happen; see --policy\n",
                      selected, selected == 1 ? "" : "s", plan->kinds[DRY_SUCCEEDS],
                      plan->kinds[DRY_KEY_EXPIRED], plan->kinds[DRY_NOT_REPLAYABLE]);
        return;
    }
    (void)fprintf(stream,
                  "%zu letter%s: %zu would succeed, %zu already answered, %zu would fail, %zu with "
                  "an expired key, %zu not replayable\n",
                  selected, selected == 1 ? "" : "s", plan->kinds[DRY_SUCCEEDS],
                  plan->kinds[DRY_ANSWERED], plan->kinds[DRY_FAILS], plan->kinds[DRY_KEY_EXPIRED],
                  plan->kinds[DRY_NOT_REPLAYABLE]);
    (void)fputs("policy: ", stream);
    print_printable_line(stream, desk->policy_name);
    if (plan->snapshots > 1)
        (void)fprintf(
            stream,
            "planned on %zu snapshots of up to %d letters: letters of different snapshots "
            "that compete for the same capacity may all be promised\n",
            plan->snapshots, DRY_RUN_SNAPSHOT_MAX);
}

static const struct table_column plan_columns[] = {
    {.title = "ID"},     {.title = "PRINCIPAL"}, {.title = "COMMAND"},
    {.title = "RESULT"}, {.title = "CODE"},      {.title = "WHAT", .may_cut = true}};

/* Plans the selection, and prints the totals: of a dry run on stdout, and else, since a question
   follows, on stderr. */
static bool make_plan(struct plan *plan, struct error *error)
{
    struct letter_selection selection;
    plan->table = table_new(plan->arena, plan_columns, sizeof plan_columns / sizeof plan_columns[0],
                            plan->options);
    if (!letter_selection_read(plan->options, plan->session, plan->arena, &selection, error) ||
        !letter_selection_each(&selection, plan->session->desk.store, plan_block, plan, error))
        return false;
    table_end(plan->table);
    if (plan->options->json && plan->options->dry_run)
        print_totals_json(plan);
    else
        print_totals(plan, selection.count, plan->options->dry_run ? stdout : stderr);
    return true;
}

/* --- the run -------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void note_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void print_bar(const struct replay_progress *progress)
{
    size_t done = progress->sent + progress->skipped;
    size_t filled = progress->total > 0 ? done * BAR_WIDTH / progress->total : BAR_WIDTH;
    (void)fputs("\r[", stderr);
    for (size_t i = 0; i < BAR_WIDTH; i++)
        (void)fputc(i < filled ? '#' : '.', stderr);
    (void)fprintf(stderr, "] %zu of %zu sent, %zu succeeded, %zu failed, %zu waiting ",
                  progress->sent, progress->total, progress->succeeded, progress->failed,
                  progress->waiting);
}

static bool watch(void *context, const struct replay_progress *progress)
{
    (void)context;
    if (isatty(STDERR_FILENO) != 0)
        print_bar(progress);
    return interrupted == 0;
}

static void print_end_json(struct text run, const struct replay_progress *progress,
                           struct arena *arena)
{
    struct json_writer writer = json_writer_new(arena);
    json_write_open(&writer, '{');
    json_member_text(&writer, "run", run);
    json_member_integer(&writer, "total", (int64_t)progress->total);
    json_member_integer(&writer, "sent", (int64_t)progress->sent);
    json_member_integer(&writer, "succeeded", (int64_t)progress->succeeded);
    json_member_integer(&writer, "failed", (int64_t)progress->failed);
    json_member_integer(&writer, "waiting", (int64_t)progress->waiting);
    json_member_integer(&writer, "skipped", (int64_t)progress->skipped);
    json_member_boolean(&writer, "stopped", progress->stopped);
    json_write_close(&writer, '}');
    print_json_line(stdout, json_writer_text(&writer));
}

/* The options that --continue needs to do as this run does. */
static struct text continuation(const struct options *options, struct text run, struct arena *arena)
{
    return text_format(arena, "allotctl letter replay --continue %.*s%s%s%s%s", TEXT_ARGS(run),
                       options->new_key ? " --new-key" : "",
                       options->keep_deadline ? " --keep-deadline" : "",
                       options->keep_expiration ? " --keep-expiration" : "",
                       options->keep_reply_to ? " --keep-reply-to" : "");
}

static size_t left_of(const struct replay_progress *progress)
{
    return progress->total - progress->sent - progress->skipped;
}

static void print_end(const struct options *options, struct text run,
                      const struct replay_progress *progress, struct arena *arena)
{
    if (isatty(STDERR_FILENO) != 0)
        (void)fputc('\n', stderr);
    if (options->json) {
        print_end_json(run, progress, arena);
        return;
    }
    (void)printf("run %.*s: %zu of %zu sent: %zu succeeded, %zu failed, %zu waiting for "
                 "an answer; %zu skipped\n",
                 TEXT_ARGS(run), progress->sent, progress->total, progress->succeeded,
                 progress->failed, progress->waiting, progress->skipped);
    if (left_of(progress) > 0)
        (void)printf("%zu are not sent; go on with: %.*s\n", left_of(progress),
                     TEXT_ARGS(continuation(options, run, arena)));
}

static int send_run(const struct options *options, const struct desk_session *session,
                    struct text run, const struct replay_options *replay, struct arena *arena)
{
    struct error error = {""};
    struct replay_progress progress = {0};
    struct replay_order order = {.options = *replay,
                                 .pace = {.rate = options->rate,
                                          .stop_at_failures = options->stop_at_failures,
                                          .timeout_ms = (int)options->timeout_ms},
                                 .watch = watch};
    struct client *client = desk_session_connect(session, &error);
    if (client == NULL)
        return fail_with(&error);
    (void)signal(SIGINT, note_interrupt);
    (void)signal(SIGTERM, note_interrupt);
    bool done = replay_run(&session->desk, client, run, &order, &progress, &error);
    client_close(client);
    print_end(options, run, &progress, arena);
    if (!done)
        return fail_with(&error);
    bool all = progress.succeeded == progress.total;
    return all ? EXIT_SUCCESS : EXIT_FAILED;
}

static int ask_and_send(struct plan *plan)
{
    struct error error = {""};
    struct text run;
    char question[64];
    if (plan->id_count == 0) {
        (void)fputs("there is nothing to send\n", stderr);
        return EXIT_SUCCESS;
    }
    (void)snprintf(question, sizeof question, "Send %zu command%s again?", plan->id_count,
                   plan->id_count == 1 ? "" : "s");
    if (!plan->options->yes && !terminal_ask(question))
        return EXIT_FAILED;
    if (!replay_select(&plan->session->desk, plan->ids, plan->id_count, plan->arena, &run, &error))
        return fail_with(&error);
    (void)fprintf(stderr, "run %.*s; if it is interrupted: %.*s\n", TEXT_ARGS(run),
                  TEXT_ARGS(continuation(plan->options, run, plan->arena)));
    return send_run(plan->options, plan->session, run, &plan->replay, plan->arena);
}

static int replay(const struct options *options, struct desk_session *session, struct arena *arena)
{
    struct error error = {""};
    struct plan plan = {.options = options,
                        .session = session,
                        .arena = arena,
                        .replay = {.keep_deadline = options->keep_deadline,
                                   .keep_expiration = options->keep_expiration,
                                   .keep_reply_to = options->keep_reply_to,
                                   .new_key = options->new_key}};
    if (options->run != NULL)
        return send_run(options, session, text_of(options->run), &plan.replay, arena);
    if (!make_plan(&plan, &error))
        return fail_with(&error);
    return options->dry_run ? EXIT_SUCCESS : ask_and_send(&plan);
}

static bool check_continue(const struct options *options)
{
    if (options->run == NULL)
        return letter_selection_check(options);
    if (options->operand_count == 0 && !options->all && !options->dry_run)
        return true;
    (void)fputs("allotctl: --continue takes the letters of the run; give neither ids nor filters, "
                "--all or --dry-run\n",
                stderr);
    return false;
}

int letter_replay_command(const struct options *options, struct arena *arena)
{
    struct desk_session session;
    struct error error = {""};
    if (!check_continue(options))
        return EXIT_USAGE;
    enum desk_need need = options->dry_run ? DESK_BOTH_AND_POLICY : DESK_BOTH_MAY_POLICY;
    int status = desk_session_open(options, need, arena, &session, &error)
                     ? replay(options, &session, arena)
                     : fail_with(&error);
    desk_session_close(&session);
    return status;
}
