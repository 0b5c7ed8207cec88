/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/letters_read.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/database.h"
#include "ctl/letter_json.h"
#include "ctl/letter_text.h"
#include "ctl/output.h"
#include "ctl/settings.h"

/* --- the body ------------------------------------------------------------------------------- */

static int write_failed(const char *path)
{
    struct error error;
    error_set(&error, "cannot write the body to %s: %s", path, strerror(errno));
    return fail_with(&error);
}

static int write_to(FILE *stream, const char *path, struct text body)
{
    bool written = body.length == 0 || fwrite(body.bytes, 1, body.length, stream) == body.length;
    bool closed = (stream == stdout ? fflush(stream) : fclose(stream)) == 0;
    return written && closed ? EXIT_SUCCESS : write_failed(path);
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
    if (file != NULL)
        return write_to(file, path, body);
    int status = write_failed(path);
    if (fd >= 0)
        (void)close(fd);
    return status;
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
        return write_to(stdout, "standard output", letter->body);
    struct error error;
    error_set(&error, "--body - does not write to a terminal, which would obey control characters "
                      "in the body; name a file, or use a pipe");
    return fail_with(&error);
}

/* --- the letter ----------------------------------------------------------------------------- */

static int print_letter(const struct options *options, struct store *store,
                        const struct letter_record *record, struct arena *arena)
{
    struct error error = {""};
    int64_t now_ms = 0;
    if (options->body != NULL)
        return write_body(&record->letter, options->body);
    if (options->json) {
        print_json_line(stdout, letter_json(arena, record, true));
        return EXIT_SUCCESS;
    }
    if (mongo_read_clock(store, &now_ms, &error) != STORE_OK)
        return fail_with(&error);
    letter_text_print(record, now_ms, arena);
    return EXIT_SUCCESS;
}

static int show_letter(const struct options *options, struct store *store, struct text id,
                       struct arena *arena)
{
    struct error error = {""};
    struct letter_record record;
    size_t matches = 0;
    if (mongo_letter_find(store, id, arena, &record, &matches, &error) != STORE_OK)
        return fail_with(&error);
    if (matches == 1)
        return print_letter(options, store, &record, arena);
    if (matches == 0)
        error_set(&error, "no letter has an id that begins with '%.*s'", TEXT_ARGS(id));
    else
        error_set(&error, "two or more letters begin with %.*s; give more digits", TEXT_ARGS(id));
    return fail_with(&error);
}

/* Sets the id in lower case, in which the database has it. */
static bool read_id(const char *given, struct arena *arena, struct text *ret_id)
{
    size_t length = given != NULL ? strlen(given) : 0;
    char *id = arena_alloc(arena, length + 1);
    bool valid = length >= LETTER_PREFIX_DIGITS_MIN && length <= LETTER_ID_DIGITS;
    for (size_t i = 0; i < length; i++) {
        id[i] = (char)tolower((unsigned char)given[i]);
        valid = valid && isxdigit((unsigned char)given[i]) != 0;
    }
    *ret_id = text_view(id, length);
    if (!valid)
        (void)fprintf(stderr,
                      "allotctl: expected the id of a letter, or its first %d or more hexadecimal "
                      "digits\n",
                      LETTER_PREFIX_DIGITS_MIN);
    return valid;
}

int letter_show_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct error error = {""};
    struct database database;
    struct text id;
    if (!read_id(options->operand, arena, &id))
        return EXIT_USAGE;
    if (!database_settings_load(options, arena, &settings, &error))
        return fail_with(&error);
    int status = database_open(&settings, &database, &error)
                     ? show_letter(options, database.store, id, arena)
                     : fail_with(&error);
    database_close(&database);
    return status;
}
