/* SPDX-License-Identifier: Apache-2.0 */
/* The `result` of a success, command by command. Source: docs/protocol.md, section 2, commands. */
#ifndef ALLOT_CODEC_RESULT_ENCODE_H
#define ALLOT_CODEC_RESULT_ENCODE_H

#include "common/codec/json_write.h"
#include "common/core/command.h"
#include "common/core/verdict.h"

/* Writes one object. Which members of `result` count: see struct result. */
void result_encode(struct json_writer *writer, enum command_kind kind, const struct result *result);

#endif
