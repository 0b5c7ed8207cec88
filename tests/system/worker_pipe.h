/* SPDX-License-Identifier: Apache-2.0 */
/* A pipe for the log of a worker, full from the beginning. */
#ifndef ALLOT_WORKER_PIPE_H
#define ALLOT_WORKER_PIPE_H

enum { PIPE_PATH_ROOM = 64 };

struct full_pipe {
    char folder[PIPE_PATH_ROOM], path[2 * PIPE_PATH_ROOM];
    int fd; /* the end to read; does not block */
};

/* Makes a pipe in a folder of its own, and fills it. */
struct full_pipe make_full_pipe(void);
/* Fills the pipe with empty lines, after something was read. */
void fill_pipe(const struct full_pipe *full);
/* Reads the pipe until it has read `part`, a word in quotes; fails if it does not come. */
void read_until(const struct full_pipe *full, const char *part);
void remove_pipe(const struct full_pipe *full);

#endif
