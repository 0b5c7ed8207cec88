/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the lists that the code declares once (commands, failure codes, events, counters,
 * settings), so that script/generate can write them into documents and tests/style/lists can
 * compare them. A list has one row per line, with columns separated by tabs; the settings, and what
 * describe_allotctl.c prints, are whole documents or parts of them.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/settings_document.h"
#include "common/core/command.h"
#include "common/core/verdict.h"
#include "tests/style/describe_allotctl.h"
#include "worker/service/counters.h"
#include "worker/service/events.h"

static const char *yes_no(int value)
{
    return value ? "yes" : "no";
}

/* name, mode, summary */
static void print_commands(void)
{
#define X(id, name, mode, summary) (void)printf("%s\t%s\t%s\n", name, #mode, summary);
    COMMANDS(X)
#undef X
}

/* code, recorded, retryable, always dead-lettered, when, details */
static void print_codes(void)
{
#define X(id, name, recorded, retryable, dead, when, details)                                      \
    (void)printf("%s\t%s\t%s\t%s\t%s\t%s\n", name, yes_no(recorded), yes_no(retryable),            \
                 yes_no(dead), when, details);
    VERDICT_FAILURES(X)
#undef X
}

static void print_level(const char *level)
{
    for (; *level != '\0'; level++)
        (void)putchar(tolower((unsigned char)*level));
}

/* name, level, meaning, what to do */
static void print_events(void)
{
#define X(id, name, level, meaning, action)                                                        \
    (void)printf("%s\t", name);                                                                    \
    print_level(#level);                                                                           \
    (void)printf("\t%s\t%s\n", meaning, action);
    EVENTS(X)
#undef X
}

/* name, kind, unit, help */
static void print_counters(void)
{
#define X(id, name, kind, unit, help) (void)printf("%s\t%s\t%s\t%s\n", name, #kind, unit, help);
    COUNTERS(X)
#undef X
}

static void print_settings_example(void)
{
    settings_write_example(stdout);
}

static void print_settings_manual(void)
{
    settings_write_manual(stdout);
}

/* ctl/completion/allotctl.bash also knows the commands that producers send, and the reasons of
   letters: failure codes, and what the broker and the desk queue give. */
static void print_completion(void)
{
    describe_completion();
    (void)fputs("_allotctl_requests='", stdout);
#define X(id, name, mode, summary) (void)fputs(name " ", stdout);
    COMMANDS(X)
#undef X
    (void)fputs("'\n_allotctl_reasons='", stdout);
#define X(id, name, recorded, retryable, dead, when, details) (void)fputs(name " ", stdout);
    VERDICT_FAILURES(X)
#undef X
    (void)fputs("expired rejected delivery_limit maxlen unreadable unknown'\n", stdout);
}

struct list {
    const char *name;
    void (*print)(void);
};

static const struct list lists[] = {
    {"commands", print_commands},
    {"codes", print_codes},
    {"events", print_events},
    {"counters", print_counters},
    {"settings-example", print_settings_example},
    {"settings-manual", print_settings_manual},
    {"common-options", describe_common_options},
    {"allotctl-commands", describe_allotctl_commands},
    {"context-keys", describe_context_keys},
    {"completion", print_completion},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof lists / sizeof lists[0]; i++) {
        if (strcmp(argv[1], lists[i].name) == 0) {
            lists[i].print();
            return EXIT_SUCCESS;
        }
    }
    (void)fputs("usage: describe LIST\n", stderr);
    return 2;
}
