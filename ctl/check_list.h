/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command has checked, and how it prints it. A check has a subject ("queue allot.dead"), a
 * state, a finding, and what to do about it.
 */
#ifndef ALLOT_CTL_CHECK_LIST_H
#define ALLOT_CTL_CHECK_LIST_H

#include "common/base/arena.h"
#include "common/base/text.h"

enum check_state {
    CHECK_OK,
    CHECK_WARNING,   /* messages may be lost or go unanswered; the operator may want that */
    CHECK_DIFFERENT, /* has to be changed */
    CHECK_UNKNOWN    /* could not be checked */
};

struct check {
    enum check_state state;
    struct text subject;
    struct text finding; /* may be empty if OK */
    struct text remedy;  /* what to do; if UNKNOWN, the command that answers it; may be empty */
};

struct check_list {
    struct arena *arena; /* borrowed; the list grows in it */
    struct check *checks;
    size_t count;
    size_t capacity;
};

struct check_list check_list_new(struct arena *arena);
/* The texts are borrowed, and have to live as long as the arena. */
void check_list_add(struct check_list *list, struct check check);
/* Returns how many checks are in that state. */
size_t check_list_count(const struct check_list *list, enum check_state state);
/* Prints each check on stdout: state, subject and finding, and the remedy on a line of its own. */
void check_list_print(const struct check_list *list);

#endif
