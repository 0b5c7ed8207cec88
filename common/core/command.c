/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/command.h"

const char *command_name(enum command_kind kind)
{
    switch (kind) {
#define X(id, name, mode, summary)                                                                 \
    case COMMAND_##id: return name;
        COMMANDS(X)
#undef X
    }
    return "";
}

enum command_mode command_mode(enum command_kind kind)
{
    switch (kind) {
#define X(id, name, mode, summary)                                                                 \
    case COMMAND_##id: return mode;
        COMMANDS(X)
#undef X
    }
    return MODE_EXCLUSIVE;
}

bool command_parse(struct text name, enum command_kind *ret_kind)
{
#define X(id, command, mode, summary)                                                              \
    if (text_is(name, command)) {                                                                  \
        *ret_kind = COMMAND_##id;                                                                  \
        return true;                                                                               \
    }
    COMMANDS(X)
#undef X
    return false;
}
