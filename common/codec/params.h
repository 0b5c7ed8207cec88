/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers of a command's params, from JSON to structs: one function for each form that params have.
 * command_codec.c says which command has which form. Source: docs/protocol.md, section 2, commands.
 *
 * Each function checks that `params`, the place of that member, has the members of its form and no
 * others, and fills one member of `command->params`. Texts are copied to the reader's arena. On
 * failure it returns false; then the reader has the place and the reason.
 */
#ifndef ALLOT_CODEC_PARAMS_H
#define ALLOT_CODEC_PARAMS_H

#include "common/codec/json_read.h"
#include "common/core/command.h"

/* Reads `uuid`, `name` and `parent_provider_uuid` into `provider`. */
ALLOT_CHECK bool params_read_provider(struct json_reader *reader, const struct json_place *params,
                                      struct command *command);
/* Reads `uuid` into `provider.uuid`. */
ALLOT_CHECK bool params_read_provider_uuid(struct json_reader *reader,
                                           const struct json_place *params,
                                           struct command *command);
/* Reads `limit`, `after` and `name_prefix` into `list`. */
ALLOT_CHECK bool params_read_list(struct json_reader *reader, const struct json_place *params,
                                  struct command *command);
/* Reads `uuid`, `limit` and `after` into `page`. */
ALLOT_CHECK bool params_read_page(struct json_reader *reader, const struct json_place *params,
                                  struct command *command);
/* Reads the whole inventory of one provider into `change`. */
ALLOT_CHECK bool params_read_inventory(struct json_reader *reader, const struct json_place *params,
                                       struct command *command);
/* Reads all allocations of one consumer into `change`. */
ALLOT_CHECK bool params_read_allocation(struct json_reader *reader, const struct json_place *params,
                                        struct command *command);
/* Reads `consumers`, the allocations of many consumers, into `change`. */
ALLOT_CHECK bool params_read_allocation_batch(struct json_reader *reader,
                                              const struct json_place *params,
                                              struct command *command);
/* Reads `consumer_uuid` and `consumer_generation` into `change`. */
ALLOT_CHECK bool params_read_allocation_delete(struct json_reader *reader,
                                               const struct json_place *params,
                                               struct command *command);
/* Reads `consumer_uuid` into `consumer`. */
ALLOT_CHECK bool params_read_consumer_uuid(struct json_reader *reader,
                                           const struct json_place *params,
                                           struct command *command);
/* Reads `project_id`, `user_id` and `consumer_type` into `usage`. */
ALLOT_CHECK bool params_read_usage(struct json_reader *reader, const struct json_place *params,
                                   struct command *command);
/* Reads `inventories` and `allocations` into `change`. */
ALLOT_CHECK bool params_read_reshape(struct json_reader *reader, const struct json_place *params,
                                     struct command *command);

/* Parts that several readers share. */

/*
 * Reads the new inventory of one provider, sorted by class, from the members
 * `resource_provider_generation` and `inventories`. In params_inventory.c.
 */
ALLOT_CHECK bool params_inventory_change(struct json_reader *reader,
                                         const struct json_place *object,
                                         struct inventory_change *ret_change);

/*
 * Reads PARAMS_CLAIM_MEMBERS, all members of allocation.set but `consumer_uuid`. The caller checks
 * that there are no others. In params_claim.c.
 */
ALLOT_CHECK bool params_claim(struct json_reader *reader, const struct json_place *object,
                              struct claim *ret_claim);
#define PARAMS_CLAIM_MEMBERS                                                                       \
    "project_id", "user_id", "consumer_generation", "consumer_type", "allocations", "mappings"

/* Returns NULL if `name` names a resource class, else the reason why not. Static. */
const char *params_check_class(struct text name);

#endif
