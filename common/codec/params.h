/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The params of each command, from JSON to structs that are valid in themselves. False where they
 * are not: the reader has the place. Source: docs/protocol.md, section 2, commands.
 */
#ifndef ALLOT_CODEC_PARAMS_H
#define ALLOT_CODEC_PARAMS_H

#include "common/codec/json_read.h"
#include "common/core/command.h"

/* Fills `command->params` for `command->kind`; `params` is the place of the member itself. */
ALLOT_CHECK bool params_read(struct json_reader *reader, const struct json_place *params,
                             struct command *command);

/* params_inventory.c: {CLASS: record}, in order of class. */
ALLOT_CHECK bool params_inventory_change(struct json_reader *reader,
                                         const struct json_place *object,
                                         struct inventory_change *ret_change);

/*
 * params_claim.c: the members of allocation.set but `consumer_uuid`; which members may be there is
 * for the caller to judge.
 */
ALLOT_CHECK bool params_claim(struct json_reader *reader, const struct json_place *object,
                              struct claim *ret_claim);
/* The members that params_claim reads. */
#define PARAMS_CLAIM_MEMBERS                                                                       \
    "project_id", "user_id", "consumer_generation", "consumer_type", "allocations", "mappings"

/* NULL for the name of a resource class, else what is wrong with it. */
const char *params_check_class(struct text name);

#endif
