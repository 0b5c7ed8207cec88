/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/request/arguments.h"

#include <stdio.h>

#include "common/core/message_id.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/terminal.h"

static bool fail_value(const char *before, const char *value, const char *after)
{
    (void)fprintf(stderr, "allotctl: %s'", before);
    print_printable(stderr, text_of(value));
    (void)fprintf(stderr, "'%s\n", after);
    return false;
}

bool argument_given(const struct options *options, const char *what)
{
    if (options->operand != NULL && options->operand[0] != '\0')
        return true;
    (void)fprintf(stderr, "allotctl: missing argument %s\n", what);
    return false;
}

bool argument_uuid(const struct options *options, const char *what, struct uuid *ret_uuid)
{
    if (!argument_given(options, what))
        return false;
    return uuid_parse(text_of(options->operand), ret_uuid) ||
           fail_value("invalid argument ", options->operand, ": expected a UUID");
}

bool argument_key_valid(const struct options *options)
{
    return options->key == NULL || message_id_is_valid(text_of(options->key)) ||
           fail_value("invalid value ", options->key,
                      " for --key: expected 1 to 255 printable characters of ASCII, no space");
}

bool argument_option_given(const char *value, const char *name)
{
    if (value != NULL)
        return true;
    (void)fprintf(stderr, "allotctl: missing option --%s\n", name);
    return false;
}

int argument_fail(const struct error *error)
{
    (void)fail_with(error);
    return EXIT_USAGE;
}

bool argument_confirmed(const struct options *options, const char *question)
{
    if (options->yes || terminal_ask(question))
        return true;
    (void)fputs("allotctl: nothing is changed\n", stderr);
    return false;
}
