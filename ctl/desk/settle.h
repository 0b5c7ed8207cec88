/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out what became of letters: a command that has succeeded since closes its letter. */
#ifndef ALLOT_CTL_DESK_SETTLE_H
#define ALLOT_CTL_DESK_SETTLE_H

#include "allot/letter.h"
#include "ctl/desk/desk.h"

/*
 * Looks up the recorded outcomes of the letters that are open or replayed. A letter whose command
 * has succeeded becomes resolved; one that was replayed and failed becomes open. Updates
 * `records`, and the database unless desk->read_only. An outcome of the same key and another body
 * is not the letter's. Returns false, with an error, if the database does not answer.
 */
ALLOT_CHECK bool settle_letters(const struct desk *desk, struct letter_record *records,
                                size_t count, struct arena *arena, struct error *error);
/* The same for letters that are replayed. What is recorded for open ones, a dry run says. */
ALLOT_CHECK bool settle_replayed(const struct desk *desk, struct letter_record *records,
                                 size_t count, struct arena *arena, struct error *error);

#endif
