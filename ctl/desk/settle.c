/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A letter is looked at if it is open or replayed. Its command is known by the key that was
 * last sent: that of an edited command, the new key of a replay, or its own. An edited command
 * counts only as long as the letter is replayed: if it is open, the original was dead-lettered
 * again, or somebody has opened the letter, and that is newer. Two things can tell what became of
 * it:
 *   - the outcome that is recorded under this key. Under the letter's own key another command may
 *     be recorded, so there the digest of the body has to be the same, too;
 *   - for another key than its own, the letter that such a command got: its *child*. A child of a
 *     new key is closed, and the letter itself is open again, so that one cause has one open
 *     letter. A child of an edited command stays, since it has another body; the letter itself is
 *     closed.
 *
 * Guarantees. Each change has the condition that the letter was not dead-lettered since it was
 * read. So a letter that is open again is not closed by an older answer. The changes of a call are
 * collected, and made in one write. A letter that the write did not change is read again.
 */
#include "ctl/desk/settle.h"

#include <string.h>

#include "common/codec/command_decode.h"
#include "common/codec/letter_build.h"
#include "common/codec/reply_encode.h"
#include "common/mongo/letters_desk.h"
#include "common/mongo/letters_read.h"
#include "common/mongo/outcomes_read.h"

enum { BODIES_PER_READ = 128 };

struct settling {
    const struct desk *desk;
    struct arena *arena;
    struct letter_change *changes;
    size_t change_count;
    size_t change_capacity;
    struct letter_record **changed; /* the records of the changes; NULL: of a child */
    size_t changed_count;
    size_t changed_capacity;
    struct error *error;
};

static bool is_unsettled(const struct letter_record *record)
{
    return record->state == LETTER_OPEN || record->state == LETTER_REPLAYED;
}

static bool is_edited(const struct letter_record *record)
{
    return record->state == LETTER_REPLAYED && text_present(record->edited_key);
}

static struct text last_key(const struct letter_record *record)
{
    if (is_edited(record))
        return record->edited_key;
    return text_present(record->new_key) ? record->new_key : record->letter.key;
}

static bool has_own_key(const struct letter_record *record)
{
    return !is_edited(record) && !text_present(record->new_key);
}

/* --- changes -------------------------------------------------------------------------------- */

/* Adds a change of the record, which may be NULL. */
static void add_change(struct settling *settling, struct letter_record *record,
                       const struct letter_change *change)
{
    settling->changes = arena_grown(settling->arena, settling->changes, settling->change_count,
                                    &settling->change_capacity, sizeof *settling->changes);
    settling->changed = arena_grown(settling->arena, settling->changed, settling->changed_count,
                                    &settling->changed_capacity, sizeof(struct letter_record *));
    settling->changes[settling->change_count++] = *change;
    settling->changed[settling->changed_count++] = record;
}

/* Changes the state, in the record at once, and in the database with the next write. */
static void change(struct settling *settling, struct letter_record *record, enum letter_state state,
                   const struct letter_note *note)
{
    const struct letter_change change = {
        .id = record->letter.id,
        .from = {[LETTER_OPEN] = true, [LETTER_REPLAYED] = true},
        .last_at_ms = record->last_at_ms,
        .to = state,
        .note = *note,
    };
    add_change(settling, record, &change);
    record->state = state;
}

static bool reread_state(void *context, const struct letter_record *found, struct arena *arena)
{
    struct settling *settling = context;
    (void)arena;
    for (size_t i = 0; i < settling->changed_count; i++) {
        struct letter_record *record = settling->changed[i];
        if (record != NULL && text_equal(record->letter.id, found->letter.id))
            record->state = found->state;
    }
    return true;
}

static bool reread_states(struct settling *settling)
{
    struct text *ids = ARENA_ARRAY(settling->arena, struct text, settling->change_count);
    for (size_t i = 0; i < settling->change_count; i++)
        ids[i] = settling->changes[i].id;
    struct letter_filter filter = {
        .ids = ids, .id_count = settling->change_count, .limit = settling->change_count};
    return mongo_letters_each(settling->desk->store, &filter, LETTER_NEWEST_FIRST, false,
                              reread_state, settling, settling->error) == STORE_OK;
}

/* Makes the changes that were added. */
static bool make_changes(struct settling *settling)
{
    size_t changed = 0;
    if (settling->desk->read_only || settling->change_count == 0)
        return true;
    return mongo_letters_change(settling->desk->store, settling->changes, settling->change_count,
                                &changed, settling->error) == STORE_OK &&
           (changed == settling->change_count || reread_states(settling));
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

static void settle_success(struct settling *settling, struct letter_record *record)
{
    struct text text = is_edited(record) ? text_of("the edited command has succeeded")
                                         : text_of("the command has succeeded");
    struct letter_note note = note_of(settling, LETTER_ACTION_SUCCEEDED, text);
    change(settling, record, LETTER_RESOLVED, &note);
}

static void settle_failure(struct settling *settling, struct letter_record *record,
                           const struct outcome_record *outcome)
{
    if (record->state != LETTER_REPLAYED || record->replay.phase == LETTER_PHASE_SENDING)
        return;
    struct text message = reply_failure_message(settling->arena, outcome->body);
    struct text text =
        text_format(settling->arena, "%.*s: %.*s", TEXT_ARGS(outcome->code), TEXT_ARGS(message));
    struct letter_note note = note_of(settling, LETTER_ACTION_FAILED, text);
    change(settling, record, LETTER_OPEN, &note);
}

/* Of an edited command, a failure counts only if it has no letter (settle_children). */
static void settle_outcome(struct settling *settling, struct letter_record *record,
                           const struct outcome_record *outcome)
{
    if (text_is(outcome->code, "success"))
        settle_success(settling, record);
    else if (!is_edited(record))
        settle_failure(settling, record, outcome);
}

/* Settles the letters with an outcome under their own key. */
static bool settle_own(struct settling *settling, struct letter_record **records,
                       const struct outcome_record **outcomes, size_t count)
{
    for (size_t i = 0; i < count; i += BODIES_PER_READ) {
        bool same[BODIES_PER_READ] = {false};
        size_t block = count - i < BODIES_PER_READ ? count - i : BODIES_PER_READ;
        struct bodies bodies = {settling, records + i, outcomes + i, block, same};
        if (!compare_block(&bodies))
            return false;
        for (size_t j = 0; j < block; j++) {
            if (same[j])
                settle_outcome(settling, records[i + j], outcomes[i + j]);
        }
    }
    return true;
}

static bool settle_outcomes(struct settling *settling, struct letter_record **records, size_t count,
                            struct outcome_record *outcomes)
{
    struct arena *arena = settling->arena;
    struct attempt_key *keys = ARENA_ARRAY(arena, struct attempt_key, count);
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
        } else {
            settle_outcome(settling, records[i], &outcomes[i]);
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
    struct settling *settling;
    struct child *items;
    size_t count;
};

static struct text child_id(const struct settling *settling, const struct letter_record *record)
{
    if (is_edited(record))
        return record->edited_to;
    return letter_id(settling->arena, settling->desk->settings->amqp_queue,
                     record->letter.principal, record->new_key, record->letter.body_sha256);
}

static void close_child(struct settling *settling, const struct letter_record *child,
                        const struct letter_record *parent)
{
    const struct letter_change change = {
        .id = text_copy(settling->arena, child->letter.id),
        .from = {[LETTER_OPEN] = true},
        .last_at_ms = child->last_at_ms,
        .to = LETTER_RESOLVED,
        .note = note_of(settling, LETTER_ACTION_RESOLVED,
                        text_format(settling->arena,
                                    "it is a replay of the letter %.*s under a new key",
                                    TEXT_ARGS(parent->letter.id))),
    };
    add_change(settling, NULL, &change);
}

/* The child of a new key: its failure is one of the letter itself. The letter is changed first, so
   that it is found again if the child could not be closed. */
static void settle_new_key(struct settling *settling, struct letter_record *parent,
                           const struct letter_record *child)
{
    struct text text = text_format(settling->arena, "%.*s: %.*s", TEXT_ARGS(child->letter.reason),
                                   TEXT_ARGS(child->letter.detail));
    struct letter_note note = note_of(settling, LETTER_ACTION_FAILED, text);
    if (child->state != LETTER_OPEN)
        return;
    if (parent->state == LETTER_REPLAYED)
        change(settling, parent, LETTER_OPEN, &note);
    close_child(settling, child, parent);
}

static void settle_edited(struct settling *settling, struct letter_record *parent,
                          const struct letter_record *child)
{
    struct letter_note note =
        note_of(settling, LETTER_ACTION_RESOLVED,
                text_format(settling->arena, "the edited command has a letter of its own: %.*s",
                            TEXT_ARGS(child->letter.id)));
    change(settling, parent, LETTER_RESOLVED, &note);
}

static bool child_found(void *context, const struct letter_record *child, struct arena *arena)
{
    struct children *children = context;
    (void)arena;
    for (size_t i = 0; i < children->count; i++) {
        struct letter_record *parent = children->items[i].parent;
        if (!text_equal(children->items[i].id, child->letter.id))
            continue;
        if (is_edited(parent))
            settle_edited(children->settling, parent, child);
        else
            settle_new_key(children->settling, parent, child);
    }
    return true;
}

static bool settle_children(struct settling *settling, struct letter_record **records, size_t count)
{
    struct children children = {settling, ARENA_ARRAY(settling->arena, struct child, count), 0};
    struct text *ids = ARENA_ARRAY(settling->arena, struct text, count);
    for (size_t i = 0; i < count; i++) {
        if (has_own_key(records[i]) || !is_unsettled(records[i]))
            continue;
        ids[children.count] = child_id(settling, records[i]);
        children.items[children.count] = (struct child){records[i], ids[children.count]};
        children.count++;
    }
    struct letter_filter filter = {.ids = ids, .id_count = children.count, .limit = children.count};
    return children.count == 0 ||
           mongo_letters_each(settling->desk->store, &filter, LETTER_NEWEST_FIRST, false,
                              child_found, &children, settling->error) == STORE_OK;
}

/* An edited command that failed without a letter: its producer got the answer. */
static void settle_edited_failures(struct settling *settling, struct letter_record **records,
                                   const struct outcome_record *outcomes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (outcomes[i].exists && is_edited(records[i]))
            settle_failure(settling, records[i], &outcomes[i]);
    }
}

static bool settle_unsettled(struct settling *settling, struct letter_record **records,
                             size_t count)
{
    struct outcome_record *outcomes = ARENA_ARRAY(settling->arena, struct outcome_record, count);
    if (!settle_outcomes(settling, records, count, outcomes) ||
        !settle_children(settling, records, count))
        return false;
    settle_edited_failures(settling, records, outcomes, count);
    return make_changes(settling);
}

static bool settle_those(const struct desk *desk, struct letter_record *records, size_t count,
                         const bool *states, struct arena *arena, struct error *error)
{
    struct settling settling = {.desk = desk, .arena = arena, .error = error};
    struct letter_record **unsettled = ARENA_ARRAY(arena, struct letter_record *, count);
    size_t unsettled_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (states[records[i].state])
            unsettled[unsettled_count++] = &records[i];
    }
    return settle_unsettled(&settling, unsettled, unsettled_count);
}

bool settle_letters(const struct desk *desk, struct letter_record *records, size_t count,
                    struct arena *arena, struct error *error)
{
    static const bool states[LETTER_DISCARDED + 1] = {[LETTER_OPEN] = true,
                                                      [LETTER_REPLAYED] = true};
    return settle_those(desk, records, count, states, arena, error);
}

bool settle_replayed(const struct desk *desk, struct letter_record *records, size_t count,
                     struct arena *arena, struct error *error)
{
    static const bool states[LETTER_DISCARDED + 1] = {[LETTER_REPLAYED] = true};
    return settle_those(desk, records, count, states, arena, error);
}
