/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of allotd. */
#ifndef ALLOT_ARGUMENTS_H
#define ALLOT_ARGUMENTS_H

#include <stdbool.h>

struct arguments {
    const char *config; /* path of the settings file; NULL: settings come from variables alone */
    bool check;         /* validate and exit */
};

/* Parses the command line; strings are borrowed from `argv`. Exits for --help, --version and usage
   errors. */
struct arguments arguments_parse(int argc, char **argv);

#endif
