/* SPDX-License-Identifier: Apache-2.0 */
/* The shipped example against the table of settings: neither may know one that the other lacks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/settings_file.h"
#include "common/codec/units.h"
#include "common/codec/yaml_reader.h"

#define EXAMPLE "config/allotd.example.yaml"

struct fixture {
    struct arena *arena;
    struct text yaml;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->arena = arena_new(0);
    FILE *file = fopen(EXAMPLE, "r");
    if (file == NULL)
        return -1;
    char *bytes = arena_alloc(fixture->arena, 1 << 16);
    fixture->yaml = text_view(bytes, fread(bytes, 1, (1 << 16) - 1, file));
    (void)fclose(file);
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

static const char *four_variables(void *context, const char *name)
{
    static const char *const names[] = {"ALLOT_AMQP_URI", "ALLOT_MONGODB_URI",
                                        "ALLOT_MONGODB_DATABASE", "ALLOT_POLICY_FILE"};
    (void)context;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0)
            return "given";
    }
    return NULL;
}

static void test_the_example_loads_and_gives_the_defaults(void **state)
{
    struct fixture *fixture = *state;
    struct settings settings = {0}, defaults = {0};
    struct error error = {{0}};
    if (!settings_read(fixture->yaml, EXAMPLE, four_variables, NULL, fixture->arena, &settings,
                       &error))
        fail_msg("%s", error.text);
    assert_true(settings_read(text_of(""), "none", four_variables, NULL, fixture->arena, &defaults,
                              &error));
#define SAME_TEXT(a, b) text_equal(a, b)
#define SAME_BOOLEAN(a, b) ((a) == (b))
#define SAME_COUNT(a, b) ((a) == (b))
#define SAME_DURATION(a, b) ((a) == (b))
#define SAME_BYTES(a, b) ((a) == (b))
#define SAME_LEVEL(a, b) ((a) == (b))
#define SAME_FORMAT(a, b) ((a) == (b))
#define X(type, member, key, value, minimum, maximum)                                              \
    if (!SAME_##type(settings.member, defaults.member))                                            \
        fail_msg("%s is not the default", key);
    SETTINGS(X)
#undef X
}

static const struct yaml_node *node_at(const struct yaml_node *root, const char *key)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s", key);
    char *rest = NULL;
    for (char *part = strtok_r(path, ".", &rest); part != NULL; part = strtok_r(NULL, ".", &rest))
        root = yaml_member(root, part);
    return root;
}

static bool is_left_to_a_variable(const char *key)
{
    static const char *const keys[] = {"amqp.uri", "mongodb.uri", "mongodb.database",
                                       "policy.file"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(key, keys[i]) == 0)
            return true;
    }
    return false;
}

/* As "# uri: ..." in the file's text. */
static bool is_commented_out(struct text yaml, const char *key)
{
    char line[96];
    const char *dot = strrchr(key, '.');
    (void)snprintf(line, sizeof line, "  # %s: ", dot != NULL ? dot + 1 : key);
    if (strcmp(key, "policy.file") == 0)
        (void)snprintf(line, sizeof line, "# policy:\n#   file: ");
    return strstr(yaml.bytes, line) != NULL;
}

static void check_mentioned(const struct fixture *fixture, const struct yaml_node *root,
                            const char *key, const char *value)
{
    const struct yaml_node *node = node_at(root, key);
    if (is_left_to_a_variable(key)) {
        assert_null(node);
        if (!is_commented_out(fixture->yaml, key))
            fail_msg("%s is not mentioned", key);
        return;
    }
    if (node == NULL)
        fail_msg("%s is not given", key);
    else if (!text_is(node->scalar, value))
        fail_msg("%s: \"%.*s\" is not \"%s\"", key, TEXT_ARGS(node->scalar), value);
}

static void test_every_setting_is_written_out_as_the_table_has_it(void **state)
{
    struct fixture *fixture = *state;
    const struct yaml_node *root = NULL;
    assert_true(yaml_read(fixture->yaml, EXAMPLE, fixture->arena, &root, NULL));
#define X(type, member, key, value, minimum, maximum) check_mentioned(fixture, root, key, value);
    SETTINGS(X)
#undef X
}

/* The start of a line of the file, counted from 1. */
static const char *line_at(struct text yaml, int line)
{
    const char *place = yaml.bytes;
    for (; line > 1; line--)
        place = strchr(place, '\n') + 1;
    return place;
}

static bool is_comment(const char *line)
{
    return line[strspn(line, " ")] == '#';
}

/* The comment right above a line, its lines joined by single spaces. */
static struct text comment_above(struct fixture *fixture, int line)
{
    int first = line;
    while (first > 1 && is_comment(line_at(fixture->yaml, first - 1)))
        first--;
    struct text comment = text_of("");
    for (; first < line; first++) {
        const char *words = line_at(fixture->yaml, first);
        words += strspn(words, " #");
        comment =
            text_format(fixture->arena, "%s%.*s ", comment.bytes, (int)strcspn(words, "\n"), words);
    }
    return comment;
}

static void check_range(struct fixture *fixture, const char *key, struct units_text minimum,
                        struct units_text maximum)
{
    const struct yaml_node *root = NULL;
    assert_true(yaml_read(fixture->yaml, EXAMPLE, fixture->arena, &root, NULL));
    struct text range = text_format(fixture->arena, "%s to %s", minimum.chars, maximum.chars);
    struct text comment = comment_above(fixture, node_at(root, key)->line);
    if (strstr(comment.bytes, range.bytes) == NULL)
        fail_msg("%s: \"%s\" lacks \"%s\"", key, comment.bytes, range.bytes);
}

static void test_the_comment_of_every_number_names_its_range(void **state)
{
#define RANGE_TEXT(key, minimum, maximum)
#define RANGE_BOOLEAN(key, minimum, maximum)
#define RANGE_LEVEL(key, minimum, maximum)
#define RANGE_FORMAT(key, minimum, maximum)
#define RANGE_OF(kind, key, minimum, maximum)                                                      \
    check_range(*state, key, units_format(kind, minimum), units_format(kind, maximum));
#define RANGE_COUNT(key, minimum, maximum) RANGE_OF(UNIT_COUNT, key, minimum, maximum)
#define RANGE_DURATION(key, minimum, maximum) RANGE_OF(UNIT_DURATION, key, minimum, maximum)
#define RANGE_BYTES(key, minimum, maximum) RANGE_OF(UNIT_BYTES, key, minimum, maximum)
#define X(type, member, key, value, minimum, maximum) RANGE_##type(key, minimum, maximum)
    SETTINGS(X)
#undef X
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_example_loads_and_gives_the_defaults),
        TEST(test_every_setting_is_written_out_as_the_table_has_it),
        TEST(test_the_comment_of_every_number_names_its_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
