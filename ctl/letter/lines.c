/* SPDX-License-Identifier: Apache-2.0 */
/* The commands `letter export` and `letter import FILE`. */
#include "common/mongo/letter_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/letter_check.h"
#include "common/mongo/letters_desk.h"
#include "ctl/commands.h"
#include "ctl/desk_session.h"
#include "ctl/letter/import_lines.h"
#include "ctl/letter/query.h"
#include "ctl/letter/selection.h"
#include "ctl/output.h"

enum { IDS_PER_READ = 256, RECORDS_PER_WRITE = 64 };

/* --- export --------------------------------------------------------------------------------- */

/* The line may go to a terminal. An escaped control character is the same to who reads it. */
static bool print_line(void *context, struct text line)
{
    (void)context;
    print_json_line(stdout, line);
    return ferror(stdout) == 0;
}

static bool print_ids(const struct desk_session *session, const struct letter_selection *selection,
                      struct error *error)
{
    for (size_t i = 0; i < selection->count; i += IDS_PER_READ) {
        size_t left = selection->count - i, count = left < IDS_PER_READ ? left : IDS_PER_READ;
        struct letter_filter filter = {
            .ids = selection->ids + i, .id_count = count, .limit = count};
        if (mongo_letters_export(session->desk.store, &filter, print_line, NULL, error) != STORE_OK)
            return false;
    }
    return true;
}

/* With a text, the letters are selected first; else the filter is the query. */
static bool export_letters(const struct options *options, const struct desk_session *session,
                           struct arena *arena, struct error *error)
{
    struct letter_selection selection;
    struct letter_query query;
    if (options->operand_count > 0 || options->text != NULL)
        return letter_selection_read(options, session, arena, &selection, error) &&
               print_ids(session, &selection, error);
    if (!letter_query_read(options, session->desk.store, session->now_ms, arena, &query, error))
        return false;
    query.filter.limit = INT32_MAX;
    return mongo_letters_export(session->desk.store, &query.filter, print_line, NULL, error) ==
           STORE_OK;
}

int letter_export_command(const struct options *options, struct arena *arena)
{
    struct desk_session session;
    struct error error = {""};
    if (!letter_selection_check(options))
        return EXIT_USAGE;
    bool done = desk_session_open(options, DESK_DATABASE, arena, &session, &error) &&
                export_letters(options, &session, arena, &error);
    desk_session_close(&session);
    return done ? EXIT_SUCCESS : fail_with(&error);
}

/* --- import --------------------------------------------------------------------------------- */

struct line_import {
    const struct options *options;
    struct store *store;
    const char *name; /* of the file */
    size_t line;
    struct arena *arena; /* of the records that wait to be stored */
    struct letter_record *records;
    size_t count;
    size_t read;
    size_t stored;
    struct error *error;
};

static bool store_records(struct line_import *import)
{
    size_t stored = 0;
    bool done = import->options->dry_run ||
                mongo_letters_insert(import->store, import->records, import->count, &stored,
                                     import->error) == STORE_OK;
    if (!done)
        error_prefix(import->error, "%s: lines up to %zu", import->name, import->line);
    import->stored += stored;
    import->count = 0;
    arena_reset(import->arena);
    import->records = ARENA_ARRAY(import->arena, struct letter_record, RECORDS_PER_WRITE);
    return done;
}

static bool import_line(struct line_import *import, struct text line)
{
    struct letter_record *record = &import->records[import->count];
    if (!letter_line_read(line, import->arena, record, import->error) ||
        !letter_check(record, import->error)) {
        error_prefix(import->error, "%s:%zu", import->name, import->line);
        return false;
    }
    import->count++;
    import->read++;
    return import->count < RECORDS_PER_WRITE || store_records(import);
}

static bool import_file(struct line_import *import, FILE *file)
{
    char *buffer = NULL;
    size_t size = 0;
    bool done = true;
    for (ssize_t got; done && (got = getline(&buffer, &size, file)) >= 0;) {
        struct text line = text_view(buffer, (size_t)got);
        import->line++;
        while (line.length > 0 && strchr("\r\n", line.bytes[line.length - 1]) != NULL)
            line.length--;
        done = line.length == 0 || import_line(import, line);
    }
    free(buffer);
    if (done && ferror(file) != 0) {
        error_set(import->error, "cannot read %s: %s", import->name, strerror(errno));
        done = false;
    }
    /* What was read before an invalid line is stored as well. */
    struct error ignored = {""};
    struct error *error = import->error;
    import->error = done ? error : &ignored;
    bool stored = import->count == 0 || store_records(import);
    import->error = error;
    return done && stored;
}

static bool import_opened(const struct options *options, const struct desk_session *session,
                          FILE *file, const char *name, struct error *error)
{
    struct line_import import = {.options = options,
                                 .store = session->desk.store,
                                 .name = name,
                                 .arena = arena_new(0),
                                 .error = error};
    import.records = ARENA_ARRAY(import.arena, struct letter_record, RECORDS_PER_WRITE);
    bool done = import_file(&import, file);
    if (options->dry_run)
        (void)printf("%zu letter%s could be imported\n", import.read, import.read == 1 ? "" : "s");
    else
        (void)printf("%zu letter%s: %zu imported, %zu stored before\n", import.read,
                     import.read == 1 ? "" : "s", import.stored, import.read - import.stored);
    arena_free(import.arena);
    return done;
}

int letter_import_lines(const struct options *options, struct arena *arena)
{
    struct desk_session session;
    struct error error = {""};
    bool is_stdin = strcmp(options->operand, "-") == 0;
    const char *name = is_stdin ? "(standard input)" : options->operand;
    FILE *file = is_stdin ? stdin : fopen(name, "re");
    if (file == NULL) {
        error_set(&error, "cannot open %s: %s", name, strerror(errno));
        return fail_with(&error);
    }
    bool done = desk_session_open(options, DESK_SECOND, arena, &session, &error) &&
                import_opened(options, &session, file, name, &error);
    desk_session_close(&session);
    if (!is_stdin)
        (void)fclose(file);
    return done ? EXIT_SUCCESS : fail_with(&error);
}
