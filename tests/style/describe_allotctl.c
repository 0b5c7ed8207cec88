/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Everything is made from the table of commands (ctl/command_table.h), the table of options
 * (ctl/options.h) and the keys of a context (ctl/context.h). Help texts are parts of sentences in
 * lower case, since --help shows them so; a man page has sentences.
 *
 * An option that many commands accept is described once for all of them, and a command only names
 * it: else the page would say the same for each command.
 *
 * The completion gets one line for each command: its words, its options, its operands, separated by
 * ';'. An option that has a value is followed by '=' and the name of the value in --help, which
 * tells the completion what the value is.
 */
#include "tests/style/describe_allotctl.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "allot/letter.h"
#include "ctl/command_table.h"
#include "ctl/context.h"

/* --- scdoc ---------------------------------------------------------------------------------- */

/* '*' and '_' switch bold and underlined on and off. */
static void write_escaped(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (strchr("*_\\", text[i]) != NULL)
            (void)putchar('\\');
        (void)putchar(text[i]);
    }
}

/* Writes a part of a sentence as a sentence. */
static void write_sentence(const char *text)
{
    (void)putchar(toupper((unsigned char)text[0]));
    write_escaped(text + 1, strlen(text + 1));
    (void)putchar('.');
}

/* Writes operands or the name of a value: words in upper case are placeholders. */
static void write_placeholders(const char *text)
{
    while (*text != '\0') {
        size_t length = 0;
        while (isupper((unsigned char)text[length]))
            length++;
        if (length > 0)
            (void)printf("_%.*s_", (int)length, text);
        else
            write_escaped(text, length = 1);
        text += length;
    }
}

/* Writes the lines of a help text as one paragraph. */
static void write_paragraph(const char *help)
{
    for (const char *line = help; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        size_t indent = strspn(line, " ");
        write_escaped(line + indent, length - indent);
        line += length + (line[length] == '\n');
        (void)putchar(*line != '\0' ? ' ' : '\n');
    }
    (void)putchar('\n');
}

/* --- options -------------------------------------------------------------------------------- */

static const enum option_id common[] = {OPTION_CONFIG, OPTION_CONTEXT, OPTION_URI_FILE,
                                        OPTION_OUTPUT, OPTION_JSON,    OPTION_NO_PAGER};

static bool is_common(enum option_id id)
{
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        if (common[i] == id)
            return true;
    }
    return false;
}

static void write_option(enum option_id id)
{
    struct option_description option = option_describe(id);
    (void)printf("*--%s*", option.name);
    if (option.argument != NULL) {
        (void)putchar(' ');
        write_placeholders(option.argument);
    }
    (void)fputs("\n\t", stdout);
    write_sentence(option.help);
    if (option.value != NULL)
        (void)printf(" Default: %s.", option.value);
    (void)fputs("\n\n", stdout);
}

void describe_common_options(void)
{
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        write_option(common[i]);
}

/* --- commands ------------------------------------------------------------------------------- */

static void write_name(const struct command *command)
{
    (void)printf("allotctl %s%s%s", command->noun, command->verb != NULL ? " " : "",
                 command->verb != NULL ? command->verb : "");
}

static void write_own_options(const struct command *command)
{
    for (const enum option_id *id = command->options; *id != OPTION_NONE; id++) {
        if (!is_common(*id))
            write_option(*id);
    }
}

/* Names the options that COMMON OPTIONS describes. */
static void write_other_options(const struct command *command)
{
    const char *separator = "Also: ";
    for (const enum option_id *id = command->options; *id != OPTION_NONE; id++) {
        if (!is_common(*id))
            continue;
        (void)printf("%s*--%s*", separator, option_describe(*id).name);
        separator = ", ";
    }
    if (separator[0] == ',')
        (void)fputs(".\n\n", stdout);
}

static void write_examples(const struct command *command)
{
    (void)fputs("Examples:\n\n```\n", stdout);
    for (size_t i = 0; i < sizeof command->examples / sizeof command->examples[0]; i++)
        (void)printf("%s\n", command->examples[i]);
    (void)fputs("```\n\n", stdout);
}

static void write_command(const struct command *command)
{
    (void)fputs("## ", stdout);
    write_name(command);
    (void)fputs("\n\n*", stdout);
    write_name(command);
    (void)putchar('*');
    if (command->operands != NULL) {
        (void)putchar(' ');
        write_placeholders(command->operands);
    }
    (void)fputs(" [_OPTION_]...\n\n", stdout);
    write_sentence(command->summary);
    (void)fputs("\n\n", stdout);
    if (command->help != NULL)
        write_paragraph(command->help);
    write_own_options(command);
    write_other_options(command);
    write_examples(command);
}

void describe_allotctl_commands(void)
{
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)) != NULL; i++)
        write_command(command);
}

/* --- contexts ------------------------------------------------------------------------------- */

static void write_key(const char *key, const char *variable, const char *help)
{
    (void)putchar('*');
    write_escaped(key, strlen(key));
    (void)fputs("*\n\t", stdout);
    write_sentence(help);
    if (variable[0] != '\0') {
        (void)fputs(" Environment variable: ", stdout);
        write_escaped(variable, strlen(variable));
        (void)putchar('.');
    }
    (void)fputs("\n\n", stdout);
}

void describe_context_keys(void)
{
#define X(id, key, variable, is_file, help)                                                        \
    write_key(key, (is_file) ? variable "_FILE" : variable, help);
    CONTEXT_KEYS(X)
#undef X
}

/* --- completion ----------------------------------------------------------------------------- */

static void write_line(const struct command *command)
{
    (void)printf("%s%s%s;", command->noun, command->verb != NULL ? " " : "",
                 command->verb != NULL ? command->verb : "");
    for (const enum option_id *id = command->options; *id != OPTION_NONE; id++) {
        struct option_description option = option_describe(*id);
        (void)printf("--%s%s%s ", option.name, option.argument != NULL ? "=" : "",
                     option.argument != NULL ? option.argument : "");
    }
    (void)printf("--help;%s\n", command->operands != NULL ? command->operands : "");
}

void describe_completion(void)
{
    const struct command *command;
    (void)fputs("_allotctl_commands='", stdout);
    for (size_t i = 0; (command = command_at(i)) != NULL; i++)
        write_line(command);
    (void)fputs("'\n_allotctl_states='", stdout);
#define X(id, name) (void)fputs(name " ", stdout);
    LETTER_STATES(X)
    (void)fputs("'\n_allotctl_forms='", stdout);
    OUTPUT_FORMS(X)
#undef X
    (void)fputs("'\n", stdout);
}
