/* SPDX-License-Identifier: Apache-2.0 */
/* Reads settings from a text and a table of variables, for the tests of settings_file. */
#ifndef ALLOT_TEST_SETTINGS_FILE_H
#define ALLOT_TEST_SETTINGS_FILE_H

#include "tests/support/cmocka.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/settings_file.h"

/* The environment: the usual variables, which give the required settings, and those of a test. */
struct environment {
    const char *const *pairs; /* name, value, ..., NULL */
    bool bare;                /* without the usual ones */
};

static const char *const usual[] = {
    "ALLOT_AMQP_URI",
    "amqp://allotd:s3cret@broker/",
    "ALLOT_MONGODB_URI",
    "mongodb://allotd:s3cret@store/",
    "ALLOT_MONGODB_DATABASE",
    "allot",
    "ALLOT_POLICY_FILE",
    "policy.yaml",
    NULL,
};

static inline const char *look_up(const char *const *pairs, const char *name)
{
    for (; pairs != NULL && *pairs != NULL; pairs += 2) {
        if (strcmp(pairs[0], name) == 0)
            return pairs[1];
    }
    return NULL;
}

static inline const char *variable(void *context, const char *name)
{
    const struct environment *environment = context;
    const char *value = look_up(environment->pairs, name);
    return value != NULL || environment->bare ? value : look_up(usual, name);
}

struct fixture {
    struct arena *arena;
    struct environment environment;
    struct settings settings;
    struct error error;
};

static inline int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->arena = arena_new(0);
    *state = fixture;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static inline bool read_text(struct fixture *fixture, struct text yaml)
{
    fixture->error.text[0] = '\0';
    return settings_read(yaml, "allotd.yaml", variable, &fixture->environment, fixture->arena,
                         &fixture->settings, &fixture->error);
}

static inline const struct settings *accepted(struct fixture *fixture, const char *yaml)
{
    if (!read_text(fixture, text_of(yaml)))
        fail_msg("%s", fixture->error.text);
    assert_string_equal(fixture->error.text, "");
    return &fixture->settings;
}

static inline void refused(struct fixture *fixture, const char *yaml, const char *error)
{
    struct settings before;
    memset(&fixture->settings, 0x5a, sizeof fixture->settings);
    memset(&before, 0x5a, sizeof before);
    if (read_text(fixture, text_of(yaml)))
        fail_msg("accepted, instead of \"%s\"", error);
    assert_string_equal(fixture->error.text, error);
    assert_memory_equal(&fixture->settings, &before, sizeof before);
}

static inline void assert_text(struct text text, const char *string)
{
    if (!text_is(text, string))
        fail_msg("\"%.*s\" is not \"%s\"", TEXT_ARGS(text), string);
}

/* Returns the variable of a setting, in `buffer`. */
static inline const char *variable_name(const char *key, char *buffer, size_t size)
{
    (void)snprintf(buffer, size, "ALLOT_%s", key);
    for (char *c = buffer; *c != '\0'; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    return buffer;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
