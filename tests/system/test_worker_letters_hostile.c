/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests that no command about letters prints a byte that a terminal would obey, whatever a letter
 * has in its texts: control characters, escape sequences, marks that change the direction of text,
 * and bytes that are not UTF-8. All are printed to a pipe, and to a pseudo-terminal, where tables
 * look different.
 */
#include "tests/system/worker_replay.h"

#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVIL                                                                                       \
    "\x1b]0;title\x07\xc2\x9b"                                                                     \
    "31m\x7f\r\n\t\xe2\x80\xae\xe2\x81\xa6\xef\xbb\xbf"
#define INVALID "\xff\xfe\xc2 \xed\xa0\x80"

enum { BODY_BYTES = 1024 * 1024 };

static const char id[] = "cccccccc000000000000000000000001";

static struct letter hostile_letter(struct arena *arena, struct text evil)
{
    const struct outgoing_header header = {.name = "\x1b[2J", .kind = OUTGOING_TEXT, .text = evil};
    struct letter letter = letter_of(arena, "conductor", "key-1", "{}");
    letter.id = text_of(id);
    letter.reason = letter.detail = letter.command = letter.project = evil;
    letter.queue = letter.worker = letter.group = letter.traceparent = evil;
    letter.properties.content_type = letter.properties.correlation_id = evil;
    letter.properties.reply_to = letter.properties.type = letter.properties.app_id = evil;
    letter.raw_headers = field_table_merge(arena, TEXT_NONE, &header, 1);
    return letter;
}

/* --- output ----------------------------------------------------------------------------------- */

/* Of escape sequences only those of colours may occur, and only on a terminal. */
static void expect_harmless(const char *command, const char *output, bool terminal)
{
    for (const char *at = output; *at != '\0'; at++) {
        bool allowed = (unsigned char)*at >= ' ' ? *at != 0x7f : *at == '\n' || *at == '\t';
        if (terminal && *at == '\r')
            allowed = true;
        if (terminal && strncmp(at, "\x1b[", 2) == 0 &&
            at[2 + strspn(at + 2, "0123456789;")] == 'm')
            allowed = true;
        if (!allowed)
            fail_msg("%s prints the byte %02x: %s", command, (unsigned char)*at, at);
    }
    static const char *const bad[] = {"\xc2\x9b", "\xe2\x80\xae", "\xe2\x81\xa6", "\xff", "\xfe"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_null(strstr(output, bad[i]));
}

/* Runs allotctl as the operator on a pseudo-terminal. Returns what it prints; static. */
static const char *run_on_terminal(const char *arguments)
{
    static char output[4 * OUTPUT_MAX];
    char command[OUTPUT_MAX];
    size_t length = 0;
    int terminal = -1;
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)snprintf(command, sizeof command,
                       "ALLOT_AMQP_URI=\"$ALLOT_AMQP_URI_OPERATOR\" TERM=xterm PAGER= exec '%s' %s",
                       ALLOTCTL, arguments);
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    for (ssize_t got = 1; got > 0;) {
        struct pollfd readable = {.fd = terminal, .events = POLLIN};
        assert_int_equal(poll(&readable, 1, WAIT_MS), 1);
        got = read(terminal, output + length, sizeof output - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    output[length] = '\0';
    assert_int_equal(close(terminal), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return output;
}

static void expect_all_harmless(void)
{
    static const char *const commands[] = {
        "letter list",
        "letter list --output wide",
        "letter list --json",
        "letter groups",
        "letter groups --json",
        "letter show cccccccc",
        "letter show cccccccc --json",
        "letter replay cccccccc --dry-run",
        "letter replay cccccccc --dry-run --json",
        "letter export --all",
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const char *output = run_operator(0, "%s", commands[i]);
        assert_true(*output != '\0');
        expect_harmless(commands[i], output, false);
        expect_harmless(commands[i], run_on_terminal(commands[i]), true);
    }
}

/* --- the tests -------------------------------------------------------------------------------- */

static void test_control_characters_are_not_printed(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    use_policy(policy_open);
    struct letter letter = hostile_letter(arena, text_of(EVIL));
    letter.principal = letter.key = text_of(EVIL);
    letter.body = text_of("{\"" EVIL "\":1}");
    letter.body_size = letter.body.length;
    store_letters(&letter, 1);
    expect_all_harmless();
    arena_free(arena);
}

static void test_bytes_that_are_not_utf8_are_not_printed(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    use_policy(policy_open);
    struct letter letter = hostile_letter(arena, text_of(INVALID));
    letter.principal = letter.key = text_of(INVALID);
    letter.body = text_of(INVALID);
    letter.body_size = letter.body.length;
    store_letters(&letter, 1);
    expect_all_harmless();
    arena_free(arena);
}

/* Garbage of 1 MiB in the body, and a long detail. The output is not looked at in full. */
static void test_a_large_body_of_garbage_is_not_printed(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    use_policy(policy_open);
    char *body = arena_alloc(arena, BODY_BYTES);
    for (size_t i = 0; i < BODY_BYTES; i++)
        body[i] = (char)(i * 2654435761u >> 13);
    struct letter letter = hostile_letter(arena, text_of(EVIL));
    letter.body = text_view(body, BODY_BYTES);
    letter.body_size = BODY_BYTES;
    letter.detail = text_view(body, 8192);
    store_letters(&letter, 1);
    static const char *const commands[] = {"letter list", "letter groups", "letter show cccccccc",
                                           "letter show cccccccc --json",
                                           "letter replay cccccccc --dry-run"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        expect_harmless(commands[i], run_operator(0, "%s | head -c 60000", commands[i]), false);
    arena_free(arena);
}

/* The decoder's message may name a member of the body. */
static void test_errors_about_a_hostile_body_are_harmless(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    use_policy(policy_open);
    struct letter letter = hostile_letter(arena, text_of(EVIL));
    store_letters(&letter, 1);
    static const char *const bodies[] = {
        "{\"version\":1,\"command\":\"\\u001b[31m\\u202e\",\"params\":{}}",
        "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"\\u001b]0;x\\u0007\":1}}",
        ("{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"\\u009b\"},"
         "\"\\u202e\":1}"),
        "\x1b[31m",
        INVALID,
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        char arguments[128];
        (void)snprintf(arguments, sizeof arguments, "letter edit cccccccc --yes --body %s",
                       write_body(bodies[i]));
        expect_harmless(arguments, run_operator(1, "%s", arguments), false);
        expect_harmless(arguments, run_on_terminal(arguments), true);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_control_characters_are_not_printed),
        WORKER_TEST(test_bytes_that_are_not_utf8_are_not_printed),
        WORKER_TEST(test_a_large_body_of_garbage_is_not_printed),
        WORKER_TEST(test_errors_about_a_hostile_body_are_harmless),
    };
    return cmocka_run_group_tests_name("hostile letters", tests, NULL, NULL) != 0;
}
