/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the thread that tells the operator about letters, with a fake store that has one
 * notification after the other, and a fake call. The thread is a real one, so the tests wait for
 * calls, and none depends on how long something takes. A test that fails may leave the thread
 * behind.
 *
 * Not here: which notifications there are (tests/contract/test_store_notifications.c), and real
 * calls (tests/unit/test_run_program.c, test_http_post.c).
 */
#include "tests/support/cmocka.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/host/log.h"
#include "tests/support/thread_store.h"
#include "worker/service/notifier.h"

enum { SOON_MS = 1, NEVER_MS = 3600 * 1000, LIMIT = 5 };

/* A store for one thread, and who is called. */
struct fake_store {
    struct thread_store base;
    size_t looks;
    size_t due;              /* notifications that may be claimed */
    size_t tries_before;     /* of each */
    size_t prepare_failures; /* so many calls fail first, as below */
    size_t look_failures;
    size_t end_failures;

    size_t calls;
    size_t call_failures;
    bool call_hangs; /* until the stop */
    char json[512];  /* of the last call */

    size_t ends[NOTIFICATION_GIVEN_UP + 1];
    int64_t pause_ms; /* of the last end */
};

static struct fake_store *of(struct store *base)
{
    return (struct fake_store *)base;
}

/* Counts down what is to fail. */
static enum store_status take(struct fake_store *store, size_t *failures)
{
    thread_store_lock(&store->base);
    bool fails = *failures > 0;
    *failures -= fails;
    thread_store_unlock(&store->base);
    return fails ? STORE_UNAVAILABLE : STORE_OK;
}

static enum store_status prepare(struct store *base, struct error *error)
{
    (void)error;
    return take(of(base), &of(base)->prepare_failures);
}

static enum store_status find_notifications(struct store *base, int64_t rate, int64_t pause_ms,
                                            struct error *error)
{
    struct fake_store *store = of(base);
    (void)pause_ms;
    (void)error;
    assert_int_equal(rate, LIMIT);
    thread_store_lock(&store->base);
    store->looks++;
    thread_store_unlock(&store->base);
    return take(store, &store->look_failures);
}

static enum store_status claim_notification(struct store *base, int64_t claim_ms,
                                            struct arena *arena, bool *ret_found,
                                            struct notification *ret_notification,
                                            struct error *error)
{
    struct fake_store *store = of(base);
    (void)claim_ms;
    (void)error;
    thread_store_lock(&store->base);
    *ret_found = store->due > 0;
    store->due -= *ret_found;
    thread_store_unlock(&store->base);
    *ret_notification = (struct notification){
        .kind = NOTIFICATION_GROUP,
        .claim = text_copy(arena, text_of("claim")),
        .tries = (int64_t)store->tries_before + 1,
        .letters = 1,
        .reason = text_of("internal"),
    };
    return STORE_OK;
}

static enum store_status end_notification(struct store *base,
                                          const struct notification *notification,
                                          enum notification_end end, int64_t pause_ms,
                                          struct error *error)
{
    struct fake_store *store = of(base);
    (void)error;
    assert_true(text_is(notification->claim, "claim"));
    enum store_status status = take(store, &store->end_failures);
    thread_store_lock(&store->base);
    store->ends[end] += status == STORE_OK;
    store->pause_ms = pause_ms;
    thread_store_unlock(&store->base);
    return status;
}

static const struct store_ops ops = {
    .prepare = prepare,
    .find_notifications = find_notifications,
    .claim_notification = claim_notification,
    .end_notification = end_notification,
    .free = thread_store_free,
};

static bool call(const void *context, struct text json, int stop_fd, struct error *error)
{
    struct fake_store *store = *(struct fake_store *const *)context;
    thread_store_lock(&store->base);
    store->calls++;
    (void)snprintf(store->json, sizeof store->json, "%.*s", TEXT_ARGS(json));
    bool hangs = store->call_hangs;
    thread_store_unlock(&store->base);
    error_set(error, "no");
    if (hangs) {
        struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
        (void)poll(&stop, 1, THREAD_STORE_WAIT_MS);
        return false;
    }
    return take(store, &store->call_failures) == STORE_OK;
}

static struct fake_store make_store(void)
{
    struct fake_store store = {.base = thread_store_make(&ops)};
    return store;
}

/* `context` is borrowed until the notifier has ended. */
static struct notifier *start(struct fake_store *const *context, int64_t look_ms)
{
    struct notifier_options options = {
        .store = &(*context)->base.base,
        .worker = text_of("test"),
        .rate = LIMIT,
        .look_ms = look_ms,
        .claim_ms = NEVER_MS,
        .pause_ms = SOON_MS,
        .call = call,
        .context = context,
    };
    return notifier_start(&options);
}

static void stop(struct notifier *notifier)
{
    notifier_stop(notifier);
    assert_true(notifier_end(notifier, THREAD_STORE_WAIT_MS));
}

static void test_each_notification_is_sent_and_noted(void **state)
{
    (void)state;
    struct fake_store store = make_store(), *context = &store;
    store.due = 3;
    struct notifier *notifier = start(&context, NEVER_MS);
    thread_store_await(&store.base, &store.ends[NOTIFICATION_SENT], 3);
    stop(notifier);
    assert_int_equal(store.calls, 3);
    assert_int_equal(store.looks, 1);
    assert_int_equal(store.base.frees, 1);
    assert_non_null(strstr(store.json, "\"event\":\"new_group\",\"worker\":\"test\""));
}

static void test_looks_follow_each_other(void **state)
{
    (void)state;
    struct fake_store store = make_store(), *context = &store;
    store.look_failures = 2;
    store.prepare_failures = 1;
    struct notifier *notifier = start(&context, SOON_MS);
    thread_store_await(&store.base, &store.looks, 5);
    stop(notifier);
    assert_int_equal(store.calls, 0);
}

static void test_after_a_failed_call_it_looks_soon_again(void **state)
{
    (void)state;
    struct fake_store store = make_store(), *context = &store;
    store.due = 1;
    store.call_failures = 1;
    struct notifier *notifier = start(&context, NEVER_MS);
    thread_store_await(&store.base, &store.looks, 2);
    stop(notifier);
    assert_int_equal(store.ends[NOTIFICATION_FAILED], 1);
    assert_int_equal(store.pause_ms, SOON_MS);
}

static void test_the_pauses_grow_up_to_a_minute(void **state)
{
    static const struct {
        size_t tries_before;
        int64_t pause_ms;
    } cases[] = {{1, 2 * SOON_MS}, {5, 32 * SOON_MS}, {15, 32768 * SOON_MS}, {30, 60000}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake_store store = make_store(), *context = &store;
        store.due = 1;
        store.call_failures = 1;
        store.tries_before = cases[i].tries_before;
        struct notifier *notifier = start(&context, NEVER_MS);
        thread_store_await(&store.base, &store.ends[NOTIFICATION_FAILED], 1);
        stop(notifier);
        assert_int_equal(store.pause_ms, cases[i].pause_ms);
    }
}

static void test_after_many_failures_it_is_given_up(void **state)
{
    (void)state;
    struct fake_store store = make_store(), *context = &store;
    store.due = 1;
    store.call_failures = 1;
    store.tries_before = NOTIFICATION_TRIES_MAX - 1;
    struct notifier *notifier = start(&context, NEVER_MS);
    thread_store_await(&store.base, &store.ends[NOTIFICATION_GIVEN_UP], 1);
    stop(notifier);
    assert_int_equal(store.ends[NOTIFICATION_FAILED], 0);
}

/* Else another worker would send it again. */
static void test_the_note_is_tried_until_it_succeeds(void **state)
{
    (void)state;
    struct fake_store store = make_store(), *context = &store;
    store.due = 1;
    store.end_failures = 1;
    struct notifier *notifier = start(&context, NEVER_MS);
    thread_store_await(&store.base, &store.ends[NOTIFICATION_SENT], 1);
    stop(notifier);
    assert_int_equal(store.calls, 1);
}

/* Another worker goes on with it at once. */
static void test_a_stop_ends_a_call_that_hangs(void **state)
{
    (void)state;
    struct fake_store store = make_store(), *context = &store;
    store.due = 2;
    store.call_hangs = true;
    store.tries_before = 20;
    struct notifier *notifier = start(&context, NEVER_MS);
    thread_store_await(&store.base, &store.calls, 1);
    stop(notifier);
    assert_int_equal(store.calls, 1);
    assert_int_equal(store.ends[NOTIFICATION_FAILED], 1);
    assert_int_equal(store.pause_ms, 0);
    assert_int_equal(store.due, 1);
}

static void test_a_stop_does_not_wait_for_the_database(void **state)
{
    (void)state;
    struct fake_store store = make_store(), *context = &store;
    store.prepare_failures = SIZE_MAX;
    store.due = 1;
    stop(start(&context, SOON_MS));
    assert_int_equal(store.looks, 0);
    store = make_store();
    store.due = 1;
    store.end_failures = SIZE_MAX;
    struct notifier *notifier = start(&context, SOON_MS);
    thread_store_await(&store.base, &store.calls, 1);
    stop(notifier);
    assert_int_equal(store.calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_notification_is_sent_and_noted),
        cmocka_unit_test(test_looks_follow_each_other),
        cmocka_unit_test(test_after_a_failed_call_it_looks_soon_again),
        cmocka_unit_test(test_the_pauses_grow_up_to_a_minute),
        cmocka_unit_test(test_after_many_failures_it_is_given_up),
        cmocka_unit_test(test_the_note_is_tried_until_it_succeeds),
        cmocka_unit_test(test_a_stop_ends_a_call_that_hangs),
        cmocka_unit_test(test_a_stop_does_not_wait_for_the_database),
    };
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "notifier test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
