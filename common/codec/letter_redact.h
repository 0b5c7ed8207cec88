/* SPDX-License-Identifier: Apache-2.0 */
/* Takes private data out of a letter before it is stored. Pure. */
#ifndef ALLOT_CODEC_LETTER_REDACT_H
#define ALLOT_CODEC_LETTER_REDACT_H

#include "allot/letter.h"
#include "allot/settings.h"

/* What is not stored. Borrowed. */
struct letter_redaction {
    bool body; /* the body: only its size and its digest stay */
    struct text
        headers; /* names of headers, separated by commas; spaces around them do not count */
};

/* Returns what the settings say of it; its text is borrowed from them. */
struct letter_redaction letter_redaction_of(const struct settings *settings);

/*
 * Changes the letter. A header that is named keeps its name, and gets the value "void" of AMQP; a
 * list of headers that cannot be read is cut off where it is malformed. Names are compared with
 * their case. The id, the size and the digest of the body stay. What replaces the headers is in
 * `arena`.
 */
void letter_redact(struct arena *arena, const struct letter_redaction *redaction,
                   struct letter *letter);

#endif
