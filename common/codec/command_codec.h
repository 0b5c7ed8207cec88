/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec's part of a command: how its params are read and how its result is written. The table
 * in command_codec.c has one row per command. A table in the core has the rest: what a command
 * needs and how it is decided.
 * CONTRIBUTING.md, "Add a command", has all steps. Until a command of COMMANDS(X) has its row here,
 * command_codec.c does not compile: ROW_<COMMAND> is undeclared.
 */
#ifndef ALLOT_CODEC_COMMAND_CODEC_H
#define ALLOT_CODEC_COMMAND_CODEC_H

#include "common/codec/json_read.h"
#include "common/codec/json_write.h"
#include "common/core/command.h"
#include "common/core/verdict.h"

/*
 * Fills `command->params` for `command->kind`; `params` is the place of that member. Everything is
 * copied to the reader's arena. Returns false if a param is missing or invalid;
 * `reader` then has the place and the reason.
 */
ALLOT_CHECK bool command_read_params(struct json_reader *reader, const struct json_place *params,
                                     struct command *command);

/* Writes the `result` of a success, one JSON object. The comment of struct result says which of its
   members are set for which command. */
void command_write_result(struct json_writer *writer, enum command_kind kind,
                          const struct result *result);

#endif
