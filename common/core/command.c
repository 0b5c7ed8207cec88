/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/command.h"

static const struct {
    const char *name;
    enum command_mode mode;
} commands[] = {
#define X(id, wire_name, group, summary) [COMMAND_##id] = {wire_name, group},
    COMMANDS(X)
#undef X
};

const char *command_name(enum command_kind kind)
{
    return commands[kind].name;
}

enum command_mode command_mode(enum command_kind kind)
{
    return commands[kind].mode;
}

bool command_parse(struct text name, enum command_kind *ret_kind)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (!text_is(name, commands[i].name))
            continue;
        *ret_kind = (enum command_kind)i;
        return true;
    }
    return false;
}
