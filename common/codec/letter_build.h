/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a letter from the message that is dead-lettered. Pure. Source: docs/protocol.md, section 5.
 */
#ifndef ALLOT_CODEC_LETTER_BUILD_H
#define ALLOT_CODEC_LETTER_BUILD_H

#include "allot/letter.h"
#include "common/codec/command_decode.h"

/* Why, where and by whom a message is dead-lettered. All borrowed. */
struct letter_cause {
    enum letter_source source;
    struct text reason; /* a failure code, or what the broker says */
    struct text detail;
    struct text queue; /* where the command came from */
    struct text worker;
    int64_t attempts;
    int64_t at_ms; /* since the Unix epoch */
};

/*
 * Returns the letter of a message, as far as it was decoded. Texts are borrowed from the arguments,
 * or are in `arena`.
 */
struct letter letter_build(struct arena *arena, const struct delivery *delivery,
                           const struct decoded *decoded, const struct letter_cause *cause);

/* Returns the principal of the letter of a message, borrowed: as decoded, else as the broker says;
   absent if it has none. */
struct text letter_principal(const struct delivery *delivery, const struct decoded *decoded);

/* Returns a copy of the letter with all it points to, in `arena`. */
struct letter letter_copy(struct arena *arena, const struct letter *letter);

/* The same for a record. */
struct letter_record letter_record_copy(struct arena *arena, const struct letter_record *record);

/*
 * Returns the id of the letter, in `arena`: LETTER_ID_DIGITS of a digest. The same command of the
 * same principal in the same queue always gets the same one.
 */
struct text letter_id(struct arena *arena, struct text queue, struct text principal,
                      struct text message_id, struct text body_sha256);

/* Returns the digest of a body in hexadecimal digits, in `arena`. */
struct text letter_body_sha256(struct arena *arena, struct text body);

/*
 * Returns what letters of one cause have in common, in `arena`: reason, command and detail, in
 * which UUIDs, numbers and quoted texts are replaced by a sign.
 */
struct text letter_group(struct arena *arena, struct text reason, struct text command,
                         struct text detail);

#endif
