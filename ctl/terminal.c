/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. terminal_open() looks at stdout once, before the pager takes its place: the pager's pipe
 * is no terminal, but what goes through it is still for one. The pager is a process of popen(),
 * and stdout becomes a duplicate of its pipe, so that nothing else has to know of it. So does
 * stderr, if it is a terminal: a line that is written beside a pager damages what the pager shows.
 *
 * Signals. The terminal sends Ctrl-C to the pager and to this process. A pager takes it as a
 * command of its own and goes on, so this process must not end before it: then pager and shell
 * would both read from the terminal. It closes the pipe, waits for the pager, and only then ends by
 * the signal.
 */
#include "ctl/terminal.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/output.h"

/* The statuses of a shell that has not found, or cannot execute, its command. */
enum { SHELL_CANNOT_EXECUTE = 126, SHELL_NOT_FOUND = 127 };
enum { WIDTH_DEFAULT = 80, ANSWER_BYTES_MAX = 16 };

static struct {
    bool is_open;
    bool has_colour;
    int width;
    const char *pager_command;
    FILE *pager; /* NULL: none */
    int pager_fd;
    int saved_stderr; /* -1: stderr does not lead to the pager */
} terminal = {.width = WIDTH_DEFAULT};

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static int width_of(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : WIDTH_DEFAULT;
}

static bool is_in_folder(const char *folder, int length, const char *name)
{
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%.*s/%s", length, folder, name) < (int)sizeof path &&
           access(path, X_OK) == 0;
}

/* Returns whether a folder of PATH has less. If it was not there, the pipe would end at once, and
   the output with it. */
static bool has_less(void)
{
    const char *path = variable("PATH");
    while (path != NULL && *path != '\0') {
        int length = (int)strcspn(path, ":");
        if (is_in_folder(path, length, "less"))
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

static const char *pager_command(void)
{
    const char *pager = getenv("PAGER");
    if (pager == NULL)
        return has_less() ? "less" : NULL;
    return *pager != '\0' && strcmp(pager, "cat") != 0 ? pager : NULL;
}

/* Ends by the signal when the user has left the pager. Calls async-signal-safe functions only. */
static void end_after_pager(int number)
{
    (void)close(STDOUT_FILENO);
    if (terminal.saved_stderr >= 0)
        (void)close(STDERR_FILENO);
    (void)close(terminal.pager_fd);
    while (wait(NULL) >= 0)
        continue;
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void handle_signals(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* the user may leave the pager before the end */
    (void)signal(SIGINT, end_after_pager);
    (void)signal(SIGTERM, end_after_pager);
}

/* stdout is flushed at each line end, so that lines of both come in their order. */
static void redirect_errors(void)
{
    terminal.saved_stderr = -1;
    if (isatty(STDERR_FILENO) == 0)
        return;
    terminal.saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    (void)dup2(terminal.pager_fd, STDERR_FILENO);
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

static void restore_errors(void)
{
    if (terminal.saved_stderr < 0)
        return;
    (void)dup2(terminal.saved_stderr, STDERR_FILENO);
    (void)close(terminal.saved_stderr);
    terminal.saved_stderr = -1;
}

static void open_pager(void)
{
    terminal.pager_command = pager_command();
    if (terminal.pager_command == NULL)
        return;
    (void)setenv("LESS", "FRX", 0); /* as git does: end if all fits, show colours, keep the text */
    terminal.pager = popen(terminal.pager_command, "we");
    if (terminal.pager == NULL)
        return;
    terminal.pager_fd = fileno(terminal.pager);
    redirect_errors();
    handle_signals();
    (void)fflush(stdout);
    (void)dup2(terminal.pager_fd, STDOUT_FILENO);
}

void terminal_open(bool with_pager)
{
    const char *name = variable("TERM");
    terminal.is_open = isatty(STDOUT_FILENO) != 0;
    if (!terminal.is_open)
        return;
    terminal.width = width_of(STDOUT_FILENO);
    terminal.has_colour = name != NULL && strcmp(name, "dumb") != 0 && variable("NO_COLOR") == NULL;
    if (with_pager)
        open_pager();
}

static bool is_started(int status)
{
    return !WIFEXITED(status) ||
           (WEXITSTATUS(status) != SHELL_NOT_FOUND && WEXITSTATUS(status) != SHELL_CANNOT_EXECUTE);
}

/* The pager ends when the last writing end of its pipe is closed: stdout and the one of popen(). If
   the user has left it before, writing has failed, and that is no error. */
static int close_pager(int status)
{
    (void)fflush(stdout);
    (void)close(STDOUT_FILENO);
    restore_errors();
    bool started = is_started(pclose(terminal.pager));
    terminal.pager = NULL;
    if (started)
        return status;
    (void)fprintf(stderr,
                  "allotctl: nothing is shown, since the pager '%s' cannot be started; set PAGER, "
                  "or give --no-pager\n",
                  terminal.pager_command);
    return EXIT_FAILED;
}

int terminal_finish(int status)
{
    return terminal.pager != NULL ? close_pager(status) : finish_output(status);
}

bool terminal_is_open(void)
{
    return terminal.is_open;
}

int terminal_width(void)
{
    return terminal.width;
}

static const char *sequence_of(enum tone tone)
{
    static const char *const sequences[] = {
#define X(id, sequence) [TONE_##id] = (sequence),
        TONES(X)
#undef X
    };
    return sequences[tone];
}

void tone_begin(FILE *stream, enum tone tone)
{
    if (terminal.has_colour && tone != TONE_PLAIN)
        (void)fprintf(stream, "\033[%sm", sequence_of(tone));
}

void tone_end(FILE *stream, enum tone tone)
{
    if (terminal.has_colour && tone != TONE_PLAIN)
        (void)fputs("\033[0m", stream);
}

bool terminal_ask(const char *question)
{
    char answer[ANSWER_BYTES_MAX];
    if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
        (void)fputs("allotctl: nobody can be asked, since there is no terminal: give --yes to go "
                    "on\n",
                    stderr);
        return false;
    }
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s [y/N] ", question);
    if (fgets(answer, sizeof answer, stdin) == NULL)
        return false;
    answer[strcspn(answer, "\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}
