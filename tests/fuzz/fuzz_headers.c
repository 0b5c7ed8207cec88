/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message headers. The input is used five times: as the properties of a content header as they are
 * on the wire, as a field table, as the entries of a field table, as a traceparent, and as a
 * content type.
 *
 * Properties that are checked: reading stays within the table's bytes and always ends; what one
 * function calls well-formed, the others can read; merging the worker's own headers keeps all
 * foreign headers and never keeps a forged one (check_kept, check_own); taking names out keeps the
 * rest (check_without); a traceparent is passed on only if it has the form of the W3C
 * (has_trace_form).
 *
 * A violated property aborts. Bodies are in fuzz_command.c.
 */
#include <string.h>

#include "allot/limits.h"
#include "common/base/utf8.h"
#include "common/codec/body_parse.h"
#include "common/codec/death.h"
#include "common/codec/field_table.h"
#include "common/codec/outgoing_headers.h"
#include "common/codec/traceparent.h"
#include "tests/fuzz/fuzz_target.h"
#include "common/amqp/properties.h"

enum { LENGTH_BYTES = 4, TRACE_BYTES = 55, OWN_HEADERS = 3 };

static bool lies_in(struct text part, const char *start, const char *end)
{
    return part.bytes >= start && part.bytes + part.length <= end;
}

static bool same_field(const struct field *a, const struct field *b)
{
    return text_equal(a->name, b->name) && a->kind == b->kind && a->integer == b->integer &&
           text_present(a->text) == text_present(b->text) && text_equal(a->text, b->text) &&
           text_equal(a->encoded, b->encoded);
}

static void check_field(const struct field *field, const struct field_cursor *before,
                        const struct field_cursor *after)
{
    const char *encoded_end = field->encoded.bytes + field->encoded.length;
    REQUIRE(field->encoded.bytes == before->at && encoded_end == after->at);
    REQUIRE(after->end == before->end && after->at <= after->end);
    REQUIRE(field->name.length <= FIELD_NAME_BYTES_MAX);
    REQUIRE(lies_in(field->name, field->encoded.bytes, encoded_end));
    REQUIRE(text_present(field->text) == (field->kind == FIELD_TEXT));
    REQUIRE(field->kind != FIELD_TEXT || lies_in(field->text, field->encoded.bytes, encoded_end));
    REQUIRE(field->kind != FIELD_BOOLEAN || field->integer == 0 || field->integer == 1);
    REQUIRE(field->kind == FIELD_BOOLEAN || field->kind == FIELD_INTEGER || field->integer == 0);
}

/* Checks every entry. Returns whether the walk reached the end of the table. */
static bool check_entries(struct text table)
{
    struct field_cursor cursor = field_table_begin(table);
    if (cursor.at == NULL)
        return false;
    REQUIRE(cursor.at == table.bytes + LENGTH_BYTES);
    REQUIRE(cursor.end <= table.bytes + table.length);
    struct field_cursor before = cursor;
    struct field field = {0};
    while (field_table_next(&cursor, &field)) {
        check_field(&field, &before, &cursor);
        before = cursor;
    }
    REQUIRE(before.at == cursor.at);
    return cursor.at == cursor.end && cursor.end == table.bytes + table.length;
}

static const char *const own_names[OWN_HEADERS] = {"x-allot-reason", DETAIL_HEADER,
                                                   "x-allot-dead-at"};

static bool is_own(struct text name)
{
    for (size_t i = 0; i < OWN_HEADERS; i++) {
        if (text_is(name, own_names[i]))
            return true;
    }
    return text_is(name, SEQUENCE_HEADER);
}

/* `merged` begins with the entries of `original` that are not our own, unchanged. */
static void check_kept(struct text original, struct text merged)
{
    struct field_cursor from = field_table_begin(original);
    struct field_cursor to = field_table_begin(merged);
    struct field expected = {0};
    struct field found = {0};
    while (field_table_next(&from, &expected)) {
        if (is_own(expected.name))
            continue;
        REQUIRE(field_table_next(&to, &found));
        REQUIRE(same_field(&expected, &found));
    }
}

static size_t entry_count(struct text table)
{
    struct field_cursor cursor = field_table_begin(table);
    struct field field = {0};
    size_t count = 0;
    while (field_table_next(&cursor, &field))
        count++;
    return count;
}

static void check_own(struct text merged, const struct outgoing *outgoing, bool detail_kept)
{
    struct field field = {0};
    REQUIRE(outgoing_headers_sequence(merged) == outgoing->sequence);
    REQUIRE(field_table_find(merged, own_names[0], &field) && field.kind == FIELD_BOOLEAN);
    REQUIRE(field.integer == 1);
    REQUIRE(field_table_find(merged, own_names[2], &field) && field.kind == FIELD_INTEGER);
    REQUIRE(field.integer == outgoing->headers[2].integer);
    REQUIRE(field_table_find(merged, DETAIL_HEADER, &field) && field.kind == FIELD_TEXT);
    REQUIRE(field.text.length <= DEAD_DETAIL_BYTES_MAX || detail_kept);
    REQUIRE(!detail_kept || text_equal(field.text, outgoing->headers[1].text));
    REQUIRE(detail_kept || text_starts_with(field.text, "original headers left out"));
    REQUIRE(!utf8_valid(outgoing->headers[1].text) || utf8_valid(field.text));
}

static void check_outgoing(struct arena *arena, struct text table, struct text detail,
                           size_t frame_bytes)
{
    const struct outgoing_header headers[OWN_HEADERS] = {
        {.name = own_names[0], .kind = OUTGOING_BOOL, .integer = 7},
        {.name = own_names[1], .kind = OUTGOING_TEXT, .text = detail},
        {.name = own_names[2],
         .kind = OUTGOING_INTEGER,
         .integer = INT64_MIN + (int64_t)frame_bytes}};
    const struct outgoing outgoing = {.route = ROUTE_DEAD_LETTERS,
                                      .sequence = UINT64_MAX - frame_bytes,
                                      .properties = {.message_id = text_of("k")},
                                      .raw_headers = table,
                                      .headers = headers,
                                      .header_count = OWN_HEADERS};
    struct text encoded = outgoing_headers_encode(arena, &outgoing, frame_bytes);
    struct text bare = outgoing_headers_without_original(arena, &outgoing);
    REQUIRE(check_entries(encoded) && field_table_well_formed(encoded));
    REQUIRE(check_entries(bare) && entry_count(bare) == OWN_HEADERS + 1);
    check_own(bare, &outgoing, !text_present(table));

    /* Only headers without the original may be larger than the frame. */
    bool fits = encoded.length <= frame_bytes;
    REQUIRE(fits || text_equal(encoded, bare));
    if (text_equal(encoded, bare))
        return;
    check_own(encoded, &outgoing, true);
    check_kept(table, encoded);
    /* The properties always take some bytes of the frame. */
    REQUIRE(encoded.length < frame_bytes);
}

static void check_without(struct arena *arena, struct text table, bool well_formed)
{
    struct field field = {0};
    struct text all = field_table_without(arena, table, NULL, 0);
    REQUIRE(check_entries(all) && entry_count(all) == entry_count(table));
    REQUIRE(!well_formed || text_equal(all, table));
    REQUIRE(text_equal(all, field_table_merge(arena, table, NULL, 0)));

    struct text rest = field_table_without(arena, table, own_names, OWN_HEADERS);
    REQUIRE(check_entries(rest));
    for (size_t i = 0; i < OWN_HEADERS; i++)
        REQUIRE(!field_table_find(rest, own_names[i], &field));
    REQUIRE(text_equal(rest, field_table_without(arena, rest, own_names, OWN_HEADERS)));
}

/* The rules of the Recommendation, implemented in another way than by the product. */
static bool has_trace_form(struct text text)
{
    static const char form[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
    if (text.length < TRACE_BYTES)
        return false;
    bool trace = false, parent = false;
    for (size_t i = 0; i < TRACE_BYTES; i++) {
        char c = text.bytes[i];
        if (form[i] == '-' ? c != '-' : c == '\0' || strchr("0123456789abcdef", c) == NULL)
            return false;
        trace = trace || (i > 2 && i < 35 && c != '0');
        parent = parent || (i > 35 && i < 52 && c != '0');
    }
    bool latest = text_starts_with(text, "00");
    bool ends = text.length == TRACE_BYTES || (!latest && text.bytes[TRACE_BYTES] == '-');
    return trace && parent && ends && !text_starts_with(text, "ff");
}

static bool is_within(struct text part, struct text whole)
{
    return !text_present(part) ||
           (part.bytes >= whole.bytes && part.bytes + part.length <= whole.bytes + whole.length);
}

static void check_death(struct text table)
{
    struct death death;
    struct field field;
    REQUIRE(death_read(table, &death) == field_table_find(table, "x-death", &field));
    REQUIRE(is_within(death.reason, table) && is_within(death.queue, table));
    REQUIRE(is_within(death.exchange, table) && is_within(death.routing_key, table));
}

static void check_delivery(struct text table)
{
    struct delivery delivery = {.raw_headers = table};
    struct field field = {0};
    field_table_read_delivery(&delivery);
    bool dated = field_table_find(table, "x-allot-deadline", &field);
    REQUIRE((delivery.deadline == HEADER_ABSENT) == !dated);
    REQUIRE((delivery.deadline == HEADER_INTEGER) == (dated && field.kind == FIELD_INTEGER));
    REQUIRE(delivery.deadline_ms == (delivery.deadline == HEADER_INTEGER ? field.integer : 0));
    bool traced = field_table_find(table, "traceparent", &field) && field.kind == FIELD_TEXT &&
                  has_trace_form(field.text);
    REQUIRE(text_present(delivery.traceparent) == traced);
}

static void check_table(struct arena *arena, struct text table, struct text input)
{
    bool well_formed = check_entries(table);
    REQUIRE(field_table_well_formed(table) == well_formed);
    check_delivery(table);
    check_death(table);
    check_without(arena, table, well_formed);
    check_outgoing(arena, table, input, input.length > 0 ? 16U * (uint8_t)input.bytes[0] : 0);
    check_outgoing(arena, table, text_of("detail"), 128U * 1024);
}

static struct text with_length(struct arena *arena, struct text entries)
{
    char *bytes = arena_alloc(arena, LENGTH_BYTES + entries.length);
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        bytes[i] = (char)(entries.length >> (8 * (LENGTH_BYTES - 1 - i)));
    if (entries.length > 0)
        memcpy(bytes + LENGTH_BYTES, entries.bytes, entries.length);
    return text_view(bytes, LENGTH_BYTES + entries.length);
}

static void check_properties(struct text input)
{
    struct text raw = properties_raw_headers(bytes_of(input));
    if (!text_present(raw))
        return;
    REQUIRE(lies_in(raw, input.bytes, input.bytes + input.length));
    struct field_cursor cursor = field_table_begin(raw);
    REQUIRE(cursor.at != NULL && cursor.end == raw.bytes + raw.length);
}

/* The name of JSON in any case, and nothing after it except a charset. */
static void check_content_type(struct text input)
{
    static const char name[] = "application/json";
    if (!content_type_is_json(input))
        return;
    REQUIRE(memmem(input.bytes, input.length, "/", 1) != NULL);
    size_t letters = 0;
    for (size_t i = 0; i < input.length && letters < sizeof name - 1; i++) {
        bool blank = input.bytes[i] == ' ' || input.bytes[i] == '\t';
        REQUIRE(blank ? letters == 0 : (input.bytes[i] | 0x20) == (name[letters] | 0x20));
        letters += !blank;
    }
    REQUIRE(letters == sizeof name - 1);
    bool parameter = memchr(input.bytes, ';', input.length) != NULL;
    REQUIRE(parameter == (memchr(input.bytes, '=', input.length) != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    struct text input = text_view((const char *)data, size);
    check_properties(input);
    check_content_type(input);
    check_table(arena, input, input);
    check_table(arena, with_length(arena, input), input);
    check_table(arena, TEXT_NONE, input);
    REQUIRE(traceparent_well_formed(input) == has_trace_form(input));
    arena_free(arena);
    return 0;
}
