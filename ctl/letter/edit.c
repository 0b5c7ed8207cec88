/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. `letter edit` writes the body into a file that only the user can read, runs the editor,
 * checks the result with the decoder of the worker, and asks. If the body is not a valid command,
 * the error says where, and the user may edit again. The file is removed only after the command was
 * sent, or if nothing was changed: so no text is lost.
 *
 * Sections: the file, the editor, sending. Not here: the key of the edited command, and the links
 * between the letters (desk/edit.c).
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allot/limits.h"
#include "common/host/file.h"
#include "common/mongo/letters_read.h"
#include "ctl/commands.h"
#include "ctl/desk/edit.h"
#include "ctl/desk/replay.h"
#include "ctl/desk_session.h"
#include "ctl/letter/query.h"
#include "ctl/output.h"
#include "ctl/terminal.h"

extern char **environ;

struct editing {
    const struct options *options;
    const struct desk_session *session;
    struct letter_record *record;
    struct arena *arena;
    const char *path; /* of the file with the body */
    bool is_own_file; /* it is to be removed at the end */
};

/* --- the file ------------------------------------------------------------------------------- */

static bool fail_errno(struct error *error, const char *what, const char *path)
{
    error_set(error, "cannot %s %s: %s", what, path, strerror(errno));
    return false;
}

static bool write_file(struct editing *edit, struct error *error)
{
    const char *folder = getenv("TMPDIR");
    char *path = (char *)text_format(edit->arena, "%s/allotctl-%.*s-XXXXXX.json",
                                     folder != NULL && *folder != '\0' ? folder : "/tmp",
                                     LETTER_PREFIX_DIGITS_MIN, edit->record->letter.id.bytes)
                     .bytes;
    struct text body = edit->record->letter.body;
    int fd = mkstemps(path, (int)strlen(".json"));
    if (fd < 0)
        return fail_errno(error, "create", path);
    edit->path = path;
    edit->is_own_file = true;
    FILE *file = fdopen(fd, "w");
    bool written = file != NULL &&
                   (body.length == 0 || fwrite(body.bytes, 1, body.length, file) == body.length);
    bool closed = file != NULL ? fclose(file) == 0 : close(fd) == 0;
    return (written && closed) || fail_errno(error, "write", path);
}

static void remove_file(const struct editing *edit)
{
    if (edit->is_own_file)
        (void)unlink(edit->path);
}

/* A line end that the editor adds behind the last line is no change. */
static struct text without_line_end(struct text body)
{
    while (body.length > 0 && body.bytes[body.length - 1] == '\n')
        body.length--;
    return body;
}

static bool read_file(const struct editing *edit, struct text *ret_body, struct error *error)
{
    return file_read(edit->path, BODY_BYTES_MAX + 1, edit->arena, ret_body, error);
}

/* --- the editor ----------------------------------------------------------------------------- */

static const char *editor(void)
{
    const char *names[] = {getenv("VISUAL"), getenv("EDITOR")};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i] != NULL && *names[i] != '\0')
            return names[i];
    }
    return "vi";
}

/* The variable may have arguments, so a shell takes it apart; the path is an argument of the shell,
   which it does not interpret. */
static bool run_editor(const struct editing *edit, struct error *error)
{
    const char *name = editor();
    char *script = (char *)text_format(edit->arena, "%s \"$1\"", name).bytes;
    char *arguments[] = {(char *)"sh", (char *)"-c",       script,
                         (char *)"sh", (char *)edit->path, NULL};
    pid_t pid = 0;
    int status = 0;
    int failure = posix_spawnp(&pid, "sh", NULL, NULL, arguments, environ);
    if (failure != 0) {
        error_set(error, "cannot run the editor '%s': %s", name, strerror(failure));
        return false;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    error_set(error, "the editor '%s' failed; nothing is sent (EDITOR names another one)", name);
    return false;
}

/* Edits until the body is a valid command, or the user gives up. */
static bool edit_body(const struct editing *edit, struct text *ret_body, struct error *error)
{
    for (;;) {
        if (!run_editor(edit, error) || !read_file(edit, ret_body, error))
            return false;
        if (text_equal(without_line_end(*ret_body), without_line_end(edit->record->letter.body))) {
            remove_file(edit);
            error_set(error, "the body was not changed; nothing is sent");
            return false;
        }
        if (edit_check(&edit->session->desk, edit->record, *ret_body, error))
            return true;
        (void)fputs("allotctl: ", stderr);
        print_printable_line(stderr, text_of(error->text));
        if (!terminal_ask("Edit again?"))
            return false;
    }
}

/* --- sending -------------------------------------------------------------------------------- */

static bool is_editable(const struct letter_record *record, struct error *error)
{
    bool interrupted = text_present(record->edited_key) &&
                       record->replay.phase == LETTER_PHASE_SENDING &&
                       record->state == LETTER_REPLAYED;
    if (record->state == LETTER_OPEN || interrupted)
        return true;
    error_set(error, "the letter is %s; see 'allotctl letter reopen'",
              letter_state_name(record->state));
    return false;
}

/* Reads the letter, after what has become of it was found out: its command may have succeeded
   since, also while the user was editing. */
static bool read_letter(const struct editing *edit, struct text id, struct error *error)
{
    return letter_find_one(edit->session->desk.store, id, edit->arena, edit->record, error) &&
           desk_session_settle(edit->session, edit->record, 1, edit->arena, error) &&
           is_editable(edit->record, error);
}

static bool connect_and_send(const struct editing *edit, struct text body, struct text *ret_key,
                             struct error *error)
{
    struct edit command = {.record = edit->record,
                           .body = body,
                           .options = {.keep_reply_to = edit->options->keep_reply_to}};
    struct client *client = desk_session_connect(edit->session, error);
    bool sent = client != NULL &&
                edit_send(&edit->session->desk, client, &command, edit->arena, ret_key, error);
    client_close(client);
    return sent;
}

static int give_up(const struct editing *edit, const struct error *error)
{
    if (edit->path != NULL && edit->is_own_file && access(edit->path, F_OK) == 0)
        (void)fprintf(stderr, "allotctl: the edited body is in %s; send it with --body FILE\n",
                      edit->path);
    return fail_with(error);
}

static int send(const struct editing *edit, struct text body)
{
    struct error error = {""};
    struct text key;
    if (!read_letter(edit, edit->record->letter.id, &error) ||
        !connect_and_send(edit, body, &key, &error))
        return give_up(edit, &error);
    remove_file(edit);
    (void)printf("sent under the key %.*s; see 'allotctl letter show %.*s'\n", TEXT_ARGS(key),
                 TEXT_ARGS(edit->record->letter.id));
    return EXIT_SUCCESS;
}

static int run(const struct options *options, const struct desk_session *session, struct text id,
               struct arena *arena)
{
    struct error error = {""};
    struct letter_record record;
    struct text body;
    struct editing edit = {.options = options,
                           .session = session,
                           .record = &record,
                           .arena = arena,
                           .path = options->body};
    if (!read_letter(&edit, id, &error))
        return fail_with(&error);
    bool ready =
        options->body != NULL
            ? read_file(&edit, &body, &error) && edit_check(&session->desk, &record, body, &error)
            : write_file(&edit, &error) && edit_body(&edit, &body, &error);
    if (!ready)
        return give_up(&edit, &error);
    if (!options->yes && !terminal_ask("Send this command in place of the letter's?")) {
        error_set(&error, "nothing is sent");
        return give_up(&edit, &error);
    }
    return send(&edit, body);
}

int letter_edit_command(const struct options *options, struct arena *arena)
{
    struct desk_session session;
    struct error error = {""};
    struct text id;
    if (!letter_id_read(options->operand, arena, &id))
        return EXIT_USAGE;
    int status = desk_session_open(options, DESK_BOTH_AND_POLICY, arena, &session, &error)
                     ? run(options, &session, id, arena)
                     : fail_with(&error);
    desk_session_close(&session);
    return status;
}
