/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what the storage port promises of notifications. Each test runs against the store in memory
 * and against MongoDB. Sections: new groups, claims, the rate; then what concerns MongoDB alone.
 *
 * A look sees all letters of the database, so each test begins with a look, and ends what is due.
 * Time passes by pass_time(), also for the notifications: on MongoDB it changes the stored times.
 * So what another test has left is only older.
 *
 * Not here: what is done with a notification (tests/sim/test_notifier.c).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_letters.h"
#include "tests/contract/store_pair.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    CLAIM_MS = 60 * 1000,
    SECOND_MS = 1000,
    DAY_MS = 24 * 3600 * 1000,
    NO_RATE = 0,
};

/* --- helpers --- */

static void pass_time(struct store_world *world, int64_t by_ms)
{
    static const char *const fields[] = {"at", "due_at", "over_until", "expires_at"};
    char json[512];
    world_pass_time(world, by_ms);
    for (size_t i = 0; world->memory == NULL && i < sizeof fields / sizeof fields[0]; i++) {
        (void)snprintf(json, sizeof json,
                       "{\"update\": \"notifications\", \"updates\": [{\"q\": {\"%s\": "
                       "{\"$exists\": true}}, \"u\": [{\"$set\": {\"%s\": {\"$subtract\": "
                       "[\"$%s\", %lld]}}}], \"multi\": true}], \"writeConcern\": {\"w\": "
                       "\"majority\"}}",
                       fields[i], fields[i], fields[i], (long long)by_ms);
        admin_run(world->database, json);
    }
}

static void look(struct session *session, int64_t rate)
{
    assert_status(
        session, STORE_OK,
        session->store->ops->find_notifications(session->store, rate, 0, &session->error));
}

static bool claim(struct session *session, struct notification *ret_notification)
{
    bool found = true;
    assert_status(session, STORE_OK,
                  session->store->ops->claim_notification(session->store, CLAIM_MS, session->arena,
                                                          &found, ret_notification,
                                                          &session->error));
    return found;
}

static struct notification claim_one(struct session *session)
{
    struct notification notification;
    assert_true(claim(session, &notification));
    return notification;
}

static void assert_none(struct session *session)
{
    struct notification notification;
    assert_false(claim(session, &notification));
}

static void end(struct session *session, const struct notification *notification,
                enum notification_end how, int64_t pause_ms)
{
    assert_status(session, STORE_OK,
                  session->store->ops->end_notification(session->store, notification, how, pause_ms,
                                                        &session->error));
}

/* Adds a letter of the group, newer than those that were added before. */
static struct letter add(struct store_world *world, struct text group)
{
    struct letter letter = full_letter(world);
    letter.group = group;
    pass_time(world, SECOND_MS);
    world_add_letter(world, &letter);
    return letter;
}

static struct text new_group(struct store_world *world)
{
    return world_text(world, "internal|allocation.set|group");
}

/* Opens a session whose database has no notification that is due, and no letter of late. */
static struct session open_quiet(struct store_world *world)
{
    struct session session = session_open(world);
    struct notification notification;
    pass_time(world, NOTIFICATION_RATE_MS + NOTIFICATION_RATE_AGAIN_MS);
    look(&session, NO_RATE);
    while (claim(&session, &notification))
        end(&session, &notification, NOTIFICATION_SENT, 0);
    return session;
}

/* --- new groups --- */

/* Must be the first test: afterwards the database has had a look. */
static void test_groups_before_the_first_look_are_known(void **state)
{
    struct store_world *world = *state;
    struct text old = new_group(world), other = new_group(world);
    (void)add(world, old);
    struct session session = session_open(world);
    look(&session, NO_RATE);
    assert_none(&session);
    (void)add(world, old);
    look(&session, NO_RATE);
    assert_none(&session);
    (void)add(world, other);
    look(&session, NO_RATE);
    struct notification notification = claim_one(&session);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    session_close(&session);
}

static void test_a_new_group_is_told_with_its_newest_letter(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct text group = new_group(world);
    (void)add(world, group);
    struct letter newest = add(world, group);
    look(&session, NO_RATE);
    struct notification notification = claim_one(&session);
    assert_int_equal(notification.kind, NOTIFICATION_GROUP);
    assert_text(newest.id, notification.letter);
    assert_text(newest.reason, notification.reason);
    assert_text(newest.command, notification.command);
    assert_text(newest.detail, notification.detail);
    assert_int_equal(notification.letters, 2);
    assert_int_equal(notification.tries, 1);
    assert_int_equal(notification.others, 0);
    assert_true(notification.at_ms > 0);
    assert_none(&session);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    session_close(&session);
}

static void test_a_group_is_told_once(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct text group = new_group(world);
    (void)add(world, group);
    look(&session, NO_RATE);
    look(&session, NO_RATE);
    struct notification notification = claim_one(&session);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    (void)add(world, group);
    look(&session, NO_RATE);
    assert_none(&session);
    pass_time(world, CLAIM_MS + SECOND_MS);
    look(&session, NO_RATE);
    assert_none(&session);
    session_close(&session);
}

static void test_groups_of_any_bytes_are_told_apart(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct text suffix = new_group(world);
    struct text valid = text_format(world->arena, "\xc3\xa9%.*s", TEXT_ARGS(suffix));
    struct text binary = text_format(world->arena, "\xff%.*s", TEXT_ARGS(suffix));
    struct letter first = add(world, valid), second = add(world, binary);
    look(&session, NO_RATE);
    struct notification one = claim_one(&session), other = claim_one(&session);
    assert_none(&session);
    assert_true(text_equal(one.letter, first.id) || text_equal(one.letter, second.id));
    assert_true(text_equal(other.letter, first.id) || text_equal(other.letter, second.id));
    assert_false(text_equal(one.letter, other.letter));
    end(&session, &one, NOTIFICATION_SENT, 0);
    end(&session, &other, NOTIFICATION_SENT, 0);
    look(&session, NO_RATE);
    assert_none(&session);
    session_close(&session);
}

static void test_a_letter_without_a_group_is_not_told(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    (void)add(world, TEXT_NONE);
    look(&session, NO_RATE);
    assert_none(&session);
    session_close(&session);
}

/* The letters of the group have expired long before. */
static void test_a_group_that_comes_back_after_its_letters_have_expired_is_new(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct text group = new_group(world);
    (void)add(world, group);
    look(&session, NO_RATE);
    struct notification notification = claim_one(&session);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    pass_time(world, MEMORY_LETTERS_RETENTION_MS);
    (void)add(world, group); /* still known, and from now on for another time */
    look(&session, NO_RATE);
    pass_time(world, MEMORY_LETTERS_RETENTION_MS + MEMORY_LETTERS_RETENTION_MS / 4);
    (void)add(world, group);
    look(&session, NO_RATE);
    assert_none(&session);
    pass_time(world, 2 * MEMORY_LETTERS_RETENTION_MS + SECOND_MS);
    (void)add(world, group);
    look(&session, NO_RATE);
    notification = claim_one(&session);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    session_close(&session);
}

/* Nobody was to be told for a day: the setting was empty. */
static void test_after_a_day_without_a_look_the_groups_count_as_known(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    pass_time(world, DAY_MS + SECOND_MS);
    if (world->memory == NULL)
        admin_run(world->database, "{\"delete\": \"notifications\", \"deletes\": [{\"q\": "
                                   "{\"_id.kind\": \"seen\"}, \"limit\": 0}], "
                                   "\"writeConcern\": {\"w\": \"majority\"}}");
    (void)add(world, new_group(world));
    look(&session, NO_RATE);
    assert_none(&session);
    session_close(&session);
}

static void test_a_look_after_another_store_s_does_nothing_for_a_time(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world), other = session_open(world);
    (void)add(world, new_group(world));
    pass_time(world, SECOND_MS);
    look(&session, NO_RATE);
    struct notification notification = claim_one(&session);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    (void)add(world, new_group(world));
    assert_status(
        &other, STORE_OK,
        other.store->ops->find_notifications(other.store, NO_RATE, CLAIM_MS, &other.error));
    assert_none(&other);
    pass_time(world, CLAIM_MS);
    assert_status(
        &other, STORE_OK,
        other.store->ops->find_notifications(other.store, NO_RATE, CLAIM_MS, &other.error));
    notification = claim_one(&other);
    end(&other, &notification, NOTIFICATION_SENT, 0);
    session_close(&other);
    session_close(&session);
}

static void test_a_group_without_letters_is_told_without_them(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct letter letter = add(world, new_group(world));
    look(&session, NO_RATE);
    assert_status(&session, STORE_OK, session_publish(&session, &letter.id, 1));
    struct letter_cut cut = {
        .kind = LETTER_CUT_PUBLISHED, .bytes = INT64_MAX, .until_ms = INT64_MAX};
    struct letter_trimmed trimmed;
    assert_status(&session, STORE_OK,
                  session.store->ops->trim_letters(session.store, &cut, &trimmed, &session.error));
    struct notification notification = claim_one(&session);
    assert_int_equal(notification.letters, 0);
    assert_false(text_present(notification.letter));
    assert_false(text_present(notification.reason));
    end(&session, &notification, NOTIFICATION_SENT, 0);
    session_close(&session);
}

/* --- claims --- */

static void test_two_stores_do_not_claim_the_same(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world), other = session_open(world);
    (void)add(world, new_group(world));
    look(&session, NO_RATE);
    look(&other, NO_RATE);
    struct notification notification = claim_one(&session);
    assert_none(&other);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    assert_none(&other);
    session_close(&other);
    session_close(&session);
}

static void test_a_claim_whose_store_died_is_due_again(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world), other = session_open(world);
    (void)add(world, new_group(world));
    look(&session, NO_RATE);
    struct notification late = claim_one(&session);
    pass_time(world, CLAIM_MS + SECOND_MS);
    struct notification notification = claim_one(&other);
    assert_int_equal(notification.tries, 2);
    end(&session, &late, NOTIFICATION_FAILED, 0); /* too late: it is another store's */
    assert_none(&session);
    end(&other, &notification, NOTIFICATION_SENT, 0);
    pass_time(world, CLAIM_MS + SECOND_MS);
    assert_none(&session);
    session_close(&other);
    session_close(&session);
}

static void test_a_failed_try_is_due_again_after_its_pause(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    (void)add(world, new_group(world));
    look(&session, NO_RATE);
    struct notification notification = claim_one(&session);
    end(&session, &notification, NOTIFICATION_FAILED, CLAIM_MS / 2);
    assert_none(&session);
    pass_time(world, CLAIM_MS / 2 + SECOND_MS);
    notification = claim_one(&session);
    assert_int_equal(notification.tries, 2);
    end(&session, &notification, NOTIFICATION_FAILED, 0);
    notification = claim_one(&session);
    assert_int_equal(notification.tries, 3);
    end(&session, &notification, NOTIFICATION_GIVEN_UP, 0);
    pass_time(world, CLAIM_MS + SECOND_MS);
    look(&session, NO_RATE);
    assert_none(&session);
    session_close(&session);
}

static void test_too_many_new_groups_are_told_as_one(void **state)
{
    enum { GROUPS = NOTIFICATION_GROUPS_MAX + 5 };
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    for (size_t i = 0; i < GROUPS; i++)
        (void)add(world, new_group(world));
    look(&session, NO_RATE);
    struct notification notification = claim_one(&session);
    assert_int_equal(notification.others, GROUPS - 1);
    assert_true(text_present(notification.reason));
    assert_none(&session);
    end(&session, &notification, NOTIFICATION_FAILED, 0);
    notification = claim_one(&session);
    assert_int_equal(notification.others, GROUPS - 1);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    look(&session, NO_RATE);
    assert_none(&session);
    session_close(&session);
}

static void test_some_new_groups_are_told_apart(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    for (size_t i = 0; i < NOTIFICATION_GROUPS_MAX; i++)
        (void)add(world, new_group(world));
    look(&session, NO_RATE);
    for (size_t i = 0; i < NOTIFICATION_GROUPS_MAX; i++) {
        struct notification notification = claim_one(&session);
        assert_int_equal(notification.others, 0);
        end(&session, &notification, NOTIFICATION_SENT, 0);
    }
    assert_none(&session);
    session_close(&session);
}

/* --- the rate --- */

enum { RATE = 3 };

/* Makes more letters than RATE in a minute, of one group. */
static void exceed(struct store_world *world, struct session *session, struct text group)
{
    struct notification notification;
    for (size_t i = 0; i <= RATE; i++)
        (void)add(world, group);
    look(session, NO_RATE);
    while (claim(session, &notification)) {
        assert_int_equal(notification.kind, NOTIFICATION_GROUP);
        end(session, &notification, NOTIFICATION_SENT, 0);
    }
}

static void test_a_rate_above_the_limit_is_told_once(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct text group = new_group(world);
    exceed(world, &session, group);
    look(&session, RATE + 1);
    assert_none(&session);
    look(&session, RATE);
    look(&session, RATE);
    struct notification notification = claim_one(&session);
    assert_int_equal(notification.kind, NOTIFICATION_RATE);
    assert_int_equal(notification.letters, RATE + 1);
    assert_false(text_present(notification.letter));
    assert_none(&session);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    look(&session, RATE);
    assert_none(&session);
    session_close(&session);
}

static void test_a_rate_is_told_again_after_a_minute_below_the_limit(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct text group = new_group(world);
    exceed(world, &session, group);
    look(&session, RATE);
    struct notification notification = claim_one(&session);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    pass_time(world, NOTIFICATION_RATE_MS / 2);
    exceed(world, &session, group);
    look(&session, RATE); /* it was never lower */
    assert_none(&session);
    pass_time(world, 2 * NOTIFICATION_RATE_MS);
    look(&session, RATE);
    assert_none(&session);
    exceed(world, &session, group);
    look(&session, RATE);
    notification = claim_one(&session);
    assert_int_equal(notification.kind, NOTIFICATION_RATE);
    assert_int_equal(notification.tries, 1);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    session_close(&session);
}

static void test_a_rate_that_stays_high_is_told_again_after_a_time(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct text group = new_group(world);
    exceed(world, &session, group);
    look(&session, RATE);
    struct notification notification = claim_one(&session);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    bool again = false;
    int64_t passed_ms = 0;
    for (; passed_ms <= NOTIFICATION_RATE_AGAIN_MS && !again;
         passed_ms += NOTIFICATION_RATE_MS / 2) {
        exceed(world, &session, group);
        look(&session, RATE);
        again = claim(&session, &notification);
        pass_time(world, NOTIFICATION_RATE_MS / 2);
    }
    assert_true(again && passed_ms > NOTIFICATION_RATE_AGAIN_MS / 2);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    session_close(&session);
}

static void test_closed_letters_do_not_count_for_the_rate(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct text group = new_group(world);
    exceed(world, &session, group);
    struct letter closed = add(world, group);
    world_set_state(world, closed.id, LETTER_RESOLVED);
    look(&session, RATE + 1);
    assert_none(&session);
    session_close(&session);
}

/* --- MongoDB alone --- */

static void test_a_letter_that_is_committed_late_is_seen(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct session writer = session_open(world);
    struct letter letter = full_letter(world);
    letter.group = new_group(world);
    session_begin(&writer);
    assert_status(&writer, STORE_OK, session_write_letters(&writer, &letter, 1));
    look(&session, NO_RATE); /* later than the letter says, and does not see it */
    assert_none(&session);
    assert_status(&writer, STORE_OK, session_commit(&writer));
    session_close(&writer);
    look(&session, NO_RATE);
    struct notification notification = claim_one(&session);
    assert_text(letter.id, notification.letter);
    end(&session, &notification, NOTIFICATION_SENT, 0);
    session_close(&session);
}

static void tell_all(struct session *session)
{
    struct notification notification;
    look(session, NO_RATE);
    while (claim(session, &notification))
        end(session, &notification, NOTIFICATION_SENT, 0);
}

static void add_many(struct store_world *world, struct text group, size_t count)
{
    struct letter *letters = ARENA_ARRAY(world->arena, struct letter, count);
    for (size_t i = 0; i < count; i++) {
        letters[i] = bare_letter(world);
        letters[i].group = group;
    }
    world_add_letters(world, letters, count);
}

/* It runs every few seconds, however many letters there are. */
static void test_a_look_reads_no_letter_and_few_keys(void **state)
{
    enum { LETTERS = 1000 };
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct text group = new_group(world);
    char filter[256];
    add_many(world, group, LETTERS);
    tell_all(&session);
    pass_time(world, DAY_MS / 2);
    (void)add(world, group);
    (void)add(world, new_group(world));
    admin_run(world->database, "{\"profile\": 2}");
    look(&session, 1);
    admin_run(world->database, "{\"profile\": 0}");
    (void)snprintf(filter, sizeof filter,
                   "{\"ns\": {\"$regex\": \"letters$\"}, \"docsExamined\": 0, "
                   "\"keysExamined\": {\"$gt\": 0, \"$lt\": %d}}",
                   LETTERS / 2);
    assert_int_equal(admin_count(world->database, "system.profile", filter), 2);
    tell_all(&session);
    session_close(&session);
}

/* A worker beside others: looks, and claims and ends what it gets. */
struct rival {
    pthread_t thread;
    struct store_world *world;
    pthread_barrier_t *barrier;
    size_t sent;
};

static void *work(void *argument)
{
    struct rival *rival = argument;
    struct session session = session_open(rival->world);
    struct store *store = session.store;
    const struct store_ops *ops = store->ops;
    (void)pthread_barrier_wait(rival->barrier);
    (void)ops->find_notifications(store, NO_RATE, 0, &session.error);
    for (bool found = true; found;) {
        struct notification notification;
        if (ops->claim_notification(store, CLAIM_MS, session.arena, &found, &notification,
                                    &session.error) != STORE_OK)
            break;
        rival->sent += found;
        if (found)
            (void)ops->end_notification(store, &notification, NOTIFICATION_SENT, 0, &session.error);
    }
    session_close(&session);
    return NULL;
}

static void test_stores_that_work_at_the_same_time_send_once(void **state)
{
    enum { RIVALS = 4, ROUNDS = 5, GROUPS = 8 };
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    for (size_t round = 0; round < ROUNDS; round++) {
        struct rival rivals[RIVALS];
        pthread_barrier_t barrier;
        size_t sent = 0;
        (void)pthread_barrier_init(&barrier, NULL, RIVALS);
        for (size_t i = 0; i < GROUPS; i++)
            (void)add(world, new_group(world));
        for (size_t i = 0; i < RIVALS; i++) {
            rivals[i] = (struct rival){.world = world, .barrier = &barrier};
            assert_int_equal(pthread_create(&rivals[i].thread, NULL, work, &rivals[i]), 0);
        }
        for (size_t i = 0; i < RIVALS; i++) {
            (void)pthread_join(rivals[i].thread, NULL);
            sent += rivals[i].sent;
        }
        (void)pthread_barrier_destroy(&barrier);
        look(&session, NO_RATE); /* a rival whose look failed may have left something */
        for (struct notification rest; claim(&session, &rest); sent++)
            end(&session, &rest, NOTIFICATION_SENT, 0);
        assert_int_equal(sent, GROUPS);
        pass_time(world, CLAIM_MS + SECOND_MS);
        assert_none(&session);
    }
    session_close(&session);
}

/* `allotctl audit` is for it; the look must go on. */
static void test_a_malformed_group_does_not_stop_the_looks(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct letter malformed = add(world, new_group(world)), other = add(world, new_group(world));
    char json[512];
    (void)snprintf(json, sizeof json,
                   "{\"update\": \"letters\", \"bypassDocumentValidation\": true, \"updates\": "
                   "[{\"q\": {\"_id\": \"%.*s\"}, \"u\": {\"$set\": {\"group\": 5}}}], "
                   "\"writeConcern\": {\"w\": \"majority\"}}",
                   TEXT_ARGS(malformed.id));
    admin_run(world->database, json);
    look(&session, NO_RATE);
    struct notification one = claim_one(&session), another = claim_one(&session);
    assert_none(&session);
    assert_true(text_equal(one.letter, other.id) || text_equal(another.letter, other.id));
    assert_false(text_present(one.letter) && text_present(another.letter));
    end(&session, &one, NOTIFICATION_SENT, 0);
    end(&session, &another, NOTIFICATION_SENT, 0);
    session_close(&session);
}

static void test_a_failed_call_can_be_repeated(void **state)
{
    struct store_world *world = *state;
    struct session session = open_quiet(world);
    struct notification notification;
    bool found = false;
    (void)add(world, new_group(world));
    admin_fail("\"aggregate\"", 1, "\"errorCode\": 10107");
    assert_int_not_equal(
        session.store->ops->find_notifications(session.store, NO_RATE, 0, &session.error),
        STORE_OK);
    admin_clear_faults();
    look(&session, NO_RATE);
    admin_fail("\"update\"", 2, ADMIN_CUT);
    assert_int_not_equal(session.store->ops->claim_notification(session.store, CLAIM_MS,
                                                                session.arena, &found,
                                                                &notification, &session.error),
                         STORE_OK);
    assert_false(found);
    admin_clear_faults();
    pass_time(world, CLAIM_MS + SECOND_MS); /* the update may have arrived */
    notification = claim_one(&session);
    admin_fail("\"update\"", 2, ADMIN_CUT);
    assert_int_not_equal(session.store->ops->end_notification(session.store, &notification,
                                                              NOTIFICATION_SENT, 0, &session.error),
                         STORE_OK);
    admin_clear_faults();
    end(&session, &notification, NOTIFICATION_SENT, 0);
    pass_time(world, CLAIM_MS + SECOND_MS);
    assert_none(&session);
    session_close(&session);
}

#define BOTH_TESTS                                                                                 \
    cmocka_unit_test(test_groups_before_the_first_look_are_known),                                 \
        cmocka_unit_test(test_a_new_group_is_told_with_its_newest_letter),                         \
        cmocka_unit_test(test_a_group_is_told_once),                                               \
        cmocka_unit_test(test_groups_of_any_bytes_are_told_apart),                                 \
        cmocka_unit_test(test_a_letter_without_a_group_is_not_told),                               \
        cmocka_unit_test(test_a_group_that_comes_back_after_its_letters_have_expired_is_new),      \
        cmocka_unit_test(test_after_a_day_without_a_look_the_groups_count_as_known),               \
        cmocka_unit_test(test_a_look_after_another_store_s_does_nothing_for_a_time),               \
        cmocka_unit_test(test_a_group_without_letters_is_told_without_them),                       \
        cmocka_unit_test(test_two_stores_do_not_claim_the_same),                                   \
        cmocka_unit_test(test_a_claim_whose_store_died_is_due_again),                              \
        cmocka_unit_test(test_a_failed_try_is_due_again_after_its_pause),                          \
        cmocka_unit_test(test_too_many_new_groups_are_told_as_one),                                \
        cmocka_unit_test(test_some_new_groups_are_told_apart),                                     \
        cmocka_unit_test(test_a_rate_above_the_limit_is_told_once),                                \
        cmocka_unit_test(test_a_rate_is_told_again_after_a_minute_below_the_limit),                \
        cmocka_unit_test(test_a_rate_that_stays_high_is_told_again_after_a_time),                  \
        cmocka_unit_test(test_closed_letters_do_not_count_for_the_rate)

static const struct CMUnitTest in_memory[] = {BOTH_TESTS};

static const struct CMUnitTest on_mongo[] = {
    BOTH_TESTS,
    cmocka_unit_test_teardown(test_a_letter_that_is_committed_late_is_seen, admin_tear_down),
    cmocka_unit_test_teardown(test_a_look_reads_no_letter_and_few_keys, admin_tear_down),
    cmocka_unit_test(test_stores_that_work_at_the_same_time_send_once),
    cmocka_unit_test_teardown(test_a_malformed_group_does_not_stop_the_looks, admin_tear_down),
    cmocka_unit_test_teardown(test_a_failed_call_can_be_repeated, admin_tear_down),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("store notifications in memory", in_memory,
                                             store_world_memory, store_world_end) != 0;
    failed |= cmocka_run_group_tests_name("store notifications on MongoDB", on_mongo,
                                          store_world_mongo, store_world_end) != 0;
    return failed;
}
