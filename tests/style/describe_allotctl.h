/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the man pages and of the completion of allotctl that are made from its tables.
   Each function writes one part to stdout. */
#ifndef ALLOT_STYLE_DESCRIBE_ALLOTCTL_H
#define ALLOT_STYLE_DESCRIBE_ALLOTCTL_H

/* For allotctl(1), in the syntax of scdoc: the options that many commands accept; then a subsection
   for each command, with its other options and its examples. */
void describe_common_options(void);
void describe_allotctl_commands(void);

/* For allotctl.yaml(5), in the syntax of scdoc: the keys of a context. */
void describe_context_keys(void);

/* For ctl/completion/allotctl.bash: variables with the commands of allotctl, and with words that
   values of their options can have. */
void describe_completion(void);

#endif
