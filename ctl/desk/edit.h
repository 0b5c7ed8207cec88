/* SPDX-License-Identifier: Apache-2.0 */
/* Sends a changed command in place of that of a letter, under a new key, and links both. */
#ifndef ALLOT_CTL_DESK_EDIT_H
#define ALLOT_CTL_DESK_EDIT_H

#include "common/amqp/client.h"
#include "ctl/desk/desk.h"
#include "ctl/desk/replay_message.h"

/* Returns whether the worker's decoder accepts the body as a command of the letter's principal. If
   not, `error` has the code and the message, with the place in the body. */
ALLOT_CHECK bool edit_check(const struct desk *desk, const struct letter_record *record,
                            struct text body, struct error *error);

/* A changed command. All borrowed. */
struct edit {
    const struct letter_record *record; /* the letter in whose place it is sent */
    struct text body;
    struct replay_options options;
};

/*
 * Sends the body with the letter's principal under a new key, which is written into the letter
 * before, with the id that a letter of the new command would have (`edited_to`). The letter becomes
 * replayed. Sets the key, in `arena`. Returns false, with an error, if broker or database fail; the
 * letter then says whether the command may have been sent.
 */
ALLOT_CHECK bool edit_send(const struct desk *desk, struct client *client, const struct edit *edit,
                           struct arena *arena, struct text *ret_key, struct error *error);

#endif
