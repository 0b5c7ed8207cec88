/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/name_pattern.h"

#include <regex.h>
#include <string.h>

/* Says whether a backslash before this character makes it literal, for Perl and for POSIX. */
static bool is_literal_escape(char next)
{
    return next != '\0' && strchr(".^$*+?()[]{}|\\-_/:#@", next) != NULL;
}

/* Groups such as (?i), lazy and possessive repetitions, classes such as \d, and an escape within
   brackets mean something in one of the two dialects only. */
static bool is_of_one_dialect(const char *pattern)
{
    bool brackets = false;
    for (const char *at = pattern; *at != '\0'; at++) {
        char next = at[1];
        if (*at == '\\' && (brackets || !is_literal_escape(next)))
            return true;
        if (*at == '\\') {
            at++;
        } else if (brackets) {
            brackets = *at != ']';
        } else if (*at == '[') {
            brackets = true;
            at += next == '^';
            at += at[1] == ']'; /* the first one is literal */
        } else if (next != '\0' &&
                   ((*at == '(' && strchr("?*", next) != NULL) || (*at == '{' && next == ',') ||
                    (strchr("*+?}", *at) != NULL && strchr("?+", next) != NULL))) {
            return true;
        }
    }
    return false;
}

enum pattern_answer name_pattern_matches(struct text pattern, struct text name)
{
    regex_t expression;
    struct arena *arena = arena_new(0);
    enum pattern_answer answer = PATTERN_UNREADABLE;
    const char *zero_pattern = text_format(arena, "%.*s", TEXT_ARGS(pattern)).bytes;
    const char *zero_name = text_format(arena, "%.*s", TEXT_ARGS(name)).bytes;
    if (!is_of_one_dialect(zero_pattern) &&
        regcomp(&expression, zero_pattern, REG_EXTENDED | REG_NOSUB) == 0) {
        answer =
            regexec(&expression, zero_name, 0, NULL, 0) == 0 ? PATTERN_MATCHES : PATTERN_DIFFERS;
        regfree(&expression);
    }
    arena_free(arena);
    return answer;
}
