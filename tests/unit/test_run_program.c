/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests how a program is run. The programs are shell scripts in a folder of the test's own, with a
 * file for what they have to show. After each run the test looks that it has no child.
 *
 * The time limits are generous where the program ends by itself, and short where it is to be
 * killed.
 *
 * Not here: which program is run (test_notification.c).
 */
#include "tests/support/cmocka.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/host/file.h"
#include "common/host/run_program.h"

enum { GENEROUS_MS = 60000, SHORT_MS = 300, PATH_ROOM = 128, LARGE = 1024 * 1024 };

struct box {
    char folder[PATH_ROOM];
    char program[2 * PATH_ROOM];
    char output[2 * PATH_ROOM];
    struct arena *arena;
    struct error error;
};

static int set_up(void **state)
{
    static struct box box;
    box = (struct box){.folder = "/tmp/allot-program-XXXXXX", .arena = arena_new(0)};
    if (mkdtemp(box.folder) == NULL)
        return -1;
    (void)snprintf(box.program, sizeof box.program, "%s/program", box.folder);
    (void)snprintf(box.output, sizeof box.output, "%s/output", box.folder);
    *state = &box;
    return 0;
}

static int tear_down(void **state)
{
    struct box *box = *state;
    (void)unlink(box->program);
    (void)unlink(box->output);
    arena_free(box->arena);
    return rmdir(box->folder);
}

/* Writes a script in which $OUT is the path of the output. */
static void write_script(const struct box *box, const char *lines)
{
    FILE *file = fopen(box->program, "we");
    assert_non_null(file);
    assert_true(fprintf(file, "#!/bin/sh\nOUT='%s'\n%s\n", box->output, lines) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(box->program, S_IRWXU), 0);
}

static bool run(struct box *box, struct text input, int64_t timeout_ms, int stop_fd)
{
    struct program_run program = {box->program, input, timeout_ms, stop_fd};
    box->error = (struct error){""};
    bool done = run_program(&program, &box->error);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    return done;
}

static bool run_usual(struct box *box)
{
    return run(box, text_of("{}"), GENEROUS_MS, -1);
}

static struct text output_of(struct box *box)
{
    struct text content = TEXT_NONE;
    assert_true(file_read(box->output, 2 * LARGE, box->arena, &content, &box->error));
    return content;
}

static void assert_error(const struct box *box, const char *part)
{
    if (strstr(box->error.text, part) == NULL)
        fail_msg("%s: %s", part, box->error.text);
}

static void test_a_program_gets_the_input(void **state)
{
    struct box *box = *state;
    char *large = arena_alloc(box->arena, LARGE);
    memset(large, 'x', LARGE);
    write_script(box, "cat >$OUT");
    assert_true(run(box, text_of("{\"version\":1}"), GENEROUS_MS, -1));
    assert_true(text_is(output_of(box), "{\"version\":1}"));
    assert_true(run(box, text_view(large, LARGE), GENEROUS_MS, -1));
    assert_int_equal(output_of(box).length, LARGE);
    assert_true(run(box, TEXT_NONE, GENEROUS_MS, -1));
    assert_int_equal(output_of(box).length, 0);
}

static void test_a_program_need_not_read_its_input(void **state)
{
    struct box *box = *state;
    char *large = arena_alloc(box->arena, LARGE);
    memset(large, 'x', LARGE);
    write_script(box, "exec <&-; exit 0");
    assert_true(run(box, text_view(large, LARGE), GENEROUS_MS, -1));
}

static void test_a_failure_is_reported_with_the_first_line_of_the_output(void **state)
{
    struct box *box = *state;
    write_script(box, "echo; echo 'no such host' >&2; echo more; exit 3");
    assert_false(run_usual(box));
    assert_error(box, "exited with status 3: no such host");
    assert_null(strstr(box->error.text, "more"));
    write_script(box, "exit 1");
    assert_false(run_usual(box));
    assert_error(box, "exited with status 1");
    write_script(box, "kill -SEGV $$");
    assert_false(run_usual(box));
    assert_error(box, "was ended by signal 11");
}

static void test_a_program_that_writes_much_is_not_stopped_by_that(void **state)
{
    struct box *box = *state;
    write_script(box, "head -c 1000000 /dev/zero; exit 0");
    assert_true(run_usual(box));
}

/* Returns whether the process exists, and has not ended: nobody may reap it in a container. */
static bool is_running(pid_t pid)
{
    char path[PATH_ROOM], line[PATH_ROOM] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool running = fgets(line, sizeof line, file) != NULL && strstr(line, ") Z ") == NULL;
    (void)fclose(file);
    return running;
}

static void test_a_program_that_hangs_is_killed_with_its_group(void **state)
{
    struct box *box = *state;
    write_script(box, "sleep 1000 & echo $! >$OUT; trap '' TERM; sleep 1000");
    assert_false(run(box, text_of("{}"), SHORT_MS, -1));
    assert_error(box, "had not ended after 300 ms");
    pid_t background = (pid_t)strtol(output_of(box).bytes, NULL, 10);
    assert_true(background > 1);
    while (is_running(background))
        (void)usleep(1000);
}

static void test_a_program_that_writes_for_ever_is_killed(void **state)
{
    struct box *box = *state;
    write_script(box, "exec yes");
    assert_false(run(box, text_of("{}"), SHORT_MS, -1));
    assert_error(box, "had not ended after 300 ms");
}

static void test_a_program_that_closes_its_output_is_waited_for(void **state)
{
    struct box *box = *state;
    write_script(box, "exec >&- 2>&-; sleep 0.2; echo done >$OUT");
    assert_true(run_usual(box));
    assert_true(text_is(output_of(box), "done\n"));
}

/* What is left in the background keeps the output open. */
static void test_a_program_in_the_background_is_not_waited_for(void **state)
{
    struct box *box = *state;
    write_script(box, "sleep 1000 & echo $! >$OUT; exit 0");
    assert_true(run_usual(box));
    pid_t background = (pid_t)strtol(output_of(box).bytes, NULL, 10);
    assert_int_equal(kill(background, SIGKILL), 0);
}

static void test_a_stop_kills_the_program_at_once(void **state)
{
    struct box *box = *state;
    int stop_fd = eventfd(1, EFD_CLOEXEC);
    assert_true(stop_fd >= 0);
    write_script(box, "sleep 1000");
    assert_false(run(box, text_of("{}"), GENEROUS_MS, stop_fd));
    assert_error(box, "the worker stops");
    assert_int_equal(close(stop_fd), 0);
}

static void test_the_environment_has_no_settings(void **state)
{
    struct box *box = *state;
    assert_int_equal(setenv("ALLOT_MONGODB_URI", "mongodb://u:secret@h", 1), 0);
    assert_int_equal(setenv("ALLOTMENT", "kept", 1), 0);
    write_script(box, "env >$OUT");
    assert_true(run_usual(box));
    struct text output = output_of(box);
    assert_null(memmem(output.bytes, output.length, "secret", strlen("secret")));
    assert_non_null(memmem(output.bytes, output.length, "ALLOTMENT=kept", strlen("ALLOTMENT=")));
    assert_non_null(memmem(output.bytes, output.length, "PATH=", strlen("PATH=")));
    (void)unsetenv("ALLOT_MONGODB_URI");
    (void)unsetenv("ALLOTMENT");
}

static void test_no_file_and_no_signal_mask_is_inherited(void **state)
{
    struct box *box = *state;
    sigset_t signals, before;
    int file = dup(STDERR_FILENO); /* without close-on-exec */
    assert_true(file > STDERR_FILENO);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, &before);
    (void)signal(SIGPIPE, SIG_IGN);
    write_script(box, "ls /proc/self/fd | wc -l >$OUT\n"
                      "grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2 >>$OUT");
    assert_true(run_usual(box));
    (void)signal(SIGPIPE, SIG_DFL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)close(file);
    /* 0, 1, 2, and the one that ls has opened */
    unsigned files = 0;
    unsigned long long blocked = 1, ignored = 1;
    assert_int_equal(sscanf(output_of(box).bytes, "%u %llx %llx", &files, &blocked, &ignored), 3);
    assert_int_equal(files, 4);
    assert_true(blocked == 0);
    assert_true((ignored & (1ULL << (SIGPIPE - 1))) == 0);
}

static void test_a_program_that_cannot_run_is_an_error(void **state)
{
    struct box *box = *state;
    assert_false(run_usual(box));
    assert_error(box, "cannot run /tmp/allot-program-");
    assert_error(box, "No such file or directory");
    write_script(box, "exit 0");
    assert_int_equal(chmod(box->program, S_IRUSR), 0);
    assert_false(run_usual(box));
    assert_error(box, "Permission denied");
}

#define PROGRAM_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROGRAM_TEST(test_a_program_gets_the_input),
        PROGRAM_TEST(test_a_program_need_not_read_its_input),
        PROGRAM_TEST(test_a_failure_is_reported_with_the_first_line_of_the_output),
        PROGRAM_TEST(test_a_program_that_writes_much_is_not_stopped_by_that),
        PROGRAM_TEST(test_a_program_that_hangs_is_killed_with_its_group),
        PROGRAM_TEST(test_a_program_that_writes_for_ever_is_killed),
        PROGRAM_TEST(test_a_program_that_closes_its_output_is_waited_for),
        PROGRAM_TEST(test_a_program_in_the_background_is_not_waited_for),
        PROGRAM_TEST(test_a_stop_kills_the_program_at_once),
        PROGRAM_TEST(test_the_environment_has_no_settings),
        PROGRAM_TEST(test_no_file_and_no_signal_mask_is_inherited),
        PROGRAM_TEST(test_a_program_that_cannot_run_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
