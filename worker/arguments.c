/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/arguments.h"
#include "common/base/version.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 2 };

static void usage(FILE *out)
{
    (void)fputs("usage: allotd --config FILE [--check]\n"
                "       allotd --version | --help\n"
                "\n"
                "  --config FILE  the settings, as config/allotd.example.yaml explains them;\n"
                "                 the variable ALLOT_A_B overrides the setting a.b\n"
                "  --check        say whether settings and policy are well, and exit\n",
                out);
}

struct arguments arguments_parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct arguments arguments = {NULL, false};
    for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        switch (option) {
        case 'c': arguments.config = optarg; break;
        case 'k': arguments.check = true; break;
        case 'v': (void)printf("allotd %s\n", version_text()); exit(EXIT_SUCCESS);
        case 'h': usage(stdout); exit(EXIT_SUCCESS);
        default: usage(stderr); exit(EXIT_USAGE);
        }
    }
    if (optind < argc || arguments.config == NULL) {
        usage(stderr);
        exit(EXIT_USAGE);
    }
    return arguments;
}
