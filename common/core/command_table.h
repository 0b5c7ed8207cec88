/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of each command kind. The planner calls them through this table and has no switch
 * over kinds of its own.
 * CONTRIBUTING.md, "Add a command", has all steps. Without its functions in COMMAND_FUNCTIONS(ID)
 * the programs do not link: "undefined reference to `command_functions_...'". If a member is
 * missing, tests/unit/test_command_table names the command and the member.
 */
#ifndef ALLOT_CORE_COMMAND_TABLE_H
#define ALLOT_CORE_COMMAND_TABLE_H

#include "common/core/decision.h"

struct command_functions {
    /*
     * Asks the policy for everything that the command names or affects, in the contract's order:
     * project, then provider. `question` holds the rules that allow the command itself. Returns
     * false if the command is `forbidden`, and then the verdict says so.
     */
    bool (*policy)(struct decision *decision, struct policy_question *question);
    /* Adds the documents that the command names. `index` is its place in the batch. */
    void (*want_first)(struct snapshot *snapshot, const struct command *command, size_t index);
    /* Adds the documents that the loaded ones make necessary; NOTHING_MORE if there are none. */
    void (*want_second)(struct snapshot *snapshot, const struct command *command);
    /*
     * Checks the rules that depend on the state, in the contract's order. On success it makes the
     * effect in the snapshot and fills the result. On failure it leaves the snapshot unchanged.
     */
    void (*decide)(struct decision *decision);
};

/* For `want_second`: the first round loads all that the command needs. */
#define NOTHING_MORE NULL

/* Defines the functions of one command; `id` is the identifier of its row in COMMANDS(X). */
#define COMMAND_FUNCTIONS(id) const struct command_functions command_functions_##id

#define X(id, name, mode, summary) extern COMMAND_FUNCTIONS(id);
COMMANDS(X)
#undef X

/* Returns the row of the command. Static. */
const struct command_functions *command_functions(enum command_kind kind);

#endif
