/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input of `send`: JSON lines, each a body or an envelope with a member "body". All of it is
 * read and judged before anything is sent. It knows nothing of brokers.
 */
#ifndef ALLOT_CTL_SEND_INPUT_H
#define ALLOT_CTL_SEND_INPUT_H

#include <stdio.h>

#include "allot/message.h"
#include "common/base/error.h"

struct input_command {
    struct text message_id;
    const struct outgoing_header *headers;
    size_t header_count;
    struct text body;
};

struct input {
    struct input_command *commands; /* belongs to the arena */
    size_t count;
};

/*
 * Empty lines are skipped. A line without a message_id gets `key_prefix`-LINE, or, where that is
 * NULL, a random UUID. False, and an error "NAME:LINE: ...", at the first bad line.
 */
ALLOT_CHECK bool input_read(FILE *file, const char *name, const char *key_prefix,
                            struct arena *arena, struct input *ret_input, struct error *error);
/* A random UUID in its written form. */
struct text input_random_key(struct arena *arena);

#endif
