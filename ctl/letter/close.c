/* SPDX-License-Identifier: Apache-2.0 */
/* The commands `letter resolve`, `letter discard` and `letter reopen`: people say what is to become
   of letters. Nothing is deleted. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/commands.h"
#include "ctl/desk/closing.h"
#include "ctl/letter/selection.h"
#include "ctl/output.h"
#include "ctl/terminal.h"

enum { IDS_PER_WRITE = 1000, NOTE_BYTES_MAX = 1024 };

/* One of the commands, and its words. */
struct command_words {
    const char *closing;
    const char *verb; /* of the question */
    const char *end;  /* of the question */
    const char *done;
};

static const struct command_words resolving = {"resolve", "Mark", "as resolved", "resolved"};
static const struct command_words discarding = {"discard", "Mark", "as discarded", "discarded"};
static const struct command_words reopening = {"reopen", "Open", "again", "opened again"};

static bool ask(const struct options *options, const struct command_words *words, size_t count)
{
    char question[64];
    (void)snprintf(question, sizeof question, "%s %zu letter%s %s?", words->verb, count,
                   count == 1 ? "" : "s", words->end);
    return options->yes || terminal_ask(question);
}

static bool write_all(const struct options *options, const struct desk_session *session,
                      const struct command_words *words, const struct letter_selection *selection,
                      size_t *ret_changed, struct error *error)
{
    const struct closing *closing = closing_find(text_of(words->closing));
    struct letter_note note = {
        .action = closing->action, .by = session->desk.by, .note = text_of(options->note)};
    *ret_changed = 0;
    for (size_t i = 0; i < selection->count; i += IDS_PER_WRITE) {
        size_t changed = 0, left = selection->count - i;
        struct letter_set set =
            closing_set(closing, selection->ids + i, left < IDS_PER_WRITE ? left : IDS_PER_WRITE);
        if (mongo_letters_close(session->desk.store, &set, closing->state, &note, &changed,
                                error) != STORE_OK)
            return false;
        *ret_changed += changed;
    }
    return true;
}

static int close_selected(const struct options *options, const struct desk_session *session,
                          const struct command_words *words, struct arena *arena)
{
    struct letter_selection selection;
    struct error error = {""};
    size_t changed = 0;
    if (!letter_selection_read(options, session, arena, &selection, &error))
        return fail_with(&error);
    if (selection.count > 0 && !ask(options, words, selection.count))
        return EXIT_FAILED;
    if (!write_all(options, session, words, &selection, &changed, &error))
        return fail_with(&error);
    (void)printf("%zu letter%s %s", changed, changed == 1 ? "" : "s", words->done);
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

static int run(const struct options *options, const struct command_words *words,
               struct arena *arena)
{
    struct desk_session session;
    struct error error = {""};
    if (!letter_selection_check(options) || !check_note(options))
        return EXIT_USAGE;
    int status = desk_session_open(options, DESK_DATABASE, arena, &session, &error)
                     ? close_selected(options, &session, words, arena)
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
