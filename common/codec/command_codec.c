/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/command_codec.h"

#include "common/codec/params.h"
#include "common/codec/result_encode.h"

/* X(command, reader of its params, writer of its result) */
#define COMMAND_CODECS(X)                                                                          \
    X(PROVIDER_CREATE, params_read_provider, result_write_provider_place)                          \
    X(PROVIDER_UPDATE, params_read_provider, result_write_provider_place)                          \
    X(PROVIDER_DELETE, params_read_provider_uuid, result_write_nothing)                            \
    X(PROVIDER_GET, params_read_provider_uuid, result_write_provider)                              \
    X(PROVIDER_LIST, params_read_list, result_write_list)                                          \
    X(PROVIDER_ALLOCATIONS, params_read_page, result_write_page)                                   \
    X(INVENTORY_SET, params_read_inventory, result_write_inventory)                                \
    X(ALLOCATION_SET, params_read_allocation, result_write_allocation)                             \
    X(ALLOCATION_BATCH, params_read_allocation_batch, result_write_consumers)                      \
    X(ALLOCATION_DELETE, params_read_allocation_delete, result_write_nothing)                      \
    X(ALLOCATION_GET, params_read_consumer_uuid, result_write_consumer)                            \
    X(USAGE_GET, params_read_usage, result_write_usages)                                           \
    X(RESHAPE, params_read_reshape, result_write_consumers)

struct command_codec {
    bool (*read_params)(struct json_reader *reader, const struct json_place *params,
                        struct command *command);
    void (*write_result)(struct json_writer *writer, const struct result *result);
};

static const struct command_codec rows[] = {
#define X(id, read_params, write_result) {read_params, write_result},
    COMMAND_CODECS(X)
#undef X
};

enum {
#define X(id, read_params, write_result) ROW_##id,
    COMMAND_CODECS(X)
#undef X
};

/* Walks the list of all commands: a command without a row above does not compile. */
static const struct command_codec *const codecs[] = {
#define X(id, name, mode, summary) [COMMAND_##id] = &rows[ROW_##id],
    COMMANDS(X)
#undef X
};

bool command_read_params(struct json_reader *reader, const struct json_place *params,
                         struct command *command)
{
    return codecs[command->kind]->read_params(reader, params, command);
}

void command_write_result(struct json_writer *writer, enum command_kind kind,
                          const struct result *result)
{
    json_write_open(writer, '{');
    codecs[kind]->write_result(writer, result);
    json_write_close(writer, '}');
}
