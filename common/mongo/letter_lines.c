/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/letter_lines.h"

#include "common/mongo/document.h"
#include "common/mongo/letter_document.h"
#include "common/mongo/letter_filter.h"
#include "common/mongo/session.h"

struct exporting {
    letter_line line;
    void *context;
    bool ended;
};

/* CONFLICT ends the cursor; the caller takes it for the end of the export. */
static enum store_status exported_row(void *context, const bson_t *document, struct error *error)
{
    struct exporting *exporting = context;
    size_t length = 0;
    char *json = bson_as_canonical_extended_json(document, &length);
    if (json == NULL)
        return mongo_malformed(MONGO_LETTERS, document, error);
    exporting->ended = !exporting->line(exporting->context, text_view(json, length));
    bson_free(json);
    return exporting->ended ? STORE_CONFLICT : STORE_OK;
}

enum store_status mongo_letters_export(struct store *base, const struct letter_filter *filter,
                                       letter_line line, void *context, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct exporting exporting = {.line = line, .context = context};
    mongoc_cursor_t *cursor = letter_filter_find(store, filter, LETTER_OLDEST_FIRST, true);
    if (cursor == NULL)
        return STORE_OK;
    enum store_status status =
        mongo_each_row(store, PHASE_RUN, cursor, exported_row, &exporting, error);
    return exporting.ended ? STORE_OK : status;
}

bool letter_line_read(struct text line, struct arena *arena, struct letter_record *ret_record,
                      struct error *error)
{
    bson_error_t cause;
    bson_t document;
    if (line.length > LETTER_LINE_BYTES_MAX) {
        error_set(error, "line too long: %zu bytes (limit %d)", line.length, LETTER_LINE_BYTES_MAX);
        return false;
    }
    if (!bson_init_from_json(&document, line.bytes, (ssize_t)line.length, &cause)) {
        error_set(error, "invalid JSON: %s", cause.message);
        return false;
    }
    bool valid = letter_read(&document, arena, ret_record);
    bson_destroy(&document);
    if (!valid)
        error_set(error, "not a letter: a field is missing or has another type");
    return valid;
}
