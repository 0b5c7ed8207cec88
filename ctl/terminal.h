/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal that standard output is connected to, if it is. A command writes with the functions
 * of stdio as always; what differs on a terminal is asked for here. For one thread.
 */
#ifndef ALLOT_CTL_TERMINAL_H
#define ALLOT_CTL_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* X(identifier, the terminal's sequence): how a text looks. */
#define TONES(X)                                                                                   \
    X(PLAIN, "")                                                                                   \
    X(TITLE, "1")                                                                                  \
    X(GOOD, "32")                                                                                  \
    X(WARNING, "33")                                                                               \
    X(BAD, "31")                                                                                   \
    X(FAINT, "2")

enum tone {
#define X(id, sequence) TONE_##id,
    TONES(X)
#undef X
};

/* Looks at standard output. On a terminal, `with_pager` starts $PAGER ("less" if it is not set),
   which then gets all that is written to stdout, and to stderr if that is a terminal; without one
   the output goes to the terminal. */
void terminal_open(bool with_pager);
/* Ends the output: flushes stdout, and waits until the user has left the pager, if there is one.
   Returns the exit status: `status`, or after an error on stderr EXIT_FAILED if something was not
   written, or the pager could not be started. Nothing can be written to stdout after it. */
int terminal_finish(int status);

/* Returns whether stdout was a terminal when terminal_open() was called; false before. */
bool terminal_is_open(void);
/* Returns the width in columns. */
int terminal_width(void);

/* Begins and ends a tone on `stream`: nothing without a terminal, on a dumb one, with NO_COLOR, or
   for TONE_PLAIN. */
void tone_begin(FILE *stream, enum tone tone);
void tone_end(FILE *stream, enum tone tone);

/* Prints `question`, and returns whether the user answers "y" or "yes". Without a terminal as
   standard input and error it does not ask, prints that --yes is needed, and returns false. */
bool terminal_ask(const char *question);

#endif
