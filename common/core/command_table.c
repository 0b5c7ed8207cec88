/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/command_table.h"

static const struct command_functions *const table[] = {
#define X(id, name, mode, summary) [COMMAND_##id] = &command_functions_##id,
    COMMANDS(X)
#undef X
};

const struct command_functions *command_functions(enum command_kind kind)
{
    return table[kind];
}
