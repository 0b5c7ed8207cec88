/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of allotd. */
#ifndef ALLOT_ARGUMENTS_H
#define ALLOT_ARGUMENTS_H

#include <stdbool.h>

struct arguments {
    const char *config;
    bool check;
};

/* Exits by itself for --help, --version and mistakes. */
struct arguments arguments_parse(int argc, char **argv);

#endif
