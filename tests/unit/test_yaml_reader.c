/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YAML reader below settings and policy: what it accepts, and the line of each error.
 *
 * `accepted` gives the tree of a valid text, `refused` compares the error of an invalid one. What
 * YAML allows but a configuration does not need (anchors, tags, several documents, ...) has to be
 * an error. Depth, members and size are bounded. The last tests read every prefix of a file and
 * files with changed bytes: each is accepted or refused without a crash.
 *
 * What keys mean is tested in test_settings_file.c and test_policy_file.c; random input is in
 * tests/fuzz.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/yaml_reader.h"

static int set_up(void **state)
{
    *state = arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static const struct yaml_node *accepted(struct arena *arena, struct text yaml)
{
    const struct yaml_node *root = NULL;
    struct error error = {{0}};
    if (!yaml_read(yaml, "f", arena, &root, &error))
        fail_msg("%.*s: %s", TEXT_ARGS(yaml), error.text);
    return root;
}

static void refused(struct arena *arena, struct text yaml, const char *expected)
{
    const struct yaml_node *root = NULL, *const untouched = root;
    struct error error = {{0}};
    if (yaml_read(yaml, "f", arena, &root, &error))
        fail_msg("accepted: %.*s", TEXT_ARGS(yaml));
    assert_ptr_equal(root, untouched);
    assert_string_equal(error.text, expected);
}

static void test_a_text_without_a_document_has_no_root(void **state)
{
    static const char *const texts[] = {"", "\n", "# only a comment\n", "---\n", "---\n...\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_null(accepted(*state, text_of(texts[i])));
    assert_null(accepted(*state, TEXT_NONE));
}

static void test_the_tree_has_the_order_and_lines_of_the_file(void **state)
{
    const struct yaml_node *root =
        accepted(*state, text_of("# c\nb:\n  - x\n\n  - {y: 1}\na: 'q'\r\nc:\n\n  z: >-\n    m\n"));
    assert_int_equal(root->kind, YAML_MAPPING);
    assert_int_equal(root->child_count, 3);
    const struct yaml_node *b = root->children, *a = b->next, *c = a->next;
    assert_null(c->next);
    assert_true(text_is(b->key, "b"));
    assert_int_equal(b->kind, YAML_LIST);
    assert_int_equal(b->line, 2);
    assert_int_equal(b->child_count, 2);
    assert_true(text_is(b->children->scalar, "x"));
    assert_int_equal(b->children->line, 3);
    assert_int_equal(b->children->next->line, 5);
    assert_true(text_is(yaml_member(b->children->next, "y")->scalar, "1"));
    assert_true(text_is(a->scalar, "q"));
    assert_int_equal(a->line, 6);
    assert_int_equal(yaml_member(c, "z")->line, 9);
    assert_true(text_is(yaml_member(c, "z")->scalar, "m"));
}

static void test_a_member_that_is_not_there_is_null(void **state)
{
    const struct yaml_node *root = accepted(*state, text_of("a: [b]\n"));
    assert_non_null(yaml_member(root, "a"));
    assert_null(yaml_member(root, "b"));
    assert_null(yaml_member(yaml_member(root, "a"), "b"));
    assert_null(yaml_member(NULL, "a"));
}

static void test_only_plain_words_for_nothing_are_nothing(void **state)
{
    const struct yaml_node *root =
        accepted(*state, text_of("[~, null, Null, NULL, '', '~', \"null\", nil, 0, nULL]"));
    int place = 0;
    for (const struct yaml_node *item = root->children; item != NULL; item = item->next)
        assert_int_equal(item->is_null, place++ < 4);
    assert_int_equal(place, 10);
    assert_true(accepted(*state, text_of("a:\n"))->children->is_null);
}

static void test_what_yaml_has_and_configuration_does_not_need_is_refused(void **state)
{
    static const char *const cases[][2] = {
        {"a: 1\nb: &x 2\n", "f:2: anchors and tags are not allowed"},
        {"a: &x [1]\n", "f:1: anchors and tags are not allowed"},
        {"a: &x {b: 1}\n", "f:1: anchors and tags are not allowed"},
        {"&x a: 1\n", "f:1: anchors and tags are not allowed"},
        {"a: !!str 1\n", "f:1: anchors and tags are not allowed"},
        {"a: !local [1]\n", "f:1: anchors and tags are not allowed"},
        {"a: ! x\n", "f:1: anchors and tags are not allowed"},
        {"a: 1\nb: *x\n", "f:2: aliases are not allowed"},
        {"a: 1\n*x : 2\n", "f:2: aliases are not allowed"},
        {"? [a]\n: 1\n", "f:1: a key must be a string"},
        {"? {a: 1}\n: 1\n", "f:1: a key must be a string"},
        {": 1\n", "f:1: a key must be a string"},
        {"~: 1\n", "f:1: a key must be a string"},
        {"a: 1\na: 2\n", "f:2: duplicate key 'a', first on line 1"},
        {"a: {b: 1,\n b: 2}\n", "f:2: duplicate key 'b', first on line 1"},
        {"a: 1\n---\nb: 2\n", "f:2: more than one YAML document"},
        {"a: 1\n...\nb: 2\n", "f:3: more than one YAML document"},
        {"---\n---\n", "f:2: more than one YAML document"},
        {"a: \"\\0\"\n", "f:1: NUL characters are not allowed"},
        {"\"a\\u0000\": 1\n", "f:1: NUL characters are not allowed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(*state, text_of(cases[i][0]), cases[i][1]);
}

static void test_what_is_not_utf8_text_is_refused_with_its_line(void **state)
{
    refused(*state, text_of("a: 1\nb: \xff\n"), "f:2: invalid UTF-8");
    refused(*state, text_of("a: \xed\xa0\x80\n"), "f:1: invalid UTF-8");
    refused(*state, text_view("a: 1\nb\0: 2\n", 11), "f:2: control characters are not allowed");
    refused(*state, text_view("\0", 1), "f:1: control characters are not allowed");
    refused(*state, text_of("a: 1\n\nb: \x1b[2J\n"), "f:3: control characters are not allowed");
    refused(*state, text_of("# \x7f\n"), "f:1: control characters are not allowed");
    refused(*state,
            text_view("\xff\xfe"
                      "a\0",
                      4),
            "f:1: invalid UTF-8");
    refused(*state,
            text_view("a\0:\0 \0"
                      "1\0",
                      8),
            "f:1: control characters are not allowed");
    refused(*state, text_view("a: \xe2\x82", 5), "f:1: invalid UTF-8");
    (void)accepted(*state, text_of("a: caf\xc3\xa9 \xf0\x9f\x98\x80\n"));
}

static void test_what_is_no_yaml_is_refused_with_its_line(void **state)
{
    static const char *const texts[] = {"\n{a: 1",      "\na: [1",   "\na: 'x",   "\na: b: c\n",
                                        "a:\n\tb: 1\n", "a: 1\n]\n", "\na: @x\n", "\na: \"\\q\"\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct yaml_node *root = NULL;
        struct error error = {{0}};
        assert_false(yaml_read(text_of(texts[i]), "f", *state, &root, &error));
        if (strstr(error.text, "f:2: invalid YAML: ") != error.text)
            fail_msg("%s: %s", texts[i], error.text);
    }
}

static void test_nesting_is_bounded(void **state)
{
    for (int depth = 1; depth <= 300; depth++) {
        char yaml[700];
        int length = snprintf(yaml, sizeof yaml, "%.*s", 0, "");
        for (int i = 0; i < depth - 1; i++)
            yaml[length++] = '[';
        yaml[length++] = 'x';
        for (int i = 0; i < depth - 1; i++)
            yaml[length++] = ']';
        const struct yaml_node *root = NULL;
        struct text text = text_view(yaml, (size_t)length);
        assert_int_equal(yaml_read(text, "f", *state, &root, NULL), depth <= YAML_DEPTH_MAX);
    }
}

static void test_the_members_of_a_mapping_are_bounded(void **state)
{
    char yaml[YAML_MEMBERS_MAX * 10 + 100];
    size_t length = 0;
    for (int i = 0; i <= YAML_MEMBERS_MAX; i++) {
        if (i == YAML_MEMBERS_MAX)
            (void)accepted(*state, text_view(yaml, length));
        length += (size_t)snprintf(yaml + length, sizeof yaml - length, "k%d: 1\n", i);
    }
    refused(*state, text_view(yaml, length), "f:257: too many keys in one mapping (limit 256)");
}

static void test_the_size_of_a_file_is_bounded(void **state)
{
    char *yaml = malloc(YAML_BYTES_MAX + 1);
    assert_non_null(yaml);
    memset(yaml, ' ', YAML_BYTES_MAX + 1);
    assert_null(accepted(*state, text_view(yaml, YAML_BYTES_MAX)));
    refused(*state, text_view(yaml, YAML_BYTES_MAX + 1),
            "f:1: file too large: 4194305 bytes (limit 4194304)");
    free(yaml);
}

/* Wherever the text is cut, nothing beyond its end is read, and nothing leaks. */
static void test_every_prefix_of_a_file_is_accepted_or_refused_cleanly(void **state)
{
    static const char yaml[] = "%YAML 1.2\n---\na: [x, 'y', \"z\\n\"]\nb:\n  - {c: 1, d: ~}\n"
                               "e: |+\n  text\n\nf: &g !!h >-\n  i\n? j\n: *g\n...\n---\nk";
    for (size_t length = 0; length < sizeof yaml; length++) {
        char *exact = malloc(length > 0 ? length : 1);
        assert_non_null(exact);
        memcpy(exact, yaml, length);
        const struct yaml_node *root = NULL;
        struct error error = {{0}};
        bool ok = yaml_read(text_view(exact, length), "f", *state, &root, &error);
        assert_true(ok || error.text[0] != '\0');
        free(exact);
    }
}

static void test_spoiled_files_are_accepted_or_refused_cleanly(void **state)
{
    static const char yaml[] = "a: [x, 'y', \"z\"]\nb:\n  - {c: 1, d: ~}\ne: |\n  t\n? f\n: g\n";
    static const char bytes[] = "[]{}:,-?&*!|>'\"%@`#\n\t \\~x\xc3";
    for (size_t place = 0; place < sizeof yaml - 1; place++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            char spoiled[sizeof yaml];
            memcpy(spoiled, yaml, sizeof spoiled);
            spoiled[place] = bytes[i];
            struct arena *arena = arena_new(0);
            const struct yaml_node *root = NULL;
            struct error error = {{0}};
            bool ok = yaml_read(text_view(spoiled, sizeof yaml - 1), "f", arena, &root, &error);
            assert_true(ok || strncmp(error.text, "f:", 2) == 0);
            arena_free(arena);
        }
    }
    (void)state;
}

static void test_shown_text_is_short_printable_and_no_uri(void **state)
{
    (void)state;
    assert_string_equal(yaml_show(text_of("caf\xc3\xa9")).chars, "caf\xc3\xa9");
    assert_string_equal(yaml_show(text_of("a\nb\x1b\xff\x7f")).chars, "a?b???");
    assert_string_equal(yaml_show(text_of("amqp://u:p@h")).chars, "(a URI)");
    assert_string_equal(yaml_show(TEXT_NONE).chars, "");
    char lengthy[401];
    for (size_t start = 0; start < 3; start++) {
        memset(lengthy, 'a', start);
        for (size_t i = start; i + 2 <= 400; i += 2)
            memcpy(lengthy + i, "\xc3\xa9", 2);
        struct yaml_shown shown = yaml_show(text_view(lengthy, 398));
        size_t length = strlen(shown.chars);
        assert_true(length < sizeof shown.chars);
        assert_string_equal(shown.chars + length - 3, "...");
        assert_int_equal((unsigned char)shown.chars[length - 4], 0xa9);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_text_without_a_document_has_no_root),
        TEST(test_the_tree_has_the_order_and_lines_of_the_file),
        TEST(test_a_member_that_is_not_there_is_null),
        TEST(test_only_plain_words_for_nothing_are_nothing),
        TEST(test_what_yaml_has_and_configuration_does_not_need_is_refused),
        TEST(test_what_is_not_utf8_text_is_refused_with_its_line),
        TEST(test_what_is_no_yaml_is_refused_with_its_line),
        TEST(test_nesting_is_bounded),
        TEST(test_the_members_of_a_mapping_are_bounded),
        TEST(test_the_size_of_a_file_is_bounded),
        TEST(test_every_prefix_of_a_file_is_accepted_or_refused_cleanly),
        TEST(test_spoiled_files_are_accepted_or_refused_cleanly),
        TEST(test_shown_text_is_short_printable_and_no_uri),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
