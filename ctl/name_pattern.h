/* SPDX-License-Identifier: Apache-2.0 */
/* The patterns of names that a broker has in permissions and policies. Pure. */
#ifndef ALLOT_CTL_NAME_PATTERN_H
#define ALLOT_CTL_NAME_PATTERN_H

#include "common/base/text.h"

enum pattern_answer { PATTERN_MATCHES, PATTERN_DIFFERS, PATTERN_UNREADABLE };

/*
 * Says whether the pattern matches the name, or a part of it. The broker's patterns are Perl's
 * regular expressions; those that mean something else as a POSIX extended one are UNREADABLE.
 */
enum pattern_answer name_pattern_matches(struct text pattern, struct text name);

#endif
