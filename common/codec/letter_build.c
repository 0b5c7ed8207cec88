/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A letter is made of the delivery, of what was decoded of it, and of the cause. Sections:
 * the id, which is a digest of what makes a command the same; the group, in which what differs from
 * letter to letter is replaced by a sign; the letter; and copies.
 *
 * Guarantees. No text is changed, so invalid UTF-8 is possible in each. Lengths are bounded only
 * where the name of a command or a group could be as long as a body.
 */
#include "common/codec/letter_build.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "common/codec/digest.h"
#include "common/codec/text_cut.h"
#include "common/core/command_subjects.h"

/* The name of a command that does not exist may be as long as the body. */
enum { GROUP_DETAIL_BYTES_MAX = 256, COMMAND_BYTES_MAX = 128 };

static_assert((int)LETTER_NAMES_MAX == (int)COMMAND_SUBJECTS_MAX, "a letter names all subjects");

/* --- the id --------------------------------------------------------------------------------- */

/* The length keeps ("ab", "c") and ("a", "bc") apart. */
static void add_text(struct digest *digest, struct text text)
{
    unsigned char length[8];
    for (size_t i = 0; i < sizeof length; i++)
        length[i] = (unsigned char)(text.length >> (8 * (sizeof length - 1 - i)));
    digest_add(digest, length, sizeof length);
    if (text.length > 0)
        digest_add(digest, text.bytes, text.length);
}

struct text letter_id(struct arena *arena, struct text queue, struct text principal,
                      struct text message_id, struct text body_sha256)
{
    struct digest *digest = digest_new();
    add_text(digest, queue);
    add_text(digest, principal);
    add_text(digest, message_id);
    add_text(digest, body_sha256);
    struct fingerprint fingerprint = digest_end(digest);
    return text_view(fingerprint_hex(arena, &fingerprint).bytes, LETTER_ID_DIGITS);
}

struct text letter_body_sha256(struct arena *arena, struct text body)
{
    struct digest *digest = digest_new();
    if (body.length > 0)
        digest_add(digest, body.bytes, body.length);
    struct fingerprint fingerprint = digest_end(digest);
    return fingerprint_hex(arena, &fingerprint);
}

/* --- the group ------------------------------------------------------------------------------ */

static bool is_token(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

static size_t token_length(const char *bytes, const char *end)
{
    size_t length = 0;
    while (bytes + length < end && is_token(bytes[length]))
        length++;
    return length;
}

/* Returns the length of a quoted text with its quotes; 0 if none begins here. */
static size_t quoted_length(const char *bytes, const char *end)
{
    if (*bytes != '\'' && *bytes != '"')
        return 0;
    const char *close = memchr(bytes + 1, *bytes, (size_t)(end - bytes - 1));
    return close != NULL ? (size_t)(close - bytes) + 1 : 0;
}

static bool has_digit(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (isdigit((unsigned char)bytes[i]))
            return true;
    }
    return false;
}

/* Replaces what differs from letter to letter by '#': quoted texts, and words with digits. */
static struct text normalised(struct arena *arena, struct text detail)
{
    struct text cut = text_cut(detail, GROUP_DETAIL_BYTES_MAX);
    char *out = arena_alloc(arena, cut.length + 1);
    size_t length = 0;
    for (const char *at = cut.bytes, *end = cut.bytes + cut.length; at < end;) {
        size_t quoted = quoted_length(at, end);
        size_t token = token_length(at, end);
        size_t taken = quoted > 0 ? quoted : token > 0 ? token : 1;
        if (quoted > 0 || has_digit(at, token)) {
            out[length++] = '#';
        } else {
            memcpy(out + length, at, taken);
            length += taken;
        }
        at += taken;
    }
    return text_view(out, length);
}

struct text letter_group(struct arena *arena, struct text reason, struct text command,
                         struct text detail)
{
    struct text parts = text_present(detail) ? normalised(arena, detail) : text_of("");
    struct text name = text_present(command) ? text_cut(command, COMMAND_BYTES_MAX) : text_of("");
    return text_format(arena, "%.*s|%.*s|%.*s", TEXT_ARGS(reason), TEXT_ARGS(name),
                       TEXT_ARGS(parts));
}

/* --- the letter ----------------------------------------------------------------------------- */

static const struct uuid *copy_ids(struct arena *arena, const struct uuid *ids, size_t count)
{
    struct uuid *copy = ARENA_ARRAY(arena, struct uuid, count);
    if (count > 0)
        memcpy(copy, ids, count * sizeof *ids);
    return copy;
}

static void set_subjects(struct letter *letter, struct arena *arena, const struct command *command)
{
    struct command_subjects subjects = command_subjects_of(command);
    letter->project = subjects.project;
    letter->consumers = copy_ids(arena, subjects.consumers, subjects.consumer_count);
    letter->consumer_count = subjects.consumer_count;
    letter->providers = copy_ids(arena, subjects.providers, subjects.provider_count);
    letter->provider_count = subjects.provider_count;
}

static void set_body(struct letter *letter, struct arena *arena, const struct delivery *delivery)
{
    bool cut = delivery->cut_size > 0;
    letter->body = delivery->body;
    letter->body_size = cut ? delivery->cut_size : delivery->body.length;
    letter->body_sha256 = cut ? delivery->body_sha256 : letter_body_sha256(arena, delivery->body);
}

struct text letter_principal(const struct delivery *delivery, const struct decoded *decoded)
{
    struct text principal = decoded->request.principal;
    return text_present(principal) ? principal : delivery->properties.user_id;
}

struct letter letter_build(struct arena *arena, const struct delivery *delivery,
                           const struct decoded *decoded, const struct letter_cause *cause)
{
    struct letter letter = {
        .source = cause->source,
        .times = 1,
        .at_ms = cause->at_ms,
        .reason = cause->reason,
        .detail = cause->detail,
        .principal = letter_principal(delivery, decoded),
        .key = delivery->properties.message_id,
        .command = text_cut(decoded->command, COMMAND_BYTES_MAX),
        .queue = cause->queue,
        .worker = cause->worker,
        .attempts = cause->attempts,
        .traceparent = delivery->traceparent,
        .properties = delivery->properties,
        .raw_headers = delivery->raw_headers,
    };
    if (decoded->accepted)
        set_subjects(&letter, arena, &decoded->request.command);
    set_body(&letter, arena, delivery);
    letter.group = letter_group(arena, cause->reason, letter.command, cause->detail);
    letter.id = letter_id(arena, cause->queue, letter.principal, letter.key, letter.body_sha256);
    return letter;
}

static struct properties copy_properties(struct arena *arena, const struct properties *properties)
{
    struct properties copy = *properties;
#define X(member, constant) copy.member = text_copy(arena, copy.member);
    TEXT_PROPERTIES(X)
#undef X
    return copy;
}

struct letter letter_copy(struct arena *arena, const struct letter *letter)
{
    struct letter copy = *letter;
    struct text *texts[] = {&copy.id,    &copy.reason,     &copy.detail,      &copy.principal,
                            &copy.key,   &copy.command,    &copy.project,     &copy.group,
                            &copy.queue, &copy.worker,     &copy.traceparent, &copy.raw_headers,
                            &copy.body,  &copy.body_sha256};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = text_copy(arena, *texts[i]);
    copy.consumers = copy_ids(arena, letter->consumers, letter->consumer_count);
    copy.providers = copy_ids(arena, letter->providers, letter->provider_count);
    copy.properties = copy_properties(arena, &letter->properties);
    return copy;
}

static const struct letter_event *copy_history(struct arena *arena,
                                               const struct letter_record *record)
{
    struct letter_event *history = ARENA_ARRAY(arena, struct letter_event, record->history_count);
    for (size_t i = 0; i < record->history_count; i++) {
        struct letter_event *event = &history[i];
        *event = record->history[i];
        struct text *texts[] = {&event->reason, &event->detail, &event->worker,
                                &event->by,     &event->note,   &event->key};
        for (size_t j = 0; j < sizeof texts / sizeof texts[0]; j++)
            *texts[j] = text_copy(arena, *texts[j]);
    }
    return history;
}

struct letter_record letter_record_copy(struct arena *arena, const struct letter_record *record)
{
    struct letter_record copy = *record;
    struct text *texts[] = {&copy.claimed_by, &copy.refused,    &copy.replay.run, &copy.replay.by,
                            &copy.new_key,    &copy.edited_key, &copy.edited_to};
    copy.letter = letter_copy(arena, &record->letter);
    copy.history = copy_history(arena, record);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = text_copy(arena, *texts[i]);
    return copy;
}
