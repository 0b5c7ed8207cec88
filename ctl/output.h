/* SPDX-License-Identifier: Apache-2.0 */
/* How every command of allotctl reports an error and ends its output. */
#ifndef ALLOT_CTL_OUTPUT_H
#define ALLOT_CTL_OUTPUT_H

#include "common/base/error.h"

/* Flushes stdout, then prints "allotctl: " and the error on stderr. Returns EXIT_FAILED. */
int fail_with(const struct error *error);

/*
 * Flushes stdout. Returns `status`; or, if not all output could be written (the disk is full, or
 * the reading end of a pipe is closed), prints an error and returns EXIT_FAILED.
 */
int finish_output(int status);

#endif
