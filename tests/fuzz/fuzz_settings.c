/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings. The input is the YAML file; its comments "#ALLOT_X=value" are the variables. Every line
 * is also parsed as a number with a unit.
 */
#include <string.h>

#include "common/base/utf8.h"
#include "common/codec/settings_file.h"
#include "common/codec/units.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/libfyaml_leak.h"

static const char file_name[] = "s.yaml";
/* Of the same length, so that an error is cut at the same place. */
static const char *const secrets[] = {"Zq70xPw9", "kkkkkkkk"};

struct variables {
    struct arena *arena;
    struct text input;
};

/* Returns the value after "#NAME=" in the input, up to the end of the line. */
static const char *variable(void *context, const char *name)
{
    const struct variables *variables = context;
    struct text mark = text_format(variables->arena, "#%s=", name);
    const char *end = variables->input.bytes + variables->input.length;
    const char *at =
        variables->input.length > 0
            ? memmem(variables->input.bytes, variables->input.length, mark.bytes, mark.length)
            : NULL;
    if (at == NULL)
        return NULL;
    at += mark.length;
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    size_t length = (size_t)((line_end != NULL ? line_end : end) - at);
    return text_copy(variables->arena, text_view(at, length)).bytes;
}

static void check_text(struct text text, int64_t minimum)
{
    REQUIRE(text_present(text) && utf8_valid(text) && text.bytes[text.length] == '\0');
    for (size_t i = 0; i < text.length; i++)
        REQUIRE((unsigned char)text.bytes[i] >= ' ' && text.bytes[i] != 0x7f);
    REQUIRE(minimum == 0 || text.length > 0);
}

#define IN_RANGE(value, minimum, maximum) REQUIRE((value) >= (minimum) && (value) <= (maximum))
#define CHECK_TEXT(value, minimum, maximum) check_text(value, minimum)
#define CHECK_BOOLEAN(value, minimum, maximum) REQUIRE((value) == true || (value) == false)
#define CHECK_COUNT(value, minimum, maximum) IN_RANGE(value, minimum, maximum)
#define CHECK_DURATION(value, minimum, maximum) IN_RANGE(value, minimum, maximum)
#define CHECK_BYTES(value, minimum, maximum) IN_RANGE(value, minimum, maximum)
#define CHECK_LEVEL(value, minimum, maximum) REQUIRE((value) <= LOG_LEVEL_DEBUG)
#define CHECK_FORMAT(value, minimum, maximum) REQUIRE((value) <= LOG_FORMAT_TEXT)

static void check_settings(const struct settings *settings)
{
#define X(type, member, key, value, minimum, maximum, help)                                        \
    CHECK_##type(settings->member, minimum, maximum);
    SETTINGS(X)
#undef X
    REQUIRE(settings->security_trust_user_id || settings->security_default_principal.length > 0);
    REQUIRE((settings->amqp_tls_certificate_file.length > 0) ==
            (settings->amqp_tls_key_file.length > 0));
}

/* "FILE:LINE: what", "ALLOT_X: what" or "key is required: ...", on one line. */
static void check_error(const struct error *error, struct text yaml)
{
    static const char place[] = "s.yaml:";
    size_t length = strlen(error->text);
    REQUIRE(length > 0 && length < ERROR_TEXT_MAX);
    for (size_t i = 0; i < length; i++)
        REQUIRE((unsigned char)error->text[i] >= ' ' && error->text[i] != 0x7f);
    if (strncmp(error->text, place, strlen(place)) != 0) {
        REQUIRE(strncmp(error->text, "ALLOT_", 6) == 0 ||
                strstr(error->text, " is required: ") != NULL);
        return;
    }
    char *end = NULL;
    long line = strtol(error->text + strlen(place), &end, 10);
    long lines = 1;
    for (size_t i = 0; i < yaml.length; i++)
        lines += yaml.bytes[i] == '\n' || yaml.bytes[i] == '\r';
    REQUIRE(strncmp(end, ": ", 2) == 0 && line >= 0 && line <= lines + 1);
}

static bool read_settings(struct arena *arena, struct text yaml, struct text variables_in,
                          struct settings *ret_settings, struct error *error)
{
    struct variables variables = {arena, variables_in};
    return settings_read(yaml, file_name, variable, &variables, arena, ret_settings, error);
}

static void check_file(struct arena *arena, struct text input)
{
    struct settings settings;
    struct error error = {""};
    memset(&settings, 0xa5, sizeof settings);
    if (read_settings(arena, input, input, &settings, &error)) {
        check_settings(&settings);
        return;
    }
    check_error(&error, input);
    const unsigned char *bytes = (const unsigned char *)&settings;
    for (size_t i = 0; i < sizeof settings; i++)
        REQUIRE(bytes[i] == 0xa5);
}

/*
 * A URI with a password replaces the first '$' of the input. Whatever is wrong with the file, the
 * error must be the same for another password.
 */
static void check_secret(struct arena *arena, struct text input)
{
    const char *at = input.length > 0 ? memchr(input.bytes, '$', input.length) : NULL;
    if (at == NULL || memchr(input.bytes, '\0', input.length) != NULL)
        return;
    struct text before = text_view(input.bytes, (size_t)(at - input.bytes));
    struct text after = text_view(at + 1, input.length - before.length - 1);
    struct error errors[2] = {{""}, {""}};
    bool read[2];
    for (size_t i = 0; i < 2; i++) {
        struct settings settings;
        struct text yaml = text_format(arena, "%.*samqp://u:%s@h%.*s", TEXT_ARGS(before),
                                       secrets[i], TEXT_ARGS(after));
        read[i] = read_settings(arena, yaml, yaml, &settings, &errors[i]);
        if (read[i])
            check_settings(&settings);
    }
    REQUIRE(read[0] == read[1]);
    REQUIRE(strcmp(errors[0].text, errors[1].text) == 0);
}

static void check_number(enum unit_kind kind, struct text text)
{
    int64_t value = -1;
    if (!units_parse(kind, text, &value)) {
        REQUIRE(value == -1);
        return;
    }
    REQUIRE(value >= 0 && text.bytes[0] >= '0' && text.bytes[0] <= '9');
    if (value == INT64_MAX)
        return;
    struct units_text written = units_format(kind, value);
    int64_t again = -1;
    REQUIRE(units_parse(kind, text_of(written.chars), &again) && again == value);
    REQUIRE(value == 0 || strlen(written.chars) <= text.length);
}

static void check_numbers(struct text input)
{
    size_t start = 0;
    for (size_t i = 0; i <= input.length; i++) {
        if (i < input.length && input.bytes[i] != '\n')
            continue;
        struct text line = text_view(input.bytes + start, i - start);
        check_number(UNIT_COUNT, line);
        check_number(UNIT_DURATION, line);
        check_number(UNIT_BYTES, line);
        start = i + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (libfyaml_leaks(data, size))
        return 0;
    struct arena *arena = arena_new(0);
    struct text input = text_view((const char *)data, size);
    check_file(arena, input);
    check_secret(arena, input);
    check_numbers(input);
    arena_free(arena);
    return 0;
}
