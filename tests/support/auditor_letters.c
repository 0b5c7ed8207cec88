/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The letters: each dead-lettered command has one letter, and each letter has at least one dead
 * letter, of a worker or of the broker. The same command that was sent twice has one letter, and
 * may have one dead letter. Nothing is left in the desk queue.
 */
#include "tests/support/auditor_internal.h"

#include "common/codec/field_table.h"

static bool is_of_broker(const struct memory_message *dead)
{
    struct field field;
    return field_table_find(dead->raw_headers, "x-death", &field);
}

/* A worker writes the principal into a header; the broker keeps the user_id. */
static struct text principal_of(const struct memory_message *dead)
{
    struct field field;
    if (is_of_broker(dead))
        return dead->properties.user_id;
    return field_table_find(dead->raw_headers, "x-allot-principal", &field) ? field.text
                                                                            : TEXT_NONE;
}

static bool is_about(const struct memory_message *dead, struct text principal, struct text key,
                     struct text body)
{
    return text_equal(principal_of(dead), principal) && text_equal(dead->body, body) &&
           text_equal(dead->properties.message_id, key);
}

static bool has_dead_letter(const struct audit *audit, struct text principal, struct text key,
                            struct text body)
{
    const struct memory_broker *broker = audit->world->broker;
    size_t count = memory_broker_count(broker, "allot.dead");
    for (size_t i = 0; i < count; i++) {
        if (is_about(memory_broker_message(broker, "allot.dead", i), principal, key, body))
            return true;
    }
    return false;
}

bool audit_is_dead(const struct audit *audit, const struct sent *sent)
{
    return has_dead_letter(audit, sent->principal, sent->key, sent->body);
}

bool audit_is_dead_of_broker(const struct audit *audit, const struct sent *sent)
{
    const struct memory_broker *broker = audit->world->broker;
    size_t count = memory_broker_count(broker, "allot.dead");
    for (size_t i = 0; i < count; i++) {
        const struct memory_message *dead = memory_broker_message(broker, "allot.dead", i);
        if (is_of_broker(dead) && text_equal(dead->properties.correlation_id, sent->correlation_id))
            return true;
    }
    return false;
}

static bool is_same(const struct letter *a, const struct letter *b)
{
    return text_equal(a->principal, b->principal) && text_equal(a->key, b->key) &&
           text_equal(a->body, b->body);
}

static void check_letter(struct audit *audit, size_t index)
{
    const struct letter_record *record = audit->letters[index];
    const struct letter *letter = &record->letter;
    for (size_t i = 0; i < index; i++) {
        if (is_same(&audit->letters[i]->letter, letter))
            FINDING(audit, "letter %.*s: the same command has another one", TEXT_ARGS(letter->id));
    }
    if (record->unpublished)
        FINDING(audit, "letter %.*s: not published", TEXT_ARGS(letter->id));
    else if (!has_dead_letter(audit, letter->principal, letter->key, letter->body))
        FINDING(audit, "letter %.*s: without a dead letter", TEXT_ARGS(letter->id));
    if (record->state != LETTER_OPEN || record->count < 1)
        FINDING(audit, "letter %.*s: not open, or without a count", TEXT_ARGS(letter->id));
}

static const struct letter *find_letter(const struct audit *audit, struct text id)
{
    for (size_t i = 0; i < audit->letter_count; i++) {
        if (text_equal(audit->letters[i]->letter.id, id))
            return &audit->letters[i]->letter;
    }
    return NULL;
}

static bool has_letter(const struct audit *audit, const struct memory_message *dead)
{
    for (size_t i = 0; i < audit->letter_count; i++) {
        const struct letter *letter = &audit->letters[i]->letter;
        if (is_about(dead, letter->principal, letter->key, letter->body))
            return true;
    }
    return false;
}

/* Only a dead letter whose letter the database refused has none. */
static void check_dead_letter(struct audit *audit, const struct memory_message *dead)
{
    struct field id;
    if (!has_letter(audit, dead) && audit->world->rejections == 0)
        FINDING(audit, "dead letter of %.*s: it has no letter",
                TEXT_ARGS(dead->properties.message_id));
    if (is_of_broker(dead))
        return;
    if (!field_table_find(dead->raw_headers, "x-allot-letter", &id)) {
        if (audit->world->rejections == 0)
            FINDING(audit, "dead letter of %.*s: names no letter",
                    TEXT_ARGS(dead->properties.message_id));
        return;
    }
    const struct letter *letter = find_letter(audit, id.text);
    if (letter == NULL || !is_about(dead, letter->principal, letter->key, letter->body))
        FINDING(audit, "dead letter of %.*s: its letter is missing, or another command's",
                TEXT_ARGS(dead->properties.message_id));
}

void audit_letters(struct audit *audit)
{
    const struct memory_broker *broker = audit->world->broker;
    size_t count = memory_broker_count(broker, "allot.dead");
    if (memory_broker_count(broker, "allot.dead.desk") > 0)
        FINDING(audit, "messages are left in the desk queue");
    for (size_t i = 0; i < audit->letter_count; i++)
        check_letter(audit, i);
    for (size_t i = 0; i < count; i++)
        check_dead_letter(audit, memory_broker_message(broker, "allot.dead", i));
}
