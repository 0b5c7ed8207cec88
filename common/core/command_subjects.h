/* SPDX-License-Identifier: Apache-2.0 */
/* What a command is about: the consumers, providers and project that it names. Pure. */
#ifndef ALLOT_CORE_COMMAND_SUBJECTS_H
#define ALLOT_CORE_COMMAND_SUBJECTS_H

#include "common/core/command.h"

enum { COMMAND_SUBJECTS_MAX = 16 };

/* The first COMMAND_SUBJECTS_MAX of each, in the order in which the command has them, each once. */
struct command_subjects {
    struct uuid consumers[COMMAND_SUBJECTS_MAX];
    size_t consumer_count;
    struct uuid providers[COMMAND_SUBJECTS_MAX];
    size_t provider_count;
    struct text project; /* the first; borrowed from the command; absent: it names none */
};

struct command_subjects command_subjects_of(const struct command *command);

#endif
