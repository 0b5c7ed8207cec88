/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the JSON of notifications, and the check of the settings that say who is called. */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "common/host/http_post.h"
#include "worker/service/notification_call.h"
#include "worker/service/notification_encode.h"

enum { AT_MS = 1767225599 };

static void assert_encoded(const struct notification *notification, const char *expected)
{
    struct arena *arena = arena_new(0);
    struct text json = notification_encode(arena, notification, text_of("w1"), 100);
    if (!text_is(json, expected))
        fail_msg("%.*s", TEXT_ARGS(json));
    arena_free(arena);
}

static void test_a_new_group_has_its_newest_letter(void **state)
{
    (void)state;
    const struct notification notification = {
        .kind = NOTIFICATION_GROUP,
        .at_ms = AT_MS * INT64_C(1000) + 999,
        .letters = 2,
        .letter = text_of("0123456789abcdef0123456789abcdef"),
        .reason = text_of("internal"),
        .command = text_of("allocation.set"),
        .detail = text_of("a \"quote\" and \xff"),
        .others = 3,
    };
    assert_encoded(&notification,
                   "{\"version\":1,\"event\":\"new_group\",\"worker\":\"w1\","
                   "\"at\":\"2025-12-31T23:59:59Z\",\"group\":{\"reason\":\"internal\","
                   "\"command\":\"allocation.set\",\"detail\":\"a \\\"quote\\\" and \xef\xbf\xbd\","
                   "\"count\":2},\"letter\":\"0123456789abcdef0123456789abcdef\",\"others\":3}");
}

static void test_what_is_not_known_is_null(void **state)
{
    (void)state;
    const struct notification notification = {.kind = NOTIFICATION_GROUP, .at_ms = 1000};
    assert_encoded(&notification,
                   "{\"version\":1,\"event\":\"new_group\",\"worker\":\"w1\","
                   "\"at\":\"1970-01-01T00:00:01Z\",\"group\":{\"reason\":null,\"command\":null,"
                   "\"detail\":null,\"count\":0},\"letter\":null,\"others\":0}");
}

static void test_a_rate_has_the_limit(void **state)
{
    (void)state;
    const struct notification notification = {
        .kind = NOTIFICATION_RATE, .at_ms = 1000, .letters = 250};
    assert_encoded(&notification,
                   "{\"version\":1,\"event\":\"rate\",\"worker\":\"w1\","
                   "\"at\":\"1970-01-01T00:00:01Z\",\"letters_last_minute\":250,\"limit\":100}");
}

/* --- who is called ---------------------------------------------------------------------------- */

static void check(const char *command, const char *url, const char *expected)
{
    struct notification_call call = {text_of(command), text_of(url), 1000};
    struct error error = {""};
    bool valid = notification_call_check(&call, &error);
    if (valid != (expected == NULL) || (!valid && strstr(error.text, expected) == NULL))
        fail_msg("%s, %s: %s", command, url, error.text);
    assert_null(strstr(error.text, "secret"));
}

static void test_who_is_called_is_checked(void **state)
{
    (void)state;
    check("", "", NULL);
    check("/bin/sh", "", NULL);
    check("", "https://h/secret", NULL);
    check("/bin/sh", "https://h/secret", "only one of them may be set");
    check("sh", "", "letters.notify_command: expected an absolute path, found 'sh'");
    check("/nonexistent", "", "letters.notify_command: cannot run /nonexistent: No such file");
    check("/etc/passwd", "", "letters.notify_command: cannot run /etc/passwd: Permission denied");
    check("/tmp", "", "letters.notify_command: cannot run /tmp: not a regular file");
    check("", "ftp://h/secret", "letters.notify_url: ");
    check("", "secret", "letters.notify_url: ");
}

static void test_nobody_is_called_by_default(void **state)
{
    (void)state;
    struct notification_call call = {text_of(""), text_of(""), 1000};
    assert_false(notification_call_wanted(&call));
    call.url = text_of("https://h");
    assert_true(notification_call_wanted(&call));
    call = (struct notification_call){text_of("/bin/sh"), text_of(""), 1000};
    assert_true(notification_call_wanted(&call));
}

static void test_a_call_runs_the_program(void **state)
{
    (void)state;
    struct error error = {""};
    struct notification_call call = {text_of("/bin/false"), text_of(""), 60000};
    assert_false(notification_call_run(&call, text_of("{}"), -1, &error));
    assert_non_null(strstr(error.text, "/bin/false exited with status 1"));
    call.command = text_of("/bin/true");
    assert_true(notification_call_run(&call, text_of("{}"), -1, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_group_has_its_newest_letter),
        cmocka_unit_test(test_what_is_not_known_is_null),
        cmocka_unit_test(test_a_rate_has_the_limit),
        cmocka_unit_test(test_who_is_called_is_checked),
        cmocka_unit_test(test_nobody_is_called_by_default),
        cmocka_unit_test(test_a_call_runs_the_program),
    };
    if (!http_library_init())
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_library_cleanup();
    return failed;
}
