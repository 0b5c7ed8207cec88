/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/letter_check.h"

#include "allot/limits.h"
#include "common/codec/letter_build.h"

static bool wrong(struct error *error, const char *what)
{
    error_set(error, "%s", what);
    return false;
}

static bool check_state(const struct letter_record *record, struct error *error)
{
    bool published = record->published_at_ms != 0;
    if (record->expires_at_ms != 0 && !published)
        return wrong(error, "it has an expires_at, but no published_at");
    if (record->unpublished && published)
        return wrong(error, "it has a published_at, but is to be published");
    if (record->bytes == 0)
        return wrong(error, "it has no bytes, so it does not count in letters.max_bytes");
    return true;
}

static bool check_body(const struct letter *letter, struct arena *arena, struct error *error)
{
    if (!text_present(letter->body))
        return true;
    if (letter->body_dropped)
        return wrong(error, "it has a body, but also the mark that the body was dropped");
    if (letter->body.length > letter->body_size)
        return wrong(error, "its body is longer than its body_size");
    if (letter->body.length < letter->body_size)
        return letter->body_size > BODY_BYTES_MAX ||
               wrong(error, "its body is shorter than its body_size");
    return !text_present(letter->body_sha256) ||
           text_equal(letter_body_sha256(arena, letter->body), letter->body_sha256) ||
           wrong(error, "its body_sha256 is not the digest of its body");
}

/* Of a message that could not be read there is no digest, and its id is of another kind. */
static bool check_id(const struct letter *letter, struct arena *arena, struct error *error)
{
    if (!text_present(letter->body_sha256))
        return true;
    struct text id =
        letter_id(arena, letter->queue, letter->principal, letter->key, letter->body_sha256);
    return text_equal(id, letter->id) ||
           wrong(error, "its id is not the digest of queue, principal, key and body_sha256");
}

bool letter_check(const struct letter_record *record, struct error *error)
{
    struct arena *arena = arena_new(0);
    bool right = check_state(record, error) && check_body(&record->letter, arena, error) &&
                 check_id(&record->letter, arena, error);
    arena_free(arena);
    return right;
}

bool letter_is_overdue(const struct letter_record *record, int64_t now_ms)
{
    return record->unpublished && record->last_at_ms < now_ms - LETTER_OVERDUE_MS;
}
