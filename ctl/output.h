/* SPDX-License-Identifier: Apache-2.0 */
/* How every command of allotctl reports an error and ends its output. */
#ifndef ALLOT_CTL_OUTPUT_H
#define ALLOT_CTL_OUTPUT_H

#include <stdio.h>

#include "common/base/error.h"
#include "common/base/text.h"

/*
 * Prints a text that may come from a producer, the broker or the database. Control characters
 * (common/base/utf8.h) and bytes that are not UTF-8 become '?', so that they cannot send commands
 * to the terminal or end the line.
 */
void print_printable(FILE *stream, struct text text);
/* The same, with a line end. */
void print_printable_line(FILE *stream, struct text text);
/* Prints JSON text and a line end. Control characters, which are within its strings, are
   escaped: the values stay the same. */
void print_json_line(FILE *stream, struct text json);

/* Flushes stdout, then prints "allotctl: " and the error on stderr. Returns EXIT_FAILED. */
int fail_with(const struct error *error);

/*
 * Flushes stdout. Returns `status`; or, if not all output could be written (the disk is full, or
 * the reading end of a pipe is closed), prints an error and returns EXIT_FAILED.
 */
int finish_output(int status);

#endif
