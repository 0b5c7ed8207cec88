/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the documents that are made from the list of settings: config/allotd.example.yaml and the
 * manual page.
 *
 * The example has to be, byte for byte, what the list gives (the message of a difference says to
 * run script/generate). It has to load and give the defaults, also when its commented lines are
 * taken in. Every setting, its range and its variable have to be in both documents, and no line may
 * be too long.
 *
 * Reading of settings files in general is tested in test_settings_file.c and
 * test_settings_values.c.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/settings_document.h"
#include "common/codec/settings_file.h"
#include "common/codec/settings_table.h"
#include "common/codec/yaml_reader.h"

#define EXAMPLE "config/allotd.example.yaml"

enum { COLUMNS_MAX = 100, ROOM = 1 << 16 };

struct fixture {
    struct arena *arena;
    struct text example;
    struct text manual;
};

static struct text written(struct arena *arena, void (*write)(FILE *out))
{
    char *bytes = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&bytes, &length);
    assert_non_null(out);
    write(out);
    assert_int_equal(fclose(out), 0);
    struct text text = text_copy(arena, text_view(bytes, length));
    free(bytes);
    return text;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->arena = arena_new(0);
    fixture->example = written(fixture->arena, settings_write_example);
    fixture->manual = written(fixture->arena, settings_write_manual);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static void test_the_file_is_what_the_list_gives(void **state)
{
    struct fixture *fixture = *state;
    FILE *file = fopen(EXAMPLE, "r");
    assert_non_null(file);
    char *bytes = arena_alloc(fixture->arena, ROOM);
    struct text shipped = text_view(bytes, fread(bytes, 1, ROOM - 1, file));
    (void)fclose(file);
    if (!text_equal(shipped, fixture->example))
        fail_msg(EXAMPLE " differs from the list in include/allot/settings.h: "
                         "run script/generate");
}

static const char *required_variables(void *context, const char *name)
{
    static const char *const names[] = {"ALLOT_AMQP_URI", "ALLOT_MONGODB_URI", "ALLOT_POLICY_FILE"};
    (void)context;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0)
            return "given";
    }
    return NULL;
}

static const char *no_variables(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

static struct settings accepted(struct fixture *fixture, struct text yaml,
                                settings_variable variable)
{
    struct settings settings = {0};
    struct error error = {{0}};
    if (!settings_read(yaml, EXAMPLE, variable, NULL, fixture->arena, &settings, &error))
        fail_msg("%s", error.text);
    return settings;
}

static void test_the_example_loads_and_gives_the_defaults(void **state)
{
    struct fixture *fixture = *state;
    struct settings settings = accepted(fixture, fixture->example, required_variables);
    struct settings defaults = accepted(fixture, text_of(""), required_variables);
#define SAME_TEXT(a, b) text_equal(a, b)
#define SAME_BOOLEAN(a, b) ((a) == (b))
#define SAME_COUNT(a, b) ((a) == (b))
#define SAME_DURATION(a, b) ((a) == (b))
#define SAME_BYTES(a, b) ((a) == (b))
#define SAME_LEVEL(a, b) ((a) == (b))
#define SAME_FORMAT(a, b) ((a) == (b))
#define X(type, member, key, value, minimum, maximum, help)                                        \
    if (!SAME_##type(settings.member, defaults.member))                                            \
        fail_msg("%s is not the default", key);
    SETTINGS(X)
#undef X
}

/* Returns whether the line is a commented-out key of the example: "# policy:", "  # uri: ...". */
static bool is_commented_key(const char *line)
{
    static const char *const keys[] = {"# policy:\n", "# uri: ", "# file: "};
    line += strspn(line, " ");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strncmp(line, keys[i], strlen(keys[i])) == 0)
            return true;
    }
    return false;
}

static void test_the_example_is_complete_without_its_comment_signs(void **state)
{
    struct fixture *fixture = *state;
    char *bytes = arena_alloc(fixture->arena, fixture->example.length + 1);
    size_t length = 0;
    for (const char *line = fixture->example.bytes; *line != '\0';) {
        size_t indent = strspn(line, " ");
        size_t skipped = is_commented_key(line) ? 2 : 0;
        size_t rest = strcspn(line, "\n") + 1 - indent - skipped;
        memcpy(bytes + length, line, indent);
        memcpy(bytes + length + indent, line + indent + skipped, rest);
        length += indent + rest;
        line += indent + skipped + rest;
    }
    struct settings settings = accepted(fixture, text_view(bytes, length), no_variables);
    assert_true(text_starts_with(settings.amqp_uri, "amqp://"));
    assert_true(text_starts_with(settings.mongodb_uri, "mongodb://"));
    assert_true(text_is(settings.policy_file, "/etc/allot/policy.yaml"));
}

static void test_every_setting_and_its_range_are_in_both_documents(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < SETTINGS_LENGTH; i++) {
        const struct setting *setting = &settings_table[i];
        const char *part = strrchr(setting->key, '.');
        part = part != NULL ? part + 1 : setting->key;
        struct text line = text_format(fixture->arena, "%s: ", part);
        assert_non_null(strstr(fixture->example.bytes, line.bytes));

        enum unit_kind kind;
        if (!setting_is_number(setting->type, &kind))
            continue;
        struct text range = text_format(fixture->arena, "Range: %s to %s.",
                                        units_format(kind, setting->minimum).chars,
                                        units_format(kind, setting->maximum).chars);
        assert_non_null(strstr(fixture->example.bytes, range.bytes));
        assert_non_null(strstr(fixture->manual.bytes, range.bytes));
    }
}

static void test_every_section_and_required_setting_has_its_row(void **state)
{
    static const char *const sections[] = {
#define X(key, help) key,
        SETTING_SECTIONS(X)
#undef X
    };
    static const char *const examples[] = {
#define X(key, value) key,
        SETTING_EXAMPLES(X)
#undef X
    };
    (void)state;
    for (size_t i = 0; i < SETTINGS_LENGTH; i++) {
        const struct setting *setting = &settings_table[i];
        const char *dot = strrchr(setting->key, '.');
        bool has_section = dot == NULL, has_example = !setting_is_required(setting);
        for (size_t k = 0; k < sizeof sections / sizeof sections[0]; k++)
            has_section |= dot != NULL && strlen(sections[k]) == (size_t)(dot - setting->key) &&
                           strncmp(sections[k], setting->key, strlen(sections[k])) == 0;
        for (size_t k = 0; k < sizeof examples / sizeof examples[0]; k++)
            has_example |= strcmp(examples[k], setting->key) == 0;
        if (!has_section || !has_example)
            fail_msg("%s has no row in %s", setting->key,
                     has_section ? "SETTING_EXAMPLES" : "SETTING_SECTIONS");
        assert_true(strlen(setting->help) > 10);
        assert_int_equal(setting->help[strlen(setting->help) - 1], '.');
    }
}

static void test_no_line_of_the_example_is_too_long(void **state)
{
    struct fixture *fixture = *state;
    for (const char *line = fixture->example.bytes; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (length > COLUMNS_MAX || (length > 0 && line[length - 1] == ' '))
            fail_msg("%zu columns, or a space at the end: %.*s", length, (int)length, line);
        line += length + 1;
    }
}

static void assert_in_manual(const struct fixture *fixture, const char *expected)
{
    if (strstr(fixture->manual.bytes, expected) == NULL)
        fail_msg("not in the manual: %s", expected);
}

static void test_an_entry_of_the_manual_has_all_facts_of_its_setting(void **state)
{
    assert_in_manual(*state, "## amqp\n\nThe broker, RabbitMQ.\n\n*amqp.uri* (text, required)\n\t");
    assert_in_manual(*state, "\n\n\tEnvironment variable: ALLOT\\_POLICY\\_FILE. Example: "
                             "/etc/allot/policy.yaml\n\n## lanes\n\n*lanes* (integer)\n\t");
    assert_in_manual(*state,
                     "\n\n\tEnvironment variable: ALLOT\\_AMQP\\_MAX\\_BYTES\\_IN\\_FLIGHT. "
                     "Default: 64MiB. Range: 2MiB to 16GiB.\n\n");
    assert_in_manual(*state, "*worker.name* (text)\n\t");
    assert_in_manual(*state, "ALLOT\\_WORKER\\_NAME. Default: empty.\n\n");
    assert_in_manual(*state, "ALLOT\\_LOG\\_LEVEL. Default: info. One of error, warning, info, "
                             "debug.\n\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_file_is_what_the_list_gives),
        TEST(test_the_example_loads_and_gives_the_defaults),
        TEST(test_the_example_is_complete_without_its_comment_signs),
        TEST(test_every_setting_and_its_range_are_in_both_documents),
        TEST(test_every_section_and_required_setting_has_its_row),
        TEST(test_no_line_of_the_example_is_too_long),
        TEST(test_an_entry_of_the_manual_has_all_facts_of_its_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
