/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/desk_session.h"
#include "ctl/letter/json.h"
#include "ctl/letter/query.h"
#include "ctl/letter/text.h"
#include "ctl/output.h"

/* --- the body ------------------------------------------------------------------------------- */

static int write_failed(const char *path)
{
    struct error error;
    error_set(&error, "cannot write the body to %s: %s", path, strerror(errno));
    return fail_with(&error);
}

static bool write_to(FILE *stream, struct text body)
{
    return body.length == 0 || fwrite(body.bytes, 1, body.length, stream) == body.length;
}

static int write_output(struct text body)
{
    bool written = write_to(stdout, body) && fflush(stdout) == 0;
    return written ? EXIT_SUCCESS : write_failed("standard output");
}

/* Returns whether only the user may read the open file, or it is no file but a pipe or a device. */
static bool make_private(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 &&
           (!S_ISREG(status.st_mode) || fchmod(fd, S_IRUSR | S_IWUSR) == 0);
}

/* A body may hold what others must not see, so only the user may read the file, also one that was
   there before. */
static int write_file(const char *path, struct text body)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    FILE *file = fd >= 0 && make_private(fd) ? fdopen(fd, "w") : NULL;
    if (file == NULL) {
        int status = write_failed(path);
        if (fd >= 0)
            (void)close(fd);
        return status;
    }
    bool written = write_to(file, body);
    bool closed = fclose(file) == 0;
    return written && closed ? EXIT_SUCCESS : write_failed(path);
}

static int write_body(const struct letter *letter, const char *path)
{
    if (letter->body.length < letter->body_size)
        (void)fprintf(stderr,
                      "allotctl: the letter has only the first %zu of %" PRIu64
                      " bytes of the body\n",
                      letter->body.length, letter->body_size);
    if (strcmp(path, "-") != 0)
        return write_file(path, letter->body);
    if (isatty(STDOUT_FILENO) == 0)
        return write_output(letter->body);
    struct error error;
    error_set(&error, "--body - does not write to a terminal, which would obey control characters "
                      "in the body; name a file, or use a pipe");
    return fail_with(&error);
}

/* --- the letter ----------------------------------------------------------------------------- */

static int print_letter(const struct options *options, const struct desk_session *session,
                        const struct letter_record *record, struct arena *arena)
{
    if (options->body != NULL)
        return write_body(&record->letter, options->body);
    if (options->json)
        print_json_line(stdout, letter_json(arena, record, true));
    else
        letter_text_print(record, session->now_ms, arena);
    return EXIT_SUCCESS;
}

/* Looks whether the command of the letter was answered since, stores that in the letter, and reads
   the letter. If the account may not write letters, only the state is set to what was found. */
static bool find_settled(const struct desk_session *session, struct text id, struct arena *arena,
                         struct letter_record *ret_record, struct error *error)
{
    struct store *store = session->desk.store;
    struct letter_record settled;
    if (!letter_find_one(store, id, arena, &settled, error) ||
        !desk_session_settle(session, &settled, 1, arena, error) ||
        !letter_find_one(store, id, arena, ret_record, error))
        return false;
    if (settled.state != ret_record->state && settled.last_at_ms == ret_record->last_at_ms) {
        ret_record->state = settled.state;
        (void)fputs("allotctl: the state is what the recorded outcome says; it could not be stored "
                    "in the letter\n",
                    stderr);
    }
    return true;
}

int letter_show_command(const struct options *options, struct arena *arena)
{
    struct error error = {""};
    struct desk_session session;
    struct letter_record record;
    struct text id;
    if (!letter_id_read(options->operand, arena, &id))
        return EXIT_USAGE;
    bool found = desk_session_open(options, DESK_DATABASE, arena, &session, &error) &&
                 find_settled(&session, id, arena, &record, &error);
    int status = found ? print_letter(options, &session, &record, arena) : fail_with(&error);
    desk_session_close(&session);
    return status;
}
