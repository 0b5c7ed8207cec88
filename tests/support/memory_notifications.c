/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. There is a list of the groups that are known, with the rate among them. A look compares
 * all letters, as they are committed, with the list. The calls take effect at once, so a look sees
 * all letters up to its time, and needs no overlap with the one before it.
 *
 * An entry that has expired counts as deleted. So does the time of the last look after a day. Each
 * claim has a number, which is its name.
 */
#include "tests/support/memory_document.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/memory.h"

enum { KEPT_MS = 24 * 3600 * 1000 };

static struct text group_of(const struct memory_notification *notification)
{
    return text_view(notification->group, notification->group_length);
}

static struct memory_notification *add(struct memory_database *database, struct text group)
{
    size_t count = database->notification_count++;
    database->notifications =
        memory_grown(database->notifications, count, &database->notification_capacity,
                     sizeof *database->notifications);
    struct memory_notification *added = &database->notifications[count];
    *added = (struct memory_notification){.group_length = group.length};
    if (text_present(group))
        added->group = memory_string(group.bytes, group.length);
    return added;
}

/* Returns the entry of the group, or of the rate; NULL if there is none. */
static struct memory_notification *find(const struct memory_database *database, struct text group)
{
    for (size_t i = 0; i < database->notification_count; i++) {
        struct memory_notification *entry = &database->notifications[i];
        if ((entry->group != NULL) == text_present(group) && text_equal(group_of(entry), group))
            return entry;
    }
    return NULL;
}

/* --- looks --- */

/* Notes a group that is not known, as due or as known. */
static void note_group(struct memory_database *database, struct text group, bool due)
{
    int64_t now_ms = memory_now_ms(database);
    struct memory_notification *entry = find(database, group);
    bool fresh = entry == NULL || entry->expires_ms <= now_ms;
    if (entry == NULL)
        entry = add(database, group);
    if (fresh) {
        entry->at_ms = now_ms;
        entry->due_ms = due ? now_ms : 0;
        entry->tries = 0;
        entry->claim = 0;
    }
    entry->expires_ms = now_ms + 2 * MEMORY_LETTERS_RETENTION_MS;
}

static void note_groups(struct memory_database *database, int64_t since_ms, bool due)
{
    const struct memory_table *table = &database->tables[KIND_LETTER];
    for (size_t i = 0; i < table->count; i++) {
        const struct letter_record *record = memory_newest_letter(table->items[i]);
        if (record != NULL && text_present(record->letter.group) && record->last_at_ms >= since_ms)
            note_group(database, record->letter.group, due);
    }
}

static int64_t newest_count(const struct memory_database *database)
{
    const struct memory_table *table = &database->tables[KIND_LETTER];
    int64_t count = 0, since_ms = memory_now_ms(database) - NOTIFICATION_RATE_MS;
    for (size_t i = 0; i < table->count; i++) {
        const struct letter_record *record = memory_newest_letter(table->items[i]);
        count += record != NULL && record->state == LETTER_OPEN && record->last_at_ms > since_ms;
    }
    return count;
}

static void raise_rate(struct memory_database *database, int64_t letters)
{
    int64_t now_ms = memory_now_ms(database);
    struct memory_notification *entry = find(database, TEXT_NONE);
    bool raised = entry == NULL ||
                  (entry->due_ms == 0 && (entry->over_until_ms <= now_ms ||
                                          entry->at_ms <= now_ms - NOTIFICATION_RATE_AGAIN_MS));
    if (entry == NULL)
        entry = add(database, TEXT_NONE);
    if (raised) {
        entry->at_ms = entry->due_ms = now_ms;
        entry->letters = letters;
        entry->tries = 0;
    }
    entry->over_until_ms = now_ms + NOTIFICATION_RATE_MS;
    entry->expires_ms = now_ms + KEPT_MS;
}

void memory_find_notifications(struct memory_database *database, int64_t rate, int64_t pause_ms)
{
    int64_t now_ms = memory_now_ms(database);
    bool first = database->seen_ms == 0 || database->seen_ms + KEPT_MS <= now_ms;
    if (!first && now_ms - database->seen_ms < pause_ms)
        return;
    note_groups(database, first ? INT64_MIN : database->seen_ms, !first);
    int64_t letters = newest_count(database);
    if (rate > 0 && letters > rate)
        raise_rate(database, letters);
    database->seen_ms = now_ms;
}

/* --- claims --- */

static bool is_due(const struct memory_database *database, const struct memory_notification *entry)
{
    return entry->due_ms != 0 && entry->due_ms <= memory_now_ms(database);
}

static void describe(const struct memory_database *database,
                     const struct memory_notification *entry, struct arena *arena,
                     struct notification *notification)
{
    const struct memory_table *table = &database->tables[KIND_LETTER];
    const struct letter_record *newest = NULL;
    notification->letters = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct letter_record *record = memory_newest_letter(table->items[i]);
        if (record == NULL || !text_present(record->letter.group) ||
            !text_equal(record->letter.group, group_of(entry)))
            continue;
        notification->letters++;
        if (newest == NULL || record->last_at_ms > newest->last_at_ms)
            newest = record;
    }
    if (newest == NULL)
        return;
    notification->letter = text_copy(arena, newest->letter.id);
    notification->reason = text_copy(arena, newest->letter.reason);
    notification->command = text_copy(arena, newest->letter.command);
    notification->detail = text_copy(arena, newest->letter.detail);
}

static void take(struct memory_notification *entry, uint64_t claim, int64_t until_ms)
{
    entry->claim = claim;
    entry->due_ms = until_ms;
    entry->tries++;
}

/* Claims all new groups that are due. Returns how many. */
static int64_t take_groups(struct memory_database *database, uint64_t claim, int64_t until_ms)
{
    int64_t taken = 0;
    for (size_t i = 0; i < database->notification_count; i++) {
        struct memory_notification *entry = &database->notifications[i];
        if (entry->group == NULL || !is_due(database, entry))
            continue;
        take(entry, claim, until_ms);
        taken++;
    }
    return taken;
}

/* Returns the one that has been due for longest, or NULL; sets how many groups are due. */
static struct memory_notification *oldest_due(const struct memory_database *database,
                                              size_t *ret_groups)
{
    struct memory_notification *oldest = NULL;
    *ret_groups = 0;
    for (size_t i = 0; i < database->notification_count; i++) {
        struct memory_notification *entry = &database->notifications[i];
        if (!is_due(database, entry))
            continue;
        *ret_groups += entry->group != NULL;
        if (oldest == NULL || entry->due_ms < oldest->due_ms)
            oldest = entry;
    }
    return oldest;
}

bool memory_claim_notification(struct memory_database *database, int64_t claim_ms,
                               struct arena *arena, struct notification *ret_notification)
{
    size_t groups = 0;
    int64_t until_ms = memory_now_ms(database) + claim_ms, taken = 1;
    struct memory_notification *entry = oldest_due(database, &groups);
    if (entry == NULL)
        return false;
    uint64_t claim = ++database->notification_claims;
    *ret_notification = (struct notification){
        .kind = entry->group != NULL ? NOTIFICATION_GROUP : NOTIFICATION_RATE,
        .claim = text_format(arena, "%" PRIu64, claim),
        .at_ms = entry->at_ms,
        .tries = entry->tries + 1,
        .letters = entry->letters,
    };
    if (entry->group != NULL)
        describe(database, entry, arena, ret_notification);
    if (entry->group != NULL && groups > NOTIFICATION_GROUPS_MAX)
        taken = take_groups(database, claim, until_ms);
    else
        take(entry, claim, until_ms);
    ret_notification->others = taken - 1;
    return true;
}

/* --- ends --- */

void memory_end_notification(struct memory_database *database,
                             const struct notification *notification, enum notification_end end,
                             int64_t pause_ms)
{
    uint64_t claim = strtoull(notification->claim.bytes, NULL, 10);
    for (size_t i = 0; i < database->notification_count; i++) {
        struct memory_notification *entry = &database->notifications[i];
        if (entry->claim != claim)
            continue;
        entry->claim = 0;
        entry->due_ms = end == NOTIFICATION_FAILED ? memory_now_ms(database) + pause_ms : 0;
    }
}

void memory_notifications_free(struct memory_database *database)
{
    for (size_t i = 0; i < database->notification_count; i++)
        free(database->notifications[i].group);
    free(database->notifications);
}
