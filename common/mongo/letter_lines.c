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

/* Reads the one document of the line. bson_init_from_json() would do, but for a second document in
   the same line, which it does not notice. */
static bool read_document(struct text line, bson_t *ret_document, struct error *error)
{
    bson_error_t cause = {.message = "no document"};
    bson_t more = BSON_INITIALIZER;
    bson_json_reader_t *reader = bson_json_data_reader_new(true, line.length + 1);
    bson_json_data_reader_ingest(reader, (const uint8_t *)line.bytes, line.length);
    bson_init(ret_document);
    bool valid = bson_json_reader_read(reader, ret_document, &cause) == 1;
    if (!valid) {
        error_set(error, "invalid JSON: %s", cause.message);
    } else if (bson_json_reader_read(reader, &more, &cause) != 0) {
        error_set(error, "invalid JSON: there is more behind the first object");
        valid = false;
    }
    bson_json_reader_destroy(reader);
    bson_destroy(&more);
    if (!valid)
        bson_destroy(ret_document);
    return valid;
}

bool letter_line_read(struct text line, struct arena *arena, struct letter_record *ret_record,
                      struct error *error)
{
    bson_t document;
    if (line.length > LETTER_LINE_BYTES_MAX) {
        error_set(error, "line too long: %zu bytes (limit %d)", line.length, LETTER_LINE_BYTES_MAX);
        return false;
    }
    if (!read_document(line, &document, error))
        return false;
    bool valid = letter_read(&document, arena, ret_record);
    bson_destroy(&document);
    if (!valid)
        error_set(error, "not a letter: a field is missing or has another type");
    return valid;
}
