/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input of `allotctl send`: JSON lines, each the body of a command, or an envelope (an object
 * with a member "body"). All lines are read and checked before the first command is sent.
 */
#ifndef ALLOT_CTL_SEND_INPUT_H
#define ALLOT_CTL_SEND_INPUT_H

#include <stdio.h>

#include "allot/message.h"
#include "common/base/error.h"

struct send_input_command {
    struct text message_id;
    const struct outgoing_header *headers;
    size_t header_count;
    struct text body;
};

struct send_input {
    struct send_input_command *commands; /* copied to the arena, with their texts */
    size_t count;
};

/*
 * Reads `file` to its end. Empty lines are skipped. A line without a message_id gets
 * `key_prefix`-LINE, or a random UUID if `key_prefix` is NULL. At the first invalid line it returns
 * false with an error "NAME:LINE: ...".
 */
ALLOT_CHECK bool send_input_read(FILE *file, const char *name, const char *key_prefix,
                                 struct arena *arena, struct send_input *ret_input,
                                 struct error *error);

#endif
