/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. terminal_open() looks at stdout once, before the pager takes its place: the pager's pipe
 * is no terminal, but what goes through it is still for one. The pager is a process of popen(),
 * and stdout becomes a duplicate of its pipe, so that nothing else has to know of it.
 */
#include "ctl/terminal.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_DEFAULT = 80, ANSWER_BYTES_MAX = 16 };

static struct {
    bool is_open;
    bool has_colour;
    int width;
    FILE *pager; /* NULL: none */
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

static void open_pager(void)
{
    const char *command = pager_command();
    if (command == NULL)
        return;
    (void)setenv("LESS", "FRX", 0); /* as git does: end if all fits, show colours, keep the text */
    terminal.pager = popen(command, "we");
    if (terminal.pager == NULL)
        return;
    (void)signal(SIGPIPE, SIG_IGN); /* the user may leave the pager before the end */
    (void)fflush(stdout);
    (void)dup2(fileno(terminal.pager), STDOUT_FILENO);
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

/* The pager ends when the last writing end of its pipe is closed: stdout and the one of popen(). */
void terminal_close(void)
{
    if (terminal.pager == NULL)
        return;
    (void)fflush(stdout);
    (void)close(STDOUT_FILENO);
    (void)pclose(terminal.pager);
    terminal.pager = NULL;
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
