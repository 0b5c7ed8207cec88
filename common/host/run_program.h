/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program, and waits for its end within a limit. There is no shell, and no argument beside
 * the path.
 */
#ifndef ALLOT_HOST_RUN_PROGRAM_H
#define ALLOT_HOST_RUN_PROGRAM_H

#include <stdint.h>

#include "common/base/error.h"
#include "common/base/text.h"

struct program_run {
    const char *path;   /* absolute */
    struct text input;  /* its standard input */
    int64_t timeout_ms; /* then it is killed */
    int stop_fd;        /* readable: the program is killed at once; -1: there is none */
};

/*
 * Runs the program and returns true if it exits with status 0. Otherwise it returns false with an
 * error that says why, with the first line that the program wrote to its standard output or error.
 *
 * The program is in a process group of its own, which is killed as a whole (SIGKILL). It inherits
 * no file, no blocked signal, and the environment without the variables ALLOT_..., which may hold
 * secrets. It need not read its input. What it leaves in the background after its end goes on. When
 * this returns, the program has ended, and is no zombie.
 */
ALLOT_CHECK bool run_program(const struct program_run *run, struct error *error);

#endif
