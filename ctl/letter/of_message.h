/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the letter of a message in the dead-letter queue. Pure. */
#ifndef ALLOT_CTL_LETTER_OF_MESSAGE_H
#define ALLOT_CTL_LETTER_OF_MESSAGE_H

#include "allot/letter.h"
#include "allot/settings.h"
#include "ctl/dead_letter.h"

/*
 * Returns the letter that a worker would have stored when the command was dead-lettered, with the
 * same id. `message` is one whose body is cut at BODY_BYTES_MAX, and `dead` what
 * dead_letter_read() makes of it. Texts are borrowed from them, or in `arena`.
 */
struct letter letter_of_message(struct arena *arena, const struct client_message *message,
                                const struct dead_letter *dead, const struct settings *settings);

#endif
