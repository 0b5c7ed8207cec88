/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/audit_letters.h"

#include <stdio.h>

#include "common/mongo/document.h"
#include "common/mongo/letter_document.h"
#include "common/mongo/schema.h"
#include "common/mongo/sentinel.h"

enum { LINE_MAX_BYTES = 1024 };

struct reader {
    const struct audit_options *options;
    struct audit_result *result;
    struct arena *arena; /* of one letter */
};

static void judge(struct reader *reader, const struct letter_record *record)
{
    char line[LINE_MAX_BYTES];
    struct error why = {""};
    const struct audit_options *options = reader->options;
    enum audit_finding finding = options->letter(options->context, record, &why);
    if (finding == AUDIT_RIGHT)
        return;
    bool warning = finding == AUDIT_WARNING;
    (void)snprintf(line, sizeof line, "%sletter %.*s: %s", warning ? "warning: " : "",
                   TEXT_ARGS(record->letter.id), why.text);
    reader->result->warnings += warning;
    reader->result->discrepancies += !warning;
    options->found(options->context, line);
}

static enum store_status letter_row(void *context, const bson_t *document, struct error *error)
{
    struct reader *reader = context;
    struct letter_record record;
    struct error found = {""};
    (void)error;
    if (sentinel_is(document))
        return STORE_OK;
    arena_reset(reader->arena);
    reader->result->letters++;
    if (letter_read(document, reader->arena, &record)) {
        judge(reader, &record);
        return STORE_OK;
    }
    (void)mongo_malformed(MONGO_LETTERS, document, &found);
    reader->result->discrepancies++;
    reader->options->found(reader->options->context, found.text);
    return STORE_OK;
}

enum store_status audit_letters(struct mongo_store *store, const bson_t *session_options,
                                const struct audit_options *options, struct audit_result *result,
                                struct error *error)
{
    struct reader reader = {.options = options, .result = result, .arena = arena_new(0)};
    bson_t *validator = document_from_json(schema_validator(MONGO_LETTERS));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(store->collections[MONGO_LETTERS],
                                                               validator, session_options, NULL);
    enum store_status status = mongo_each_row(store, PHASE_RUN, cursor, letter_row, &reader, error);
    bson_destroy(validator);
    arena_free(reader.arena);
    return status;
}
