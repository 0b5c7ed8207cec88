/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two documents that are made from the list of settings: the example file and the settings part
 * of the manual page.
 *
 * Both functions walk over the table of settings (settings_table.h) in its order. A section begins
 * with the first setting whose key has its prefix ("amqp." or "amqp.tls."). Three groups of
 * functions follow: what both documents say of a setting (section, bounds, example value), the
 * example in YAML, and the manual in the syntax of scdoc. The example wraps its comments at
 * COLUMNS; the manual has one line per paragraph, since man wraps them.
 *
 * Guarantee: a setting cannot be missing in a document, and a default or bound cannot differ from
 * the list. Not here: reading settings (settings_file.c), and the rest of the manual page
 * (docs/man/allotd.yaml.5.scd).
 */
#include "common/codec/settings_document.h"

#include <string.h>

#include "common/codec/settings_table.h"

enum { COLUMNS = 100, INDENT = 2 };

static const char intro[] =
    "Settings of allotd: all of them, each with its default. A key that is left out has its "
    "default. The settings that are commented out have none: they are required, here or in the "
    "environment.\n"
    "\n"
    "Every setting can also be given as an environment variable, which overrides this file: "
    "amqp.heartbeat is ALLOT_AMQP_HEARTBEAT (upper case, underscores for dots, the prefix ALLOT_). "
    "A variable that is set but empty is an empty value, not a missing one. allotd needs no "
    "settings file if the environment has all that is required.\n"
    "\n"
    "Secrets: the two URIs contain passwords, and letters.notify_url may contain a secret. Keep "
    "them out of this file: set ALLOT_AMQP_URI and "
    "ALLOT_MONGODB_URI, or, for secrets that are mounted as files, ALLOT_AMQP_URI_FILE and "
    "ALLOT_MONGODB_URI_FILE, the path of a file that contains nothing but the URI. (NAME_FILE "
    "works for every variable NAME.) Log and error messages never show a password.\n"
    "\n"
    "The file is read once, at start, and strictly: an unknown or duplicate key, a key without a "
    "value, a number without its unit or out of its range, an anchor, alias or tag is an error "
    "that names the line, and the worker does not start.\n"
    "\n"
    "  Durations are a whole number and one of ms, s, m, h, d: 500ms, 10s, 7d.\n"
    "  Sizes are a whole number and one of B, KiB, MiB, GiB: 64MiB.\n"
    "  Booleans are true or false, nothing else.";

struct section {
    const char *key;
    const char *help;
};

static const struct section sections[] = {
#define X(key, help) {key, help},
    SETTING_SECTIONS(X)
#undef X
};

struct example {
    const char *key;
    const char *value;
};

static const struct example examples[] = {
#define X(key, value) {key, value},
    SETTING_EXAMPLES(X)
#undef X
};

/* Returns the length of the key without its last part and the dot before it; 0 without a dot. */
static size_t section_length(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot != NULL ? (size_t)(dot - key) : 0;
}

static bool is_in_section(const char *key, const char *section)
{
    size_t length = section_length(key);
    return strlen(section) == length && strncmp(key, section, length) == 0;
}

/* Returns the section that begins with setting `index`, or NULL. */
static const struct section *section_start(size_t index)
{
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        const char *section = sections[i].key;
        bool begun = index > 0 && is_in_section(settings_table[index - 1].key, section);
        if (!begun && is_in_section(settings_table[index].key, section))
            return &sections[i];
    }
    return NULL;
}

static const char *example_of(const struct setting *setting)
{
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        if (strcmp(examples[i].key, setting->key) == 0)
            return examples[i].value;
    }
    return "";
}

/* Returns whether the setting has invalid values; a text that may be empty has none. */
static bool has_bounds(const struct setting *setting)
{
    return setting->type != SETTING_TEXT || setting->minimum > 0;
}

/* Writes which values are valid, "Range: 1 to 64."; nothing if all are. */
static void write_bounds(FILE *out, const struct setting *setting)
{
    enum unit_kind kind;
    if (setting_is_required(setting))
        (void)fputs("Required.", out);
    else if (setting_is_number(setting->type, &kind))
        (void)fprintf(out, "Range: %s to %s.", units_format(kind, setting->minimum).chars,
                      units_format(kind, setting->maximum).chars);
    else if (setting_words(setting->type) != NULL)
        (void)fprintf(out, "One of %s.", setting_word_list(setting->type).chars);
    else if (has_bounds(setting))
        (void)fputs("Not empty.", out);
}

/* --- the example ----------------------------------------------------------------------------- */

/* Writes one paragraph as comment lines of at most COLUMNS columns, broken between words. */
static void write_comment_paragraph(FILE *out, int indent, const char *text, size_t length)
{
    const size_t room = COLUMNS - (size_t)indent - strlen("# ");
    do {
        size_t line = length;
        if (length > room) {
            const char *space = memrchr(text, ' ', room + 1);
            line = space != NULL && space > text ? (size_t)(space - text) : strcspn(text, " \n");
        }
        (void)fprintf(out, "%*s#%s%.*s\n", indent, "", line > 0 ? " " : "", (int)line, text);
        size_t next = line < length ? line + 1 : line;
        text += next;
        length -= next;
    } while (length > 0);
}

static void write_comment(FILE *out, int indent, const char *text)
{
    for (;;) {
        size_t length = strcspn(text, "\n");
        write_comment_paragraph(out, indent, text, length);
        if (text[length] == '\0')
            return;
        text += length + 1;
    }
}

static int indent_of(const char *key)
{
    int dots = 0;
    for (const char *c = key; *c != '\0'; c++)
        dots += *c == '.';
    return INDENT * dots;
}

static const char *last_part(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot != NULL ? dot + 1 : key;
}

/*
 * Returns whether all settings of the section are commented out. Then the name of the section is
 * too, since an empty mapping is invalid.
 */
static bool is_commented_out(const struct section *section)
{
    for (size_t i = 0; i < SETTINGS_LENGTH; i++) {
        if (is_in_section(settings_table[i].key, section->key) &&
            !setting_is_required(&settings_table[i]))
            return false;
    }
    return true;
}

static void write_example_section(FILE *out, const struct section *section)
{
    int indent = indent_of(section->key);
    (void)fputc('\n', out);
    write_comment(out, indent, section->help);
    (void)fprintf(out, "%*s%s%s:\n", indent, "", is_commented_out(section) ? "# " : "",
                  last_part(section->key));
}

static void write_example_setting(FILE *out, const struct setting *setting)
{
    int indent = indent_of(setting->key);
    bool required = setting_is_required(setting);
    write_comment(out, indent, setting->help);
    if (has_bounds(setting)) {
        (void)fprintf(out, "%*s# ", indent, "");
        write_bounds(out, setting);
        (void)fputc('\n', out);
    }
    const char *value = required ? example_of(setting) : setting->value;
    (void)fprintf(out, "%*s%s%s: %s\n", indent, "", required ? "# " : "", last_part(setting->key),
                  value[0] != '\0' ? value : "\"\"");
}

void settings_write_example(FILE *out)
{
    (void)fputs("# SPDX-License-Identifier: Apache-2.0\n"
                "#\n"
                "# Written by script/generate from include/allot/settings.h: change it there.\n"
                "#\n",
                out);
    write_comment(out, 0, intro);
    for (size_t i = 0; i < SETTINGS_LENGTH; i++) {
        const struct section *section = section_start(i);
        if (section != NULL)
            write_example_section(out, section);
        else
            (void)fputc('\n', out);
        write_example_setting(out, &settings_table[i]);
    }
}

/* --- the manual page ------------------------------------------------------------------------- */

/*
 * Writes text for scdoc: '*' and '_' are escaped, since they switch bold and underlined on and off;
 * a line end begins another indented paragraph.
 */
static void write_escaped(FILE *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '*' || *c == '_' || *c == '\\')
            (void)fputc('\\', out);
        (void)fputs(*c == '\n' ? "\n\n\t" : (const char[]){*c, '\0'}, out);
    }
}

static const char *type_name(enum setting_type type)
{
    switch (type) {
    case SETTING_TEXT: return "text";
    case SETTING_BOOLEAN: return "boolean";
    case SETTING_COUNT: return "integer";
    case SETTING_DURATION: return "duration";
    case SETTING_BYTES: return "size";
    case SETTING_LEVEL:
    case SETTING_FORMAT: return "word";
    }
    return "";
}

static void write_manual_section(FILE *out, const char *key, const char *help)
{
    (void)fputs("## ", out);
    write_escaped(out, key);
    (void)fputs("\n\n", out);
    if (help[0] == '\0')
        return;
    write_escaped(out, help);
    (void)fputs("\n\n", out);
}

/* An example stands last and without a full stop, so that it can be copied. */
static void write_manual_facts(FILE *out, const struct setting *setting)
{
    (void)fputs("\tEnvironment variable: ", out);
    write_escaped(out, setting_variable(setting->key).chars);
    if (setting_is_required(setting)) {
        (void)fputs(". Example: ", out);
        write_escaped(out, example_of(setting));
    } else {
        (void)fputs(". Default: ", out);
        write_escaped(out, setting->value[0] != '\0' ? setting->value : "empty");
        (void)fputs(has_bounds(setting) ? ". " : ".", out);
        write_bounds(out, setting);
    }
    (void)fputs("\n\n", out);
}

static void write_manual_setting(FILE *out, const struct setting *setting)
{
    (void)fputc('*', out);
    write_escaped(out, setting->key);
    (void)fprintf(out, "* (%s%s)\n\t", type_name(setting->type),
                  setting_is_required(setting) ? ", required" : "");
    write_escaped(out, setting->help);
    (void)fputs("\n\n", out);
    write_manual_facts(out, setting);
}

void settings_write_manual(FILE *out)
{
    for (size_t i = 0; i < SETTINGS_LENGTH; i++) {
        const char *key = settings_table[i].key;
        const struct section *section = section_start(i);
        if (section != NULL)
            write_manual_section(out, section->key, section->help);
        else if (section_length(key) == 0)
            write_manual_section(out, key, "");
        write_manual_setting(out, &settings_table[i]);
    }
}
