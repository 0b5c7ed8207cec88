/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of allotctl. Their table is in command_table.c, their options are read by options.c.
 *
 * Each function does the work of one command: it prints results on stdout and errors on stderr, and
 * returns the exit status. `options` and `arena` are borrowed; main frees the arena after the
 * command has returned.
 */
#ifndef ALLOT_CTL_COMMANDS_H
#define ALLOT_CTL_COMMANDS_H

#include "common/base/arena.h"
#include "ctl/options.h"

/* The exit statuses besides EXIT_SUCCESS (0). `allotctl --help` says what each means. */
enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

int topology_declare_command(const struct options *options, struct arena *arena);
int topology_check_command(const struct options *options, struct arena *arena);
int send_command(const struct options *options, struct arena *arena);
int dead_list_command(const struct options *options, struct arena *arena);
int letter_list_command(const struct options *options, struct arena *arena);
int letter_show_command(const struct options *options, struct arena *arena);
int letter_import_command(const struct options *options, struct arena *arena);
int letter_groups_command(const struct options *options, struct arena *arena);
int letter_replay_command(const struct options *options, struct arena *arena);
int letter_edit_command(const struct options *options, struct arena *arena);
int letter_resolve_command(const struct options *options, struct arena *arena);
int letter_discard_command(const struct options *options, struct arena *arena);
int letter_reopen_command(const struct options *options, struct arena *arena);
int letter_export_command(const struct options *options, struct arena *arena);
int outcome_show_command(const struct options *options, struct arena *arena);
int web_command(const struct options *options, struct arena *arena);
int audit_command(const struct options *options, struct arena *arena);
int provider_list_command(const struct options *options, struct arena *arena);
int provider_show_command(const struct options *options, struct arena *arena);
int provider_create_command(const struct options *options, struct arena *arena);
int provider_set_inventory_command(const struct options *options, struct arena *arena);
int provider_delete_command(const struct options *options, struct arena *arena);
int consumer_show_command(const struct options *options, struct arena *arena);
int allocate_command(const struct options *options, struct arena *arena);
int move_command(const struct options *options, struct arena *arena);
int release_command(const struct options *options, struct arena *arena);
int usage_command(const struct options *options, struct arena *arena);
int policy_check_command(const struct options *options, struct arena *arena);
int policy_test_command(const struct options *options, struct arena *arena);

#endif
