/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a dead letter's reason, origin and time: from the worker's headers (docs/protocol.md,
 * section 5), or, if the broker dead-lettered the message, from the broker's headers. Pure.
 */
#ifndef ALLOT_CTL_DEAD_LETTER_H
#define ALLOT_CTL_DEAD_LETTER_H

#include "common/amqp/client.h"

/* A text is absent if it is unknown. */
struct dead_letter {
    bool by_broker; /* the broker dead-lettered it */
    bool has_dead_at;
    int64_t dead_at_ms; /* since the Unix epoch */
    struct text reason;
    struct text principal;
    struct text command;
    struct text message_id;
    struct text detail;
    struct text queue;
    struct text worker;
    struct text letter;      /* the id of the stored letter, as the worker names it */
    int64_t body_size;       /* of a body that the worker cut: its size; otherwise 0 */
    struct text body_sha256; /* of such a body: of all of it; otherwise absent */
};

/*
 * Reads a letter. If the broker made it of a command in `command_queue`, forged headers of the
 * worker are ignored. The texts of the result are borrowed from the message, or copied to `arena`.
 */
struct dead_letter dead_letter_read(const struct client_message *message, struct text command_queue,
                                    struct arena *arena);

#endif
