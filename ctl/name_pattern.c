/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/name_pattern.h"

#include <ctype.h>
#include <regex.h>
#include <string.h>

/* Groups such as (?i), and classes such as \d, are Perl's only. */
static bool is_perls(struct text pattern)
{
    for (size_t i = 0; i + 1 < pattern.length; i++) {
        unsigned char next = (unsigned char)pattern.bytes[i + 1];
        if (pattern.bytes[i] == '\\' && isalnum(next))
            return true;
        if (pattern.bytes[i] == '\\')
            i++;
        else if (strchr("(*+?}", pattern.bytes[i]) != NULL && (next == '?' || next == '+'))
            return true;
    }
    return false;
}

enum pattern_answer name_pattern_matches(struct text pattern, struct text name)
{
    regex_t expression;
    struct arena *arena = arena_new(0);
    enum pattern_answer answer = PATTERN_UNREADABLE;
    const char *zero_pattern = text_copy(arena, pattern).bytes;
    const char *zero_name = text_copy(arena, name).bytes;
    if (pattern.length == 0) {
        answer = PATTERN_DIFFERS; /* the broker's rule for permissions; policies have a pattern */
    } else if (!is_perls(pattern) &&
               regcomp(&expression, zero_pattern, REG_EXTENDED | REG_NOSUB) == 0) {
        answer =
            regexec(&expression, zero_name, 0, NULL, 0) == 0 ? PATTERN_MATCHES : PATTERN_DIFFERS;
        regfree(&expression);
    }
    arena_free(arena);
    return answer;
}
