/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/version.h"

enum { EXIT_USAGE = 2 };

static void usage(FILE *out)
{
    (void)fputs(
        "usage: allotd [--config FILE] [--check]\n"
        "       allotd --version | --help\n"
        "\n"
        "  --config FILE  settings file (YAML; every key is described in\n"
        "                 config/allotd.example.yaml)\n"
        "  --check        validate settings, policy and URIs without connecting, then exit\n"
        "\n"
        "The variable ALLOT_A_B overrides the setting a.b; ALLOT_A_B_FILE names a file with its\n"
        "value. Without --config, variables must give amqp.uri, mongodb.uri and policy.file.\n"
        "\n"
        "exit status: 0 success; 1 failure, or commands left in flight at shutdown.timeout;\n"
        "             2 usage error; 3 second signal\n",
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
    if (optind < argc) {
        (void)fprintf(stderr, "allotd: unexpected argument '%s'\n", argv[optind]);
        usage(stderr);
        exit(EXIT_USAGE);
    }
    return arguments;
}
