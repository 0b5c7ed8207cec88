/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all commands of allotctl. --help, the man page, the completion and the checks of the
   documents are made from it. */
#ifndef ALLOT_CTL_COMMAND_TABLE_H
#define ALLOT_CTL_COMMAND_TABLE_H

#include "ctl/commands.h"

/* A command: how it is called, which function runs it, and its help. Texts are static. */
struct command {
    const char *noun;
    const char *verb;              /* NULL: the noun alone is the command */
    const char *operands;          /* how the usage line shows them; NULL: it takes none */
    size_t operands_max;           /* SIZE_MAX: any number */
    bool has_pager;                /* its output may be long, so a terminal gets a pager */
    const enum option_id *options; /* that it accepts; ends with OPTION_NONE */
    int (*run)(const struct options *options, struct arena *arena);
    const char *summary;     /* one sentence, without full stop */
    const char *help;        /* lines that end with '\n'; NULL: nothing more to say */
    const char *examples[2]; /* each one line, or several with " \" at their ends */
};

/* Returns the command with this index, from 0 on; NULL behind the last one. */
const struct command *command_at(size_t index);

/* Returns the command that the first words of argv name, from argv[1] on, or NULL. */
const struct command *command_find(int argc, char **argv);
/* Returns the number of its words: 1 or 2. */
int command_words(const struct command *command);
/* Returns whether some command has this noun and a verb. */
bool command_noun_has_verbs(const char *noun);

/* Prints the usage text of all commands, of one, or of all of a noun, on stdout. */
void command_print_overview(void);
void command_print_help(const struct command *command);
void command_print_noun(const char *noun);

#endif
