/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/codec/units.h"

enum { OPTIONS_MAX = 16, TIMEOUT_DEFAULT_MS = 30000, LIMIT_DEFAULT = 1000 };

static const struct option known[] = {
    {"config", required_argument, NULL, 'c'},   {"uri", required_argument, NULL, 'u'},
    {"key", required_argument, NULL, 'k'},      {"reply-to", required_argument, NULL, 'r'},
    {"exchange", required_argument, NULL, 'e'}, {"routing-key", required_argument, NULL, 'o'},
    {"queue", required_argument, NULL, 'q'},    {"timeout", required_argument, NULL, 't'},
    {"limit", required_argument, NULL, 'l'},    {"no-wait", no_argument, NULL, 'n'},
    {"json", no_argument, NULL, 'j'},           {"repair", no_argument, NULL, 'f'},
};

/* Those of `known` that are allowed, and the end mark. */
static void select_options(const char *allowed, struct option *ret_options)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strchr(allowed, known[i].val) != NULL)
            ret_options[count++] = known[i];
    }
    ret_options[count] = (struct option){NULL, 0, NULL, 0};
}

static bool read_number(const char *name, enum unit_kind kind, int64_t most, int64_t *ret_number)
{
    int64_t number = 0;
    if (units_parse(kind, text_of(optarg), &number) && number >= 1 && number <= most) {
        *ret_number = number;
        return true;
    }
    (void)fprintf(stderr, "allotctl: --%s: %s is wanted, not \"%s\"\n", name, units_wanted(kind),
                  optarg);
    return false;
}

static bool take(int letter, struct options *options)
{
    int64_t number = 0;
    switch (letter) {
    case 'c': options->config = optarg; return true;
    case 'u': options->uri = optarg; return true;
    case 'k': options->key_prefix = optarg; return true;
    case 'r': options->reply_to = optarg; return true;
    case 'e': options->exchange = optarg; return true;
    case 'o': options->routing_key = optarg; return true;
    case 'q': options->queue = optarg; return true;
    case 'n': options->no_wait = true; return true;
    case 'j': options->json = true; return true;
    case 'f': options->repair = true; return true;
    case 'l': return read_number("limit", UNIT_COUNT, INT32_MAX, &options->limit);
    case 't':
        if (!read_number("timeout", UNIT_DURATION, INT_MAX, &number))
            return false;
        options->timeout_ms = (int)number;
        return true;
    default: return false; /* getopt has said why */
    }
}

bool options_read(int argc, char **argv, const char *allowed, struct options *ret_options)
{
    struct option long_options[OPTIONS_MAX];
    struct options options = {.timeout_ms = TIMEOUT_DEFAULT_MS, .limit = LIMIT_DEFAULT};
    select_options(allowed, long_options);
    for (int letter; (letter = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (!take(letter, &options))
            return false;
    }
    if (optind < argc && strchr(allowed, '-') != NULL)
        options.operand = argv[optind++];
    if (optind < argc) {
        (void)fprintf(stderr, "allotctl: one argument too many: \"%s\"\n", argv[optind]);
        return false;
    }
    *ret_options = options;
    return true;
}
