/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writers of the `result` of a success: one function for each form that results have.
 * command_codec.c says which command has which form. Each writes the members of an object that the
 * caller has opened and will close. Source: docs/protocol.md, section 2, commands.
 */
#ifndef ALLOT_CODEC_RESULT_ENCODE_H
#define ALLOT_CODEC_RESULT_ENCODE_H

#include "common/codec/json_write.h"
#include "common/core/verdict.h"

/* Writes no member. */
void result_write_nothing(struct json_writer *writer, const struct result *result);
/* Writes the provider's UUID, name, parent, root and generation. */
void result_write_provider_place(struct json_writer *writer, const struct result *result);
/* Writes the provider's place, inventories and usages. */
void result_write_provider(struct json_writer *writer, const struct result *result);
/* Writes one page of providers, each with its place. */
void result_write_list(struct json_writer *writer, const struct result *result);
/* Writes one page of the allocations on a provider. */
void result_write_page(struct json_writer *writer, const struct result *result);
/* Writes the provider's generation and inventories. */
void result_write_inventory(struct json_writer *writer, const struct result *result);
/* Writes the new generations of one consumer and of its providers. */
void result_write_allocation(struct json_writer *writer, const struct result *result);
/* Writes the new generations of many consumers and of their providers. */
void result_write_consumers(struct json_writer *writer, const struct result *result);
/* Writes a consumer with its allocations; without a consumer, empty allocations. */
void result_write_consumer(struct json_writer *writer, const struct result *result);
/* Writes the usages of a project by consumer type. */
void result_write_usages(struct json_writer *writer, const struct result *result);

#endif
