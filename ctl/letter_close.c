/* SPDX-License-Identifier: Apache-2.0 */
/* The commands `letter resolve`, `letter discard` and `letter reopen`: people say what is to become
   of letters. Nothing is deleted. */
#include <stdio.h>
#include <stdlib.h>

#include "common/mongo/letters_desk.h"
#include "ctl/commands.h"
#include "ctl/letter_selection.h"
#include "ctl/output.h"
#include "ctl/terminal.h"

enum { IDS_PER_WRITE = 1000, NOTE_BYTES_MAX = 1024 };

/* What one of the commands does. */
struct closing {
    enum letter_state state;
    enum letter_action action;
    const char *verb; /* of the question */
    const char *end;  /* of the question */
    const char *done;
    bool from[LETTER_DISCARDED + 1];
};

static const struct closing resolving = {
    .state = LETTER_RESOLVED,
    .action = LETTER_ACTION_RESOLVED,
    .verb = "Mark",
    .end = "as resolved",
    .done = "resolved",
    .from = {[LETTER_OPEN] = true, [LETTER_REPLAYED] = true},
};
static const struct closing discarding = {
    .state = LETTER_DISCARDED,
    .action = LETTER_ACTION_DISCARDED,
    .verb = "Mark",
    .end = "as discarded",
    .done = "discarded",
    .from = {[LETTER_OPEN] = true, [LETTER_REPLAYED] = true},
};
static const struct closing reopening = {
    .state = LETTER_OPEN,
    .action = LETTER_ACTION_REOPENED,
    .verb = "Open",
    .end = "again",
    .done = "opened again",
    .from = {[LETTER_REPLAYED] = true, [LETTER_RESOLVED] = true, [LETTER_DISCARDED] = true},
};

static bool ask(const struct options *options, const struct closing *closing, size_t count)
{
    char question[64];
    (void)snprintf(question, sizeof question, "%s %zu letter%s %s?", closing->verb, count,
                   count == 1 ? "" : "s", closing->end);
    return options->yes || terminal_ask(question);
}

static bool write_all(const struct options *options, const struct desk_session *session,
                      const struct closing *closing, const struct letter_selection *selection,
                      size_t *ret_changed, struct error *error)
{
    struct letter_note note = {
        .action = closing->action, .by = session->desk.by, .note = text_of(options->note)};
    *ret_changed = 0;
    for (size_t i = 0; i < selection->count; i += IDS_PER_WRITE) {
        size_t changed = 0, left = selection->count - i;
        struct letter_set set = {.ids = selection->ids + i,
                                 .count = left < IDS_PER_WRITE ? left : IDS_PER_WRITE};
        for (size_t j = 0; j < sizeof set.states / sizeof set.states[0]; j++)
            set.states[j] = closing->from[j];
        if (mongo_letters_close(session->desk.store, &set, closing->state, &note, &changed,
                                error) != STORE_OK)
            return false;
        *ret_changed += changed;
    }
    return true;
}

static int close_selected(const struct options *options, const struct desk_session *session,
                          const struct closing *closing, struct arena *arena)
{
    struct letter_selection selection;
    struct error error = {""};
    size_t changed = 0;
    if (!letter_selection_read(options, session, arena, &selection, &error))
        return fail_with(&error);
    if (selection.count > 0 && !ask(options, closing, selection.count))
        return EXIT_FAILED;
    if (!write_all(options, session, closing, &selection, &changed, &error))
        return fail_with(&error);
    (void)printf("%zu letter%s %s", changed, changed == 1 ? "" : "s", closing->done);
    if (changed < selection.count)
        (void)printf("; %zu were in another state", selection.count - changed);
    (void)putchar('\n');
    return changed == selection.count ? EXIT_SUCCESS : EXIT_FAILED;
}

static bool check_note(const struct options *options)
{
    struct text note = text_of(options->note);
    if (!text_present(note) || note.length <= NOTE_BYTES_MAX)
        return true;
    (void)fprintf(stderr, "allotctl: --note is too long: %zu bytes (limit %d)\n", note.length,
                  NOTE_BYTES_MAX);
    return false;
}

static int run(const struct options *options, const struct closing *closing, struct arena *arena)
{
    struct desk_session session;
    struct error error = {""};
    if (!letter_selection_check(options) || !check_note(options))
        return EXIT_USAGE;
    int status = desk_session_open(options, DESK_DATABASE, arena, &session, &error)
                     ? close_selected(options, &session, closing, arena)
                     : fail_with(&error);
    desk_session_close(&session);
    return status;
}

int letter_resolve_command(const struct options *options, struct arena *arena)
{
    return run(options, &resolving, arena);
}

int letter_discard_command(const struct options *options, struct arena *arena)
{
    return run(options, &discarding, arena);
}

int letter_reopen_command(const struct options *options, struct arena *arena)
{
    return run(options, &reopening, arena);
}
