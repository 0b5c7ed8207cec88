/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the table of the commands of allotctl: each row has what the help, the man page and the
 * completion need, and its examples are commands that allotctl accepts.
 *
 * The examples are taken apart as a shell would do it, but for what allotctl does not need:
 * quotes, and a backslash at the end of a line. An example ends for allotctl at a pipe or a
 * redirection.
 */
#include "tests/support/cmocka.h"

#include <ctype.h>
#include <string.h>

#include "common/base/text.h"
#include "ctl/command_table.h"

enum { WORDS_MAX = 64, WORD_BYTES_MAX = 256, HELP_COLUMNS_MAX = 100, SUMMARY_MAX = 80 };

/* Calls `check` for each command of the table. */
static void for_each_command(void (*check)(const struct command *command))
{
    const struct command *command;
    size_t count = 0;
    for (; (command = command_at(count)) != NULL; count++)
        check(command);
    assert_true(count > 0);
}

static const char *verb_of(const struct command *command)
{
    return command->verb != NULL ? command->verb : "";
}

static bool accepts(const struct command *command, enum option_id wanted)
{
    const enum option_id *id = command->options;
    while (*id != OPTION_NONE && *id != wanted)
        id++;
    return *id == wanted;
}

/* --- texts ---------------------------------------------------------------------------------- */

static void check_summary(const struct command *command)
{
    const char *summary = command->summary;
    if (summary == NULL || !islower((unsigned char)summary[0]) ||
        summary[strlen(summary) - 1] == '.' || strlen(summary) > SUMMARY_MAX)
        fail_msg("%s %s: the summary is no sentence of at most %d bytes, in lower case and without "
                 "a full stop",
                 command->noun, verb_of(command), SUMMARY_MAX);
}

static void test_every_command_has_a_summary(void **state)
{
    (void)state;
    for_each_command(check_summary);
}

static void check_help(const struct command *command)
{
    const char *line = command->help;
    while (line != NULL && *line != '\0') {
        size_t length = strcspn(line, "\n");
        if (line[length] != '\n' || strncmp(line, "    ", 4) != 0 || length > HELP_COLUMNS_MAX)
            fail_msg("%s %s: a line of its help does not begin with 4 spaces, is longer than %d "
                     "columns, or does not end: '%.*s'",
                     command->noun, verb_of(command), HELP_COLUMNS_MAX, (int)length, line);
        line += length + 1;
    }
}

static void test_help_is_indented_and_fits(void **state)
{
    (void)state;
    for_each_command(check_help);
}

/* --- options -------------------------------------------------------------------------------- */

static void check_names(const struct command *command)
{
    for (const enum option_id *id = command->options; *id != OPTION_NONE; id++) {
        struct option_description option = option_describe(*id);
        assert_non_null(option.help);
        for (const enum option_id *other = command->options; other != id; other++) {
            if (strcmp(option.name, option_describe(*other).name) == 0)
                fail_msg("%s %s has two options --%s", command->noun, verb_of(command),
                         option.name);
        }
    }
}

static void test_no_command_has_an_option_twice(void **state)
{
    (void)state;
    for_each_command(check_names);
}

static void check_partners(const struct command *command)
{
    if (accepts(command, OPTION_JSON) != accepts(command, OPTION_OUTPUT))
        fail_msg("%s %s accepts only one of --json and --output", command->noun, verb_of(command));
    if (accepts(command, OPTION_NO_PAGER) != command->has_pager)
        fail_msg("%s %s: --no-pager is for commands with a pager", command->noun, verb_of(command));
    if (accepts(command, OPTION_CONTEXT) && !accepts(command, OPTION_CONFIG))
        fail_msg("%s %s accepts --context, and not --config", command->noun, verb_of(command));
}

static void test_options_that_belong_together_are_together(void **state)
{
    (void)state;
    for_each_command(check_partners);
}

/* --- the words of a command ----------------------------------------------------------------- */

static void check_found(const struct command *command)
{
    char *argv[] = {(char *)"allotctl", (char *)command->noun, (char *)command->verb, NULL};
    assert_ptr_equal(command_find(command->verb != NULL ? 3 : 2, argv), command);
    assert_int_equal(command_words(command), command->verb != NULL ? 2 : 1);
}

static void test_every_command_is_found_by_its_words(void **state)
{
    (void)state;
    char *unknown[] = {(char *)"allotctl", (char *)"no-such-noun", (char *)"list", NULL};
    for_each_command(check_found);
    assert_null(command_find(1, unknown));
    assert_null(command_find(3, unknown));
    assert_false(command_noun_has_verbs("no-such-noun"));
    assert_true(command_noun_has_verbs("letter"));
}

/* --- examples ------------------------------------------------------------------------------- */

/* An example, taken apart. */
struct example {
    char words[WORDS_MAX][WORD_BYTES_MAX];
    char *argv[WORDS_MAX + 1];
    int argc;
};

/* Copies the word at `at` without its quotes; returns what is behind it. */
static const char *take_word(const char *at, char *word)
{
    char quote = '\0';
    size_t length = 0;
    for (; *at != '\0' && (quote != '\0' || (*at != ' ' && *at != '\n')); at++) {
        if (quote == '\0' && (*at == '\'' || *at == '"'))
            quote = *at;
        else if (quote == *at)
            quote = '\0';
        else if (length + 1 < WORD_BYTES_MAX)
            word[length++] = *at;
    }
    word[length] = '\0';
    return quote == '\0' ? at : NULL;
}

static bool ends_command(const char *at)
{
    return strchr("|<>;&#", *at) != NULL; /* true for the end of the text, too */
}

/* Returns false if a quote is not closed. */
static bool take_apart(const char *at, struct example *example)
{
    example->argc = 0;
    while (at != NULL && example->argc < WORDS_MAX) {
        at += strspn(at, " \n");
        if (ends_command(at))
            break;
        if (strncmp(at, "\\\n", 2) == 0) {
            at += 2;
            continue;
        }
        at = take_word(at, example->words[example->argc]);
        example->argv[example->argc] = example->words[example->argc];
        example->argc++;
    }
    example->argv[example->argc] = NULL;
    return at != NULL;
}

static void check_example(const struct command *command, const char *text)
{
    struct example example;
    struct options options;
    int words = command_words(command);
    if (text == NULL || !take_apart(text, &example) || example.argc <= words ||
        strcmp(example.argv[0], "allotctl") != 0 ||
        command_find(example.argc, example.argv) != command) {
        fail_msg("%s %s: an example does not begin with the words of the command: '%s'",
                 command->noun, verb_of(command), text != NULL ? text : "(none)");
        return;
    }
    struct arena *arena = arena_new(0);
    example.argv[words] = example.argv[0];
    bool read = options_read(example.argc - words, example.argv + words, command->options,
                             command->operands_max, arena, &options);
    arena_free(arena);
    if (!read)
        fail_msg("%s %s does not accept its example '%s'", command->noun, verb_of(command), text);
}

static void check_examples(const struct command *command)
{
    check_example(command, command->examples[0]);
    check_example(command, command->examples[1]);
    if (strcmp(command->examples[0], command->examples[1]) == 0)
        fail_msg("%s %s: its examples are the same", command->noun, verb_of(command));
}

static void test_every_command_has_two_examples_that_it_accepts(void **state)
{
    (void)state;
    for_each_command(check_examples);
}

static void test_an_example_is_taken_apart_as_a_shell_does_it(void **state)
{
    (void)state;
    struct example example;
    assert_true(take_apart("allotctl a --note 'it is \"ok\"' \\\n    b\"c d\"e >file", &example));
    assert_int_equal(example.argc, 5);
    assert_string_equal(example.argv[3], "it is \"ok\"");
    assert_string_equal(example.argv[4], "bc de");
    assert_false(take_apart("allotctl 'a", &example));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_has_a_summary),
        cmocka_unit_test(test_help_is_indented_and_fits),
        cmocka_unit_test(test_no_command_has_an_option_twice),
        cmocka_unit_test(test_options_that_belong_together_are_together),
        cmocka_unit_test(test_every_command_is_found_by_its_words),
        cmocka_unit_test(test_every_command_has_two_examples_that_it_accepts),
        cmocka_unit_test(test_an_example_is_taken_apart_as_a_shell_does_it),
    };
    return cmocka_run_group_tests_name("allotctl_commands", tests, NULL, NULL) != 0;
}
