/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a dead letter tells of itself: by the worker's headers (docs/protocol.md, section 5), or,
 * where the broker has dead-lettered it, by the broker's. Pure.
 */
#ifndef ALLOT_CTL_DEAD_LETTER_H
#define ALLOT_CTL_DEAD_LETTER_H

#include "common/amqp/client.h"

/* Texts are absent where nothing is known; they live as long as the message and the arena. */
struct dead_letter {
    bool has_dead_at;
    int64_t dead_at_ms; /* since the epoch */
    struct text reason;
    struct text principal;
    struct text command;
    struct text message_id;
    struct text detail;
    struct text queue;
    struct text worker;
};

struct dead_letter dead_letter_read(const struct client_message *message, struct arena *arena);

#endif
