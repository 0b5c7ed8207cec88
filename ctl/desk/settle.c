/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A letter is looked at if it is open or replayed. Its command is known by the key that was
 * last sent: that of an edited command, the new key of a replay, or its own. Two things can tell
 * what became of it:
 *   - the outcome that is recorded under this key. Under the letter's own key another command may
 *     be recorded, so there the digest of the body has to be the same, too;
 *   - for another key than its own, the letter that such a command got: its *child*. A child of a
 *     new key is closed, and the letter itself is open again, so that one cause has one open
 *     letter. A child of an edited command stays, since it has another body; the letter itself is
 *     closed.
 *
 * Guarantees. Each change has the condition that the letter was not dead-lettered since it was
 * read. So a letter that is open again is not closed by an older answer.
 */
#include "ctl/desk/settle.h"

#include <string.h>

#include "common/codec/command_decode.h"
#include "common/codec/letter_build.h"
#include "common/codec/reply_encode.h"
#include "common/mongo/letters_desk.h"
#include "common/mongo/letters_read.h"
#include "common/mongo/outcomes_read.h"

enum { BODIES_PER_READ = 16 };

struct settling {
    const struct desk *desk;
    struct arena *arena;
    struct error *error;
};

static bool is_unsettled(const struct letter_record *record)
{
    return record->state == LETTER_OPEN || record->state == LETTER_REPLAYED;
}

static struct text last_key(const struct letter_record *record)
{
    if (text_present(record->edited_key))
        return record->edited_key;
    return text_present(record->new_key) ? record->new_key : record->letter.key;
}

static bool has_own_key(const struct letter_record *record)
{
    return !text_present(record->edited_key) && !text_present(record->new_key);
}

/* Changes the state, in the database and in the record. */
static bool change(const struct settling *settling, struct letter_record *record,
                   enum letter_state state, const struct letter_note *note)
{
    struct letter_set set = {.ids = &record->letter.id,
                             .count = 1,
                             .states = {[LETTER_OPEN] = true, [LETTER_REPLAYED] = true},
                             .last_at_ms = record->last_at_ms};
    size_t changed = 1;
    if (!settling->desk->read_only && mongo_letters_close(settling->desk->store, &set, state, note,
                                                          &changed, settling->error) != STORE_OK)
        return false;
    if (changed == 1)
        record->state = state;
    return true;
}

static struct letter_note note_of(const struct settling *settling, enum letter_action action,
                                  struct text text)
{
    return (struct letter_note){.action = action, .by = settling->desk->by, .note = text};
}

/* --- outcomes ------------------------------------------------------------------------------- */

/* What the bodies of some letters tell. */
struct bodies {
    const struct settling *settling;
    struct letter_record *const *records; /* without their bodies */
    const struct outcome_record *const *outcomes;
    size_t count;
    bool *same; /* whether the outcome is of the same body; by record */
};

static bool is_same_body(const struct letter_record *record, const struct fingerprint *recorded,
                         struct arena *arena)
{
    struct delivery delivery = {.properties = record->letter.properties,
                                .body = record->letter.body};
    struct fingerprint fingerprint;
    return record->letter.body.length == record->letter.body_size &&
           command_fingerprint(&delivery, arena, &fingerprint) &&
           memcmp(fingerprint.bytes, recorded->bytes, FINGERPRINT_BYTES) == 0;
}

static bool compare_body(void *context, const struct letter_record *whole, struct arena *arena)
{
    struct bodies *bodies = context;
    for (size_t i = 0; i < bodies->count; i++) {
        if (text_equal(bodies->records[i]->letter.id, whole->letter.id))
            bodies->same[i] = is_same_body(whole, &bodies->outcomes[i]->fingerprint, arena);
    }
    return true;
}

/* Compares the bodies of up to BODIES_PER_READ letters with their outcomes. */
static bool compare_block(const struct bodies *bodies)
{
    struct text ids[BODIES_PER_READ];
    for (size_t i = 0; i < bodies->count; i++)
        ids[i] = bodies->records[i]->letter.id;
    struct letter_filter filter = {.ids = ids, .id_count = bodies->count, .limit = bodies->count};
    return mongo_letters_each(bodies->settling->desk->store, &filter, LETTER_NEWEST_FIRST, true,
                              compare_body, (void *)bodies, bodies->settling->error) == STORE_OK;
}

static bool settle_success(const struct settling *settling, struct letter_record *record)
{
    struct text text = text_present(record->edited_key)
                           ? text_of("the edited command has succeeded")
                           : text_of("the command has succeeded");
    struct letter_note note = note_of(settling, LETTER_ACTION_SUCCEEDED, text);
    return change(settling, record, LETTER_RESOLVED, &note);
}

static bool settle_failure(const struct settling *settling, struct letter_record *record,
                           const struct outcome_record *outcome)
{
    if (record->state != LETTER_REPLAYED || record->replay.phase == LETTER_PHASE_SENDING)
        return true;
    struct text message = reply_failure_message(settling->arena, outcome->body);
    struct text text =
        text_format(settling->arena, "%.*s: %.*s", TEXT_ARGS(outcome->code), TEXT_ARGS(message));
    struct letter_note note = note_of(settling, LETTER_ACTION_FAILED, text);
    return change(settling, record, LETTER_OPEN, &note);
}

static bool settle_outcome(const struct settling *settling, struct letter_record *record,
                           const struct outcome_record *outcome)
{
    return text_is(outcome->code, "success") ? settle_success(settling, record)
                                             : settle_failure(settling, record, outcome);
}

/* Settles the letters with an outcome under their own key. */
static bool settle_own(const struct settling *settling, struct letter_record **records,
                       const struct outcome_record **outcomes, size_t count)
{
    for (size_t i = 0; i < count; i += BODIES_PER_READ) {
        bool same[BODIES_PER_READ] = {false};
        size_t block = count - i < BODIES_PER_READ ? count - i : BODIES_PER_READ;
        struct bodies bodies = {settling, records + i, outcomes + i, block, same};
        if (!compare_block(&bodies))
            return false;
        for (size_t j = 0; j < block; j++) {
            if (same[j] && !settle_outcome(settling, records[i + j], outcomes[i + j]))
                return false;
        }
    }
    return true;
}

static bool settle_outcomes(const struct settling *settling, struct letter_record **records,
                            size_t count)
{
    struct arena *arena = settling->arena;
    struct attempt_key *keys = ARENA_ARRAY(arena, struct attempt_key, count);
    struct outcome_record *outcomes = ARENA_ARRAY(arena, struct outcome_record, count);
    struct letter_record **own = ARENA_ARRAY(arena, struct letter_record *, count);
    const struct outcome_record **of_own = ARENA_ARRAY(arena, const struct outcome_record *, count);
    size_t own_count = 0;
    for (size_t i = 0; i < count; i++)
        keys[i] = (struct attempt_key){records[i]->letter.principal, last_key(records[i])};
    if (mongo_outcomes_find(settling->desk->store, keys, count, arena, outcomes, settling->error) !=
        STORE_OK)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!outcomes[i].exists)
            continue;
        if (has_own_key(records[i])) {
            own[own_count] = records[i];
            of_own[own_count++] = &outcomes[i];
        } else if (!settle_outcome(settling, records[i], &outcomes[i])) {
            return false;
        }
    }
    return settle_own(settling, own, of_own, own_count);
}

/* --- children ------------------------------------------------------------------------------- */

/* A letter of the same command under another key. */
struct child {
    struct letter_record *parent;
    struct text id;
};

struct children {
    const struct settling *settling;
    struct child *items;
    size_t count;
    bool failed;
};

static struct text child_id(const struct settling *settling, const struct letter_record *record)
{
    if (text_present(record->edited_to))
        return record->edited_to;
    return letter_id(settling->arena, settling->desk->settings->amqp_queue,
                     record->letter.principal, record->new_key, record->letter.body_sha256);
}

static bool close_child(const struct settling *settling, const struct letter_record *child,
                        const struct letter_record *parent)
{
    struct letter_set set = {.ids = &child->letter.id,
                             .count = 1,
                             .states = {[LETTER_OPEN] = true},
                             .last_at_ms = child->last_at_ms};
    struct letter_note note =
        note_of(settling, LETTER_ACTION_RESOLVED,
                text_format(settling->arena, "it is a replay of the letter %.*s under a new key",
                            TEXT_ARGS(parent->letter.id)));
    size_t changed = 0;
    return settling->desk->read_only ||
           mongo_letters_close(settling->desk->store, &set, LETTER_RESOLVED, &note, &changed,
                               settling->error) == STORE_OK;
}

/* The child of a new key: its failure is one of the letter itself. The letter is changed first, so
   that it is found again if the child could not be closed. */
static bool settle_new_key(const struct settling *settling, struct letter_record *parent,
                           const struct letter_record *child)
{
    struct text text = text_format(settling->arena, "%.*s: %.*s", TEXT_ARGS(child->letter.reason),
                                   TEXT_ARGS(child->letter.detail));
    struct letter_note note = note_of(settling, LETTER_ACTION_FAILED, text);
    if (child->state != LETTER_OPEN)
        return true;
    if (parent->state == LETTER_REPLAYED && !change(settling, parent, LETTER_OPEN, &note))
        return false;
    return close_child(settling, child, parent);
}

static bool settle_edited(const struct settling *settling, struct letter_record *parent,
                          const struct letter_record *child)
{
    struct letter_note note =
        note_of(settling, LETTER_ACTION_RESOLVED,
                text_format(settling->arena, "the edited command has a letter of its own: %.*s",
                            TEXT_ARGS(child->letter.id)));
    return change(settling, parent, LETTER_RESOLVED, &note);
}

static bool child_found(void *context, const struct letter_record *child, struct arena *arena)
{
    struct children *children = context;
    (void)arena;
    for (size_t i = 0; i < children->count && !children->failed; i++) {
        struct letter_record *parent = children->items[i].parent;
        if (!text_equal(children->items[i].id, child->letter.id))
            continue;
        children->failed = text_present(parent->edited_to)
                               ? !settle_edited(children->settling, parent, child)
                               : !settle_new_key(children->settling, parent, child);
    }
    return !children->failed;
}

static bool settle_children(const struct settling *settling, struct letter_record **records,
                            size_t count)
{
    struct children children = {settling, ARENA_ARRAY(settling->arena, struct child, count), 0,
                                false};
    struct text *ids = ARENA_ARRAY(settling->arena, struct text, count);
    for (size_t i = 0; i < count; i++) {
        if (has_own_key(records[i]) || !is_unsettled(records[i]))
            continue;
        ids[children.count] = child_id(settling, records[i]);
        children.items[children.count] = (struct child){records[i], ids[children.count]};
        children.count++;
    }
    struct letter_filter filter = {.ids = ids, .id_count = children.count, .limit = children.count};
    if (children.count == 0)
        return true;
    return mongo_letters_each(settling->desk->store, &filter, LETTER_NEWEST_FIRST, false,
                              child_found, &children, settling->error) == STORE_OK &&
           !children.failed;
}

bool settle_letters(const struct desk *desk, struct letter_record *records, size_t count,
                    struct arena *arena, struct error *error)
{
    struct settling settling = {desk, arena, error};
    struct letter_record **unsettled = ARENA_ARRAY(arena, struct letter_record *, count);
    size_t unsettled_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_unsettled(&records[i]))
            unsettled[unsettled_count++] = &records[i];
    }
    return settle_outcomes(&settling, unsettled, unsettled_count) &&
           settle_children(&settling, unsettled, unsettled_count);
}
