/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The edited command has a key of its own, so that the letter's key stays free for the
 * original. The key is written into the letter before anything is sent, with the id that a letter
 * of the edited command has: this links both. If the process dies before the publish is confirmed,
 * the letter stays SENDING, and the next edit uses the same key: if the first one took effect, the
 * second one does not (the same body gets the same answer, another one idempotency_key_reused).
 */
#include "ctl/desk/edit.h"

#include "common/codec/command_decode.h"
#include "common/codec/letter_build.h"
#include "common/host/random.h"
#include "common/mongo/letters_desk.h"
#include "ctl/desk/sender.h"

static struct decode_context decode_context_of(const struct desk *desk)
{
    return (struct decode_context){
        .policy = desk->policy,
        .trust_user_id = desk->settings->security_trust_user_id,
        .default_principal = desk->settings->security_default_principal,
    };
}

/* The message with the edited body. */
static struct outgoing message_of(const struct desk *desk, const struct edit *edit, struct text key,
                                  struct arena *arena)
{
    struct letter_record edited = *edit->record;
    edited.letter.body = edit->body;
    edited.letter.body_size = edit->body.length;
    edited.letter.properties.content_type = text_of("application/json");
    edited.letter.properties.content_encoding = TEXT_NONE;
    return replay_message(&edited, &edit->options, key, desk->settings, arena);
}

bool edit_check(const struct desk *desk, const struct letter_record *record, struct text body,
                struct error *error)
{
    struct edit edit = {.record = record, .body = body};
    struct arena *arena = arena_new(0);
    struct decode_context context = decode_context_of(desk);
    struct outgoing message = message_of(desk, &edit, text_of("edited"), arena);
    struct delivery delivery = {.properties = message.properties, .body = body};
    struct decoded decoded;
    command_decode(&context, &delivery, arena, &decoded);
    if (!decoded.accepted)
        error_set(error, "%s: %.*s", verdict_name(decoded.verdict.code),
                  TEXT_ARGS(decoded.verdict.message));
    arena_free(arena);
    return decoded.accepted;
}

/* The key of an edit that was interrupted, or a new one. */
static struct text key_for(const struct letter_record *record, struct arena *arena)
{
    if (text_present(record->edited_key) && record->replay.phase == LETTER_PHASE_SENDING)
        return record->edited_key;
    return text_copy(arena, text_of(uuid_format(random_uuid()).chars));
}

static bool link_letter(const struct desk *desk, const struct edit *edit, struct text key,
                        struct text run, struct arena *arena, struct error *error)
{
    const struct letter_record *record = edit->record;
    struct letter_note note = {.action = LETTER_ACTION_EDITED, .by = desk->by, .key = key};
    struct text to = letter_id(arena, desk->settings->amqp_queue, record->letter.principal, key,
                               letter_body_sha256(arena, edit->body));
    bool changed = false;
    if (mongo_letter_set_edited(desk->store, record->letter.id, run, to, &note, &changed, error) !=
        STORE_OK)
        return false;
    if (!changed)
        error_set(error, "the letter is not open any more; see 'allotctl letter show %.*s'",
                  TEXT_ARGS(record->letter.id));
    return changed;
}

bool edit_send(const struct desk *desk, struct client *client, const struct edit *edit,
               struct arena *arena, struct text *ret_key, struct error *error)
{
    const struct letter *letter = &edit->record->letter;
    struct text key = key_for(edit->record, arena);
    struct text run = text_copy(arena, text_of(uuid_format(random_uuid()).chars));
    struct outgoing message = message_of(desk, edit, key, arena);
    *ret_key = key;
    return (!desk->settings->security_trust_user_id ||
            sender_check(desk, client, letter->principal, error)) &&
           link_letter(desk, edit, key, run, arena, error) &&
           sender_send(client, &message, error) && sender_confirm(desk, client, error) &&
           mongo_letters_end_send(desk->store, run, &letter->id, 1, error) == STORE_OK;
}
